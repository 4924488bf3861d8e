/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the virtio-net header (VIRTIO 1.2, 5.1.6.2) off transmitted packets, checks it, and reports each buffer as
 * used. A packet that cannot be sent is swallowed with an event; the queue goes on. A packet whose bytes could not be
 * read stops its queue: it leaves spoilt, virtq is told once, and what the queue has on its way behind it is swallowed.
 */
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/queue.h"
#include "hls/include/transmit.h"
#include "hls/include/virtio.h"

#define NET_HEADER_BYTES 12u

struct virtio_tx_row {
    uint16_t flags; /* enum queue_flags */
    uint16_t mtu;
    uint16_t owed; /* segments consumed, not yet credited: many in one token, so that the tokens of all queues fit their
                      FIFO */
    uint8_t faulted; /* until the next setting */
    uint8_t reserved;
};

struct virtio_tx_packet_state {
    struct virtio_tx_row rows[CARD_FUNCTIONS];
    struct transmit_pending now; /* the packet that is passing, if its kind is not 0 */
    uint8_t previous[64];        /* bytes not sent on yet: from NET_HEADER_BYTES on */
    struct beat_meta meta;       /* of the packet's next beat */
    uint8_t inside;              /* the packet's first beat is in `previous` */
    uint8_t flush;               /* the last beat was read, `previous` still holds bytes */
    uint8_t drop;                /* enum queue_fault: nothing is sent on */
    uint8_t error;
};

/* Why a packet may not be sent, or FAULT_NONE. */
HLS_INLINE uint8_t virtio_tx_check(const struct virtio_tx_row *row, const struct virtio_net_header *header,
                                   uint32_t frame)
{
    uint32_t limit = row->mtu == 0 ? PACKET_BYTES_MAX : row->mtu + 18u;
    bool checksum = (header->flags & VIRTIO_NET_HEADER_NEEDS_CHECKSUM) != 0;
    uint32_t field = (uint32_t)header->checksum_start + header->checksum_offset;
    uint8_t fault = FAULT_NONE;
    if (frame < PACKET_BYTES_MIN || frame > limit || frame > PACKET_BYTES_MAX)
        fault = FAULT_DESCRIPTOR_LENGTH;
    else if (header->gso_type != 0)
        fault = FAULT_HEADER;
    else if (checksum &&
             (!(row->flags & QUEUE_CHECKSUM) || header->checksum_start < PACKET_BYTES_MIN || field + 2u > frame))
        fault = FAULT_HEADER;
    return fault;
}

HLS_INLINE void virtio_tx_first(struct virtio_tx_packet_state *state, const struct virtio_tx_row *row,
                                const uint8_t *data)
{
    struct virtio_net_header header;
    HLS_COPY(&header, data, sizeof header);
    uint32_t frame = state->now.length - NET_HEADER_BYTES;
    bool checksum = (header.flags & VIRTIO_NET_HEADER_NEEDS_CHECKSUM) != 0;
    state->drop = row->faulted ? FAULT_ADDRESS : virtio_tx_check(row, &header, frame);
    HLS_ZERO(&state->meta, sizeof state->meta);
    state->meta.flags = checksum ? BEAT_CHECKSUM_NEEDED : 0;
    state->meta.length = (uint16_t)frame;
    state->meta.source = ENDPOINT_FUNCTION;
    state->meta.source_id = state->now.function;
    state->meta.checksum_start = checksum ? header.checksum_start : 0;
    state->meta.checksum_offset = checksum ? header.checksum_offset : 0;
}

HLS_INLINE void virtio_tx_token(struct queue_token *token, const struct transmit_pending *packet, uint16_t amount,
                                uint8_t fault)
{
    HLS_ZERO(token, sizeof *token);
    token->queue = packet->queue;
    token->amount = amount;
    token->generation = packet->generation;
    token->detail = fault;
}

STEP(virtio_tx_packet, struct virtio_tx_packet_state *state, STREAM_IN_COND(struct transmit_pending, pending),
     STREAM_IN_COND(struct beat, data), STREAM_OUT(struct beat, packet), STREAM_OUT(struct queue_used, used),
     STREAM_OUT(struct queue_token, credit), STREAM_OUT(struct queue_token, fault),
     STREAM_OUT(struct command_entry, completion), STREAM_OUT(struct event_entry, alert))
{
    bool wants_pending = state->now.kind == 0;
    bool wants_data = !wants_pending && !state->flush;
    STREAM_WAIT((!wants_pending || STREAM_CAN_READ(pending)) && (!wants_data || STREAM_CAN_READ(data)) &&
                STREAM_CAN_WRITE(packet) && STREAM_CAN_WRITE(used) && STREAM_CAN_WRITE(credit) &&
                STREAM_CAN_WRITE(fault) && STREAM_CAN_WRITE(completion) && STREAM_CAN_WRITE(alert));
    if (wants_pending) {
        STREAM_READ(struct transmit_pending, next, pending);
        bool carries = next->kind == PENDING_PACKET;
        if (carries)
            HLS_COPY(&state->now, next, sizeof state->now);
        if (next->kind == PENDING_SETTING) {
            struct virtio_tx_row fresh = {next->flags, next->mtu, 0, 0, 0};
            state->rows[next->function & (CARD_FUNCTIONS - 1u)] = fresh;
        }
        if (!carries) {
            STREAM_OPEN(struct command_entry, entry, completion);
            HLS_COPY(entry, next->entry, sizeof *entry);
            STREAM_PUSH(struct command_entry, entry, completion);
        }
        state->inside = 0;
        STEP_END;
    }

    struct virtio_tx_row row = state->rows[state->now.function & (CARD_FUNCTIONS - 1u)];
    uint8_t current[64];
    uint8_t bytes = 0, last = 1;
    bool first = !state->inside;
    if (wants_data) {
        STREAM_READ(struct beat, beat, data);
        HLS_COPY(current, beat->data, 64);
        bytes = beat->meta.bytes;
        last = beat->meta.last;
        if (last)
            state->error = beat->meta.error;
        if (first)
            virtio_tx_first(state, &row, current);
    } else {
        HLS_ZERO(current, 64);
    }

    /* Bytes after the first NET_HEADER_BYTES of `current` wait for the next beat. */
    bool remains = last && wants_data && bytes > NET_HEADER_BYTES;
    bool sends = state->drop == FAULT_NONE && !first;
    bool ends = last && !remains;
    if (sends) {
        STREAM_OPEN(struct beat, out, packet);
        HLS_ALIGN(out->data, state->previous, current, 12);
        HLS_COPY(&out->meta, &state->meta, sizeof out->meta);
        uint32_t tail = (state->now.length - NET_HEADER_BYTES) & 63u;
        out->meta.bytes = (uint8_t)(ends && tail != 0 ? tail : 64u);
        out->meta.last = ends;
        out->meta.error = ends && state->error;
        STREAM_PUSH(struct beat, out, packet);
        HLS_ZERO(&state->meta, sizeof state->meta);
    }
    HLS_COPY(state->previous, current, 64);
    state->inside = 1;
    state->flush = remains;
    if (ends) {
        bool good = !row.faulted && !state->error;
        if (good) {
            STREAM_OPEN(struct queue_used, buffer, used);
            buffer->queue = state->now.queue;
            buffer->head = state->now.head;
            buffer->length = 0;
            buffer->more = state->now.more;
            HLS_ZERO(buffer->reserved, sizeof buffer->reserved);
            STREAM_PUSH(struct queue_used, buffer, used);
            row.owed = (uint16_t)(row.owed + state->now.segments);
        }
        if (good && row.owed >= TRANSMIT_CREDIT) {
            STREAM_OPEN(struct queue_token, token, credit);
            virtio_tx_token(token, &state->now, row.owed, FAULT_NONE);
            STREAM_PUSH(struct queue_token, token, credit);
            row.owed = 0;
        }
        if (good && state->drop != FAULT_NONE) {
            STREAM_OPEN(struct event_entry, event, alert);
            HLS_ZERO(event, sizeof *event);
            event->kind = EVENT_PACKET_DROPPED;
            event->detail = state->drop;
            event->function = state->now.function;
            event->queue = state->now.queue;
            event->address = state->now.length;
            STREAM_PUSH(struct event_entry, event, alert);
        }
        if (!good && !row.faulted) {
            STREAM_OPEN(struct queue_token, token, fault);
            virtio_tx_token(token, &state->now, 0, FAULT_ADDRESS);
            STREAM_PUSH(struct queue_token, token, fault);
            row.faulted = 1;
        }
        state->rows[state->now.function & (CARD_FUNCTIONS - 1u)] = row;
        state->now.kind = 0;
        state->error = 0;
    }
    STEP_END;
}
