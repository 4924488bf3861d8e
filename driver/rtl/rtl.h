/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rtl card: the same card as the native one, cycle by cycle. The shell is Verilated modules (units), and so are
 * those kernels for which there are some; every other kernel runs natively as a model of one: at most one activation
 * per cycle, and a record that was written in one cycle is read in a later one. So FIFOs behave as
 * hw/shell/stream_fifo.sv does, and the card becomes exact kernel by kernel.
 *
 * A unit that is idle is not evaluated. When all are, and no stream moves, the clock stands: the card's thread sleeps.
 */
#ifndef CIPU_RTL_CARD_H
#define CIPU_RTL_CARD_H

#include "driver/native.h"
#include "hw/platform/sim/bus.h"
#include "hw/platform/sim/stream.h"

/* A kernel that has a module; its ports are named as its streams. */
struct rtl_kernel {
    const char *kernel;
    const struct rtl_model *model;
};

/* The kernels of the build, in any order; ends with {NULL, NULL}. */
extern const struct rtl_kernel rtl_kernels[];

int rtl_card_open(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                  struct cipu_error *error);

struct rtl_observer;

/* For tests. Zeros are what rtl_card_open does. */
struct rtl_card_how {
    const struct rtl_model *whole; /* hw/shell/card.sv with this very graph as one module; NULL = modules one by one */
    const struct rtl_observer *observer;
    bool halted; /* the card's thread stands still until rtl_card_run, and rtl_card_step runs one cycle */
};
int rtl_card_open_as(const struct rtl_card_how *how, const struct native_graph *graph, const char *rest,
                     struct cipu_card **card, struct cipu_error *error);
void rtl_card_step(struct cipu_card *card);
void rtl_card_run(struct cipu_card *card);

/* Since open: cycles that ran, and evaluations of models. Any thread. */
struct rtl_card_figures {
    uint64_t cycles;
    uint64_t evaluations;
    struct bus_counters host; /* what crossed PCIe */
};
void rtl_card_figures(struct cipu_card *card, struct rtl_card_figures *figures);

#endif
