/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

static uint32_t depth(uint32_t n)
{
    return n == 0 ? 0 : 1 + depth(n - 1) * n;
}

struct k_state {
    uint32_t sum;
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in), STREAM_OUT(struct item, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct item, item, in);
    STREAM_OPEN(struct item, made, out);
    HLS_COPY(made, item, sizeof *made);
    made->a = depth(item->a); /* expect HLS006 call of 'depth' */
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
