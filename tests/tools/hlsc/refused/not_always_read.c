/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

struct k_state {
    uint32_t on;
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in)) /* expect HLS024 stream 'in' is not */
{
    STREAM_WAIT(STREAM_CAN_READ(in));
    if (state->on == 0) {
        STREAM_READ(struct item, item, in);
        state->on = item->a;
    } else {
        state->on = 0;
    }
    STEP_END;
}
