/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets virtio-blk chains go to the used ring when their status is written, and frees what they held: the head at once,
 * credit in tokens of several, so that four tokens of each queue fit the credit stream. A chain whose status could not
 * be written is not used; its queue stops.
 */
#include "hls/include/block_path.h"
#include "hls/include/queue.h"

#define VIRTIO_BLK_CREDIT (BLOCK_SLOTS / 4u)

struct virtio_blk_used_credit {
    uint8_t chains; /* that are free, but not told */
    uint8_t generation;
};

struct virtio_blk_used_state {
    struct virtio_blk_used_credit credit[BLOCK_QUEUES];
    struct block_completion held; /* whose status is being written, when `waiting` */
    uint8_t waiting;
};

/* One more. Returns whether it is time to tell. */
HLS_INLINE bool virtio_blk_used_count(struct virtio_blk_used_credit *credit, uint8_t generation)
{
    uint32_t before = credit->generation == generation ? credit->chains : 0u;
    bool tells = before + 1u == VIRTIO_BLK_CREDIT;
    credit->chains = (uint8_t)(tells ? 0u : before + 1u);
    credit->generation = generation;
    return tells;
}

STEP(virtio_blk_used, struct virtio_blk_used_state *state, STREAM_IN_COND(struct block_completion, pending),
     STREAM_IN_COND(struct dma_done, done), STREAM_OUT(struct queue_used, used), STREAM_OUT(struct queue_token, credit),
     STREAM_OUT(struct blk_freed, freed))
{
    STREAM_WAIT((state->waiting || STREAM_CAN_READ(pending)) && (!state->waiting || STREAM_CAN_READ(done)) &&
                STREAM_CAN_WRITE(used) && STREAM_CAN_WRITE(credit) && STREAM_CAN_WRITE(freed));
    struct block_completion chain = state->held;
    bool failed = false;
    bool over = true;
    if (state->waiting) {
        STREAM_READ(struct dma_done, answer, done);
        failed = answer->error != 0;
        state->waiting = 0;
    } else {
        STREAM_READ(struct block_completion, next, pending);
        HLS_COPY(&chain, next, sizeof chain);
        HLS_COPY(&state->held, next, sizeof state->held);
        over = next->silent != 0;
        state->waiting = !over;
    }
    if (over && !chain.silent && !failed) {
        STREAM_OPEN(struct queue_used, buffer, used);
        buffer->queue = chain.queue;
        buffer->head = chain.identifier;
        buffer->length = chain.written;
        buffer->more = 0;
        HLS_ZERO(buffer->reserved, sizeof buffer->reserved);
        STREAM_PUSH(struct queue_used, buffer, used);
    }
    if (over) {
        STREAM_OPEN(struct blk_freed, back, freed);
        back->tag = chain.tag;
        back->generation = chain.generation;
        back->fault = failed ? FAULT_ADDRESS : FAULT_NONE;
        STREAM_PUSH(struct blk_freed, back, freed);
        uint32_t queue = chain.queue & (BLOCK_QUEUES - 1u);
        struct virtio_blk_used_credit count = state->credit[queue];
        if (virtio_blk_used_count(&count, chain.generation)) {
            STREAM_OPEN(struct queue_token, token, credit);
            HLS_ZERO(token, sizeof *token);
            token->queue = chain.queue;
            token->amount = VIRTIO_BLK_CREDIT;
            token->generation = chain.generation;
            STREAM_PUSH(struct queue_token, token, credit);
        }
        state->credit[queue] = count;
    }
    STEP_END;
}
