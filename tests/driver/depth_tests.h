/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the FIFOs' depths, for any kind of emulated card. */
#ifndef CIPU_TEST_DEPTH_TESTS_H
#define CIPU_TEST_DEPTH_TESTS_H

#include "tests/driver/depth_world.h"

struct depth_job {
    world_card open;
    uint32_t smallest; /* depth of a FIFO that needs none in particular */
    uint16_t functions;
    uint32_t packets; /* of each */
};

void depth_test_configured(const struct depth_job *job);
void depth_test_smallest(const struct depth_job *job);
void depth_test_too_small(const struct depth_job *job);

#endif
