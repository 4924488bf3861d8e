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
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 5; i++)
        sum += state->table[(item->a >> i) & 255u]; /* expect HLS016 RAM 'table' is read at more than 4 addresses */
    made->a = sum;
    STREAM_PUSH(struct item, made, out);
    STEP_END;
}
