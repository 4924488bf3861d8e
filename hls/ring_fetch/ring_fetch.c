/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches the entries of a ring that the host fills (COMMAND, INJECT, BLOCK): reads them in batches, passes them on and
 * tells the host its consumer index. Several reads are under way at once, each of what was announced when it began: so
 * a host that rings often is not served one bus latency a ring, and the more it rings the larger the reads are.
 *
 * Everything announced before a setting is fetched before the setting is obeyed and passed on; there it cuts off an
 * unfinished record.
 */
#include "hls/include/ring.h"

#define RING_FETCH_BATCH 16u /* entries of a read: 1 KiB, from one multiple of that to the next */
#define RING_FETCH_READS 4u  /* under way */
#define RING_FETCH_EAGER 2u  /* under way, though little is announced */
#define RING_FETCH_TELL  64u /* entries that the host is told of in the midst of the work */

struct ring_fetch_state {
    struct ring_work setting; /* waits for what was announced before it, when `holding` */
    uint64_t entries;         /* bus addresses */
    uint64_t index;
    uint32_t mask;     /* of a position in the ring */
    uint32_t consumer; /* entries that came */
    uint32_t asked;    /* entries that came or are being read */
    uint32_t producer;
    uint32_t told;    /* what the host knows of `consumer` */
    uint32_t ignored; /* doorbells that contradict the ring */
    uint8_t enabled;
    uint8_t reads; /* under way */
    uint8_t tell;  /* the host does not know `ignored` yet */
    uint8_t holding;
};

static_assert(RING_FETCH_BATCH * RING_FETCH_READS <= 64u, "what is read has room in the data stream");

/* Nothing is under way or announced. */
HLS_INLINE bool ring_fetch_idle(const struct ring_fetch_state *state)
{
    return state->reads == 0 && state->asked == state->producer;
}

/* With reads under way a further one is worth it for half a batch: a read is a place at the bus (dma_slots). */
HLS_INLINE bool ring_fetch_asks(const struct ring_fetch_state *state)
{
    uint32_t waiting = state->producer - state->asked;
    bool few = state->reads < RING_FETCH_EAGER;
    return (few && waiting != 0) || (state->reads != RING_FETCH_READS && waiting >= RING_FETCH_BATCH / 2u);
}

HLS_INLINE bool ring_fetch_tells(const struct ring_fetch_state *state)
{
    return state->tell || state->consumer - state->told >= RING_FETCH_TELL ||
           (ring_fetch_idle(state) && state->consumer != state->told);
}

HLS_INLINE void ring_fetch_set(struct ring_fetch_state *state)
{
    struct ring_setting setting;
    HLS_COPY(&setting, state->setting.data, sizeof setting);
    state->enabled = setting.enabled != 0 && setting.entries_log2 <= RING_ENTRIES_LOG2_MAX;
    state->entries = setting.entries & ~(uint64_t)(RING_ENTRY_BYTES - 1u);
    state->index = setting.index & ~(uint64_t)7u;
    state->mask = (1u << (setting.entries_log2 & 31u)) - 1u;
    state->consumer = 0;
    state->asked = 0;
    state->producer = 0;
    state->told = 0;
    state->ignored = 0;
    state->holding = 0;
}

/* An index that is ahead by more than the ring holds is no index of this ring. */
HLS_INLINE void ring_fetch_ring(struct ring_fetch_state *state, uint32_t producer)
{
    bool good = producer - state->consumer <= state->mask + 1u && producer - state->asked <= state->mask + 1u;
    if (state->enabled && good) {
        state->producer = producer;
    } else if (state->enabled) {
        state->ignored++;
        state->tell = 1;
    }
}

/* As many as are announced, at most a batch, not across the ring's end. */
HLS_INLINE uint32_t ring_fetch_batch(const struct ring_fetch_state *state)
{
    uint32_t waiting = state->producer - state->asked;
    uint32_t most = (~state->asked & state->mask & (RING_FETCH_BATCH - 1u)) + 1u;
    return waiting < most ? waiting : most;
}

HLS_INLINE void ring_fetch_request(struct dma_request *read, const struct ring_fetch_state *state, uint32_t batch)
{
    read->address = state->entries + (uint64_t)(state->asked & state->mask) * RING_ENTRY_BYTES;
    read->length = (uint64_t)batch * RING_ENTRY_BYTES;
    read->function = FUNCTION_HOST;
    read->flags = DMA_LAST | DMA_BUS;
    read->tag = 0;
    HLS_ZERO(read->reserved, sizeof read->reserved);
}

/* Memory that cannot be read holds no ring: what came are zeros, and what else is under way is left out. */
HLS_INLINE void ring_fetch_entry(struct ring_fetch_state *state, const struct beat *beat)
{
    state->consumer++;
    if (beat->meta.last)
        state->reads--;
    if (beat->meta.last && beat->meta.error) {
        state->enabled = 0;
        state->producer = state->asked;
    }
}

ARBITER(ring_fetch, struct ring_fetch_state *state, STREAM_IN_COND(struct ring_work, work),
        STREAM_IN_COND(struct beat, data), STREAM_OUT(struct dma_request, request), STREAM_OUT(struct ring_work, out),
        STREAM_OUT(struct dma_request, index_request), STREAM_OUT(struct beat, index_data))
{
    bool news = ring_fetch_asks(state), untold = ring_fetch_tells(state);
    bool due = state->holding && ring_fetch_idle(state) && !untold;
    STREAM_WAIT((news && STREAM_CAN_WRITE(request)) ||
                (state->reads != 0 && STREAM_CAN_READ(data) && STREAM_CAN_WRITE(out)) ||
                (untold && STREAM_CAN_WRITE(index_request) && STREAM_CAN_WRITE(index_data)) ||
                (due && STREAM_CAN_WRITE(out)) || (!state->holding && STREAM_CAN_READ(work)));
    bool asks = news && STREAM_CAN_WRITE(request);
    bool takes = state->reads != 0 && STREAM_CAN_READ(data) && STREAM_CAN_WRITE(out);
    bool tells = untold && STREAM_CAN_WRITE(index_request) && STREAM_CAN_WRITE(index_data);
    bool obeys = due && STREAM_CAN_WRITE(out);
    if (asks) {
        uint32_t batch = ring_fetch_batch(state);
        STREAM_OPEN(struct dma_request, read, request);
        ring_fetch_request(read, state, batch);
        STREAM_PUSH(struct dma_request, read, request);
        state->asked += batch;
        state->reads++;
    } else if (takes) {
        STREAM_READ(struct beat, beat, data);
        if (state->enabled) {
            STREAM_OPEN(struct ring_work, entry, out);
            HLS_COPY(entry->data, beat->data, RING_ENTRY_BYTES);
            ring_entry_fill(entry, RING_SOURCE_ALONE, 0, 1, 0);
            STREAM_PUSH(struct ring_work, entry, out);
        }
        ring_fetch_entry(state, beat);
    } else if (tells) {
        STREAM_OPEN(struct dma_request, index, index_request);
        ring_index_request(index, state->index, RING_TAG_QUIET);
        STREAM_PUSH(struct dma_request, index, index_request);
        STREAM_OPEN(struct beat, line, index_data);
        ring_index_data(line, state->consumer, state->ignored);
        STREAM_PUSH(struct beat, line, index_data);
        state->told = state->consumer;
        state->tell = 0;
    } else if (obeys) {
        STREAM_OPEN(struct ring_work, passed, out);
        HLS_COPY(passed, &state->setting, sizeof *passed);
        STREAM_PUSH(struct ring_work, passed, out);
        ring_fetch_set(state);
    } else {
        STREAM_READ(struct ring_work, event, work);
        if (event->kind == RING_WORK_SETTING) {
            HLS_COPY(&state->setting, event, sizeof state->setting);
            state->holding = 1;
        } else if (event->kind == RING_WORK_DOORBELL) {
            ring_fetch_ring(state, event->value);
        }
    }
    STEP_END;
}
