/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts the records that ring_admit lets through to a ring that the host empties (COMPLETION, PUNT, EVENT). A record's
 * entries are written as they come, beyond the producer index, so the host sees a record only when it is whole: one
 * that turns out spoilt is overwritten by the next. Index and interrupt wait while more entries follow at once.
 *
 * Activations of their own tell ring_admit of each entry that the host has read. Nothing waits for the room to do so:
 * the two kernels' circle cannot block.
 */
#include "hls/include/ring.h"

#define RING_POST_BATCH 32u /* entries that the index may wait for */

struct ring_post_state {
    uint8_t owner[1u << RING_ENTRIES_LOG2_MAX]; /* source of each entry in the ring */
    uint64_t entries;                           /* bus addresses */
    uint64_t index;
    uint32_t mask;      /* of a position in the ring */
    uint32_t next;      /* where the next entry goes */
    uint32_t producer;  /* behind the last whole record */
    uint32_t published; /* what the host knows of `producer` */
    uint32_t consumer;
    uint32_t released; /* entries before this one are given back */
    uint32_t dropped;
    uint8_t ring;
    uint8_t enabled;
    uint8_t changed;    /* since the index was written */
    uint8_t publish;    /* the index is written in the next activation */
    uint8_t generation; /* of the ring's setting */
};

HLS_INLINE void ring_post_set(struct ring_post_state *state, const struct ring_work *work)
{
    struct ring_setting setting;
    HLS_COPY(&setting, work->data, sizeof setting);
    state->enabled = setting.enabled != 0 && setting.entries_log2 <= RING_ENTRIES_LOG2_MAX;
    state->entries = setting.entries & ~(uint64_t)(RING_ENTRY_BYTES - 1u);
    state->index = setting.index & ~(uint64_t)7u;
    state->mask = (1u << (setting.entries_log2 & 31u)) - 1u;
    state->ring = (uint8_t)setting.ring;
    state->next = 0;
    state->producer = 0;
    state->published = 0;
    state->consumer = 0;
    state->released = 0;
    state->dropped = 0;
    state->changed = 0;
    state->generation = work->generation;
}

/* The last entry of a record: it becomes visible, or its entries are overwritten. */
HLS_INLINE void ring_post_end(struct ring_post_state *state, const struct ring_work *work)
{
    bool many = state->next - state->published >= RING_POST_BATCH;
    bool changed = state->changed || work->whole || work->value != state->dropped;
    if (work->whole)
        state->producer = state->next;
    else
        state->next = state->producer;
    state->dropped = work->value;
    state->publish = changed && (!work->more || many);
    state->changed = changed && !state->publish;
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

ARBITER(ring_post, struct ring_post_state *state, STREAM_IN_COND(struct ring_work, in),
        STREAM_OUT(struct dma_request, request), STREAM_OUT(struct beat, data), STREAM_OUT(struct ring_work, read))
{
    STREAM_WAIT(
        (state->publish || STREAM_CAN_READ(in) || (state->released != state->consumer && STREAM_CAN_WRITE(read))) &&
        STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(data));
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
    } else if (state->released != state->consumer && STREAM_CAN_WRITE(read)) {
        STREAM_OPEN(struct ring_work, given, read);
        HLS_ZERO(given, sizeof *given);
        given->kind = RING_WORK_RELEASE;
        given->source = state->owner[state->released & state->mask];
        given->generation = state->generation;
        STREAM_PUSH(struct ring_work, given, read);
        state->released++;
    } else {
        STREAM_READ(struct ring_work, work, in);
        if (work->kind == RING_WORK_SETTING) {
            ring_post_set(state, work);
        } else if (work->kind == RING_WORK_DOORBELL) {
            /* Only what was published can have been consumed. */
            uint32_t consumed = work->value - state->consumer;
            if (state->enabled && consumed <= state->published - state->consumer)
                state->consumer = work->value;
        } else {
            if (work->admitted) {
                STREAM_OPEN(struct dma_request, write, request);
                ring_post_request(write, state);
                STREAM_PUSH(struct dma_request, write, request);
                STREAM_OPEN(struct beat, entry, data);
                HLS_COPY(entry->data, work->data, RING_ENTRY_BYTES);
                HLS_ZERO(&entry->meta, sizeof entry->meta);
                entry->meta.bytes = BEAT_BYTES;
                STREAM_PUSH(struct beat, entry, data);
                state->owner[state->next & state->mask] = work->source;
                state->next++;
            }
            if (work->last)
                ring_post_end(state, work);
        }
    }
    STEP_END;
}
