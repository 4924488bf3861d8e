/* SPDX-License-Identifier: Apache-2.0 */
/* Places that write one stream and exclude each other by what they ask, not by where they stand. */
#include "tests/tools/hlsc/accepted/common.h"

struct exclusive_state {
    uint8_t phase;
    uint8_t reserved[7];
};

STEP(exclusive, struct exclusive_state *state, STREAM_IN(struct question, in), STREAM_IN_COND(struct question, more),
     STREAM_OUT(struct answer, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && (state->phase != 3 || STREAM_CAN_READ(more)) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct question, q, in);
    STREAM_OPEN(struct answer, r, out);
    HLS_ZERO(r, sizeof *r);
    bool early = q->kind < 10;
    if (early) {
        r->words[0] = q->a;
        STREAM_PUSH(struct answer, r, out);
    }
    r->words[1] = q->b;
    if (state->phase == 3) {
        STREAM_READ(struct question, second, more);
        r->words[2] = second->a;
    }
    if (q->kind == 12 || (!early && (q->a & 1u)))
        STREAM_PUSH(struct answer, r, out);
    state->phase = (uint8_t)(q->d & 3u);
    STEP_END;
}
