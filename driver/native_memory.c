/* SPDX-License-Identifier: Apache-2.0 */
/* The card's memory and its ports. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "driver/memory_port.h"
#include "driver/native.h"

struct memory_block {
    struct native_card *card;
    size_t node;
    struct memory_port port;
};

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct memory_block *block = context;
    bool full;
    unsigned done = memory_port_visit(&block->port, budget, block->card->time_ms, &full);
    native_account(activity, done, full);
    if (block->port.prefetched && !full)
        native_make_ready(block->card, block->node);
    return done;
}

static void reset(void *context)
{
    struct memory_block *block = context;
    block->port.prefetched = 0;
    madvise(block->card->memory, MEMORY_BYTES, MADV_DONTNEED);
}

int native_memory_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct memory_block *block = calloc(1, sizeof *block);
    if (!block)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    card->blocks[node] = block;
    card->resets[node] = reset;
    if (!card->memory) {
        void *memory =
            mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return cipu_fail(error, -errno, "native card: no memory for its tables: %s", strerror(errno));
        /* Lookups go to lines at random: with small pages each would miss the TLB, too. Only advice. */
        madvise(memory, MEMORY_BYTES, MADV_HUGEPAGE);
        card->memory = memory;
    }
    block->card = card;
    block->node = node;
    block->port.memory = card->memory;
    block->port.request = native_shell_fifo(card, node, "request");
    block->port.line = native_shell_fifo(card, node, "line");
    card->tasks[node].run = run;
    card->tasks[node].context = block;
    return 0;
}
