/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends jobs: when the DMA writer is done with what block_walk asked for, the guest's command is completed and the host
 * told, as the answer says.
 *
 * The writer's answers are taken as they come, up to a job's last one, whether or not the job is known yet: a job has
 * more pieces than answers have room.
 */
#include "hls/include/block_path.h"

struct block_done_state {
    struct block_pending held; /* the job that is to end next, when `holding` */
    uint8_t holding;
    uint8_t moved; /* the last answer of a job's pieces has come */
    uint8_t error; /* one of them had an error */
};

HLS_INLINE void block_done_complete(struct block_completion *finished, const struct block_pending *job, uint32_t status)
{
    const struct block_context *context = &job->context;
    bool chain = context->format == BLOCK_CHAIN;
    finished->result = job->answer.result;
    finished->status_address = chain ? context->pointer1 : 0u;
    finished->written = status != 0 ? 1u : job->answer.written; /* the status byte is written in any case */
    finished->status = (uint16_t)(status != 0 ? status : job->answer.status);
    finished->tag = context->tag;
    finished->function = context->function;
    finished->queue = context->queue;
    finished->completion = context->completion;
    finished->identifier = context->identifier;
    finished->sq_head = context->sq_head;
    finished->sequence = context->sequence;
    finished->sq_id = context->sq_id;
    finished->silent = (job->answer.flags & ANSWER_SILENT) != 0;
    finished->generation = context->generation;
    finished->window = 0;
    HLS_ZERO(finished->reserved, sizeof finished->reserved);
}

/* virtio_blk_status has a DMA channel of its own. */
HLS_INLINE void block_done_window(struct block_completion *window, const struct block_context *context)
{
    HLS_ZERO(window, sizeof *window);
    window->result = context->pointer0;
    window->status_address = context->pointer1;
    window->function = context->function;
    window->window = 1;
}

HLS_INLINE void block_done_notice(struct block_command *told, uint32_t tag, uint32_t status)
{
    HLS_ZERO(told, sizeof *told);
    told->kind = BACKEND_MOVED;
    told->tag = (uint16_t)tag;
    told->status = (uint16_t)status;
}

ARBITER(block_done, struct block_done_state *state, STREAM_IN_COND(struct block_pending, pending),
        STREAM_IN_COND(struct dma_done, moved), STREAM_OUT(struct block_completion, nvme),
        STREAM_OUT(struct block_completion, blk), STREAM_OUT(struct block_command, notice),
        STREAM_OUT(struct block_finished, finished_disk), STREAM_OUT(struct command_entry, completion))
{
    STREAM_WAIT(((!state->moved && STREAM_CAN_READ(moved)) || (!state->holding && STREAM_CAN_READ(pending)) ||
                 (state->holding && state->moved)) &&
                STREAM_CAN_WRITE(nvme) && STREAM_CAN_WRITE(blk) && STREAM_CAN_WRITE(notice) &&
                STREAM_CAN_WRITE(finished_disk) && STREAM_CAN_WRITE(completion));
    bool last = state->moved != 0, error = state->error != 0, known = state->holding != 0;
    if (!state->moved && STREAM_CAN_READ(moved)) {
        STREAM_READ(struct dma_done, answer, moved);
        last = answer->tag == BLOCK_MOVE_LAST;
        error = error || answer->error != 0;
    }
    if (!state->holding && STREAM_CAN_READ(pending)) {
        STREAM_READ(struct block_pending, next, pending);
        HLS_COPY(&state->held, next, sizeof state->held);
        known = true;
    }
    const struct block_pending *job = &state->held;
    bool ends = known && (last || !job->moving);
    bool window = ends && job->context.format == BLOCK_WINDOW;
    bool chain = job->context.format == BLOCK_CHAIN;
    bool complete = ends && !window && (job->answer.flags & ANSWER_COMPLETE) != 0;
    uint32_t failed = chain ? BLOCK_VIRTIO_IOERR : (uint32_t)NVME_DATA_TRANSFER_ERROR;
    uint32_t status = job->status != 0 ? job->status : error && job->moving ? failed : 0u;
    if (complete && !chain) {
        STREAM_OPEN(struct block_completion, finished, nvme);
        block_done_complete(finished, job, status);
        STREAM_PUSH(struct block_completion, finished, nvme);
    }
    if (window || (complete && chain)) {
        STREAM_OPEN(struct block_completion, finished, blk);
        if (window)
            block_done_window(finished, &job->context);
        else
            block_done_complete(finished, job, status);
        STREAM_PUSH(struct block_completion, finished, blk);
    }
    if (complete) {
        STREAM_OPEN(struct block_finished, over, finished_disk);
        over->tag = job->context.tag;
        HLS_ZERO(over->reserved, sizeof over->reserved);
        STREAM_PUSH(struct block_finished, over, finished_disk);
    }
    if (ends && !window && (job->answer.flags & ANSWER_TELL) != 0) {
        STREAM_OPEN(struct block_command, told, notice);
        block_done_notice(told, job->context.tag, status);
        STREAM_PUSH(struct block_command, told, notice);
    }
    if (window) {
        STREAM_OPEN(struct command_entry, completed, completion);
        HLS_COPY(completed, &job->answer, sizeof *completed);
        completed->status = STATUS_OK;
        STREAM_PUSH(struct command_entry, completed, completion);
    }
    bool used = ends && job->moving != 0;
    state->moved = last && !used;
    state->error = error && !used;
    state->holding = known && !ends;
    STEP_END;
}
