/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the segments of transmit chains into gathers on the data channel, and says what each gather is.
 */
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/queue.h"
#include "hls/include/transmit.h"

struct virtio_tx_state {
    uint32_t length; /* of the chain so far */
    uint16_t segments;
};

HLS_INLINE uint8_t virtio_tx_kind(const struct virtq_segment *segment)
{
    uint8_t kind = PENDING_COMMAND;
    if (segment->kind == SEGMENT_BUFFER)
        kind = PENDING_PACKET;
    else if (segment->kind == SEGMENT_ABORT)
        kind = PENDING_WITHDRAWN;
    else if (segment->kind == SEGMENT_SETTING)
        kind = PENDING_SETTING;
    return kind;
}

/* A withdrawn chain's gather is closed by a request that no memory answers. */
HLS_INLINE void virtio_tx_request(struct dma_request *request, const struct virtq_segment *segment)
{
    HLS_ZERO(request, sizeof *request);
    request->address = segment->address;
    request->length = segment->kind == SEGMENT_ABORT ? 1 : segment->length;
    request->function = segment->function;
    request->tag = segment->queue;
    if (segment->kind == SEGMENT_WINDOW)
        request->flags = DMA_WINDOW;
    else if (segment->kind == SEGMENT_ABORT)
        request->flags = DMA_LAST | DMA_REFUSED;
    else
        request->flags = (segment->flags & SEGMENT_LAST) ? DMA_LAST : 0;
}

STEP(virtio_tx, struct virtio_tx_state *state, STREAM_IN(struct virtq_segment, segment), STREAM_OUT(struct dma_request, request),
     STREAM_OUT(struct transmit_pending, pending))
{
    STREAM_WAIT(STREAM_CAN_READ(segment) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(pending));
    STREAM_READ(struct virtq_segment, part, segment);
    bool data = part->kind == SEGMENT_BUFFER || part->kind == SEGMENT_ABORT;
    bool last = (part->flags & SEGMENT_LAST) != 0;

    if (data || part->kind == SEGMENT_WINDOW) {
        STREAM_OPEN(struct dma_request, asked, request);
        virtio_tx_request(asked, part);
        STREAM_PUSH(struct dma_request, asked, request);
    }
    uint32_t length = part->kind == SEGMENT_BUFFER ? state->length + (uint32_t)part->length : state->length + 1u;
    uint16_t segments = part->kind == SEGMENT_BUFFER ? (uint16_t)(state->segments + 1u) : state->segments;
    if (!data || last) {
        STREAM_OPEN(struct transmit_pending, told, pending);
        HLS_ZERO(told, sizeof *told);
        told->length = length;
        told->queue = part->queue;
        told->function = part->function;
        told->head = part->head;
        told->segments = segments;
        told->kind = virtio_tx_kind(part);
        told->generation = part->generation;
        if (!data) {
            told->flags = (uint16_t)part->address;
            told->mtu = (uint16_t)part->length;
            HLS_COPY(told->entry, part->entry, sizeof told->entry);
        }
        STREAM_PUSH(struct transmit_pending, told, pending);
    }
    if (data) {
        state->length = last ? 0 : length;
        state->segments = last ? 0 : segments;
    }
    STEP_END;
}
