/* SPDX-License-Identifier: Apache-2.0 */
/* Designs as no kernel would be: small RAMs that are hit again and again, state that depends on everything. */
#ifndef CIPU_TESTS_HLSC_RANDOM_DESIGN_H
#define CIPU_TESTS_HLSC_RANDOM_DESIGN_H

#include "tools/hlsc/design.h"

/* The same for the same seed. */
void random_design(struct design *design, uint64_t seed);

#endif
