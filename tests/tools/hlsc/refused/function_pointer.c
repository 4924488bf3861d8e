/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

static uint32_t one(uint32_t n)
{
    return n + 1;
}

static uint32_t two(uint32_t n)
{
    return n + 2;
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
    uint32_t (*chosen)(uint32_t) = item->b != 0 ? one : two;
    made->a = chosen(item->a); /* expect HLS006 a call through a function pointer */
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
