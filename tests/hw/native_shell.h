/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of the native card's shell on their own, without a graph or a thread: the oracle of their SystemVerilog. Every
 * block has FIFOs that hold a whole test's records. And host memory with everything in it that a bus may meet.
 */
#ifndef CIPU_TEST_NATIVE_SHELL_H
#define CIPU_TEST_NATIVE_SHELL_H

#include "driver/native.h"
#include "hw/platform/sim/bus.h"

#define NATIVE_SHELL_STREAMS 64u

struct native_shell {
    struct native_card card;
    struct native_graph graph;
    struct native_node names[NATIVE_NODES_MAX]; /* all of channel 0 */
    struct native_shell_stream streams[NATIVE_SHELL_STREAMS];
    struct hls_fifo fifos[NATIVE_SHELL_STREAMS];
    uint32_t record_bytes[NATIVE_SHELL_STREAMS];
    struct native_task tasks[NATIVE_NODES_MAX];
    void *blocks[NATIVE_NODES_MAX];
    void (*resets[NATIVE_NODES_MAX])(void *block);
    size_t nodes;
};

void native_shell_open(struct native_shell *shell);
void native_shell_close(struct native_shell *shell);

/* A block of `create` with the named streams; returns its node. */
size_t native_shell_add(struct native_shell *shell,
                        int (*create)(struct native_card *card, size_t node, struct cipu_error *error),
                        const char *const *ports, const uint32_t *bytes, size_t count);

void native_shell_push(struct native_shell *shell, size_t node, const char *port, const void *record);
/* The next record of an output; NULL = none. */
const void *native_shell_next(struct native_shell *shell, size_t node, const char *port);
/* Visits the block until it has nothing more to do. */
void native_shell_run(struct native_shell *shell, size_t node);

/* Maps `bytes` of a new memory file at `iova`; returns its memory, which lives until native_shell_close. */
uint8_t *native_shell_map(struct native_shell *shell, uint64_t iova, uint64_t bytes, int protection);

/* The card's mappings as a bus model's memory. */
struct bus_memory native_shell_memory(struct native_shell *shell);

#endif
