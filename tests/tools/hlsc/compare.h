/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's design against the kernel as C, on the same random input. */
#ifndef CIPU_TEST_HLSC_COMPARE_H
#define CIPU_TEST_HLSC_COMPARE_H

#include "tools/hlsc/kernel.h"

struct compare_result {
    uint32_t activations; /* that happened */
    uint32_t choices;     /* conditions of multiplexers */
    uint32_t chosen;      /* of these, such that were both 0 and 1 */
};

/* Returns whether all was equal; prints the first difference, as comments of TAP. */
bool compare_kernel(const struct kernel *kernel, const char *const *options, uint32_t attempts, uint64_t seed,
                    struct compare_result *result);

#endif
