/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts buffers and packets of the receive queues into one order. In turn: a guest that offers and withdraws buffers
 * without end does not hold up the packets of others.
 */
#include "hls/include/hls.h"
#include "hls/include/receive.h"

struct virtio_rx_merge_state {
    uint8_t head_next; /* the last record was a segment */
};

ARBITER(virtio_rx_merge, struct virtio_rx_merge_state *state, STREAM_IN_COND(struct virtq_segment, segment),
        STREAM_IN_COND(struct receive_head, head), STREAM_OUT(struct receive_item, out))
{
    STREAM_WAIT((STREAM_CAN_READ(segment) || STREAM_CAN_READ(head)) && STREAM_CAN_WRITE(out));
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
    state->head_next = !take_head;
    STREAM_PUSH(struct receive_item, item, out);
    STEP_END;
}
