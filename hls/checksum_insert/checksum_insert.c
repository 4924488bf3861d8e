/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finishes the partial checksums of packets that guests send, second half: stores what checksum found. The two bytes
 * may lie at any position, also in two beats. Spoilt packets end here. The FIFO before `packet` must hold the longest
 * packet and the beats that arrive behind it meanwhile.
 */
#include "hls/checksum/checksum.h"
#include "hls/include/beat.h"
#include "hls/include/hls.h"

struct checksum_insert_state {
    uint16_t value;
    uint16_t position; /* of the checksum's first byte, from byte 0 of the current beat; wraps to above 64 when it is
                          behind */
    uint8_t insert;
    uint8_t drop;
    uint8_t inside;
};

STEP(checksum_insert, struct checksum_insert_state *state, STREAM_IN(struct beat, packet),
     STREAM_IN_COND(struct checksum_result, result), STREAM_OUT(struct beat, out))
{
    STREAM_WAIT(STREAM_CAN_READ(packet) && (state->inside || STREAM_CAN_READ(result)) && STREAM_CAN_WRITE(out));
    if (!state->inside) {
        STREAM_READ(struct checksum_result, sum, result);
        state->value = sum->value;
        state->position = sum->position;
        state->insert = sum->insert;
        state->drop = sum->drop;
    }
    STREAM_READ(struct beat, beat, packet);
    if (!state->drop) {
        STREAM_OPEN(struct beat, finished, out);
        HLS_COPY(finished, beat, sizeof *finished);
        uint16_t second = (uint16_t)(state->position + 1u);
        if (state->insert && state->position < BEAT_BYTES)
            finished->data[state->position] = (uint8_t)(state->value >> 8);
        if (state->insert && second < BEAT_BYTES)
            finished->data[second] = (uint8_t)state->value;
        STREAM_PUSH(struct beat, finished, out);
    }
    state->position = (uint16_t)(state->position - BEAT_BYTES);
    state->inside = !beat->meta.last;
    STEP_END;
}
