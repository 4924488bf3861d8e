/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one stream of everything that happens to used rings.
 *
 * Answers to writes are always taken at once, whether or not the next kernel has room: those that bring a queue's token
 * back wait in a list of their own, the others only leave their error for it. So the DMA writer never waits for
 * virtio_used while virtio_used waits for the DMA writer. For the same reason `data` and `again` need room for
 * CARD_QUEUES records.
 *
 * A command is held back until the buffers that were done before it are through: a queue stops with all of them
 * reported.
 */
#include "hls/include/arbiter.h"
#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/used_ring.h"

#define USED_EVENTS_BARRIER 64u /* records that may wait in `used` when a command comes: its depth, at most */

#define USED_EVENTS_FAILED 0x8000u /* beside the queue in the list of answers */

enum used_events_source {
    USED_EVENTS_USED = 1,
    USED_EVENTS_COMMAND = 2,
    USED_EVENTS_DATA = 4,
    USED_EVENTS_DONE = 8,
    USED_EVENTS_AGAIN = 16,
};

struct used_events_state {
    uint16_t returned[CARD_QUEUES]; /* queues whose token is back, a ring: each has one at most */
    uint8_t failed[CARD_QUEUES];    /* a write of it did, since its token was back */
    struct command_entry held;
    uint32_t last;          /* source that was served last */
    uint16_t first, behind; /* of the ring */
    uint8_t holding;        /* a command */
    uint8_t passed;         /* used records since it came */
};

HLS_INLINE void used_events_answer(struct used_events_state *state, const struct dma_done *answer)
{
    uint32_t queue = answer->tag & (CARD_QUEUES - 1u);
    bool token = (answer->tag & USED_RING_TAG_INDEX) != 0;
    bool failed = state->failed[queue] != 0 || answer->error != 0;
    state->failed[queue] = failed && !token;
    if (token) {
        state->returned[state->behind % CARD_QUEUES] = (uint16_t)(queue | (failed ? USED_EVENTS_FAILED : 0u));
        state->behind = (uint16_t)(state->behind + 1u);
    }
}

ARBITER(used_events, struct used_events_state *state, STREAM_IN_COND(struct queue_used, used),
        STREAM_IN_COND(struct command_entry, command), STREAM_IN_COND(struct beat, data),
        STREAM_IN_COND(struct dma_done, done), STREAM_IN_COND(struct queue_token, again),
        STREAM_OUT(struct queue_event, out))
{
    STREAM_WAIT(STREAM_CAN_READ(done) || (!state->holding && STREAM_CAN_READ(command)) ||
                (STREAM_CAN_WRITE(out) && (STREAM_CAN_READ(used) || STREAM_CAN_READ(data) || STREAM_CAN_READ(again) ||
                                           state->holding || state->first != state->behind)));
    bool through = state->passed == USED_EVENTS_BARRIER || !STREAM_CAN_READ(used);
    uint32_t ready =
        (STREAM_CAN_READ(used) ? USED_EVENTS_USED : 0u) | (state->holding && through ? USED_EVENTS_COMMAND : 0u) |
        (STREAM_CAN_READ(data) ? USED_EVENTS_DATA : 0u) | (state->first != state->behind ? USED_EVENTS_DONE : 0u) |
        (STREAM_CAN_READ(again) ? USED_EVENTS_AGAIN : 0u);
    bool arrives = !state->holding && STREAM_CAN_READ(command);

    if (ready != 0 && STREAM_CAN_WRITE(out)) {
        uint32_t pick = arbiter_pick(ready, state->last);
        state->last = pick;
        STREAM_OPEN(struct queue_event, event, out);
        HLS_ZERO(event, sizeof *event);
        if (pick == USED_EVENTS_USED) {
            STREAM_READ(struct queue_used, buffer, used);
            event->kind = QUEUE_USED;
            event->queue = buffer->queue;
            event->head = buffer->head;
            event->length = buffer->length;
            event->detail = buffer->more;
            state->passed = (uint8_t)(state->passed + (state->passed != USED_EVENTS_BARRIER ? 1u : 0u));
        } else if (pick == USED_EVENTS_COMMAND) {
            event->kind = QUEUE_COMMAND;
            event->queue = (uint16_t)(state->held.index & (CARD_QUEUES - 1u));
            HLS_COPY(event->data, &state->held, sizeof state->held);
            state->holding = 0;
        } else if (pick == USED_EVENTS_DATA) {
            STREAM_READ(struct beat, beat, data);
            event->kind = QUEUE_DATA;
            event->queue = beat->meta.source_id;
            event->error = beat->meta.error;
            HLS_COPY(event->data, beat->data, sizeof event->data);
        } else if (pick == USED_EVENTS_DONE) {
            uint16_t answer = state->returned[state->first % CARD_QUEUES];
            state->first = (uint16_t)(state->first + 1u);
            event->kind = QUEUE_DONE;
            event->queue = answer & (CARD_QUEUES - 1u);
            event->error = (answer & USED_EVENTS_FAILED) != 0;
        } else {
            STREAM_READ(struct queue_token, token, again);
            event->kind = QUEUE_AGAIN;
            event->queue = token->queue;
        }
        STREAM_PUSH(struct queue_event, event, out);
    }
    if (arrives) {
        STREAM_READ(struct command_entry, entry, command);
        HLS_COPY(&state->held, entry, sizeof state->held);
        state->holding = 1;
        state->passed = 0;
    }
    if (STREAM_CAN_READ(done)) {
        STREAM_READ(struct dma_done, answer, done);
        used_events_answer(state, answer);
    }
    STEP_END;
}
