/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be cut into stages at will. */
#ifndef CIPU_HLSC_LOOPS_H
#define CIPU_HLSC_LOOPS_H

#include "tools/hlsc/design.h"

enum loop_flags {
    LOOP_STATE = 1, /* between a state's value and its next one */
    LOOP_FIRST = 2, /* decides in stage 0 whether an activation begins, now or by way of state */
};

/* By node; the caller frees it. */
uint8_t *loops_find(const struct design *design);

#endif
