/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cipu-graph writes about a graph and the native card's scheduler reads. A graph's object holds everything that
 * changes: it begins with `struct hls_fifo fifo[]`, one for each stream, followed by the kernels' states; zeros are its
 * initial value.
 */
#ifndef CIPU_NATIVE_GRAPH_H
#define CIPU_NATIVE_GRAPH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Written by the card's thread alone, read by any. */
struct native_activity {
    _Atomic uint64_t activations;
    _Atomic uint64_t stalls; /* visits that found input but no room for output */
};

static inline void native_account(struct native_activity *activity, unsigned activations, bool stalled)
{
    /* One writer: a plain addition, without a locked instruction. */
    if (activations)
        atomic_store_explicit(&activity->activations,
                              atomic_load_explicit(&activity->activations, memory_order_relaxed) + activations,
                              memory_order_relaxed);
    if (stalled)
        atomic_store_explicit(&activity->stalls, atomic_load_explicit(&activity->stalls, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

struct native_stream {
    const char *name; /* from.port:to.port */
    uint32_t slot_bytes;
    uint32_t depth;
    uint16_t from, to;  /* nodes */
    const char *record; /* the C struct's name */
};

struct native_node {
    const char *name;
    const char *kernel; /* NULL = an instance of the shell */
    /* At most `budget` activations; returns how many. NULL for the shell. */
    unsigned (*run)(void *object, struct native_activity *activity, unsigned budget);
};

struct native_shell_stream {
    const char *port; /* as in shell.cfg, without the instance */
    uint16_t node;
    uint16_t stream;
};

struct native_graph {
    const char *name;
    size_t object_bytes; /* align it to 64 bytes */
    const struct native_stream *streams;
    size_t stream_count;
    const struct native_node *nodes; /* in the order of the schedule */
    size_t node_count;
    const struct native_shell_stream *shell;
    size_t shell_count;
};

#endif
