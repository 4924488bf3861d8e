/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor becomes one read and one write request; the data goes from the read channel straight to the write
 * channel. */
#include "tests/driver/kernels/mover.h"

STEP(mover, STREAM_IN(struct beat, descriptor), STREAM_OUT(struct dma_request, read),
     STREAM_OUT(struct dma_request, write))
{
    STREAM_WAIT(STREAM_CAN_READ(descriptor) && STREAM_CAN_WRITE(read) && STREAM_CAN_WRITE(write));
    STREAM_READ(struct beat, beat, descriptor);
    struct mover_descriptor move;
    HLS_COPY(&move, beat->data, sizeof move);
    if (move.from_length) {
        STREAM_OPEN(struct dma_request, request, read);
        HLS_ZERO(request, sizeof *request);
        request->address = move.from;
        request->length = move.from_length;
        request->flags = move.from_flags;
        request->tag = move.tag;
        STREAM_PUSH(struct dma_request, request, read);
    }
    if (move.to_length) {
        STREAM_OPEN(struct dma_request, request, write);
        HLS_ZERO(request, sizeof *request);
        request->address = move.to;
        request->length = move.to_length;
        request->flags = move.to_flags;
        request->tag = move.tag;
        STREAM_PUSH(struct dma_request, request, write);
    }
    STEP_END;
}
