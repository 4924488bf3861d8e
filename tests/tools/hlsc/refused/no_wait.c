/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

STEP(k, STREAM_IN(struct item, in))
{
    STREAM_READ(struct item, item, in); /* expect HLS014 STREAM_READ before STREAM_WAIT */
    (void)item;
    STEP_END;
}
