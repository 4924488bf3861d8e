/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

struct row {
    uint8_t bytes[100];
};

struct k_state {
    struct row held[100];
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in), STREAM_OUT(struct item, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct item, item, in);
    STREAM_OPEN(struct item, made, out);
    HLS_ZERO(made, sizeof *made);
    const uint8_t *bytes = state->held[0].bytes;
    made->c[0] = bytes[item->a % 65536u]; /* expect HLS026 a variable offset selects between more than 8192 bytes */
    state->held[0].bytes[0] = item->c[0];
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
