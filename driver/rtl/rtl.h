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

/* For tests and tools. Zeros are what rtl_card_open does. */
struct rtl_card_how {
    const struct rtl_model *whole; /* hw/shell/card.sv with this very graph as one module; NULL = modules one by one */
    const struct rtl_observer *observer;
    bool halted; /* the card's thread stands still until rtl_card_run, and rtl_card_step runs one cycle */
};
int rtl_card_open_as(const struct rtl_card_how *how, const struct native_graph *graph, const char *rest,
                     struct cipu_card **card, struct cipu_error *error);
void rtl_card_step(struct cipu_card *card);
void rtl_card_halt(struct cipu_card *card);
void rtl_card_run(struct cipu_card *card);

/* Who watches the records: called by the card's thread for each that a node wrote into a FIFO (`written`) or took out
 * of it, at the end of that cycle. `stream` is its number in the card's graph; the record is valid during the call. */
struct rtl_watcher {
    void (*record)(void *context, uint64_t cycle, uint16_t stream, bool written, const void *record);
    void *context;
};

/* From the next cycle on; NULL = nobody. Halted cards only. */
void rtl_card_watch(struct cipu_card *card, const struct rtl_watcher *watcher);

/* Writes the modules' signals of `count` cycles, from cycle `from` on, as an FST file, 4 ns a cycle. Once for a card,
 * halted. -ENOTSUP where the modules were built without, -EIO. The file is complete when the card is closed. */
int rtl_card_waveform(struct cipu_card *card, const char *path, uint64_t from, uint64_t count,
                      struct cipu_error *error);

/* The clock reads 0 and the buses draw the same times again, so that runs can be compared cycle by cycle. Only while
 * the card is halted and at rest. */
void rtl_card_zero(struct cipu_card *card);

/* Since open or rtl_card_zero: cycles that ran, and evaluations of models. Any thread. */
struct rtl_card_figures {
    uint64_t cycles;
    uint64_t evaluations;
    uint64_t sleeps;          /* as rtl_card_sleeps; it sleeps again soon after, when it has nothing to do */
    struct bus_counters host; /* what crossed PCIe */
};
void rtl_card_figures(struct cipu_card *card, struct rtl_card_figures *figures);

/* How often, since open, the card found nothing left to do and slept. Any thread. */
uint64_t rtl_card_sleeps(struct cipu_card *card);

#endif
