/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges all that nvme_queue has to react to into one stream, round robin, so that nvme_queue itself is a pure function
 * of it. Each event names both rows that it is about, the submission queue's and the completion queue's; where the
 * record does not tell the latter, it is the one of the submission queue's last setting, which nvme_queue checks.
 */
#include "hls/include/arbiter.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/nvme_queue.h"

enum nvme_events_input {
    EVENTS_DOORBELL = 1,
    EVENTS_COMMAND = 2,
    EVENTS_DATA = 4,
    EVENTS_DONE = 8,
    EVENTS_AGAIN = 16,
    EVENTS_FREED = 32,
};

struct nvme_events_state {
    uint16_t completion[BLOCK_QUEUES]; /* of the submission queues' settings */
    uint32_t last;                     /* input that was served last */
    struct block_free freed;           /* of which `more` are not passed on yet */
};

/* The words of a page lead to queues of its controller alone: those from its admin queue on. */
HLS_INLINE void nvme_events_doorbell(struct nvme_event *event, const struct doorbell *rung)
{
    uint32_t base = rung->page & (BLOCK_QUEUES - 1u), queue = base + rung->index / 2u;
    event->kind = NVME_EVENT_DOORBELL;
    event->queue = queue & (BLOCK_QUEUES - 1u);
    event->base = (uint16_t)base;
    event->index = (uint16_t)rung->index;
    event->value = rung->value;
    event->time = rung->time;
    event->error = rung->index >= DOORBELL_NVME_WORDS || queue >= BLOCK_QUEUES;
}

HLS_INLINE void nvme_events_tag(struct nvme_event *event, uint32_t tag)
{
    event->queue = tag & (BLOCK_QUEUES - 1u);
    event->completion = tag >> NVME_TAG_COMPLETION_SHIFT & (BLOCK_QUEUES - 1u);
}

HLS_INLINE void nvme_events_data(struct nvme_event *event, const struct beat *beat)
{
    uint16_t tag = beat->meta.source_id;
    uint32_t what = (uint32_t)tag >> NVME_TAG_READ_SHIFT;
    nvme_events_tag(event, tag);
    HLS_COPY(event->data, beat->data, BEAT_BYTES);
    event->kind = what == NVME_READ_ENTRIES ? NVME_EVENT_ENTRY
                  : what == NVME_READ_TAIL  ? NVME_EVENT_TAIL
                                            : NVME_EVENT_HEAD;
    event->error = beat->meta.error;
    event->last = beat->meta.last;
}

/* Tags that come together are passed on one by one. */
HLS_INLINE void nvme_events_freed(struct nvme_event *event, const struct block_free *tag, uint32_t slot)
{
    event->kind = NVME_EVENT_FREED;
    event->queue = BLOCK_TAG_QUEUE(tag->tag) & (BLOCK_QUEUES - 1u);
    event->slot = slot & (BLOCK_SLOTS - 1u);
    event->generation = tag->generation;
    event->silent = tag->silent;
}

HLS_INLINE void nvme_events_next_slot(struct block_free *freed)
{
    freed->more--;
    freed->slots[0] = freed->slots[1];
    freed->slots[1] = freed->slots[2];
}

ARBITER(nvme_events, struct nvme_events_state *state, STREAM_IN_COND(struct doorbell, doorbell),
        STREAM_IN_COND(struct command_entry, command), STREAM_IN_COND(struct beat, data),
        STREAM_IN_COND(struct dma_done, done), STREAM_IN_COND(struct nvme_token, again),
        STREAM_IN_COND(struct block_free, freed), STREAM_OUT(struct nvme_event, out))
{
    STREAM_WAIT((STREAM_CAN_READ(doorbell) || STREAM_CAN_READ(command) || STREAM_CAN_READ(data) ||
                 STREAM_CAN_READ(done) || STREAM_CAN_READ(again) || state->freed.more != 0 || STREAM_CAN_READ(freed)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(doorbell) ? EVENTS_DOORBELL : 0u) |
                     (STREAM_CAN_READ(command) ? EVENTS_COMMAND : 0u) | (STREAM_CAN_READ(data) ? EVENTS_DATA : 0u) |
                     (STREAM_CAN_READ(done) ? EVENTS_DONE : 0u) | (STREAM_CAN_READ(again) ? EVENTS_AGAIN : 0u) |
                     (state->freed.more != 0 || STREAM_CAN_READ(freed) ? EVENTS_FREED : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    state->last = pick;

    STREAM_OPEN(struct nvme_event, event, out);
    HLS_ZERO(event, sizeof *event);
    bool known = true, setting = false; /* `completion` */
    if (pick == EVENTS_DOORBELL) {
        STREAM_READ(struct doorbell, rung, doorbell);
        nvme_events_doorbell(event, rung);
        known = (rung->index & 1u) != 0;
        event->completion = event->queue;
    } else if (pick == EVENTS_COMMAND) {
        STREAM_READ(struct command_entry, entry, command);
        struct nvme_queue_setting wanted;
        HLS_COPY(event->data, entry, sizeof *entry);
        HLS_COPY(&wanted, entry->data, sizeof wanted);
        event->kind = NVME_EVENT_COMMAND;
        event->queue = entry->index & (BLOCK_QUEUES - 1u);
        event->base = event->queue;
        event->completion = event->queue;
        setting = entry->opcode == COMMAND_QUEUE_SET && !(wanted.flags & (NVME_QUEUE_COMPLETION | NVME_QUEUE_SHADOW));
        if (setting)
            event->completion = wanted.completion & (BLOCK_QUEUES - 1u);
    } else if (pick == EVENTS_DATA) {
        STREAM_READ(struct beat, beat, data);
        nvme_events_data(event, beat);
    } else if (pick == EVENTS_DONE) {
        STREAM_READ(struct dma_done, written, done);
        nvme_events_tag(event, written->tag);
        event->kind = NVME_EVENT_DONE;
        event->error = written->error;
    } else if (pick == EVENTS_AGAIN) {
        STREAM_READ(struct nvme_token, token, again);
        event->kind = token->kind;
        event->queue = token->queue & (BLOCK_QUEUES - 1u);
        event->completion = token->completion & (BLOCK_QUEUES - 1u);
    } else if (state->freed.more != 0) {
        nvme_events_freed(event, &state->freed, state->freed.slots[0]);
        nvme_events_next_slot(&state->freed);
        known = false;
    } else {
        STREAM_READ(struct block_free, tags, freed);
        nvme_events_freed(event, tags, tags->tag);
        HLS_COPY(&state->freed, tags, sizeof state->freed);
        known = false;
    }
    uint16_t last = state->completion[event->queue];
    if (setting)
        state->completion[event->queue] = event->completion;
    if (!known)
        event->completion = last;
    STREAM_PUSH(struct nvme_event, event, out);
    STEP_END;
}
