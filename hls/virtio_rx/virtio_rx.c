/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans where each packet goes in its receive queue (virtio 1.2, 5.1.6.3 and 5.1.6.4): keeps the buffers that virtq
 * fetched ahead, and turns a packet into DMA writes, one segment an activation. Only chains that are whole count.
 *
 * A chain is used by one packet: what the packet leaves of it is consumed with it. A packet that does not fit into the
 * whole chains at hand is dropped and counted. Consumed segments go back to virtq as credit, many in one token, so
 * that the tokens of all queues fit into their FIFO and the circle of the two kernels cannot block.
 */
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/receive.h"
#include "hls/include/virtio.h"

#define VIRTIO_RX_HEADER     ((uint32_t)sizeof(struct virtio_net_header))
#define VIRTIO_RX_LENGTH_MAX 0xffffu                 /* of a segment; more than the longest packet is never taken */
#define VIRTIO_RX_CREDIT     (RECEIVE_SEGMENTS / 4u) /* segments in one token, at least */

struct virtio_rx_segment {
    uint64_t address;
    uint16_t length;
    uint16_t head;
    uint8_t last; /* of its chain */
    uint8_t reserved[3];
};

struct virtio_rx_chain {
    uint32_t bytes;
    uint16_t segments;
    uint16_t reserved;
};

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
    struct virtio_rx_segment segment[CARD_FUNCTIONS * RECEIVE_SEGMENTS];
    struct virtio_rx_chain chain[CARD_FUNCTIONS * RECEIVE_SEGMENTS];
    struct virtio_rx_row current; /* row of the packet that is being planned; its RAM row follows at the end */
    uint32_t remaining;           /* bytes of the packet without a place */
    uint32_t written;             /* bytes in the current chain */
    uint16_t function;
    uint16_t position; /* next segment */
    uint8_t buffers;   /* chains filled */
    uint8_t busy;
};

HLS_INLINE uint32_t virtio_rx_place(uint32_t function, uint32_t position)
{
    return function * RECEIVE_SEGMENTS + (position & (RECEIVE_SEGMENTS - 1u));
}

/* A whole chain is consumed, however much of it was used. */
HLS_INLINE void virtio_rx_consume(struct virtio_rx_row *row, const struct virtio_rx_chain *chain)
{
    row->bytes -= chain->bytes;
    row->head = (uint16_t)(row->head + chain->segments);
    row->owed = (uint16_t)(row->owed + chain->segments);
    row->chain = (uint16_t)(row->chain + 1u);
    row->chains = (uint16_t)(row->chains - 1u);
}

/* Appends a segment. Returns whether it made a chain whole, which is then in `chain`. */
HLS_INLINE bool virtio_rx_append(struct virtio_rx_row *row, const struct virtq_segment *segment,
                                 struct virtio_rx_segment *entry, struct virtio_rx_chain *chain)
{
    bool last = (segment->flags & SEGMENT_LAST) != 0;
    entry->address = segment->address;
    entry->length = (uint16_t)(segment->length < VIRTIO_RX_LENGTH_MAX ? segment->length : VIRTIO_RX_LENGTH_MAX);
    entry->head = segment->head;
    entry->last = last;
    HLS_ZERO(entry->reserved, sizeof entry->reserved);
    row->tail = (uint16_t)(row->tail + 1u);
    row->building += entry->length;
    chain->bytes = row->building;
    chain->segments = (uint16_t)(row->tail - row->begun);
    chain->reserved = 0;
    if (last) {
        row->chains = (uint16_t)(row->chains + 1u);
        row->bytes += row->building;
        row->building = 0;
        row->begun = row->tail;
    }
    return last;
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

HLS_INLINE bool virtio_rx_fits(const struct virtio_rx_row *row, const struct virtio_rx_chain *first, uint32_t bytes)
{
    uint32_t room = (row->flags & QUEUE_MERGEABLE) != 0 ? row->bytes : first->bytes;
    return row->enabled && row->chains != 0 && room >= bytes;
}

STEP(virtio_rx, struct virtio_rx_state *state, STREAM_IN_COND(struct receive_item, in),
     STREAM_OUT(struct dma_request, request), STREAM_OUT(struct receive_plan, plan),
     STREAM_OUT(struct receive_used, used), STREAM_OUT(struct queue_token, credit))
{
    STREAM_WAIT((state->busy || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(plan) &&
                STREAM_CAN_WRITE(used) && STREAM_CAN_WRITE(credit));
    struct receive_item item;
    HLS_ZERO(&item, sizeof item);
    if (!state->busy) {
        STREAM_READ(struct receive_item, record, in);
        HLS_COPY(&item, record, sizeof item);
    }
    const struct virtq_segment *segment = &item.segment;
    bool busy = state->busy != 0;
    bool head = item.kind == RECEIVE_HEAD;
    bool setting = item.kind == RECEIVE_SEGMENT && segment->kind == SEGMENT_SETTING;
    bool window = item.kind == RECEIVE_SEGMENT && segment->kind == SEGMENT_WINDOW;
    bool command = setting || window || (item.kind == RECEIVE_SEGMENT && segment->kind == SEGMENT_COMMAND);
    uint32_t queue = head ? item.head.queue : segment->queue;
    uint32_t function = busy ? state->function : (queue >> 1) & (CARD_FUNCTIONS - 1u);
    struct virtio_rx_row row = state->row[function];
    if (busy)
        row = state->current;
    struct virtio_rx_chain chain = state->chain[virtio_rx_place(function, row.chain)];
    struct virtio_rx_segment place = state->segment[virtio_rx_place(function, state->position)];

    uint32_t take = place.length < state->remaining ? place.length : state->remaining;
    bool finished = busy && take == state->remaining;
    bool filled = busy && (finished || place.last);
    bool drop = false;

    if (busy) {
        state->written += take;
        state->remaining -= take;
        state->position = (uint16_t)(state->position + 1u);
        if (filled) {
            state->buffers = (uint8_t)(state->buffers + 1u);
            virtio_rx_consume(&row, &chain);
        }
        state->busy = !finished;
    } else if (head) {
        uint32_t bytes = item.head.length + VIRTIO_RX_HEADER;
        drop = !virtio_rx_fits(&row, &chain, bytes);
        row.dropped += drop && row.enabled;
        state->busy = !drop;
        state->function = (uint16_t)function;
        state->position = row.head;
        state->remaining = bytes;
        state->written = 0;
        state->buffers = 0;
    } else if (item.kind == RECEIVE_SEGMENT && segment->kind == SEGMENT_BUFFER && row.enabled) {
        uint32_t slot = virtio_rx_place(function, row.tail);
        uint32_t chain_slot = virtio_rx_place(function, (uint32_t)row.chain + row.chains);
        struct virtio_rx_segment entry;
        struct virtio_rx_chain whole;
        if (virtio_rx_append(&row, segment, &entry, &whole))
            state->chain[chain_slot] = whole;
        state->segment[slot] = entry;
    } else if (item.kind == RECEIVE_SEGMENT && segment->kind == SEGMENT_ABORT && row.enabled) {
        virtio_rx_abort(&row);
    } else if (setting) {
        HLS_ZERO(&row, sizeof row);
        row.enabled = 1;
        row.flags = (uint16_t)segment->address;
        row.generation = segment->generation;
    }

    if (busy || window) {
        STREAM_OPEN(struct dma_request, write, request);
        write->address = busy ? place.address : segment->address;
        write->length = busy ? take : segment->length;
        write->function = (uint16_t)(busy ? function : segment->function);
        write->flags = (uint16_t)(busy ? (finished ? DMA_LAST : 0) : DMA_WINDOW);
        write->tag = (uint16_t)(busy ? 2u * function : 0);
        HLS_ZERO(write->reserved, sizeof write->reserved);
        STREAM_PUSH(struct dma_request, write, request);
    }
    if (filled || command) {
        struct command_entry entry;
        HLS_COPY(&entry, segment->entry, sizeof entry);
        if (command)
            virtio_rx_command(&row, &entry);
        STREAM_OPEN(struct receive_used, record, used);
        HLS_COPY(record->entry, &entry, sizeof record->entry);
        record->length = command ? 0 : state->written;
        record->queue = (uint16_t)(2u * function);
        record->head = (uint16_t)(command ? 0 : place.head);
        record->kind = command ? RECEIVE_COMMAND : RECEIVE_BUFFER;
        record->last = command || finished;
        record->generation = row.generation;
        HLS_ZERO(record->reserved, sizeof record->reserved);
        STREAM_PUSH(struct receive_used, record, used);
        state->written = 0;
    }
    if (finished || drop) {
        STREAM_OPEN(struct receive_plan, decided, plan);
        decided->queue = (uint16_t)(2u * function);
        decided->function = (uint16_t)function;
        decided->flags = row.flags;
        decided->buffers = drop ? 0 : state->buffers;
        decided->drop = drop;
        STREAM_PUSH(struct receive_plan, decided, plan);
    }
    if (!state->busy && row.enabled && row.owed >= VIRTIO_RX_CREDIT) {
        STREAM_OPEN(struct queue_token, token, credit);
        token->queue = (uint16_t)(2u * function);
        token->amount = row.owed;
        token->generation = row.generation;
        token->detail = 0;
        HLS_ZERO(token->reserved, sizeof token->reserved);
        STREAM_PUSH(struct queue_token, token, credit);
        row.owed = 0;
    }
    state->current = row;
    if (!state->busy)
        state->row[function] = row;
    STEP_END;
}
