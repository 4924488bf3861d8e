/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of a card's host side, for any card that runs a graph. */
#ifndef CIPU_TEST_DMA_TESTS_H
#define CIPU_TEST_DMA_TESTS_H

#include "tests/driver/mover_card.h"

/* Opens every card with `open`; long tests are cut by `haste`. Returns the number of failures. */
int run_dma_tests(int (*open)(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                              struct cipu_error *error),
                  unsigned haste);

#endif
