/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

/* expect-anywhere HLS027 stream 'out' may be written although STREAM_WAIT did not ask STREAM_CAN_WRITE of it */
STEP(k, STREAM_IN(struct item, in), STREAM_OUT(struct item, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in));
    STREAM_READ(struct item, item, in);
    STREAM_OPEN(struct item, made, out);
    HLS_COPY(made, item, sizeof *made);
    if (item->a != 7)
        STREAM_PUSH(struct item, made, out);
    STEP_END;
}
