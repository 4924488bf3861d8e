/* SPDX-License-Identifier: Apache-2.0 */
/* The walk along the avail ring and the descriptor chains: VIRTIO 1.2, sections 2.7.5 to 2.7.13. */
#ifndef CIPU_VIRTQ_WALK_H
#define CIPU_VIRTQ_WALK_H

#include "hls/virtq/row.h"

#define VIRTQ_FRAME_MAX   (PACKET_BYTES_MAX + (uint32_t)sizeof(struct virtio_net_header))
#define VIRTQ_SEGMENT_MAX 65536u

HLS_INLINE void virtq_read_index(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    row->unasked = !row->rung;
    row->rung = 0;
    virtq_read(output, row, queue, VIRTQ_INDEX, row->avail + VIRTQ_AVAIL_INDEX, 2);
}

/* A receive chain must fit what is free in the cache; a transmit chain may overdraw. */
HLS_INLINE bool virtq_has_credit(const struct virtq_row *row)
{
    return row->credit >= (row->transmit ? 1 : (int32_t)RECEIVE_CHAIN_MAX);
}

/* Fetches the next entries of the avail ring, up to its end. The index announced `waiting` of them. */
HLS_INLINE void virtq_read_ring(struct virtq_output *output, struct virtq_row *row, uint16_t queue, uint32_t waiting)
{
    uint32_t slot = row->position & (row->entries - 1u);
    uint32_t straight = row->entries - slot;
    uint32_t count = waiting < straight ? waiting : straight;
    count = count < VIRTQ_BATCH ? count : VIRTQ_BATCH;
    row->batch_count = (uint16_t)count;
    row->batch_next = 0;
    row->lines = 0; /* descriptors of chains that were used may have changed */
    virtq_read(output, row, queue, VIRTQ_RING, row->avail + VIRTQ_AVAIL_RING + 2u * slot, 2u * count);
}

/* Lines of the block with `current` that are worth reading with its own: those of the batch's heads, in whatever order
 * they are; of an indirect table all that follow. */
HLS_INLINE uint32_t virtq_lines_ahead(const struct virtq_row *row)
{
    uint32_t own = 1u << row->current / VIRTQ_LINE % QUEUE_BLOCK_LINES;
    uint32_t lines = own;
    for (uint32_t i = 0; i < VIRTQ_BATCH; i++) {
        bool ahead = i >= row->batch_next && i < row->batch_count;
        bool near = row->heads[i] / VIRTQ_BLOCK == row->current / VIRTQ_BLOCK;
        lines |= ahead && near ? 1u << row->heads[i] / VIRTQ_LINE % QUEUE_BLOCK_LINES : 0u;
    }
    return row->indirect ? (own - 1u) ^ ((1u << QUEUE_BLOCK_LINES) - 1u) : lines;
}

HLS_INLINE void virtq_read_lines(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    uint32_t lines = virtq_lines_ahead(row), up = lines, down = lines;
    for (uint32_t i = 1; i < QUEUE_BLOCK_LINES; i *= 2u) { /* and those between them */
        up |= up << i;
        down |= down >> i;
    }
    uint32_t first = (uint32_t)__builtin_ctz(lines), last = 31u - (uint32_t)__builtin_clz(lines);
    uint32_t start = (row->current & ~(VIRTQ_BLOCK - 1u)) + first * VIRTQ_LINE;
    uint32_t left = row->table_entries - start, count = (last - first + 1u) * VIRTQ_LINE;
    uint32_t at_hand = row->block == row->current / VIRTQ_BLOCK ? row->lines : 0u;
    row->block = row->current / VIRTQ_BLOCK;
    row->lines = (uint8_t)(at_hand | (up & down));
    virtq_read(output, row, queue, VIRTQ_DESCRIPTORS, row->table + (uint64_t)start * sizeof(struct virtq_descriptor),
               (left < count ? left : count) * (uint32_t)sizeof(struct virtq_descriptor));
    output->read.tag = (uint16_t)(queue | QUEUE_TAG_LINE | first << QUEUE_TAG_PLACE_SHIFT);
}

/* Fetches the line with `current`, unless it is at hand: then the token goes round once. */
HLS_INLINE void virtq_goto(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    bool at_hand = row->block == row->current / VIRTQ_BLOCK &&
                   (row->lines >> row->current / VIRTQ_LINE % QUEUE_BLOCK_LINES & 1u) != 0;
    if (at_hand)
        virtq_again(output, row);
    else
        virtq_read_lines(output, row, queue);
}

/* Asks for a doorbell at an index, then reads the index: the driver may have gone on meanwhile (2.7.10.1). */
HLS_INLINE void virtq_arm(struct virtq_output *output, struct virtq_row *row, uint16_t queue, uint16_t event)
{
    virtq_request(&output->write, row, queue, row->used + VIRTQ_USED_AVAIL_EVENT((uint64_t)row->entries), 2);
    output->writes = 1;
    output->event = event;
    row->event = event;
    row->armed = 0;
    row->phase = VIRTQ_ARMING;
}

/* A doorbell. A driver that brings as many entries with each is asked for the next one before its index is read: if it
 * holds to that, neither has to be touched again. */
HLS_INLINE void virtq_wake(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    row->woke = row->position;
    row->rung = 1;
    if ((row->flags & QUEUE_EVENT_INDEX) && row->steady)
        virtq_arm(output, row, queue, (uint16_t)(row->position + row->expected));
    else
        virtq_read_index(output, row, queue);
}

/* All that the index announced is done. While the driver is faster than its doorbells the index is polled; else the
 * queue rests when a doorbell is certain for the next entry. */
HLS_INLINE void virtq_rest(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    bool certain = !(row->flags & QUEUE_EVENT_INDEX) || (row->armed && row->event == row->position);
    uint16_t brought = (uint16_t)(row->position - row->woke);
    if (row->rung || row->busy) {
        virtq_read_index(output, row, queue);
    } else if (!certain) {
        virtq_arm(output, row, queue, row->position);
    } else {
        row->steady = brought == row->expected && brought != 0;
        row->expected = brought;
        row->phase = VIRTQ_IDLE;
    }
}

/* Begins the next chain of the batch, or looks for more at the batch's end. */
HLS_INLINE void virtq_next_chain(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    if (row->batch_next == row->batch_count) {
        uint16_t waiting = (uint16_t)(row->seen - row->position);
        if (waiting != 0)
            virtq_read_ring(output, row, queue, waiting);
        else
            virtq_rest(output, row, queue);
        return;
    }
    if (!virtq_has_credit(row)) {
        row->phase = VIRTQ_PARKED;
        return;
    }
    uint16_t head = row->heads[row->batch_next & (VIRTQ_BATCH - 1u)];
    if (row->indirect)
        row->lines = 0;
    row->indirect = 0;
    row->table = row->descriptors;
    row->table_entries = row->entries;
    row->current = head;
    row->chain_bytes = 0;
    row->chain_descriptors = 0;
    row->chain_segments = 0;
    row->writable = 0;
    if (head >= row->entries)
        virtq_fault(output, row, FAULT_DESCRIPTOR_INDEX, head);
    else
        virtq_goto(output, row, queue);
}

/* 2.7.13.3: the driver's index is free running; it is never ahead by more than the queue's size. */
HLS_INLINE void virtq_index(struct virtq_output *output, struct virtq_row *row, uint16_t queue, const uint8_t *data)
{
    uint16_t index;
    HLS_COPY(&index, data, 2);
    uint16_t waiting = (uint16_t)(index - row->position);
    if (waiting > row->entries) {
        virtq_fault(output, row, FAULT_AVAIL_INDEX, index);
    } else if (waiting != 0) {
        row->seen = index;
        row->busy = row->unasked;
        virtq_read_ring(output, row, queue, waiting);
    } else {
        row->busy = 0;
        virtq_rest(output, row, queue);
    }
}

HLS_INLINE void virtq_segment_fill(struct virtq_segment *segment, const struct virtq_row *row, uint16_t queue,
                                   uint8_t kind, uint8_t flags)
{
    HLS_ZERO(segment, sizeof *segment);
    segment->queue = queue;
    segment->function = row->function;
    segment->head = row->heads[row->batch_next & (VIRTQ_BATCH - 1u)];
    segment->kind = kind;
    segment->flags = flags;
    segment->generation = row->generation;
}

/* A chain that was begun and cannot be finished is withdrawn. */
HLS_INLINE void virtq_withdraw(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    if (row->chain_segments != 0) {
        virtq_segment_fill(&output->segment, row, queue, SEGMENT_ABORT, SEGMENT_LAST);
        output->segments = 1;
        row->chain_segments = 0;
    }
}

/* 2.7.5.3: an indirect descriptor stands alone in its chain's place, is not nested, and has no NEXT. */
HLS_INLINE void virtq_indirect(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                               const struct virtq_descriptor *descriptor)
{
    uint32_t count = descriptor->length / (uint32_t)sizeof(struct virtq_descriptor);
    bool whole = descriptor->length % sizeof(struct virtq_descriptor) == 0 && count != 0 && count <= row->entries;
    if (!(row->flags & QUEUE_INDIRECT) || row->indirect || (descriptor->flags & VIRTQ_NEXT) || !whole) {
        virtq_fault(output, row, FAULT_INDIRECT, descriptor->length);
        return;
    }
    row->indirect = 1;
    row->table = descriptor->address;
    row->table_entries = count;
    row->current = 0;
    row->lines = 0;
    virtq_goto(output, row, queue);
}

/* Of a block queue readable descriptors come before writable ones (2.7.4.2), and the last is writable: it holds the
 * status (5.2.6). */
HLS_INLINE bool virtq_direction_good(const struct virtq_row *row, const struct virtq_descriptor *descriptor)
{
    bool writable = (descriptor->flags & VIRTQ_WRITE) != 0;
    bool block = writable || (!row->writable && (descriptor->flags & VIRTQ_NEXT) != 0);
    return virtq_is_block(row) ? block : writable != (row->transmit != 0);
}

/* Why a descriptor cannot be used, or FAULT_NONE. */
HLS_INLINE uint8_t virtq_check(const struct virtq_row *row, const struct virtq_descriptor *descriptor)
{
    bool block = virtq_is_block(row);
    uint32_t room = (block ? BLOCK_CHAIN_BYTES : VIRTQ_FRAME_MAX) - row->chain_bytes;
    uint32_t limit = row->transmit && row->entries > TRANSMIT_CHAIN_MAX ? TRANSMIT_CHAIN_MAX : row->entries;
    uint8_t fault = FAULT_NONE;
    if (row->chain_descriptors >= limit)
        fault = FAULT_DESCRIPTOR_LOOP;
    else if (!virtq_direction_good(row, descriptor))
        fault = FAULT_DIRECTION;
    else if (descriptor->length == 0 || (row->transmit && descriptor->length > room))
        fault = FAULT_DESCRIPTOR_LENGTH;
    else if ((descriptor->flags & VIRTQ_NEXT) && descriptor->next >= row->table_entries)
        fault = FAULT_DESCRIPTOR_INDEX;
    else if (!(descriptor->flags & VIRTQ_NEXT) && row->transmit && !block &&
             row->chain_bytes + descriptor->length < sizeof(struct virtio_net_header))
        fault = FAULT_DESCRIPTOR_LENGTH;
    return fault;
}

HLS_INLINE void virtq_chain_done(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    row->credit -= virtq_is_block(row) ? 1 : row->chain_segments;
    row->chain_segments = 0;
    if (row->position == row->event)
        row->armed = 0; /* the driver has passed it */
    row->position++;
    row->batch_next++;
    virtq_next_chain(output, row, queue);
}

/* What a block queue's segment says besides: chains are walked again when their data is moved. */
HLS_INLINE void virtq_block_segment(struct virtq_segment *segment, const struct virtq_row *row,
                                    const struct virtq_descriptor *descriptor)
{
    struct segment_table table;
    HLS_ZERO(&table, sizeof table);
    table.address = row->table;
    table.entries = row->table_entries;
    table.first = (uint16_t)row->current;
    segment->length = descriptor->length;
    if (row->chain_segments == 0)
        HLS_COPY(segment->entry, &table, sizeof table);
}

/* The descriptor `current`, which is in this line. */
HLS_INLINE void virtq_descriptor_step(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                                      const struct virtq_line *line)
{
    struct virtq_descriptor descriptor = line->descriptor[row->current % VIRTQ_LINE];
    if (descriptor.flags & VIRTQ_INDIRECT) {
        virtq_indirect(output, row, queue, &descriptor);
        return;
    }
    uint8_t fault = virtq_check(row, &descriptor);
    if (fault != FAULT_NONE) {
        bool index = fault == FAULT_DESCRIPTOR_INDEX;
        virtq_fault(output, row, fault, index ? descriptor.next : descriptor.length);
        return;
    }
    /* A receive chain is used up to as many segments as the card caches. */
    bool more = (descriptor.flags & VIRTQ_NEXT) != 0 && (row->transmit || row->chain_segments < RECEIVE_CHAIN_MAX - 1u);
    uint32_t length = descriptor.length < VIRTQ_SEGMENT_MAX ? descriptor.length : VIRTQ_SEGMENT_MAX;
    bool follows = row->batch_next + 1u < row->batch_count;
    bool announced = (uint16_t)(row->seen - row->position) > 1u;
    bool writable = virtq_is_block(row) && (descriptor.flags & VIRTQ_WRITE) != 0;
    uint32_t flags = (row->chain_segments == 0 ? SEGMENT_FIRST : 0u) | (more ? 0u : SEGMENT_LAST) |
                     (!more && follows ? SEGMENT_MORE : 0u) | (!more && announced ? SEGMENT_ANNOUNCED : 0u) |
                     (writable ? SEGMENT_WRITABLE : 0u);
    virtq_segment_fill(&output->segment, row, queue, SEGMENT_BUFFER, (uint8_t)flags);
    output->segment.address = descriptor.address;
    output->segment.length = length;
    output->segment.number = row->chain_segments;
    output->segment.chain_length = row->chain_bytes + (virtq_is_block(row) ? descriptor.length : length);
    output->segments = 1;
    if (virtq_is_block(row))
        virtq_block_segment(&output->segment, row, &descriptor);
    row->writable = writable;
    row->chain_descriptors++;
    row->chain_segments++;
    if (row->transmit)
        row->chain_bytes += descriptor.length;
    if (more) {
        row->current = descriptor.next;
        virtq_goto(output, row, queue);
    } else {
        virtq_chain_done(output, row, queue);
    }
}

#endif
