/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one stream of everything that happens to used rings.
 *
 * Answers to writes are always taken at once, whether or not the next kernel has room: they only leave a mark for their
 * queue. So the DMA writer never waits for virtio_used while virtio_used waits for the DMA writer. For the same reason
 * `data` and `again` need room for CARD_QUEUES records.
 *
 * A command is held back until the buffers that were done before it are through: a queue stops with all of them
 * reported.
 */
#include "hls/include/arbiter.h"
#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/used_ring.h"

#define USED_EVENTS_WORDS   (CARD_QUEUES / 32u)
#define USED_EVENTS_BARRIER 64u /* records that may wait in `used` when a command comes: its depth, at most */

enum used_events_source {
    USED_EVENTS_USED = 1,
    USED_EVENTS_COMMAND = 2,
    USED_EVENTS_DATA = 4,
    USED_EVENTS_DONE = 8,
    USED_EVENTS_AGAIN = 16,
};

struct used_events_state {
    uint32_t returned[USED_EVENTS_WORDS]; /* bit = queue: its index is written */
    uint32_t failed[USED_EVENTS_WORDS];   /* bit = queue: a write of it failed */
    struct command_entry held;
    uint32_t last;      /* source that was served last */
    uint32_t last_word; /* of the marks, one bit */
    uint32_t last_bit;
    uint8_t holding; /* a command */
    uint8_t passed;  /* used records since it came */
};

/* The number of the one bit that is set. */
HLS_INLINE uint32_t used_events_number(uint32_t bit)
{
    return ((bit & 0xaaaaaaaau) != 0 ? 1u : 0u) | ((bit & 0xccccccccu) != 0 ? 2u : 0u) |
           ((bit & 0xf0f0f0f0u) != 0 ? 4u : 0u) | ((bit & 0xff00ff00u) != 0 ? 8u : 0u) |
           ((bit & 0xffff0000u) != 0 ? 16u : 0u);
}

/* The words in which a queue is marked, one bit each. */
HLS_INLINE uint32_t used_events_marked(const struct used_events_state *state)
{
    uint32_t words = 0;
    for (uint32_t i = 0; i < USED_EVENTS_WORDS; i++)
        words |= (state->returned[i] | state->failed[i]) != 0 ? 1u << i : 0u;
    return words;
}

/* Takes one queue's marks and makes them an event. */
HLS_INLINE void used_events_take(struct used_events_state *state, uint32_t words, struct queue_event *event)
{
    state->last_word = arbiter_pick(words, state->last_word);
    uint32_t number = used_events_number(state->last_word);
    uint32_t marks = 0;
    for (uint32_t i = 0; i < USED_EVENTS_WORDS; i++)
        marks |= i == number ? state->returned[i] | state->failed[i] : 0u;
    uint32_t bit = arbiter_pick(marks, state->last_bit);
    state->last_bit = bit;
    event->kind = QUEUE_DONE;
    event->queue = (uint16_t)(number * 32u + used_events_number(bit));
    for (uint32_t i = 0; i < USED_EVENTS_WORDS; i++) {
        if (i == number) {
            event->amount = (state->returned[i] & bit) != 0;
            event->error = (state->failed[i] & bit) != 0;
            state->returned[i] &= ~bit;
            state->failed[i] &= ~bit;
        }
    }
}

HLS_INLINE void used_events_mark(struct used_events_state *state, const struct dma_done *answer)
{
    uint32_t queue = answer->tag & (CARD_QUEUES - 1u);
    for (uint32_t i = 0; i < USED_EVENTS_WORDS; i++) {
        uint32_t bit = i == queue >> 5 ? 1u << (queue & 31u) : 0u;
        state->returned[i] |= (answer->tag & USED_RING_TAG_INDEX) != 0 ? bit : 0u;
        state->failed[i] |= answer->error != 0 ? bit : 0u;
    }
}

ARBITER(used_events, struct used_events_state *state, STREAM_IN_COND(struct queue_used, used),
        STREAM_IN_COND(struct command_entry, command), STREAM_IN_COND(struct beat, data),
        STREAM_IN_COND(struct dma_done, done), STREAM_IN_COND(struct queue_token, again),
        STREAM_OUT(struct queue_event, out))
{
    STREAM_WAIT(STREAM_CAN_READ(done) || (!state->holding && STREAM_CAN_READ(command)) ||
                (STREAM_CAN_WRITE(out) && (STREAM_CAN_READ(used) || STREAM_CAN_READ(data) || STREAM_CAN_READ(again) ||
                                           state->holding || used_events_marked(state) != 0)));
    uint32_t words = used_events_marked(state);
    bool through = state->passed == USED_EVENTS_BARRIER || !STREAM_CAN_READ(used);
    uint32_t ready = (STREAM_CAN_READ(used) ? USED_EVENTS_USED : 0u) |
                     (state->holding && through ? USED_EVENTS_COMMAND : 0u) |
                     (STREAM_CAN_READ(data) ? USED_EVENTS_DATA : 0u) | (words != 0 ? USED_EVENTS_DONE : 0u) |
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
            used_events_take(state, words, event);
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
        used_events_mark(state, answer);
    }
    STEP_END;
}
