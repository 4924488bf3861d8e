/* SPDX-License-Identifier: Apache-2.0 */
/* Swaps the MAC addresses of every packet, so that it goes back: the example of docs/kernels.md. */
#include "hls/include/beat.h"
#include "hls/include/hls.h"

struct mac_swap_state {
    uint8_t inside; /* within a packet: its first beat has passed */
};

STEP(mac_swap, struct mac_swap_state *state, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct beat, beat, in);
    STREAM_OPEN(struct beat, swapped, out);
    HLS_COPY(swapped, beat, sizeof *swapped);
    if (!state->inside) {
        HLS_COPY(swapped->data, beat->data + 6, 6);
        HLS_COPY(swapped->data + 6, beat->data, 6);
    }
    STREAM_PUSH(struct beat, swapped, out);
    state->inside = !beat->meta.last;
    STEP_END;
}
