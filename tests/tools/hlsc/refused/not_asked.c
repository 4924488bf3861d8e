/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

/* expect-anywhere HLS027 stream 'more' may be read although STREAM_WAIT did not ask STREAM_CAN_READ of it */
struct k_state {
    uint8_t phase;
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in), STREAM_IN_COND(struct item, more))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && (state->phase == 1 || STREAM_CAN_READ(more)));
    STREAM_READ(struct item, item, in);
    if (state->phase != 3) {
        STREAM_READ(struct item, second, more);
        state->phase = second->c[0];
    } else {
        state->phase = item->c[0];
    }
    STEP_END;
}
