/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of a card as modules, all on one clock. In each cycle every module that has something to do sees the
 * FIFOs as they were when the cycle began, so that neither the order of modules nor which of them sleep makes a
 * difference: a record that one pushes is there for the next one cycle later. Then the shell's blocks, in C, move at
 * most one record each.
 *
 * A module whose `idle` port is set once its inputs have settled would not change: it is not clocked. All functions but
 * create and destroy are the card's thread's, or its while the thread stands still.
 */
#ifndef CIPU_LOCKSTEP_H
#define CIPU_LOCKSTEP_H

#include "driver/card.h"
#include "driver/rtl_graph.h"

struct lockstep;
struct native_card;

/* Makes the modules of `graph`, in reset; the card's FIFOs are there already. 0 or a negative errno. */
int lockstep_create(struct native_card *card, const struct rtl_graph *graph, struct lockstep **lockstep,
                    struct cipu_error *error);
void lockstep_destroy(struct lockstep *lockstep);
void lockstep_reset(struct lockstep *lockstep);

/* Cycles until nothing is left to do, some at most; returns how much was done: 0 = the card is idle. */
unsigned lockstep_round(struct native_card *card);

/* Cycles so far. Any thread. */
uint64_t lockstep_cycles(const struct lockstep *lockstep);

#endif
