/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store and forward: lets a packet go on only when its verdict has come. The FIFO before `packet` must hold the longest
 * packet and the beats that arrive behind it meanwhile.
 */
#include "hls/packet_gate/packet_gate.h"

#include "hls/include/beat.h"
#include "hls/include/hls.h"

struct packet_gate_state {
    uint8_t inside; /* within a packet */
    uint8_t pass;
};

STEP(packet_gate, struct packet_gate_state *state, STREAM_IN(struct beat, packet),
     STREAM_IN_COND(struct packet_verdict, verdict), STREAM_OUT(struct beat, out))
{
    STREAM_WAIT(STREAM_CAN_READ(packet) && (state->inside || STREAM_CAN_READ(verdict)) && STREAM_CAN_WRITE(out));
    if (!state->inside) {
        STREAM_READ(struct packet_verdict, decided, verdict);
        state->pass = decided->pass;
    }
    STREAM_READ(struct beat, beat, packet);
    if (state->pass) {
        STREAM_OPEN(struct beat, passed, out);
        HLS_COPY(passed, beat, sizeof *passed);
        STREAM_PUSH(struct beat, passed, out);
    }
    state->inside = !beat->meta.last;
    STEP_END;
}
