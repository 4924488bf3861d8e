/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends entries to a ring that the host empties and that their number cannot overflow (BACKEND): nothing is ever
 * dropped. Should the ring be full all the same, entries wait here until the host has read some. The index is written,
 * and the interrupt raised, when no entry follows at once or enough have gathered.
 */
#include "hls/include/ring.h"

#define RING_APPEND_BATCH 32u /* entries that the index may wait for */

struct ring_append_state {
    uint64_t entries; /* bus addresses */
    uint64_t index;
    uint32_t mask;      /* of a position in the ring */
    uint32_t next;      /* where the next entry goes */
    uint32_t producer;  /* behind the last whole record */
    uint32_t published; /* what the host knows of `producer` */
    uint32_t consumer;
    uint8_t ring;
    uint8_t enabled;
};

HLS_INLINE void ring_append_set(struct ring_append_state *state, const struct ring_work *work)
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
}

HLS_INLINE void ring_append_host(struct ring_append_state *state, const struct ring_work *work)
{
    /* Only what was published can have been consumed. */
    uint32_t consumed = work->value - state->consumer;
    if (work->kind == RING_WORK_SETTING)
        ring_append_set(state, work);
    else if (state->enabled && consumed <= state->published - state->consumer)
        state->consumer = work->value;
}

ARBITER(ring_append, struct ring_append_state *state, STREAM_IN_COND(struct ring_work, host),
        STREAM_IN_COND(struct ring_work, entry), STREAM_OUT(struct dma_request, request), STREAM_OUT(struct beat, data))
{
    bool room = !state->enabled || state->next - state->consumer <= state->mask;
    bool news = state->producer != state->published;
    STREAM_WAIT((STREAM_CAN_READ(host) || news || (room && STREAM_CAN_READ(entry))) && STREAM_CAN_WRITE(request) &&
                STREAM_CAN_WRITE(data));
    bool many = state->producer - state->published >= RING_APPEND_BATCH;
    if (STREAM_CAN_READ(host)) {
        STREAM_READ(struct ring_work, said, host);
        ring_append_host(state, said);
    } else if (news && (many || !room || !STREAM_CAN_READ(entry))) {
        STREAM_OPEN(struct dma_request, index, request);
        ring_index_request(index, state->index, VECTOR_CONTROL + state->ring);
        STREAM_PUSH(struct dma_request, index, request);
        STREAM_OPEN(struct beat, line, data);
        ring_index_data(line, state->producer, 0);
        STREAM_PUSH(struct beat, line, data);
        state->published = state->producer;
    } else {
        STREAM_READ(struct ring_work, work, entry);
        if (state->enabled) {
            STREAM_OPEN(struct dma_request, write, request);
            HLS_ZERO(write, sizeof *write);
            write->address = state->entries + (uint64_t)(state->next & state->mask) * RING_ENTRY_BYTES;
            write->length = RING_ENTRY_BYTES;
            write->function = FUNCTION_HOST;
            write->flags = DMA_BUS; /* one packet with the index write that follows, so they stay in order */
            write->tag = RING_TAG_QUIET;
            STREAM_PUSH(struct dma_request, write, request);
            STREAM_OPEN(struct beat, appended, data);
            HLS_COPY(appended->data, work->data, RING_ENTRY_BYTES);
            HLS_ZERO(&appended->meta, sizeof appended->meta);
            appended->meta.bytes = BEAT_BYTES;
            STREAM_PUSH(struct beat, appended, data);
            state->next++;
            if (work->last)
                state->producer = state->next;
        }
    }
    STEP_END;
}
