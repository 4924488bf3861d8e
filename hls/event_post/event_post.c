/* SPDX-License-Identifier: Apache-2.0 */
/* Collects what kernels report and makes it records of the EVENT ring. */
#include "hls/include/arbiter.h"
#include "hls/include/ring.h"

struct event_post_state {
    uint32_t last; /* input that was served last */
};

ARBITER(event_post, struct event_post_state *state, STREAM_IN_COND(struct event_entry, tx),
        STREAM_IN_COND(struct event_entry, tx_packet), STREAM_IN_COND(struct event_entry, tx_used),
        STREAM_IN_COND(struct event_entry, rx), STREAM_IN_COND(struct event_entry, rx_used),
        STREAM_OUT(struct ring_work, out))
{
    STREAM_WAIT((STREAM_CAN_READ(tx) || STREAM_CAN_READ(tx_packet) || STREAM_CAN_READ(tx_used) || STREAM_CAN_READ(rx) ||
                 STREAM_CAN_READ(rx_used)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(tx) ? 1u : 0u) | (STREAM_CAN_READ(tx_packet) ? 2u : 0u) |
                     (STREAM_CAN_READ(rx) ? 4u : 0u) | (STREAM_CAN_READ(tx_used) ? 8u : 0u) |
                     (STREAM_CAN_READ(rx_used) ? 16u : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    state->last = pick;
    STREAM_OPEN(struct ring_work, entry, out);
    if (pick == 1u) {
        STREAM_READ(struct event_entry, event, tx);
        HLS_COPY(entry->data, event, sizeof *event);
    } else if (pick == 2u) {
        STREAM_READ(struct event_entry, event, tx_packet);
        HLS_COPY(entry->data, event, sizeof *event);
    } else if (pick == 4u) {
        STREAM_READ(struct event_entry, event, rx);
        HLS_COPY(entry->data, event, sizeof *event);
    } else if (pick == 8u) {
        STREAM_READ(struct event_entry, event, tx_used);
        HLS_COPY(entry->data, event, sizeof *event);
    } else {
        STREAM_READ(struct event_entry, event, rx_used);
        HLS_COPY(entry->data, event, sizeof *event);
    }
    ring_entry_fill(entry, 1, 1, 0);
    STREAM_PUSH(struct ring_work, entry, out);
    STEP_END;
}
