/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what nvme_queue has read back until all of it is there, so that of entries which came with others that could
 * not be read none is taken for a command: only a read's last beat tells that. All beats of what goes on carry the
 * read's tag, and its error.
 */
#include "hls/include/beat.h"
#include "hls/include/hls.h"
#include "hls/include/nvme_queue.h"

struct nvme_entries_line {
    uint8_t data[BEAT_BYTES];
};

struct nvme_entries_state {
    struct nvme_entries_line lines[NVME_FETCH];
    uint16_t tag;
    uint8_t count; /* lines that came */
    uint8_t sent;
    uint8_t whole; /* they are sent now */
    uint8_t error;
};

static_assert((NVME_FETCH & (NVME_FETCH - 1u)) == 0, "a place is masked");

HLS_INLINE void nvme_entries_take(struct nvme_entries_state *state, const struct beat *beat)
{
    HLS_COPY(&state->lines[state->count & (NVME_FETCH - 1u)], beat->data, BEAT_BYTES);
    state->tag = state->count == 0 ? beat->meta.source_id : state->tag;
    state->count++;
    state->sent = 0;
    state->whole = beat->meta.last;
    state->error = beat->meta.error;
}

STEP(nvme_entries, struct nvme_entries_state *state, STREAM_IN_COND(struct beat, in), STREAM_OUT(struct beat, out))
{
    STREAM_WAIT((state->whole || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(out));
    if (state->whole) {
        bool last = state->sent + 1u == state->count;
        STREAM_OPEN(struct beat, beat, out);
        HLS_COPY(beat->data, &state->lines[state->sent & (NVME_FETCH - 1u)], BEAT_BYTES);
        HLS_ZERO(&beat->meta, sizeof beat->meta);
        beat->meta.bytes = BEAT_BYTES;
        beat->meta.source_id = state->tag;
        beat->meta.last = last;
        beat->meta.error = state->error;
        STREAM_PUSH(struct beat, beat, out);
        state->sent++;
        state->whole = !last;
        state->count = last ? 0 : state->count;
    } else {
        STREAM_READ(struct beat, beat, in);
        nvme_entries_take(state, beat);
    }
    STEP_END;
}
