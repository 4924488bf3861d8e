/* SPDX-License-Identifier: Apache-2.0 */
/* What only the kernels of the block path share. Depths that they rely on: finished 1024 (qos takes it at any time). */
#ifndef CIPU_BLOCK_PATH_H
#define CIPU_BLOCK_PATH_H

#include "hls/include/block.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/nvme.h"

/* From block_done to qos: an answer with COMPLETE was obeyed. */
struct block_finished {
    uint16_t tag;
    uint8_t reserved[2];
};

static_assert(sizeof(struct block_submit) == 192, "block submit");
static_assert(sizeof(struct block_issue) == 128, "block issue");
static_assert(sizeof(struct block_job) == 128, "block job");
static_assert(sizeof(struct block_pending) == 136, "block pending");
static_assert(sizeof(struct block_finished) == 4, "block finished");

/* virtio-blk's status byte, VIRTIO 1.2, 5.2.6. */
#define BLOCK_VIRTIO_IOERR 1u

/* An answer moves data: in one direction, and not nothing. */
HLS_INLINE bool block_moves(const struct block_job *job)
{
    uint32_t direction = job->answer.flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT);
    return job->context.format != BLOCK_WINDOW && (direction == ANSWER_MOVE_IN || direction == ANSWER_MOVE_OUT) &&
           job->answer.length != 0;
}

HLS_INLINE void block_request_fill(struct dma_request *request, uint64_t address, uint64_t length, uint32_t function,
                                   uint32_t flags, uint32_t tag)
{
    request->address = address;
    request->length = length;
    request->function = (uint16_t)function;
    request->flags = (uint16_t)flags;
    request->tag = (uint16_t)tag;
    HLS_ZERO(request->reserved, sizeof request->reserved);
}

/* The window that a context of format BLOCK_WINDOW carries. */
HLS_INLINE void block_window_fill(struct dma_request *request, const struct block_context *context)
{
    block_request_fill(request, context->pointer0, context->pointer1, context->function, DMA_WINDOW, 0);
}

#endif
