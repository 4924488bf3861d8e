/* SPDX-License-Identifier: Apache-2.0 */
/* Asks for the beginning of the list of a command's memory ahead of block_walk, which gets the job with its bytes. */
#include "hls/block_list/list.h"

struct block_list_state {
    uint32_t refused; /* jobs, for their first pointer */
};

STEP(block_list, struct block_list_state *state, STREAM_IN(struct block_job, job),
     STREAM_OUT(struct dma_request, request), STREAM_OUT(struct block_listed, out))
{
    STREAM_WAIT(STREAM_CAN_READ(job) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct block_job, next, job);
    STREAM_OPEN(struct block_listed, listed, out);
    block_list_begin(listed, next);
    bool window = next->context.format == BLOCK_WINDOW;
    if (window || listed->list_bytes != 0) {
        STREAM_OPEN(struct dma_request, read, request);
        if (window)
            block_window_fill(read, &next->context);
        else
            block_request_fill(read, listed->list_address, listed->list_bytes, next->context.function, DMA_LAST,
                               next->context.tag);
        STREAM_PUSH(struct dma_request, read, request);
    }
    state->refused += listed->status != 0;
    STREAM_PUSH(struct block_listed, listed, out);
    STEP_END;
}
