/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts buffers and packets of the receive queues into one order, and counts them in it. In turn: a guest that offers
 * and withdraws buffers without end does not hold up the packets of others. What virtio_rx sent back goes first:
 * nothing new comes while it sorts out an order that a long packet has upset.
 */
#include "hls/include/hls.h"
#include "hls/include/receive.h"

struct virtio_rx_merge_state {
    uint8_t head_next; /* the last record was a segment */
    uint8_t sequence;
};

ARBITER(virtio_rx_merge, struct virtio_rx_merge_state *state, STREAM_IN_COND(struct virtq_segment, segment),
        STREAM_IN_COND(struct receive_head, head), STREAM_IN_COND(struct receive_item, again),
        STREAM_OUT(struct receive_item, out))
{
    STREAM_WAIT((STREAM_CAN_READ(segment) || STREAM_CAN_READ(head) || STREAM_CAN_READ(again)) && STREAM_CAN_WRITE(out));
    if (STREAM_CAN_READ(again)) {
        STREAM_READ(struct receive_item, back, again);
        STREAM_OPEN(struct receive_item, same, out);
        HLS_COPY(same, back, sizeof *same);
        STREAM_PUSH(struct receive_item, same, out);
        STEP_END;
    }
    bool take_head = STREAM_CAN_READ(head) && (state->head_next || !STREAM_CAN_READ(segment));
    STREAM_OPEN(struct receive_item, item, out);
    HLS_ZERO(item, sizeof *item);
    if (take_head) {
        STREAM_READ(struct receive_head, packet, head);
        HLS_COPY(&item->head, packet, sizeof *packet);
        item->kind = RECEIVE_HEAD;
    } else {
        STREAM_READ(struct virtq_segment, buffer, segment);
        HLS_COPY(&item->segment, buffer, sizeof *buffer);
        item->kind = RECEIVE_SEGMENT;
    }
    item->sequence = state->sequence;
    state->sequence = (uint8_t)(state->sequence + 1u);
    state->head_next = !take_head;
    STREAM_PUSH(struct receive_item, item, out);
    STEP_END;
}
