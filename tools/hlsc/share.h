/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node for each bit. Slices move towards the leaves, so the same choice is made for several overlapping groups of
 * bits: a number of 16 bits, the byte in it, four bits of that. Each bit keeps its first node; whoever else needs it
 * takes it from there.
 */
#ifndef CIPU_HLSC_SHARE_H
#define CIPU_HLSC_SHARE_H

#include "tools/hlsc/design.h"

/* The last step before scheduling: constructors of the netlist would join again what is taken apart here. */
void share_design(struct design *design);

#endif
