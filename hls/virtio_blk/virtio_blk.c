/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects what virtq says of virtio-blk chains, asks for the request header of each whole one and says what it is. The
 * chain's data stays where it is: its descriptors are walked again when the host wants it moved.
 *
 * A chain is known by its head until it is used; a driver that makes it available once more before has lost its mind,
 * and the queue stops. Freed heads are taken at any time: nothing of the block path waits for this kernel.
 */
#include "hls/include/block_path.h"
#include "hls/include/queue.h"

struct virtio_blk_row {
    uint64_t header;        /* address of the first descriptor */
    uint64_t table;         /* of the chain that is being collected */
    uint64_t busy[2];       /* heads in flight */
    uint32_t header_length; /* of the first descriptor; 0 = not readable */
    uint32_t table_entries;
    uint32_t readable; /* bytes of the chain so far */
    uint32_t volume;
    uint16_t first;
    uint8_t generation;
    uint8_t faulted;
};

struct virtio_blk_state {
    struct virtio_blk_row row[BLOCK_QUEUES];
};

static_assert(BLOCK_SLOTS == 128, "a bit for each head");

/* What an activation sends. */
struct virtio_blk_step {
    struct blk_pending pending;
    struct dma_request request;
    uint8_t pends;
    uint8_t requests;
    uint8_t fault; /* enum queue_fault */
};

HLS_INLINE bool virtio_blk_busy(const struct virtio_blk_row *row, uint32_t head)
{
    return ((head & 64u) != 0 ? row->busy[1] : row->busy[0]) >> (head & 63u) & 1u;
}

HLS_INLINE void virtio_blk_mark(struct virtio_blk_row *row, uint32_t head, bool busy)
{
    uint64_t bit = (uint64_t)1 << (head & 63u);
    uint64_t low = (head & 64u) != 0 ? 0u : bit, high = (head & 64u) != 0 ? bit : 0u;
    row->busy[0] = busy ? row->busy[0] | low : row->busy[0] & ~low;
    row->busy[1] = busy ? row->busy[1] | high : row->busy[1] & ~high;
}

/* The queue stops; what comes of it until it is set again is ignored. */
HLS_INLINE void virtio_blk_fault(struct virtio_blk_row *row, struct virtio_blk_step *step, uint8_t fault)
{
    step->fault = row->faulted ? (uint8_t)FAULT_NONE : fault;
    row->faulted = 1;
}

HLS_INLINE void virtio_blk_set(struct virtio_blk_row *row, const struct virtq_segment *segment)
{
    HLS_ZERO(row, sizeof *row);
    row->volume = (uint32_t)segment->length;
    row->generation = segment->generation;
}

HLS_INLINE void virtio_blk_collect(struct virtio_blk_row *row, const struct virtq_segment *segment)
{
    bool writable = (segment->flags & SEGMENT_WRITABLE) != 0;
    if (segment->flags & SEGMENT_FIRST) {
        struct segment_table table;
        HLS_COPY(&table, segment->entry, sizeof table);
        row->table = table.address;
        row->table_entries = table.entries;
        row->first = table.first;
        row->header = segment->address;
        row->header_length = writable ? 0u : (uint32_t)segment->length;
        row->readable = 0;
    }
    if (!writable)
        row->readable = segment->chain_length;
}

/* The chain's last segment, whose last byte is the status. */
HLS_INLINE void virtio_blk_chain(struct virtio_blk_row *row, const struct virtq_segment *segment,
                                 struct virtio_blk_step *step)
{
    bool whole = row->header_length >= sizeof(struct virtio_blk_request);
    if (row->faulted)
        return;
    if (virtio_blk_busy(row, segment->head)) {
        virtio_blk_fault(row, step, FAULT_BUSY_HEAD);
        return;
    }
    virtio_blk_mark(row, segment->head, true);
    step->pending.table = row->table;
    step->pending.status = segment->address + (segment->length - 1u);
    step->pending.table_entries = row->table_entries;
    step->pending.readable = row->readable;
    step->pending.writable = segment->chain_length - row->readable - 1u;
    step->pending.volume = row->volume;
    step->pending.first = row->first;
    step->pending.head = segment->head;
    step->pending.kind = whole ? BLK_HEADER : BLK_BARE;
    step->pends = 1;
    block_request_fill(&step->request, row->header, sizeof(struct virtio_blk_request), segment->function, DMA_LAST,
                       segment->queue);
    step->requests = whole;
}

/* A command on its way; a window goes to this kernel's own DMA channel, too. */
HLS_INLINE void virtio_blk_command(struct virtio_blk_row *row, const struct virtq_segment *segment,
                                   struct virtio_blk_step *step)
{
    bool window = segment->kind == SEGMENT_WINDOW;
    if (segment->kind == SEGMENT_SETTING)
        virtio_blk_set(row, segment);
    step->pending.kind = window ? BLK_WINDOW : BLK_ENTRY;
    step->pending.table = window ? segment->address : 0u;
    step->pending.status = window ? segment->length : 0u;
    HLS_COPY(step->pending.entry, segment->entry, sizeof step->pending.entry);
    step->pends = 1;
    block_request_fill(&step->request, segment->address, segment->length, segment->function, DMA_WINDOW, 0);
    step->requests = window;
}

ARBITER(virtio_blk, struct virtio_blk_state *state, STREAM_IN_COND(struct virtq_segment, segment),
        STREAM_IN_COND(struct blk_freed, freed), STREAM_OUT(struct dma_request, request),
        STREAM_OUT(struct blk_pending, pending), STREAM_OUT(struct queue_token, fault))
{
    STREAM_WAIT(STREAM_CAN_WRITE(fault) &&
                (STREAM_CAN_READ(freed) ||
                 (STREAM_CAN_READ(segment) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(pending))));
    struct virtio_blk_step step;
    struct virtio_blk_row row;
    uint32_t queue = 0;
    HLS_ZERO(&step, sizeof step);
    if (STREAM_CAN_READ(freed)) {
        STREAM_READ(struct blk_freed, back, freed);
        queue = BLOCK_TAG_QUEUE(back->tag) & (BLOCK_QUEUES - 1u);
        row = state->row[queue];
        if (back->generation == row.generation) {
            virtio_blk_mark(&row, back->tag & (BLOCK_SLOTS - 1u), false);
            if (back->fault != FAULT_NONE)
                virtio_blk_fault(&row, &step, back->fault);
        }
    } else {
        STREAM_READ(struct virtq_segment, part, segment);
        queue = part->queue & (BLOCK_QUEUES - 1u);
        row = state->row[queue];
        step.pending.queue = (uint16_t)queue;
        step.pending.function = part->function;
        step.pending.generation = part->generation;
        if (part->kind == SEGMENT_BUFFER) {
            virtio_blk_collect(&row, part);
            if (part->flags & SEGMENT_LAST)
                virtio_blk_chain(&row, part, &step);
        } else if (part->kind != SEGMENT_ABORT) {
            virtio_blk_command(&row, part, &step);
        }
    }
    if (step.requests) {
        STREAM_OPEN(struct dma_request, asked, request);
        HLS_COPY(asked, &step.request, sizeof *asked);
        STREAM_PUSH(struct dma_request, asked, request);
    }
    if (step.pends) {
        STREAM_OPEN(struct blk_pending, told, pending);
        HLS_COPY(told, &step.pending, sizeof *told);
        STREAM_PUSH(struct blk_pending, told, pending);
    }
    if (step.fault != FAULT_NONE) {
        STREAM_OPEN(struct queue_token, token, fault);
        HLS_ZERO(token, sizeof *token);
        token->queue = (uint16_t)queue;
        token->generation = row.generation;
        token->detail = step.fault;
        STREAM_PUSH(struct queue_token, token, fault);
    }
    state->row[queue] = row;
    STEP_END;
}
