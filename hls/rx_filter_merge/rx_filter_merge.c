/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the receive filter's commands between the packets, as one beat with source NONE: so rx_filter has one input and
 * its settings change between two packets, never within one.
 */
#include "hls/include/beat.h"
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"

struct rx_filter_merge_state {
    uint8_t inside; /* within a packet */
};

ARBITER(rx_filter_merge, struct rx_filter_merge_state *state, STREAM_IN_COND(struct beat, packet),
        STREAM_IN_COND(struct command_entry, command), STREAM_OUT(struct beat, out))
{
    STREAM_WAIT((STREAM_CAN_READ(packet) || (!state->inside && STREAM_CAN_READ(command))) && STREAM_CAN_WRITE(out));
    STREAM_OPEN(struct beat, merged, out);
    if (!state->inside && STREAM_CAN_READ(command)) {
        STREAM_READ(struct command_entry, entry, command);
        HLS_COPY(merged->data, entry, sizeof *entry);
        HLS_ZERO(&merged->meta, sizeof merged->meta);
        merged->meta.bytes = BEAT_BYTES;
        merged->meta.last = 1;
    } else {
        STREAM_READ(struct beat, beat, packet);
        HLS_COPY(merged, beat, sizeof *merged);
        state->inside = !beat->meta.last;
    }
    STREAM_PUSH(struct beat, merged, out);
    STEP_END;
}
