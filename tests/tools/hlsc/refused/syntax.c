/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

/* expect-anywhere HLS001 clang-19 refuses the source */
STEP(k, STREAM_IN(struct item, in))
{
    STREAM_WAIT(STREAM_CAN_READ(in))
    STEP_END;
}
