/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

/* expect-anywhere HLS002 found a second kernel, second, besides first */
STEP(first, STREAM_IN(struct item, in))
{
    STREAM_WAIT(STREAM_CAN_READ(in));
    STREAM_READ(struct item, item, in);
    (void)item;
    STEP_END;
}

STEP(second, STREAM_IN(struct item, in))
{
    STREAM_WAIT(STREAM_CAN_READ(in));
    STREAM_READ(struct item, item, in);
    (void)item;
    STEP_END;
}
