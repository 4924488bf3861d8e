/* SPDX-License-Identifier: Apache-2.0 */
/* Merges all that a virtq has to react to into one stream, round robin, so that virtq itself is a pure function of it.
 */
#include "hls/include/arbiter.h"
#include "hls/include/dma.h"
#include "hls/include/queue.h"

struct queue_events_state {
    uint32_t last;  /* input that was served last */
    uint16_t tag;   /* of the read whose data comes */
    uint8_t lines;  /* of it that were passed on */
    uint8_t inside; /* it goes on */
};

HLS_INLINE void queue_events_token(struct queue_event *event, const struct queue_token *token, uint8_t kind)
{
    event->queue = token->queue;
    event->kind = kind;
    event->amount = token->amount;
    event->generation = token->generation;
    event->detail = token->detail;
}

/* Only a read's first beat carries its tag. */
HLS_INLINE void queue_events_data(struct queue_events_state *state, struct queue_event *event, const struct beat *beat)
{
    uint16_t tag = state->inside ? state->tag : beat->meta.source_id;
    uint32_t before = state->inside ? state->lines : 0u;
    bool line = (tag & QUEUE_TAG_LINE) != 0;
    HLS_COPY(event->data, beat->data, BEAT_BYTES);
    event->queue = tag & (CARD_QUEUES - 1u);
    event->kind = line ? QUEUE_LINE : QUEUE_DATA;
    event->error = beat->meta.error;
    event->amount = (uint16_t)(line ? ((uint32_t)tag >> QUEUE_TAG_PLACE_SHIFT) + before : 0u);
    event->detail = line && beat->meta.last;
    state->tag = tag;
    state->lines = (uint8_t)(before + 1u);
    state->inside = !beat->meta.last;
}

ARBITER(queue_events, struct queue_events_state *state, STREAM_IN_COND(struct doorbell, doorbell),
        STREAM_IN_COND(struct command_entry, command), STREAM_IN_COND(struct beat, data),
        STREAM_IN_COND(struct dma_done, done), STREAM_IN_COND(struct queue_token, again),
        STREAM_IN_COND(struct queue_token, credit), STREAM_IN_COND(struct queue_token, fault),
        STREAM_OUT(struct queue_event, out))
{
    STREAM_WAIT((STREAM_CAN_READ(doorbell) || STREAM_CAN_READ(command) || STREAM_CAN_READ(data) ||
                 STREAM_CAN_READ(done) || STREAM_CAN_READ(again) || STREAM_CAN_READ(credit) ||
                 STREAM_CAN_READ(fault)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(doorbell) ? 1u : 0u) | (STREAM_CAN_READ(command) ? 2u : 0u) |
                     (STREAM_CAN_READ(data) ? 4u : 0u) | (STREAM_CAN_READ(done) ? 8u : 0u) |
                     (STREAM_CAN_READ(again) ? 16u : 0u) | (STREAM_CAN_READ(credit) ? 32u : 0u) |
                     (STREAM_CAN_READ(fault) ? 64u : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    state->last = pick;

    STREAM_OPEN(struct queue_event, event, out);
    HLS_ZERO(event, sizeof *event);
    if (pick == 1u) {
        STREAM_READ(struct doorbell, rung, doorbell);
        event->queue = (uint16_t)rung->page;
        event->kind = QUEUE_DOORBELL;
    } else if (pick == 2u) {
        STREAM_READ(struct command_entry, entry, command);
        HLS_COPY(event->data, entry, sizeof *entry);
        event->queue = (uint16_t)entry->index;
        event->kind = QUEUE_COMMAND;
    } else if (pick == 4u) {
        STREAM_READ(struct beat, beat, data);
        queue_events_data(state, event, beat);
    } else if (pick == 8u) {
        STREAM_READ(struct dma_done, written, done);
        event->queue = written->tag;
        event->kind = QUEUE_DONE;
        event->error = written->error;
    } else if (pick == 16u) {
        STREAM_READ(struct queue_token, token, again);
        queue_events_token(event, token, QUEUE_AGAIN);
    } else if (pick == 32u) {
        STREAM_READ(struct queue_token, token, credit);
        queue_events_token(event, token, QUEUE_CREDIT);
    } else {
        STREAM_READ(struct queue_token, token, fault);
        queue_events_token(event, token, QUEUE_FAULT);
    }
    STREAM_PUSH(struct queue_event, event, out);
    STEP_END;
}
