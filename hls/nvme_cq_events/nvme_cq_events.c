/* SPDX-License-Identifier: Apache-2.0 */
/* Merges all that nvme_cq has to react to into one stream, round robin, so that nvme_cq itself is a pure function of
 * it.
 */
#include "hls/include/arbiter.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/nvme_queue.h"

enum nvme_cq_events_input {
    CQ_EVENTS_FINISHED = 1,
    CQ_EVENTS_COMMAND = 2,
    CQ_EVENTS_DONE = 4,
    CQ_EVENTS_AGAIN = 8,
    CQ_EVENTS_TICK = 16,
};

struct nvme_cq_events_state {
    uint32_t last; /* input that was served last */
};

ARBITER(nvme_cq_events, struct nvme_cq_events_state *state, STREAM_IN_COND(struct block_completion, finished),
        STREAM_IN_COND(struct command_entry, command), STREAM_IN_COND(struct dma_done, done),
        STREAM_IN_COND(struct nvme_cq_token, again), STREAM_IN_COND(struct timer_tick, tick),
        STREAM_OUT(struct nvme_cq_event, out))
{
    STREAM_WAIT((STREAM_CAN_READ(finished) || STREAM_CAN_READ(command) || STREAM_CAN_READ(done) ||
                 STREAM_CAN_READ(again) || STREAM_CAN_READ(tick)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(finished) ? CQ_EVENTS_FINISHED : 0u) |
                     (STREAM_CAN_READ(command) ? CQ_EVENTS_COMMAND : 0u) |
                     (STREAM_CAN_READ(done) ? CQ_EVENTS_DONE : 0u) | (STREAM_CAN_READ(again) ? CQ_EVENTS_AGAIN : 0u) |
                     (STREAM_CAN_READ(tick) ? CQ_EVENTS_TICK : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    state->last = pick;

    STREAM_OPEN(struct nvme_cq_event, event, out);
    HLS_ZERO(event, sizeof *event);
    if (pick == CQ_EVENTS_FINISHED) {
        STREAM_READ(struct block_completion, over, finished);
        HLS_COPY(event->data, over, sizeof *over);
        event->kind = NVME_CQ_FINISHED;
        event->queue = over->completion & (BLOCK_QUEUES - 1u);
        event->submission = over->queue & (BLOCK_QUEUES - 1u);
    } else if (pick == CQ_EVENTS_COMMAND) {
        STREAM_READ(struct command_entry, entry, command);
        HLS_COPY(event->data, entry, sizeof *entry);
        event->kind = NVME_CQ_COMMAND;
        event->queue = entry->index & (BLOCK_QUEUES - 1u);
    } else if (pick == CQ_EVENTS_DONE) {
        STREAM_READ(struct dma_done, written, done);
        event->kind = NVME_CQ_DONE;
        event->queue = written->tag & (BLOCK_QUEUES - 1u);
        event->entries = (uint8_t)(((uint32_t)written->tag >> NVME_CQ_TAG_SHIFT & (NVME_CQ_WRITE - 1u)) + 1u);
        event->error = written->error;
    } else if (pick == CQ_EVENTS_AGAIN) {
        STREAM_READ(struct nvme_cq_token, token, again);
        event->kind = NVME_CQ_AGAIN;
        event->queue = token->queue & (BLOCK_QUEUES - 1u);
    } else {
        STREAM_READ(struct timer_tick, clock, tick);
        event->kind = NVME_CQ_TICK;
        event->now = clock->now;
    }
    STREAM_PUSH(struct nvme_cq_event, event, out);
    STEP_END;
}
