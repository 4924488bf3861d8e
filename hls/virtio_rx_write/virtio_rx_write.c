/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the virtio-net header (virtio 1.2, 5.1.6.4) in front of each packet and hands it to the DMA writer; packets
 * without buffers end here.
 */
#include "hls/include/beat.h"
#include "hls/include/hls.h"
#include "hls/include/receive.h"
#include "hls/include/virtio.h"

#define VIRTIO_RX_WRITE_HEADER ((uint32_t)sizeof(struct virtio_net_header))
#define VIRTIO_RX_WRITE_SHIFT  52u /* a beat's bytes from here on go into the next one */

static_assert(VIRTIO_RX_WRITE_SHIFT + sizeof(struct virtio_net_header) == BEAT_BYTES,
              "the header moves all by 12 bytes");

struct virtio_rx_write_state {
    uint8_t before[BEAT_BYTES]; /* the beat before: what is beyond the shift is still to be sent */
    uint8_t left;               /* bytes of it when `flush` */
    uint8_t inside;             /* within a packet */
    uint8_t drop;               /* the current packet */
    uint8_t flush;              /* the packet has ended, the rest of `before` is its last beat */
};

HLS_INLINE void virtio_rx_write_header(uint8_t *before, const struct receive_plan *plan, uint32_t beat_flags)
{
    bool valid = (plan->flags & QUEUE_CHECKSUM) != 0 && (beat_flags & BEAT_CHECKSUM_VALID) != 0;
    struct virtio_net_header header;
    HLS_ZERO(&header, sizeof header);
    header.flags = valid ? VIRTIO_NET_HEADER_DATA_VALID : 0;
    header.buffers = plan->buffers;
    HLS_ZERO(before, BEAT_BYTES);
    HLS_COPY(before + VIRTIO_RX_WRITE_SHIFT, &header, sizeof header);
}

STEP(virtio_rx_write, struct virtio_rx_write_state *state, STREAM_IN_COND(struct beat, packet),
     STREAM_IN_COND(struct receive_plan, plan), STREAM_OUT(struct beat, data))
{
    STREAM_WAIT((state->flush || STREAM_CAN_READ(packet)) && (state->flush || state->inside || STREAM_CAN_READ(plan)) &&
                STREAM_CAN_WRITE(data));
    struct beat now;
    HLS_ZERO(&now, sizeof now);
    bool first = !state->flush && !state->inside;
    if (!state->flush) {
        STREAM_READ(struct beat, beat, packet);
        HLS_COPY(&now, beat, sizeof now);
    }
    if (first) {
        STREAM_READ(struct receive_plan, decided, plan);
        state->drop = decided->drop;
        virtio_rx_write_header(state->before, decided, now.meta.flags);
    }
    uint32_t bytes = state->flush ? state->left : now.meta.bytes + VIRTIO_RX_WRITE_HEADER;
    bool over = bytes > BEAT_BYTES;
    bool ends = state->flush || now.meta.last;
    if (!state->drop) {
        STREAM_OPEN(struct beat, out, data);
        HLS_ALIGN(out->data, state->before, now.data, VIRTIO_RX_WRITE_SHIFT);
        HLS_ZERO(&out->meta, sizeof out->meta);
        out->meta.bytes = (uint8_t)(over ? BEAT_BYTES : bytes);
        out->meta.last = ends && !over;
        out->meta.length = (uint16_t)(first ? now.meta.length + VIRTIO_RX_WRITE_HEADER : 0);
        STREAM_PUSH(struct beat, out, data);
    }
    HLS_COPY(state->before, now.data, BEAT_BYTES);
    state->inside = !ends;
    state->flush = ends && over && !state->drop;
    state->left = (uint8_t)(bytes - BEAT_BYTES);
    STEP_END;
}
