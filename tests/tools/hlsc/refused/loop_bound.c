/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

struct k_state {
    uint32_t sum;
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in), STREAM_OUT(struct item, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct item, item, in);
    STREAM_OPEN(struct item, made, out);
    HLS_COPY(made, item, sizeof *made);
    for (uint32_t i = 0; i < item->a; i++) /* expect HLS005 a loop without */
        state->sum += i * state->sum;
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
