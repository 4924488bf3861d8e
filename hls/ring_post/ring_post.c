/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts records to a ring that the host empties (COMPLETION, PUNT, EVENT). A record's entries are written as they come,
 * beyond the producer index, so the host sees a record only when it is whole: one that turns out spoilt is overwritten
 * by the next. What does not fit is dropped as a whole and counted. Index and interrupt wait while more entries follow
 * at once.
 */
#include "hls/include/ring.h"

#define RING_POST_BATCH 32u /* entries that the index may wait for */

struct ring_post_state {
    uint64_t entries; /* bus addresses */
    uint64_t index;
    uint32_t mask;      /* of a position in the ring */
    uint32_t next;      /* where the next entry goes */
    uint32_t producer;  /* behind the last whole record */
    uint32_t published; /* what the host knows of `producer` */
    uint32_t consumer;
    uint32_t dropped;
    uint32_t left; /* entries that the current record may still write */
    uint8_t ring;
    uint8_t enabled;
    uint8_t inside;  /* within a record */
    uint8_t spoilt;  /* the current record is not wanted */
    uint8_t changed; /* since the index was written */
    uint8_t publish; /* the index is written in the next activation */
};

HLS_INLINE void ring_post_set(struct ring_post_state *state, const struct ring_setting *setting)
{
    state->enabled = setting->enabled != 0 && setting->entries_log2 <= RING_ENTRIES_LOG2_MAX;
    state->entries = setting->entries & ~(uint64_t)(RING_ENTRY_BYTES - 1u);
    state->index = setting->index & ~(uint64_t)7u;
    state->mask = (1u << (setting->entries_log2 & 31u)) - 1u;
    state->ring = (uint8_t)setting->ring;
    state->next = 0;
    state->producer = 0;
    state->published = 0;
    state->consumer = 0;
    state->dropped = 0;
    state->left = 0;
    state->spoilt = 1; /* of a record that began before */
    state->changed = 0;
}

/* Decides at a record's first entry whether the record fits. */
HLS_INLINE void ring_post_begin(struct ring_post_state *state, uint32_t entries)
{
    uint32_t room = state->mask + 1u - (state->producer - state->consumer);
    bool fits = state->enabled && entries != 0 && entries <= room;
    state->next = state->producer;
    state->left = fits ? entries : 0;
    state->spoilt = !fits;
    if (state->enabled && !fits) {
        state->dropped++;
        state->changed = 1;
    }
}

HLS_INLINE void ring_post_end(struct ring_post_state *state, uint32_t error, uint32_t more)
{
    /* A record that has fewer entries than it said is spoilt as well. */
    if (!state->spoilt && !error && state->left == 0) {
        state->producer = state->next;
        state->changed = 1;
    }
    if (state->changed && (!more || state->producer - state->published >= RING_POST_BATCH)) {
        state->changed = 0;
        state->publish = 1;
    }
}

HLS_INLINE void ring_post_request(struct dma_request *write, const struct ring_post_state *state)
{
    write->address = state->entries + (uint64_t)(state->next & state->mask) * RING_ENTRY_BYTES;
    write->length = RING_ENTRY_BYTES;
    write->function = FUNCTION_HOST;
    write->flags = DMA_BUS; /* one packet with the index write that follows, so they stay in order */
    write->tag = RING_TAG_QUIET;
    HLS_ZERO(write->reserved, sizeof write->reserved);
}

STEP(ring_post, struct ring_post_state *state, STREAM_IN_COND(struct ring_work, in),
     STREAM_OUT(struct dma_request, request), STREAM_OUT(struct beat, data))
{
    STREAM_WAIT((state->publish || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(data));
    if (state->publish) {
        bool news = state->producer != state->published;
        STREAM_OPEN(struct dma_request, index, request);
        ring_index_request(index, state->index, news ? VECTOR_CONTROL + state->ring : RING_TAG_QUIET);
        STREAM_PUSH(struct dma_request, index, request);
        STREAM_OPEN(struct beat, line, data);
        ring_index_data(line, state->producer, state->dropped);
        STREAM_PUSH(struct beat, line, data);
        state->published = state->producer;
        state->publish = 0;
    } else {
        STREAM_READ(struct ring_work, work, in);
        if (work->kind == RING_WORK_SETTING) {
            struct ring_setting setting;
            HLS_COPY(&setting, work->data, sizeof setting);
            ring_post_set(state, &setting);
        } else if (work->kind == RING_WORK_DOORBELL) {
            /* Only what was published can have been consumed. */
            if (state->enabled && work->value - state->consumer <= state->published - state->consumer)
                state->consumer = work->value;
        } else {
            if (!state->inside)
                ring_post_begin(state, work->entries);
            if (state->left != 0) {
                STREAM_OPEN(struct dma_request, write, request);
                ring_post_request(write, state);
                STREAM_PUSH(struct dma_request, write, request);
                STREAM_OPEN(struct beat, entry, data);
                HLS_COPY(entry->data, work->data, RING_ENTRY_BYTES);
                HLS_ZERO(&entry->meta, sizeof entry->meta);
                entry->meta.bytes = BEAT_BYTES;
                STREAM_PUSH(struct beat, entry, data);
                state->next++;
                state->left--;
            } else {
                state->spoilt = 1;
            }
            if (work->last)
                ring_post_end(state, work->error, work->more);
            state->inside = !work->last;
        }
    }
    STEP_END;
}
