/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a native graph on the caller's thread, with the caller's functions in place of the shell. For benchmarks and
 * tests; the card itself is driver/native.c.
 */
#ifndef CIPU_GRAPH_RUN_H
#define CIPU_GRAPH_RUN_H

#include "driver/native_graph.h"
#include "hls/include/fifo.h"
#include "hls/include/flow.h"

struct graph_run;

/* At most `budget` records; returns how many. */
typedef unsigned (*graph_run_block)(void *context, unsigned budget);

/* NULL: no memory. Everything is zero as after a reset. */
struct graph_run *graph_run_create(const struct native_graph *graph);
void graph_run_destroy(struct graph_run *run);

/* The FIFO of a shell stream ("memory_0", "request"); NULL when the graph has none. Owned by the run. */
struct hls_fifo *graph_run_fifo(struct graph_run *run, const char *instance, const char *port);

/* The function that stands for a shell instance. */
void graph_run_set(struct graph_run *run, const char *instance, graph_run_block block, void *context);

/* Visits every instance once, in the order of the schedule; returns the number of activations. */
unsigned graph_run_round(struct graph_run *run, unsigned budget);

/* From now on the time of each instance is measured; this adds two clock readings to each visit. */
void graph_run_profile(struct graph_run *run);
/* Prints instance, activations, ns per activation and ns in all to standard error. */
void graph_run_report(const struct graph_run *run);

/* Card memory: CARD_MEMORY_LINES lines of zeros behind instances memory_0 .. memory_3 of a run, for kernels that stay
 * within them. Requests are answered the visit after their lines were prefetched. */
struct graph_memory;
struct graph_memory *graph_memory_create(struct graph_run *run);
void graph_memory_destroy(struct graph_memory *memory);
uint8_t *graph_memory_line(struct graph_memory *memory, uint32_t line);

#endif
