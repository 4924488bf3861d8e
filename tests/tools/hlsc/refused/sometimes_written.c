/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

STEP(k, STREAM_IN(struct item, in), STREAM_OUT(struct item, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct item, item, in);
    STREAM_OPEN(struct item, made, out);
    HLS_COPY(made->c, item->c, 2);
    made->a = item->a;
    if (item->a != 3)
        made->b = item->b;
    if (item->a != 4)
        STREAM_PUSH(struct item, made, out); /* expect HLS013 byte 4 of struct item for stream 'out' is not always */
    STEP_END;
}
