/* SPDX-License-Identifier: Apache-2.0 */
/* The block path of the simulated card. */
#include "tests/driver/block_tests.h"

const struct block_test block_test_card = {"rtl:", 60};
