/* SPDX-License-Identifier: Apache-2.0 */
/* Writes each done record into the status ring in host memory, as one access of 8 bytes. */
#include "tests/driver/kernels/mover.h"

struct mover_status_state {
    uint32_t next;
};

STEP(mover_status, struct mover_status_state *state, STREAM_IN(struct dma_done, done),
     STREAM_OUT(struct dma_request, request), STREAM_OUT(struct beat, data))
{
    STREAM_WAIT(STREAM_CAN_READ(done) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(data));
    STREAM_READ(struct dma_done, record, done);
    STREAM_OPEN(struct dma_request, write, request);
    HLS_ZERO(write, sizeof *write);
    write->address = MOVER_STATUS + (uint64_t)(state->next % MOVER_DESCRIPTORS) * sizeof *record;
    write->length = sizeof *record;
    write->flags = DMA_LAST;
    STREAM_PUSH(struct dma_request, write, request);
    STREAM_OPEN(struct beat, beat, data);
    HLS_ZERO(beat, sizeof *beat);
    HLS_COPY(beat->data, record, sizeof *record);
    /* Marks the record as written: the reserved bytes of a done record are zero. */
    beat->data[7] = (uint8_t)(1 + (state->next / MOVER_DESCRIPTORS) % 128);
    beat->meta.bytes = sizeof *record;
    beat->meta.last = 1;
    STREAM_PUSH(struct beat, beat, data);
    state->next++;
    STEP_END;
}
