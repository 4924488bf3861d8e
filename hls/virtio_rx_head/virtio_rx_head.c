/* SPDX-License-Identifier: Apache-2.0 */
/* Announces each packet for a receive queue by its first beat, so that its buffers are chosen while it still comes. */
#include "hls/include/beat.h"
#include "hls/include/hls.h"
#include "hls/include/receive.h"

struct virtio_rx_head_state {
    uint8_t inside; /* within a packet */
};

STEP(virtio_rx_head, struct virtio_rx_head_state *state, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, packet),
     STREAM_OUT(struct receive_head, head))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(packet) && STREAM_CAN_WRITE(head));
    STREAM_READ(struct beat, beat, in);
    STREAM_OPEN(struct beat, passed, packet);
    HLS_COPY(passed, beat, sizeof *passed);
    STREAM_PUSH(struct beat, passed, packet);
    if (!state->inside) {
        STREAM_OPEN(struct receive_head, announced, head);
        announced->queue = (uint16_t)(2u * beat->meta.destination_id);
        announced->length = beat->meta.length;
        announced->flags = beat->meta.flags;
        HLS_ZERO(announced->reserved, sizeof announced->reserved);
        STREAM_PUSH(struct receive_head, announced, head);
    }
    state->inside = !beat->meta.last;
    STEP_END;
}
