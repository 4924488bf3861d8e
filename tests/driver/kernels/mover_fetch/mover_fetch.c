/* SPDX-License-Identifier: Apache-2.0 */
/* One read request for each descriptor up to the index that the doorbell named. */
#include "tests/driver/kernels/mover.h"

struct mover_fetch_state {
    uint32_t next, end;
};

STEP(mover_fetch, struct mover_fetch_state *state, STREAM_IN_COND(struct doorbell, doorbell),
     STREAM_OUT(struct dma_request, request))
{
    STREAM_WAIT((state->next != state->end || STREAM_CAN_READ(doorbell)) && STREAM_CAN_WRITE(request));
    if (state->next == state->end) {
        STREAM_READ(struct doorbell, ring, doorbell);
        state->end = ring->value;
    } else {
        STREAM_OPEN(struct dma_request, read, request);
        HLS_ZERO(read, sizeof *read);
        read->address = (uint64_t)(state->next % MOVER_DESCRIPTORS) * sizeof(struct mover_descriptor);
        read->length = sizeof(struct mover_descriptor);
        read->flags = DMA_LAST;
        STREAM_PUSH(struct dma_request, read, request);
        state->next++;
    }
    STEP_END;
}
