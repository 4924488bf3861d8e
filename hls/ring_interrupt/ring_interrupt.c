/* SPDX-License-Identifier: Apache-2.0 */
/* Raises a ring's interrupt once the write of its index is visible to the host. */
#include "hls/include/arbiter.h"
#include "hls/include/ring.h"

struct ring_interrupt_state {
    uint32_t last;
};

#define RING_INTERRUPT_TAKE(port)                 \
    do {                                          \
        STREAM_READ(struct dma_done, done, port); \
        tag = done->tag;                          \
    } while (0)

ARBITER(ring_interrupt, struct ring_interrupt_state *state, STREAM_IN_COND(struct dma_done, command),
        STREAM_IN_COND(struct dma_done, completion), STREAM_IN_COND(struct dma_done, punt),
        STREAM_IN_COND(struct dma_done, inject), STREAM_IN_COND(struct dma_done, event),
        STREAM_IN_COND(struct dma_done, backend), STREAM_IN_COND(struct dma_done, block),
        STREAM_OUT(struct interrupt_request, out))
{
    STREAM_WAIT((STREAM_CAN_READ(command) || STREAM_CAN_READ(completion) || STREAM_CAN_READ(punt) ||
                 STREAM_CAN_READ(inject) || STREAM_CAN_READ(event) || STREAM_CAN_READ(backend) ||
                 STREAM_CAN_READ(block)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(command) ? 1u : 0u) | (STREAM_CAN_READ(completion) ? 2u : 0u) |
                     (STREAM_CAN_READ(punt) ? 4u : 0u) | (STREAM_CAN_READ(inject) ? 8u : 0u) |
                     (STREAM_CAN_READ(event) ? 16u : 0u) | (STREAM_CAN_READ(backend) ? 32u : 0u) |
                     (STREAM_CAN_READ(block) ? 64u : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    uint32_t tag;
    state->last = pick;
    if (pick == 1u)
        RING_INTERRUPT_TAKE(command);
    else if (pick == 2u)
        RING_INTERRUPT_TAKE(completion);
    else if (pick == 4u)
        RING_INTERRUPT_TAKE(punt);
    else if (pick == 8u)
        RING_INTERRUPT_TAKE(inject);
    else if (pick == 16u)
        RING_INTERRUPT_TAKE(event);
    else if (pick == 32u)
        RING_INTERRUPT_TAKE(backend);
    else
        RING_INTERRUPT_TAKE(block);
    if (tag != RING_TAG_QUIET) {
        STREAM_OPEN(struct interrupt_request, raise, out);
        raise->vector = (uint16_t)tag;
        HLS_ZERO(raise->reserved, sizeof raise->reserved);
        STREAM_PUSH(struct interrupt_request, raise, out);
    }
    STEP_END;
}
