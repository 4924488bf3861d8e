/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns packets for the host into records of the PUNT ring: a packet_entry, then the data. The header takes an
 * activation of its own, so each beat is held for one. A packet that is spoilt is marked in its last entry and never
 * seen by the host.
 */
#include "hls/include/ring.h"

struct punt_state {
    struct beat held;
    uint8_t holding;
    uint8_t source; /* of the packet */
};

STEP(punt, struct punt_state *state, STREAM_IN_COND(struct beat, in), STREAM_OUT(struct ring_work, out))
{
    STREAM_WAIT(((state->holding && state->held.meta.last) || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(out));
    STREAM_OPEN(struct ring_work, entry, out);
    if (state->holding) {
        HLS_COPY(entry->data, state->held.data, RING_ENTRY_BYTES);
        ring_entry_fill(entry, state->source, 0, state->held.meta.last, state->held.meta.error);
    }
    if (!state->holding || !state->held.meta.last) {
        STREAM_READ(struct beat, beat, in);
        if (!state->holding) {
            struct packet_entry header;
            HLS_ZERO(&header, sizeof header);
            header.length = beat->meta.length;
            header.reason = (uint8_t)beat->meta.checksum_start;
            header.source = beat->meta.source;
            header.source_id = beat->meta.source_id;
            HLS_COPY(entry->data, &header, sizeof header);
            state->source = ring_source(beat->meta.source, beat->meta.source_id);
            ring_entry_fill(entry, state->source, 1u + (beat->meta.length + RING_ENTRY_BYTES - 1u) / RING_ENTRY_BYTES,
                            0, 0);
        }
        HLS_COPY(&state->held, beat, sizeof state->held);
        state->holding = 1;
    } else {
        state->holding = 0;
    }
    STREAM_PUSH(struct ring_work, entry, out);
    STEP_END;
}
