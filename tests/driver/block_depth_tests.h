/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the depths of the block path's FIFOs, for any kind of emulated card. */
#ifndef CIPU_TEST_BLOCK_DEPTH_TESTS_H
#define CIPU_TEST_BLOCK_DEPTH_TESTS_H

#include "driver/native.h"

struct block_depth_job {
    int (*open)(const struct native_graph *graph, const char *rest, struct cipu_card **card, struct cipu_error *error);
    uint32_t smallest; /* depth of a FIFO that needs none in particular */
    uint32_t commands; /* of each queue */
};

/* Windows are set and many commands end at once, while all FIFOs of the block path are as small as they may be. */
void block_depth_test_smallest(const struct block_depth_job *job);

#endif
