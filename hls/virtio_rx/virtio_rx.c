/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans where each packet goes in its receive queue (virtio 1.2, 5.1.6.3 and 5.1.6.4): counts the buffers that virtq
 * fetched ahead, chain by chain, and gives a packet as many as it needs; virtio_rx_place keeps the buffers themselves.
 * Only chains that are whole count.
 *
 * A chain is used by one packet: what the packet leaves of it is consumed with it. A packet that does not fit into the
 * whole chains at hand is dropped and counted. Consumed segments go back to virtq as credit, many in one token, so
 * that the tokens of all queues fit into their FIFO and the circle of the two kernels cannot block.
 *
 * An activation gives a packet two chains at most. One that needs more goes round, through virtio_rx_merge, and so does
 * all that came behind it and finds that it is not its turn yet.
 */
#include "hls/include/hls.h"
#include "hls/include/receive.h"
#include "hls/include/virtio.h"

#define VIRTIO_RX_HEADER     ((uint32_t)sizeof(struct virtio_net_header))
#define VIRTIO_RX_LENGTH_MAX 0xffffu                 /* of a segment or chain; no packet is longer */
#define VIRTIO_RX_CREDIT     (RECEIVE_SEGMENTS / 4u) /* segments in one token, at least */

/* Positions are free-running counts of segments or chains. */
struct virtio_rx_row {
    uint32_t bytes;    /* in whole chains */
    uint32_t building; /* bytes of the chain that is coming */
    uint32_t dropped;
    uint16_t flags; /* enum queue_flags */
    uint16_t head;  /* first segment of the next chain */
    uint16_t begun; /* first segment of the chain that is coming */
    uint16_t tail;
    uint16_t chain;  /* the next chain */
    uint16_t chains; /* whole and unused */
    uint16_t owed;   /* segments consumed, not yet credited */
    uint8_t enabled;
    uint8_t generation;
};

struct virtio_rx_state {
    struct virtio_rx_row row[CARD_FUNCTIONS];
    uint16_t bytes[CARD_FUNCTIONS * RECEIVE_SEGMENTS];   /* of whole chains */
    uint8_t segments[CARD_FUNCTIONS * RECEIVE_SEGMENTS]; /* of whole chains */
    uint8_t next;                                        /* the item whose turn it is */
};

HLS_INLINE uint32_t virtio_rx_chain(uint32_t function, uint32_t chain)
{
    return function * RECEIVE_SEGMENTS + (chain & (RECEIVE_SEGMENTS - 1u));
}

HLS_INLINE uint32_t virtio_rx_at_most(uint64_t length)
{
    return (uint32_t)(length < VIRTIO_RX_LENGTH_MAX ? length : VIRTIO_RX_LENGTH_MAX);
}

/* Appends a segment, which may make a chain whole. */
HLS_INLINE void virtio_rx_append(struct virtio_rx_row *row, uint32_t length, bool last)
{
    row->tail = (uint16_t)(row->tail + 1u);
    row->building = virtio_rx_at_most(row->building + length);
    if (last) {
        row->chains = (uint16_t)(row->chains + 1u);
        row->bytes += row->building;
        row->building = 0;
        row->begun = row->tail;
    }
}

/* Whole chains are consumed, however much of them was used. */
HLS_INLINE void virtio_rx_consume(struct virtio_rx_row *row, uint32_t chains, uint32_t segments, uint32_t bytes)
{
    row->bytes -= bytes;
    row->head = (uint16_t)(row->head + segments);
    row->owed = (uint16_t)(row->owed + segments);
    row->chain = (uint16_t)(row->chain + chains);
    row->chains = (uint16_t)(row->chains - chains);
}

/* virtq has not counted the chain against the queue's credit. */
HLS_INLINE void virtio_rx_abort(struct virtio_rx_row *row)
{
    row->tail = row->begun;
    row->building = 0;
}

/* virtq's position counts the chains that it fetched: the unused ones are given back. */
HLS_INLINE void virtio_rx_command(struct virtio_rx_row *row, struct command_entry *entry)
{
    bool stop = entry->opcode == COMMAND_QUEUE_STOP;
    if (entry->status == STATUS_OK && (stop || entry->opcode == COMMAND_QUEUE_READ)) {
        struct queue_position position;
        HLS_COPY(&position, entry->data, sizeof position);
        position.position = (uint16_t)(position.position - row->chains);
        position.dropped = row->dropped;
        HLS_COPY(entry->data, &position, sizeof position);
        if (stop) {
            row->enabled = 0;
            row->chains = 0;
        }
    }
}

HLS_INLINE void virtio_rx_setting(struct virtio_rx_row *row, const struct virtq_segment *segment)
{
    HLS_ZERO(row, sizeof *row);
    row->enabled = 1;
    row->flags = (uint16_t)segment->address;
    row->generation = segment->generation;
}

STEP(virtio_rx, struct virtio_rx_state *state, STREAM_IN(struct receive_item, in),
     STREAM_OUT(struct receive_place, place), STREAM_OUT(struct receive_plan, plan),
     STREAM_OUT(struct queue_token, credit), STREAM_OUT(struct receive_item, again))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(place) && STREAM_CAN_WRITE(plan) && STREAM_CAN_WRITE(credit) &&
                STREAM_CAN_WRITE(again));
    STREAM_READ(struct receive_item, item, in);
    const struct virtq_segment *segment = &item->segment;
    bool head = item->kind == RECEIVE_HEAD;
    bool setting = !head && segment->kind == SEGMENT_SETTING;
    bool window = !head && segment->kind == SEGMENT_WINDOW;
    bool buffer = !head && segment->kind == SEGMENT_BUFFER;
    bool command = setting || window || (!head && segment->kind == SEGMENT_COMMAND);
    bool last = (segment->flags & SEGMENT_LAST) != 0;
    uint32_t queue = head ? item->head.queue : segment->queue;
    uint32_t function = (queue >> 1) & (CARD_FUNCTIONS - 1u);
    struct virtio_rx_row row = state->row[function];
    uint32_t one = virtio_rx_chain(function, row.chain), other = virtio_rx_chain(function, row.chain + 1u);
    uint32_t first = state->bytes[one], second = state->bytes[other];

    bool due = item->sequence == state->next;
    bool begun = item->left != 0;
    bool mergeable = (row.flags & QUEUE_MERGEABLE) != 0;
    uint32_t wanted = begun ? item->left : item->head.length + VIRTIO_RX_HEADER;
    bool fits = begun || (row.enabled && row.chains != 0 && (mergeable ? row.bytes : first) >= wanted);
    bool two = first < wanted;
    uint32_t given = first + (two ? second : 0u);
    uint32_t segments = state->segments[one] + (two ? state->segments[other] : 0u);
    bool filled = head && fits;
    bool finished = filled && given >= wanted;
    bool dropped = head && !fits;
    uint8_t buffers = (uint8_t)(item->buffers + (two ? 2u : 1u));

    STREAM_OPEN(struct receive_place, placed, place);
    HLS_ZERO(placed, sizeof *placed);
    placed->function = (uint16_t)function;
    placed->generation = row.generation;
    placed->address = segment->address;
    placed->length = window ? segment->length : virtio_rx_at_most(segment->length);
    if (filled) {
        placed->kind = PLACE_CHAINS;
        placed->position = row.head;
        placed->segments = (uint8_t)segments;
        placed->length = finished ? wanted : given;
        placed->last = finished;
        virtio_rx_consume(&row, two ? 2u : 1u, segments, given);
    } else if (head) {
        row.dropped += row.enabled;
    } else if (buffer) {
        /* The place behind the whole chains is free, whether or not it is this item's turn. */
        uint32_t behind = virtio_rx_chain(function, (uint32_t)row.chain + row.chains);
        if (last) {
            state->bytes[behind] = (uint16_t)virtio_rx_at_most((uint64_t)row.building + placed->length);
            state->segments[behind] = (uint8_t)(row.tail - row.begun + 1u);
        }
        placed->kind = PLACE_SEGMENT;
        placed->position = row.tail;
        placed->head = segment->head;
        placed->last = last;
        if (row.enabled)
            virtio_rx_append(&row, (uint32_t)placed->length, last);
    } else if (command) {
        struct command_entry entry;
        HLS_COPY(&entry, segment->entry, sizeof entry);
        virtio_rx_command(&row, &entry);
        if (setting)
            virtio_rx_setting(&row, segment);
        HLS_COPY(placed->entry, &entry, sizeof entry);
        placed->kind = window ? PLACE_WINDOW : PLACE_COMMAND;
        placed->generation = row.generation;
        placed->function = (uint16_t)(window ? segment->function : function);
    } else if (segment->kind == SEGMENT_ABORT && row.enabled) {
        virtio_rx_abort(&row);
    }
    if (due && (filled || command || (buffer && row.enabled)))
        STREAM_PUSH(struct receive_place, placed, place);
    if (due && (finished || dropped)) {
        STREAM_OPEN(struct receive_plan, decided, plan);
        decided->queue = (uint16_t)(2u * function);
        decided->function = (uint16_t)function;
        decided->flags = row.flags;
        decided->buffers = dropped ? 0 : buffers;
        decided->drop = dropped;
        STREAM_PUSH(struct receive_plan, decided, plan);
    }
    if (due && row.enabled && row.owed >= VIRTIO_RX_CREDIT) {
        STREAM_OPEN(struct queue_token, token, credit);
        token->queue = (uint16_t)(2u * function);
        token->amount = row.owed;
        token->generation = row.generation;
        token->detail = 0;
        HLS_ZERO(token->reserved, sizeof token->reserved);
        STREAM_PUSH(struct queue_token, token, credit);
        row.owed = 0;
    }
    if (!due || (filled && !finished)) {
        STREAM_OPEN(struct receive_item, back, again);
        HLS_COPY(back, item, sizeof *back);
        if (due) {
            back->left = (uint16_t)(wanted - given);
            back->buffers = buffers;
        }
        STREAM_PUSH(struct receive_item, back, again);
    } else {
        state->next = (uint8_t)(state->next + 1u);
    }
    if (due)
        state->row[function] = row;
    STEP_END;
}
