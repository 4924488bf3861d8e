/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts what is written to a used ring at once into beats for the DMA writer. */
#include "hls/include/beat.h"
#include "hls/include/hls.h"
#include "hls/include/used_ring.h"

struct used_write_state {
    uint8_t rest[BEAT_BYTES];
    uint8_t left; /* bytes of it */
};

static_assert(USED_WRITE_BYTES == 2u * BEAT_BYTES, "a write is two beats at most");

STEP(used_write, struct used_write_state *state, STREAM_IN_COND(struct used_write, in), STREAM_OUT(struct beat, data))
{
    STREAM_WAIT((state->left != 0 || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(data));
    STREAM_OPEN(struct beat, beat, data);
    HLS_ZERO(&beat->meta, sizeof beat->meta);
    if (state->left != 0) {
        HLS_COPY(beat->data, state->rest, BEAT_BYTES);
        beat->meta.bytes = state->left;
        beat->meta.last = 1;
        state->left = 0;
    } else {
        STREAM_READ(struct used_write, write, in);
        bool more = write->bytes > BEAT_BYTES;
        HLS_COPY(beat->data, write->data, BEAT_BYTES);
        HLS_COPY(state->rest, write->data + BEAT_BYTES, BEAT_BYTES);
        beat->meta.bytes = (uint8_t)(more ? BEAT_BYTES : write->bytes);
        beat->meta.last = !more;
        beat->meta.length = write->bytes;
        state->left = (uint8_t)(more ? write->bytes - BEAT_BYTES : 0u);
    }
    STREAM_PUSH(struct beat, beat, data);
    STEP_END;
}
