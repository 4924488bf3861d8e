/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches the entries of a ring that the host fills (COMMAND, INJECT): reads them in batches, passes them on and tells
 * the host its consumer index. Everything announced by a doorbell is fetched before the next doorbell or setting is
 * looked at, so one read is in flight and the kernel needs no arbiter. A setting is passed on too: it cuts off an
 * unfinished record.
 */
#include "hls/include/ring.h"

#define RING_FETCH_BATCH 16u

struct ring_fetch_state {
    uint64_t entries; /* bus addresses */
    uint64_t index;
    uint32_t mask; /* of a position in the ring */
    uint32_t consumer;
    uint32_t producer;
    uint32_t ignored; /* doorbells that contradict the ring */
    uint8_t enabled;
    uint8_t reading; /* entries that the read in flight still owes */
    uint8_t tell;    /* the host does not know `consumer` or `ignored` yet */
};

/* Idle: nothing is in flight, owed or announced. */
HLS_INLINE bool ring_fetch_idle(const struct ring_fetch_state *state)
{
    return state->reading == 0 && !state->tell && state->consumer == state->producer;
}

HLS_INLINE void ring_fetch_set(struct ring_fetch_state *state, const struct ring_setting *setting)
{
    state->enabled = setting->enabled != 0 && setting->entries_log2 <= RING_ENTRIES_LOG2_MAX;
    state->entries = setting->entries & ~(uint64_t)(RING_ENTRY_BYTES - 1u);
    state->index = setting->index & ~(uint64_t)7u;
    state->mask = (1u << (setting->entries_log2 & 31u)) - 1u;
    state->consumer = 0;
    state->producer = 0;
    state->ignored = 0;
}

/* An index that is ahead by more than the ring holds is no index of this ring. */
HLS_INLINE void ring_fetch_ring(struct ring_fetch_state *state, uint32_t producer)
{
    if (state->enabled && producer - state->consumer <= state->mask + 1u) {
        state->producer = producer;
    } else if (state->enabled) {
        state->ignored++;
        state->tell = 1;
    }
}

/* As many as are announced, at most a batch, not across the ring's end. */
HLS_INLINE uint32_t ring_fetch_batch(const struct ring_fetch_state *state)
{
    uint32_t waiting = state->producer - state->consumer;
    uint32_t to_end = state->mask + 1u - (state->consumer & state->mask);
    uint32_t batch = waiting < to_end ? waiting : to_end;
    return batch < RING_FETCH_BATCH ? batch : RING_FETCH_BATCH;
}

STEP(ring_fetch, struct ring_fetch_state *state, STREAM_IN_COND(struct ring_work, work),
     STREAM_IN_COND(struct beat, data), STREAM_OUT(struct dma_request, request), STREAM_OUT(struct ring_work, out),
     STREAM_OUT(struct dma_request, index_request), STREAM_OUT(struct beat, index_data))
{
    STREAM_WAIT((!ring_fetch_idle(state) || STREAM_CAN_READ(work)) && (state->reading == 0 || STREAM_CAN_READ(data)) &&
                STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out) && STREAM_CAN_WRITE(index_request) &&
                STREAM_CAN_WRITE(index_data));
    if (state->reading != 0) {
        STREAM_READ(struct beat, beat, data);
        STREAM_OPEN(struct ring_work, entry, out);
        HLS_COPY(entry->data, beat->data, RING_ENTRY_BYTES);
        ring_entry_fill(entry, RING_SOURCE_ALONE, 0, 1, 0);
        STREAM_PUSH(struct ring_work, entry, out);
        state->reading--;
        state->consumer++;
        /* Memory that cannot be read holds no ring: what came are zeros. */
        if (beat->meta.last && beat->meta.error) {
            state->enabled = 0;
            state->producer = state->consumer;
        }
        state->tell = state->reading == 0;
    } else if (state->tell) {
        STREAM_OPEN(struct dma_request, index, index_request);
        ring_index_request(index, state->index, RING_TAG_QUIET);
        STREAM_PUSH(struct dma_request, index, index_request);
        STREAM_OPEN(struct beat, line, index_data);
        ring_index_data(line, state->consumer, state->ignored);
        STREAM_PUSH(struct beat, line, index_data);
        state->tell = 0;
    } else if (state->consumer != state->producer) {
        uint32_t batch = ring_fetch_batch(state);
        STREAM_OPEN(struct dma_request, read, request);
        read->address = state->entries + (uint64_t)(state->consumer & state->mask) * RING_ENTRY_BYTES;
        read->length = (uint64_t)batch * RING_ENTRY_BYTES;
        read->function = FUNCTION_HOST;
        read->flags = DMA_LAST | DMA_BUS;
        read->tag = 0;
        HLS_ZERO(read->reserved, sizeof read->reserved);
        STREAM_PUSH(struct dma_request, read, request);
        state->reading = (uint8_t)batch;
    } else {
        STREAM_READ(struct ring_work, event, work);
        if (event->kind == RING_WORK_SETTING) {
            struct ring_setting setting;
            HLS_COPY(&setting, event->data, sizeof setting);
            ring_fetch_set(state, &setting);
            STREAM_OPEN(struct ring_work, passed, out);
            HLS_COPY(passed, event, sizeof *passed);
            STREAM_PUSH(struct ring_work, passed, out);
        } else if (event->kind == RING_WORK_DOORBELL) {
            ring_fetch_ring(state, event->value);
        }
    }
    STEP_END;
}
