/* SPDX-License-Identifier: Apache-2.0 */
/* Collects what kernels report and makes it records of the EVENT ring. */
#include "hls/include/arbiter.h"
#include "hls/include/ring.h"

struct event_post_state {
    uint32_t last; /* input that was served last */
};

#define EVENT_POST_TAKE(port)                                     \
    do {                                                          \
        STREAM_READ(struct event_entry, event, port);             \
        HLS_COPY(entry->data, event, sizeof *event);              \
        source = ring_source(ENDPOINT_FUNCTION, event->function); \
    } while (0)

ARBITER(event_post, struct event_post_state *state, STREAM_IN_COND(struct event_entry, tx),
        STREAM_IN_COND(struct event_entry, tx_packet), STREAM_IN_COND(struct event_entry, tx_used),
        STREAM_IN_COND(struct event_entry, rx), STREAM_IN_COND(struct event_entry, rx_used),
        STREAM_IN_COND(struct event_entry, blk), STREAM_IN_COND(struct event_entry, blk_used),
        STREAM_IN_COND(struct event_entry, nvme), STREAM_IN_COND(struct event_entry, nvme_cq),
        STREAM_OUT(struct ring_work, out))
{
    STREAM_WAIT((STREAM_CAN_READ(tx) || STREAM_CAN_READ(tx_packet) || STREAM_CAN_READ(tx_used) || STREAM_CAN_READ(rx) ||
                 STREAM_CAN_READ(rx_used) || STREAM_CAN_READ(blk) || STREAM_CAN_READ(blk_used) ||
                 STREAM_CAN_READ(nvme) || STREAM_CAN_READ(nvme_cq)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(tx) ? 1u : 0u) | (STREAM_CAN_READ(tx_packet) ? 2u : 0u) |
                     (STREAM_CAN_READ(rx) ? 4u : 0u) | (STREAM_CAN_READ(tx_used) ? 8u : 0u) |
                     (STREAM_CAN_READ(rx_used) ? 16u : 0u) | (STREAM_CAN_READ(blk) ? 32u : 0u) |
                     (STREAM_CAN_READ(blk_used) ? 64u : 0u) | (STREAM_CAN_READ(nvme) ? 128u : 0u) |
                     (STREAM_CAN_READ(nvme_cq) ? 256u : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    state->last = pick;
    STREAM_OPEN(struct ring_work, entry, out);
    uint8_t source;
    if (pick == 1u)
        EVENT_POST_TAKE(tx);
    else if (pick == 2u)
        EVENT_POST_TAKE(tx_packet);
    else if (pick == 4u)
        EVENT_POST_TAKE(rx);
    else if (pick == 8u)
        EVENT_POST_TAKE(tx_used);
    else if (pick == 16u)
        EVENT_POST_TAKE(rx_used);
    else if (pick == 32u)
        EVENT_POST_TAKE(blk);
    else if (pick == 64u)
        EVENT_POST_TAKE(blk_used);
    else if (pick == 128u)
        EVENT_POST_TAKE(nvme);
    else
        EVENT_POST_TAKE(nvme_cq);
    ring_entry_fill(entry, source, 1, 1, 0);
    STREAM_PUSH(struct ring_work, entry, out);
    STEP_END;
}
