/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

struct k_state {
    uint32_t sum;
};

STEP(k, struct k_state *state, STREAM_IN(struct item, in), uint32_t limit) /* expect HLS003 'limit' is neither */
{
    STREAM_WAIT(STREAM_CAN_READ(in));
    STREAM_READ(struct item, item, in);
    state->sum += item->a + limit;
    STEP_END;
}
