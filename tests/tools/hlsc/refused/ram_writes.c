/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

struct k_state {
    uint32_t table[256];
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in), STREAM_OUT(struct item, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct item, item, in);
    STREAM_OPEN(struct item, made, out);
    HLS_COPY(made, item, sizeof *made);
    state->table[item->b & 255u] = item->a;
    state->table[item->c[0]] = item->a; /* expect HLS017 RAM 'table' is written at a second address */
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
