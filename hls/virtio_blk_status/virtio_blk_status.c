/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the status byte of virtio-blk requests (VIRTIO 1.2, 5.2.6). Of a silent completion nothing is written. */
#include "hls/include/block_path.h"

struct virtio_blk_status_state {
    uint32_t silent; /* completions */
};

STEP(virtio_blk_status, struct virtio_blk_status_state *state, STREAM_IN(struct block_completion, finished),
     STREAM_OUT(struct dma_request, write), STREAM_OUT(struct beat, write_data),
     STREAM_OUT(struct block_completion, pending))
{
    STREAM_WAIT(STREAM_CAN_READ(finished) && STREAM_CAN_WRITE(write) && STREAM_CAN_WRITE(write_data) &&
                STREAM_CAN_WRITE(pending));
    STREAM_READ(struct block_completion, done, finished);
    bool window = done->window != 0, silent = done->silent != 0;
    if (window || !silent) {
        STREAM_OPEN(struct dma_request, request, write);
        if (window)
            block_request_fill(request, done->result, done->status_address, done->function, DMA_WINDOW, 0);
        else
            block_request_fill(request, done->status_address, 1, done->function, DMA_LAST, done->queue);
        STREAM_PUSH(struct dma_request, request, write);
    }
    if (!window && !silent) {
        STREAM_OPEN(struct beat, beat, write_data);
        HLS_ZERO(beat, sizeof *beat);
        beat->data[0] = (uint8_t)done->status;
        beat->meta.bytes = 1;
        beat->meta.last = 1;
        beat->meta.length = 1;
        STREAM_PUSH(struct beat, beat, write_data);
    }
    if (!window) {
        STREAM_OPEN(struct block_completion, told, pending);
        HLS_COPY(told, done, sizeof *told);
        STREAM_PUSH(struct block_completion, told, pending);
        state->silent += silent;
    }
    STEP_END;
}
