/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

struct large {
    uint8_t bytes[513];
};

STEP(k, STREAM_IN(struct large, in)) /* expect HLS004 struct large of stream 'in' has 513 bytes */
{
    STREAM_WAIT(STREAM_CAN_READ(in));
    STREAM_READ(struct large, item, in);
    (void)item;
    STEP_END;
}
