/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends every beat on to the rewriter and the packet's first 192 bytes, as one record, to the parser. Commands that
 * write a table go to the parser alone (hls/include/packet.h).
 */
#include "hls/include/hls.h"
#include "hls/include/packet.h"

#define SPLIT_BEATS (WINDOW_BYTES / BEAT_BYTES)

struct split_state {
    uint8_t held[2][BEAT_BYTES]; /* the packet's first beats */
    struct beat_meta meta;       /* of its first beat */
    uint8_t beats;               /* of the packet so far, at most SPLIT_BEATS */
};

STEP(split, struct split_state *state, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, packet),
     STREAM_OUT(struct window, window))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(packet) && STREAM_CAN_WRITE(window));
    STREAM_READ(struct beat, beat, in);
    if (beat->meta.source != ENDPOINT_NONE || beat->meta.source_id != COMMAND_WRITE || state->beats != 0) {
        STREAM_OPEN(struct beat, passed, packet);
        beat_copy(passed, beat);
        STREAM_PUSH(struct beat, passed, packet);
    }

    bool last = beat->meta.last != 0;
    uint32_t beats = state->beats;
    STREAM_OPEN(struct window, opened, window);
    if (beats == 0) {
        HLS_COPY(opened->data, beat->data, BEAT_BYTES);
        HLS_ZERO(opened->data + BEAT_BYTES, 2 * BEAT_BYTES);
        HLS_COPY(&opened->meta, &beat->meta, sizeof opened->meta);
        HLS_COPY(state->held[0], beat->data, BEAT_BYTES);
        HLS_COPY(&state->meta, &beat->meta, sizeof state->meta);
    } else if (beats < SPLIT_BEATS) {
        HLS_COPY(opened->data, state->held[0], BEAT_BYTES);
        if (beats == 1) {
            HLS_COPY(opened->data + BEAT_BYTES, beat->data, BEAT_BYTES);
            HLS_ZERO(opened->data + 2 * BEAT_BYTES, BEAT_BYTES);
            HLS_COPY(state->held[1], beat->data, BEAT_BYTES);
        } else {
            HLS_COPY(opened->data + BEAT_BYTES, state->held[1], BEAT_BYTES);
            HLS_COPY(opened->data + 2 * BEAT_BYTES, beat->data, BEAT_BYTES);
        }
        HLS_COPY(&opened->meta, &state->meta, sizeof opened->meta);
    }
    if (beats < SPLIT_BEATS && (last || beats == SPLIT_BEATS - 1u))
        STREAM_PUSH(struct window, opened, window);
    state->beats = (uint8_t)(last ? 0u : beats < SPLIT_BEATS ? beats + 1u : beats);
    STEP_END;
}
