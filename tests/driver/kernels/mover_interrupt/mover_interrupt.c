/* SPDX-License-Identifier: Apache-2.0 */
/* An interrupt for each status record that has been written. */
#include "tests/driver/kernels/mover.h"

STEP(mover_interrupt, STREAM_IN(struct dma_done, done), STREAM_OUT(struct interrupt_request, interrupt))
{
    STREAM_WAIT(STREAM_CAN_READ(done) && STREAM_CAN_WRITE(interrupt));
    STREAM_READ(struct dma_done, record, done);
    STREAM_OPEN(struct interrupt_request, request, interrupt);
    HLS_ZERO(request, sizeof *request);
    request->vector = (uint16_t)(MOVER_VECTOR + record->tag);
    STREAM_PUSH(struct interrupt_request, request, interrupt);
    STEP_END;
}
