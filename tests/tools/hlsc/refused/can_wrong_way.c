/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

STEP(k, STREAM_IN(struct item, in))
{
    STREAM_WAIT(STREAM_CAN_WRITE(in)); /* expect HLS012 STREAM_CAN_WRITE of 'in', which is an input */
    STREAM_READ(struct item, item, in);
    (void)item;
    STEP_END;
}
