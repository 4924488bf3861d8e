/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rebuilds a design's chains as trees: sums, AND, OR, XOR, and choices one behind the other, as loops and else-ifs
 * leave them. What is there late is joined last; what comes from state to go into state again, last of all, for there
 * every operation counts. Wide products become sums of such as one multiplier of an FPGA makes.
 */
#ifndef CIPU_HLSC_BALANCE_H
#define CIPU_HLSC_BALANCE_H

#include "tools/hlsc/delay.h"
#include "tools/hlsc/design.h"

void balance_design(struct design *design, const struct delay_table *delays);

#endif
