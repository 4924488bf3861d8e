/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns transmit chains into gathers on the data channel, and says what each gather is.
 *
 * The segments of several queues come mixed, and a gather belongs to one packet alone: so a chain is collected until
 * its last segment is here and then asked for at a stretch. A chain of one segment goes on at once. virtq has counted:
 * each segment says which of its chain it is, so what is to be done next never waits for what is in memory.
 */
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/queue.h"
#include "hls/include/transmit.h"

struct virtio_tx_state {
    uint64_t address[CARD_FUNCTIONS * TRANSMIT_CHAIN_MAX]; /* segments of the chains that are being collected */
    uint16_t length[CARD_FUNCTIONS * TRANSMIT_CHAIN_MAX];
    struct transmit_pending now; /* the chain that is being asked for, when `busy` */
    uint32_t next;               /* its next segment */
    uint8_t busy;
};

HLS_INLINE uint32_t virtio_tx_place(uint32_t function, uint32_t segment)
{
    return (function & (CARD_FUNCTIONS - 1u)) * TRANSMIT_CHAIN_MAX + (segment & (TRANSMIT_CHAIN_MAX - 1u));
}

HLS_INLINE void virtio_tx_pending(struct transmit_pending *pending, const struct virtq_segment *segment)
{
    HLS_ZERO(pending, sizeof *pending);
    pending->queue = segment->queue;
    pending->function = segment->function;
    pending->generation = segment->generation;
    if (segment->kind == SEGMENT_BUFFER) {
        pending->kind = PENDING_PACKET;
        pending->length = segment->chain_length;
        pending->head = segment->head;
        pending->segments = (uint16_t)(segment->number + 1u);
        pending->more = (uint8_t)(((segment->flags & SEGMENT_MORE) != 0 ? USED_FOLLOWED : 0u) |
                                  ((segment->flags & SEGMENT_ANNOUNCED) != 0 ? USED_ANNOUNCED : 0u));
        return;
    }
    HLS_COPY(pending->entry, segment->entry, sizeof pending->entry);
    pending->kind = PENDING_COMMAND;
    if (segment->kind == SEGMENT_SETTING) {
        pending->kind = PENDING_SETTING;
        pending->flags = (uint16_t)segment->address;
        pending->mtu = (uint16_t)segment->length;
    }
}

STEP(virtio_tx, struct virtio_tx_state *state, STREAM_IN_COND(struct virtq_segment, segment),
     STREAM_OUT(struct dma_request, request), STREAM_OUT(struct transmit_pending, pending))
{
    STREAM_WAIT((state->busy || STREAM_CAN_READ(segment)) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(pending));
    if (state->busy) {
        uint32_t place = virtio_tx_place(state->now.function, state->next);
        bool ends = state->next + 1u == state->now.segments;
        STREAM_OPEN(struct dma_request, asked, request);
        HLS_ZERO(asked, sizeof *asked);
        asked->address = state->address[place];
        asked->length = state->length[place];
        asked->function = state->now.function;
        asked->flags = ends ? DMA_LAST : 0;
        asked->tag = state->now.queue;
        STREAM_PUSH(struct dma_request, asked, request);
        if (ends) {
            STREAM_OPEN(struct transmit_pending, told, pending);
            HLS_COPY(told, &state->now, sizeof *told);
            STREAM_PUSH(struct transmit_pending, told, pending);
        }
        state->next++;
        state->busy = !ends;
        STEP_END;
    }

    STREAM_READ(struct virtq_segment, part, segment);
    bool buffer = part->kind == SEGMENT_BUFFER;
    bool window = part->kind == SEGMENT_WINDOW;
    bool first = (part->flags & SEGMENT_FIRST) != 0;
    bool last = (part->flags & SEGMENT_LAST) != 0;
    bool single = buffer && first && last;
    if (buffer && !single) {
        uint32_t place = virtio_tx_place(part->function, part->number);
        state->address[place] = part->address;
        state->length[place] = (uint16_t)part->length;
    }
    if (single || window) {
        STREAM_OPEN(struct dma_request, asked, request);
        HLS_ZERO(asked, sizeof *asked);
        asked->address = part->address;
        asked->length = part->length;
        asked->function = part->function;
        asked->flags = window ? DMA_WINDOW : DMA_LAST;
        asked->tag = part->queue;
        STREAM_PUSH(struct dma_request, asked, request);
    }
    if (buffer && last && !single) {
        virtio_tx_pending(&state->now, part);
        state->next = 0;
        state->busy = 1;
    } else if (single || (!buffer && part->kind != SEGMENT_ABORT)) {
        STREAM_OPEN(struct transmit_pending, told, pending);
        virtio_tx_pending(told, part);
        STREAM_PUSH(struct transmit_pending, told, pending);
    }
    STEP_END;
}
