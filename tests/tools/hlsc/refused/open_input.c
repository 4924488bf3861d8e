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
    STREAM_OPEN(struct item, other, in); /* expect HLS012 STREAM_OPEN of 'in', which is an input */
    other->a = item->a;
    HLS_COPY(made, item, sizeof *made);
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
