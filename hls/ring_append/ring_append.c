/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends entries to a ring that the host empties and that their number cannot overflow (BACKEND): nothing is ever
 * dropped. Should the ring be full all the same, entries wait here until the host has read some.
 *
 * An entry that comes alone is written and announced at once. While the host is being told of others, by one write of
 * the index at a time, entries gather: up to 512 bytes of them are one write, and all that came meanwhile is announced,
 * with one interrupt, when the host knows of what was before. `data` has room for what gathers, and a line more.
 */
#include "hls/include/ring.h"

#define RING_APPEND_BATCH  32u /* entries that the index may wait for though more follow */
#define RING_APPEND_GATHER 8u  /* entries of one write, from one multiple of that to the next */

struct ring_append_state {
    uint64_t entries; /* bus addresses */
    uint64_t index;
    uint32_t mask;      /* of a position in the ring */
    uint32_t next;      /* where the next entry goes */
    uint32_t producer;  /* behind the last whole record */
    uint32_t published; /* what the host knows of `producer`, or will when the write is done */
    uint32_t consumer;
    uint8_t ring;
    uint8_t enabled;
    uint8_t gathered; /* entries before `next` whose write is not asked for yet */
    uint8_t telling;  /* a write of the index is under way */
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

/* Of the entries that have gathered; one packet with the index write that follows, so they stay in order. */
HLS_INLINE void ring_append_write(struct dma_request *write, const struct ring_append_state *state)
{
    uint32_t first = state->next - state->gathered;
    HLS_ZERO(write, sizeof *write);
    write->address = state->entries + (uint64_t)(first & state->mask) * RING_ENTRY_BYTES;
    write->length = (uint64_t)state->gathered * RING_ENTRY_BYTES;
    write->function = FUNCTION_HOST;
    write->flags = DMA_BUS;
    write->tag = RING_TAG_QUIET;
}

ARBITER(ring_append, struct ring_append_state *state, STREAM_IN_COND(struct ring_work, host),
        STREAM_IN_COND(struct ring_work, entry), STREAM_IN_COND(struct dma_done, done),
        STREAM_OUT(struct dma_request, request), STREAM_OUT(struct beat, data), STREAM_OUT(struct dma_done, told))
{
    bool room = !state->enabled || state->next - state->consumer <= state->mask;
    bool news = state->producer != state->published, some = state->gathered != 0;
    bool ends = some && (!room || (state->next & state->mask & (RING_APPEND_GATHER - 1u)) == 0);
    bool may_tell = (some || news) && !state->telling;
    STREAM_WAIT(
        (STREAM_CAN_READ(done) || STREAM_CAN_READ(host) || ends || may_tell || (room && STREAM_CAN_READ(entry))) &&
        STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(data) && STREAM_CAN_WRITE(told));
    bool many = state->producer - state->published >= RING_APPEND_BATCH;
    bool none = !room || !STREAM_CAN_READ(entry);
    if (STREAM_CAN_READ(done)) {
        STREAM_READ(struct dma_done, written, done);
        STREAM_OPEN(struct dma_done, passed, told);
        HLS_COPY(passed, written, sizeof *passed);
        STREAM_PUSH(struct dma_done, passed, told);
        state->telling = 0;
    } else if (some && (ends || STREAM_CAN_READ(host) || (may_tell && none))) {
        STREAM_OPEN(struct dma_request, write, request);
        ring_append_write(write, state);
        STREAM_PUSH(struct dma_request, write, request);
        state->gathered = 0;
    } else if (STREAM_CAN_READ(host)) {
        STREAM_READ(struct ring_work, said, host);
        ring_append_host(state, said);
    } else if (!some && may_tell && (many || none)) {
        STREAM_OPEN(struct dma_request, index, request);
        ring_index_request(index, state->index, VECTOR_CONTROL + state->ring);
        STREAM_PUSH(struct dma_request, index, request);
        STREAM_OPEN(struct beat, line, data);
        ring_index_data(line, state->producer, 0);
        STREAM_PUSH(struct beat, line, data);
        state->published = state->producer;
        state->telling = 1;
    } else {
        STREAM_READ(struct ring_work, work, entry);
        if (state->enabled) {
            STREAM_OPEN(struct beat, appended, data);
            HLS_COPY(appended->data, work->data, RING_ENTRY_BYTES);
            HLS_ZERO(&appended->meta, sizeof appended->meta);
            appended->meta.bytes = BEAT_BYTES;
            STREAM_PUSH(struct beat, appended, data);
            state->gathered++;
            state->next++;
            if (work->last)
                state->producer = state->next;
        }
    }
    STEP_END;
}
