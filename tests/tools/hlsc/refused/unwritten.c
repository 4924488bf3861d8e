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
    made->a = item->a;
    made->b = item->b;
    STREAM_PUSH(struct item, made, out); /* expect HLS013 byte 6 of struct item for stream 'out' is never written */
    STEP_END;
}
