/* SPDX-License-Identifier: Apache-2.0 */
/* Raises a ring's interrupt once the write of its index is visible to the host. */
#include "hls/include/arbiter.h"
#include "hls/include/ring.h"

struct ring_interrupt_state {
    uint32_t last;
};

ARBITER(ring_interrupt, struct ring_interrupt_state *state, STREAM_IN_COND(struct dma_done, command),
        STREAM_IN_COND(struct dma_done, completion), STREAM_IN_COND(struct dma_done, punt),
        STREAM_IN_COND(struct dma_done, inject), STREAM_IN_COND(struct dma_done, event),
        STREAM_OUT(struct interrupt_request, out))
{
    STREAM_WAIT((STREAM_CAN_READ(command) || STREAM_CAN_READ(completion) || STREAM_CAN_READ(punt) ||
                 STREAM_CAN_READ(inject) || STREAM_CAN_READ(event)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(command) ? 1u : 0u) | (STREAM_CAN_READ(completion) ? 2u : 0u) |
                     (STREAM_CAN_READ(punt) ? 4u : 0u) | (STREAM_CAN_READ(inject) ? 8u : 0u) |
                     (STREAM_CAN_READ(event) ? 16u : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    uint32_t tag;
    state->last = pick;
    if (pick == 1u) {
        STREAM_READ(struct dma_done, done, command);
        tag = done->tag;
    } else if (pick == 2u) {
        STREAM_READ(struct dma_done, done, completion);
        tag = done->tag;
    } else if (pick == 4u) {
        STREAM_READ(struct dma_done, done, punt);
        tag = done->tag;
    } else if (pick == 8u) {
        STREAM_READ(struct dma_done, done, inject);
        tag = done->tag;
    } else {
        STREAM_READ(struct dma_done, done, event);
        tag = done->tag;
    }
    if (tag != RING_TAG_QUIET) {
        STREAM_OPEN(struct interrupt_request, raise, out);
        raise->vector = (uint16_t)tag;
        HLS_ZERO(raise->reserved, sizeof raise->reserved);
        STREAM_PUSH(struct interrupt_request, raise, out);
    }
    STEP_END;
}
