/* SPDX-License-Identifier: Apache-2.0 */
/* Takes what is ready, the left one first, but no more than three times in a row. */
#include "tests/tools/hlsc/accepted/common.h"

struct arbiter_state {
    uint32_t run;
};

ARBITER(arbiter, struct arbiter_state *state, STREAM_IN(struct question, left), STREAM_IN(struct question, right),
        STREAM_OUT(struct question, out))
{
    STREAM_WAIT((STREAM_CAN_READ(left) || STREAM_CAN_READ(right)) && STREAM_CAN_WRITE(out));
    STREAM_OPEN(struct question, passed, out);
    if (STREAM_CAN_READ(left) && (state->run < 3 || !STREAM_CAN_READ(right))) {
        STREAM_READ(struct question, q, left);
        HLS_COPY(passed, q, sizeof *passed);
        state->run++;
    } else {
        STREAM_READ(struct question, q, right);
        HLS_COPY(passed, q, sizeof *passed);
        state->run = 0;
    }
    STREAM_PUSH(struct question, passed, out);
    STEP_END;
}
