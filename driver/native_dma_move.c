/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves: where a read channel's data stream goes straight to a write channel, no kernel sees the bytes, and what the
 * two channels do together is one copy from the gathered segments to the scattered ones. Packets of both are of equal
 * length; what a target has beyond its source becomes zeros and an error. A target of no valid length takes no source.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/native.h"

#define SEGMENT_BYTES_MAX 65536u
#define VISIT_BYTES       65536u
#define AHEAD_BYTES       4096u
#define AHEAD_REQUESTS    2u /* one is too near, three are no better */

/* The request in progress of one side. */
struct side {
    struct native_passed *passed;
    struct hls_fifo *fifo;
    struct native_map_cache cache;
    struct dma_request current; /* address and length: what is left */
    bool busy;
    bool refused;
};

struct move_block {
    struct native_card *card;
    struct side source, target;
    struct native_map_cache ahead;
    struct hls_fifo *done;
    bool error;      /* of the packet */
    bool begun;      /* its source was */
    bool source_end; /* the packet's last source segment was begun */
};

/* Takes the next request; false = there is none. One of no valid length counts as `invalid_bytes` that are refused. */
static bool next(struct side *side, struct hls_port *requests, uint32_t invalid_bytes)
{
    while (!side->busy) {
        if (hls_at_limit(requests))
            return false;
        side->current = *(const struct dma_request *)hls_slot(requests, HLS_SLOT_BYTES(struct dma_request));
        requests->index++;
        if (side->current.flags & DMA_WINDOW)
            continue; /* a guard's business */
        bool valid = side->current.length >= 1 && side->current.length <= SEGMENT_BYTES_MAX;
        side->refused = !valid || (side->current.flags & DMA_REFUSED);
        side->current.length = valid ? side->current.length : invalid_bytes;
        side->busy = true;
    }
    return true;
}

struct ahead {
    const uint8_t *memory;
    uint32_t bytes;
};

/* What will be copied soon, when `bytes` of the current request are: memory that is far away takes longer to come than
 * a piece to copy. */
static struct ahead look_ahead(struct move_block *move, const struct hls_port *sources, uint32_t bytes)
{
    struct ahead ahead = {NULL, AHEAD_BYTES};
    const struct dma_request *from = &move->source.current;
    struct hls_port later = *sources;
    uint64_t address = from->address + bytes, left = from->length - bytes;
    if (!left) {
        if (later.limit - later.index < AHEAD_REQUESTS)
            return ahead;
        later.index += AHEAD_REQUESTS - 1;
        const struct dma_request *request = hls_slot(&later, HLS_SLOT_BYTES(struct dma_request));
        if (request->flags & (DMA_WINDOW | DMA_REFUSED))
            return ahead;
        address = request->address;
        left = request->length;
    }
    if (left < AHEAD_BYTES)
        ahead.bytes = (uint32_t)left;
    ahead.memory = native_translate(move->card, &move->ahead, address, &ahead.bytes, CIPU_DMA_READ);
    return ahead;
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t bytes, struct ahead ahead)
{
    uint32_t done = 0;
    for (; bytes - done >= BEAT_BYTES; done += BEAT_BYTES) {
        if (ahead.memory && done < ahead.bytes)
            __builtin_prefetch(ahead.memory + done, 0, 2);
        memcpy(to + done, from + done, BEAT_BYTES);
    }
    memcpy(to + done, from + done, bytes - done);
}

/* As much as lies in one piece on both sides. */
static uint32_t copy_piece(struct move_block *move, const struct hls_port *sources)
{
    struct dma_request *from = &move->source.current, *to = &move->target.current;
    bool has_source = move->source.busy;
    uint32_t bytes = (uint32_t)to->length;
    if (has_source && from->length < bytes)
        bytes = (uint32_t)from->length;
    uint32_t left = native_page_left(to->address);
    uint32_t reachable = bytes;
    uint8_t *target = move->target.refused
                          ? NULL
                          : native_translate(move->card, &move->target.cache, to->address, &reachable, CIPU_DMA_WRITE);
    bytes = target ? reachable : bytes < left ? bytes : left;
    reachable = bytes;
    const uint8_t *source =
        !has_source || move->source.refused
            ? NULL
            : native_translate(move->card, &move->source.cache, from->address, &reachable, CIPU_DMA_READ);
    if (has_source && !source)
        reachable = native_page_left(from->address);
    bytes = reachable < bytes ? reachable : bytes;
    if (target && source)
        copy(target, source, bytes, look_ahead(move, sources, bytes));
    else if (target)
        memset(target, 0, bytes);
    move->error |=
        !target || !source || native_cache_failed(&move->target.cache) || native_cache_failed(&move->source.cache);
    to->address += bytes;
    to->length -= bytes;
    from->address += bytes;
    from->length -= has_source ? bytes : 0;
    return bytes;
}

/* The target's packet is complete: what its source still has is left out. False = not all of that is here yet. */
static bool finish_source(struct move_block *move, struct hls_port *requests)
{
    while (!move->source_end) {
        move->source.busy = false;
        if (!next(&move->source, requests, 1))
            return false;
        move->source_end = (move->source.current.flags & DMA_LAST) != 0;
    }
    return true;
}

enum progress { MOVED, WAITS, IS_FULL };

static enum progress step(struct move_block *move, struct hls_port *sources, struct hls_port *targets,
                          struct hls_port *done, uint32_t *bytes)
{
    if (!next(&move->target, targets, 0))
        return WAITS;
    struct dma_request *to = &move->target.current;
    move->error |= move->target.refused;
    if (to->length) {
        if (!move->source_end || move->source.busy) {
            if (!next(&move->source, sources, 1))
                return WAITS;
            move->begun = true;
            move->source_end = (move->source.current.flags & DMA_LAST) != 0;
        }
        *bytes += copy_piece(move, sources);
        if (move->source.busy && !move->source.current.length)
            move->source.busy = false;
        if (to->length)
            return MOVED;
    }
    if (to->flags & DMA_LAST) {
        if (hls_at_limit(done))
            return IS_FULL;
        if (move->begun && !finish_source(move, sources))
            return WAITS;
        struct dma_done *record = hls_slot(done, HLS_SLOT_BYTES(struct dma_done));
        *record = (struct dma_done){to->tag, to->function, move->error, {0}};
        done->index++;
        move->error = move->source_end = move->source.busy = move->begun = false;
    }
    move->target.busy = false;
    return MOVED;
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct move_block *move = context;
    struct hls_port sources = hls_read_begin(move->source.fifo), targets = hls_read_begin(move->target.fifo);
    struct hls_port done = hls_write_begin(move->done);
    uint32_t first = sources.index + targets.index, first_done = done.index, bytes = 0;
    enum progress progress = MOVED;
    for (unsigned steps = 0; steps < budget && bytes < VISIT_BYTES && progress == MOVED; steps++)
        progress = step(move, &sources, &targets, &done, &bytes);
    uint32_t packets = done.index - first_done;
    /* What was written is visible before anything that a done record causes. */
    if (packets)
        atomic_thread_fence(memory_order_seq_cst);
    unsigned work = sources.index + targets.index - first + packets + bytes / BEAT_BYTES;
    hls_read_end(move->source.fifo, &sources);
    hls_read_end(move->target.fifo, &targets);
    hls_write_end(move->done, &done);
    if (bytes) {
        native_pass(move->source.passed, packets, bytes);
        native_pass(move->target.passed, packets, bytes);
    }
    native_account(activity, work, progress == IS_FULL);
    return progress == MOVED && work < budget ? budget : work;
}

static void reset(void *context)
{
    struct move_block *move = context;
    move->source.busy = move->target.busy = move->error = move->source_end = move->begun = false;
}

static int create(struct native_card *card, size_t read, size_t write)
{
    struct move_block *move = calloc(1, sizeof *move);
    if (!move)
        return -ENOMEM;
    move->card = card;
    move->source.fifo = native_shell_fifo(card, read, "request");
    move->source.passed = &card->passed[MONITOR_DMA_READ + native_channel(card, read)];
    move->target.fifo = native_shell_fifo(card, write, "request");
    move->target.passed = &card->passed[MONITOR_DMA_WRITE + native_channel(card, write)];
    move->done = native_shell_fifo(card, write, "done");
    free(card->blocks[read]);
    card->blocks[read] = move;
    card->resets[read] = reset;
    card->tasks[read].run = card->tasks[write].run = run;
    card->tasks[read].context = card->tasks[write].context = move;
    /* Whatever is done in the name of one of them concerns the other's neighbours, too. */
    for (unsigned i = 0; i < NATIVE_WORDS; i++)
        card->tasks[read].neighbours[i] = card->tasks[write].neighbours[i] |= card->tasks[read].neighbours[i];
    return 0;
}

int native_dma_moves_create(struct native_card *card, struct cipu_error *error)
{
    const struct native_graph *graph = card->graph;
    for (size_t i = 0; i < graph->stream_count; i++) {
        size_t from = graph->streams[i].from, to = graph->streams[i].to;
        if (strncmp(graph->nodes[from].name, "dma_read_", 9) != 0 ||
            strncmp(graph->nodes[to].name, "dma_write_", 10) != 0)
            continue;
        int result = create(card, from, to);
        if (result < 0)
            return cipu_fail(error, result, "native card: out of memory");
    }
    return 0;
}
