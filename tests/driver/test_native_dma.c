/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/dma_tests.h"

int main(void)
{
    return run_dma_tests(native_card_open, 1);
}
