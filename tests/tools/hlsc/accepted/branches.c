/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that are used in branches which exclude each other; an input that some activations leave. */
#include "tests/tools/hlsc/accepted/common.h"

struct branches_state {
    struct answer held;
    uint8_t holding;
    uint8_t turn;
    uint8_t reserved[6];
};

#define BRANCHES_SEND(port, value)              \
    do {                                        \
        STREAM_OPEN(struct answer, sent, port); \
        HLS_ZERO(sent, sizeof *sent);           \
        sent->words[1] = (value);               \
        STREAM_PUSH(struct answer, sent, port); \
    } while (0)

STEP(branches, struct branches_state *state, STREAM_IN_COND(struct question, in), STREAM_IN_COND(struct question, more),
     STREAM_OUT(struct answer, out), STREAM_OUT(struct answer, other))
{
    STREAM_WAIT((state->holding || STREAM_CAN_READ(in)) && (!state->holding || !state->turn || STREAM_CAN_READ(more)) &&
                STREAM_CAN_WRITE(out) && STREAM_CAN_WRITE(other));
    if (state->holding) {
        uint32_t value = state->held.words[0];
        if (state->turn) {
            STREAM_READ(struct question, second, more);
            value += second->a;
            state->turn = second->kind & 1u;
        }
        if (value & 1u)
            BRANCHES_SEND(out, value);
        else if (value & 2u)
            BRANCHES_SEND(other, value);
        else
            BRANCHES_SEND(out, 5);
        state->holding = 0;
    } else {
        STREAM_READ(struct question, first, in);
        state->held.words[0] = first->b;
        state->holding = first->kind & 1u;
        state->turn = first->kind >> 1 & 1u;
        if (first->d == 0) {
            BRANCHES_SEND(out, first->a);
            STEP_END;
        }
        if (first->kind & 4u)
            BRANCHES_SEND(other, first->a);
    }
    STEP_END;
}
