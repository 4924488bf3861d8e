/* SPDX-License-Identifier: Apache-2.0 */
/* An offset that is a sum of choices: its low bits are a narrower sum, whose carry counts once. */
#include "hls/include/hls.h"

struct window {
    uint8_t data[192];
};
struct field {
    uint32_t value;
};

STEP(offset_of_sums, STREAM_IN(struct window, in), STREAM_OUT(struct field, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct window, window, in);
    STREAM_OPEN(struct field, field, out);
    uint32_t first = (window->data[0] & 3u) == 0 ? 14u : (window->data[0] & 3u) == 1 ? 18u : 22u;
    uint32_t second = window->data[1] & 1u ? 20u : 40u;
    HLS_VIEW(inner, 114, window->data, 192, first + second + 16u);
    field->value = hls_be32(inner + 12);
    STREAM_PUSH(struct field, field, out);
    STEP_END;
}
