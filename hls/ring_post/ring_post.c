/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts records to a ring that the host empties (COMPLETION, PUNT, EVENT). A record's entries are written as they come,
 * beyond the producer index, so the host sees a record only when it is whole: one that turns out spoilt is overwritten
 * by the next. What does not fit, or is beyond its source's share (share.h), is dropped as a whole and counted. Index
 * and interrupt wait while more entries follow at once.
 *
 * Activations of their own clear the shares of a ring that is set, one after the other, and give back those of entries
 * that the host has read.
 */
#include "hls/ring_post/share.h"

#define RING_POST_BATCH 32u /* entries that the index may wait for */

struct ring_post_state {
    uint64_t entries; /* bus addresses */
    uint64_t index;
    uint32_t mask;      /* of a position in the ring */
    uint32_t next;      /* where the next entry goes */
    uint32_t producer;  /* behind the last whole record */
    uint32_t published; /* what the host knows of `producer` */
    uint32_t consumer;
    uint32_t room; /* free entries */
    uint32_t dropped;
    uint32_t left; /* entries that the current record may still write */
    uint8_t ring;
    uint8_t enabled;
    uint8_t inside;    /* within a record */
    uint8_t spoilt;    /* the current record is not wanted */
    uint8_t changed;   /* since the index was written */
    uint8_t publish;   /* the index is written in the next activation */
    uint32_t released; /* entries before this one are given back */
    uint32_t clearing; /* shares that are still to be cleared */
    struct ring_shares shares;
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
    state->room = state->mask + 1u;
    state->dropped = 0;
    state->left = 0;
    state->spoilt = 1; /* of a record that began before */
    state->changed = 0;
    state->released = 0;
    state->clearing = RING_SOURCES;
}

/* Decides at a record's first entry whether the record fits. */
HLS_INLINE void ring_post_begin(struct ring_post_state *state, struct ring_share *share, uint32_t source,
                                uint32_t entries)
{
    bool fits = state->enabled && entries != 0 && ring_share_needs(share, source, entries) <= state->room;
    state->next = state->producer;
    state->left = fits ? entries : 0;
    state->spoilt = !fits;
    if (state->enabled && !fits) {
        state->dropped++;
        share->dropped++;
        state->changed = 1;
    }
}

HLS_INLINE void ring_post_end(struct ring_post_state *state, struct ring_share *share, uint32_t error, uint32_t more)
{
    /* A record that has fewer entries than it said is spoilt as well. */
    if (!state->spoilt && !error && state->left == 0) {
        uint32_t entries = state->next - state->producer;
        share->held += entries;
        state->room -= entries;
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
    STREAM_WAIT((state->clearing != 0 || state->publish || state->released != state->consumer || STREAM_CAN_READ(in)) &&
                STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(data));
    if (state->clearing != 0) {
        state->clearing--;
        HLS_ZERO(&state->shares.row[state->clearing], sizeof state->shares.row[0]);
    } else if (state->publish) {
        bool news = state->producer != state->published;
        STREAM_OPEN(struct dma_request, index, request);
        ring_index_request(index, state->index, news ? VECTOR_CONTROL + state->ring : RING_TAG_QUIET);
        STREAM_PUSH(struct dma_request, index, request);
        STREAM_OPEN(struct beat, line, data);
        ring_index_data(line, state->producer, state->dropped);
        STREAM_PUSH(struct beat, line, data);
        state->published = state->producer;
        state->publish = 0;
    } else if (state->released != state->consumer) {
        state->shares.row[state->shares.owner[state->released & state->mask]].held--;
        state->released++;
    } else {
        STREAM_READ(struct ring_work, work, in);
        if (work->kind == RING_WORK_SETTING) {
            struct ring_setting setting;
            HLS_COPY(&setting, work->data, sizeof setting);
            ring_post_set(state, &setting);
        } else if (work->kind == RING_WORK_DOORBELL) {
            /* Only what was published can have been consumed. */
            uint32_t consumed = work->value - state->consumer;
            if (state->enabled && consumed <= state->published - state->consumer) {
                state->consumer = work->value;
                state->room += consumed;
            }
        } else {
            struct ring_share share = state->shares.row[work->source];
            if (!state->inside)
                ring_post_begin(state, &share, work->source, work->entries);
            if (state->left != 0) {
                STREAM_OPEN(struct dma_request, write, request);
                ring_post_request(write, state);
                STREAM_PUSH(struct dma_request, write, request);
                STREAM_OPEN(struct beat, entry, data);
                HLS_COPY(entry->data, work->data, RING_ENTRY_BYTES);
                if (!state->inside && work->source != RING_SOURCE_ALONE)
                    HLS_COPY(entry->data + RING_DROPPED_OFFSET, &share.dropped, sizeof share.dropped);
                HLS_ZERO(&entry->meta, sizeof entry->meta);
                entry->meta.bytes = BEAT_BYTES;
                STREAM_PUSH(struct beat, entry, data);
                state->shares.owner[state->next & state->mask] = work->source;
                state->next++;
                state->left--;
            } else {
                state->spoilt = 1;
            }
            if (work->last)
                ring_post_end(state, &share, work->error, work->more);
            state->shares.row[work->source] = share;
            state->inside = !work->last;
        }
    }
    STEP_END;
}
