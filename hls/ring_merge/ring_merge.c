/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges what the host says about a ring, and what it has read of it, with the entries for it, and marks entries that
 * another one follows at once. An entry is held for one activation to know that.
 */
#include "hls/include/ring.h"

struct ring_merge_state {
    struct ring_work held;
    uint8_t holding;
};

ARBITER(ring_merge, struct ring_merge_state *state, STREAM_IN_COND(struct ring_work, host),
        STREAM_IN_COND(struct ring_work, entry), STREAM_IN_COND(struct ring_work, read),
        STREAM_OUT(struct ring_work, out))
{
    STREAM_WAIT((STREAM_CAN_READ(host) || STREAM_CAN_READ(entry) || STREAM_CAN_READ(read) || state->holding) &&
                STREAM_CAN_WRITE(out));
    if (STREAM_CAN_READ(read)) {
        STREAM_READ(struct ring_work, back, read);
        STREAM_OPEN(struct ring_work, given, out);
        HLS_COPY(given, back, sizeof *given);
        STREAM_PUSH(struct ring_work, given, out);
    } else if (STREAM_CAN_READ(host)) {
        STREAM_READ(struct ring_work, said, host);
        STREAM_OPEN(struct ring_work, passed, out);
        HLS_COPY(passed, said, sizeof *passed);
        STREAM_PUSH(struct ring_work, passed, out);
    } else {
        bool more = STREAM_CAN_READ(entry);
        if (state->holding) {
            STREAM_OPEN(struct ring_work, released, out);
            HLS_COPY(released, &state->held, sizeof *released);
            released->more = more;
            STREAM_PUSH(struct ring_work, released, out);
        }
        if (more) {
            STREAM_READ(struct ring_work, next, entry);
            HLS_COPY(&state->held, next, sizeof state->held);
        }
        state->holding = more;
    }
    STEP_END;
}
