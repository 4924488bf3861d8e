/* SPDX-License-Identifier: Apache-2.0 */
/* Brings ring settings and doorbells of the host to the ring that they are for. */
#include "hls/include/ring.h"

struct ring_router_state {
    uint32_t unknown; /* doorbells and settings of rings that do not exist */
};

ARBITER(ring_router, struct ring_router_state *state, STREAM_IN_COND(struct ring_setting, setting),
        STREAM_IN_COND(struct doorbell, doorbell), STREAM_OUT(struct ring_work, command),
        STREAM_OUT(struct ring_work, completion), STREAM_OUT(struct ring_work, punt),
        STREAM_OUT(struct ring_work, inject), STREAM_OUT(struct ring_work, event))
{
    STREAM_WAIT((STREAM_CAN_READ(setting) || STREAM_CAN_READ(doorbell)) && STREAM_CAN_WRITE(command) &&
                STREAM_CAN_WRITE(completion) && STREAM_CAN_WRITE(punt) && STREAM_CAN_WRITE(inject) &&
                STREAM_CAN_WRITE(event));
    struct ring_work work;
    HLS_ZERO(&work, sizeof work);
    uint32_t ring;
    /* Settings first: a ring is enabled before its first doorbell is looked at. */
    if (STREAM_CAN_READ(setting)) {
        STREAM_READ(struct ring_setting, wanted, setting);
        HLS_COPY(work.data, wanted, sizeof *wanted);
        work.kind = RING_WORK_SETTING;
        ring = wanted->ring;
    } else {
        STREAM_READ(struct doorbell, rung, doorbell);
        work.value = rung->value;
        work.kind = RING_WORK_DOORBELL;
        ring = rung->page - DOORBELL_HOST;
    }
    if (ring == RING_COMMAND) {
        STREAM_OPEN(struct ring_work, out, command);
        HLS_COPY(out, &work, sizeof *out);
        STREAM_PUSH(struct ring_work, out, command);
    } else if (ring == RING_COMPLETION) {
        STREAM_OPEN(struct ring_work, out, completion);
        HLS_COPY(out, &work, sizeof *out);
        STREAM_PUSH(struct ring_work, out, completion);
    } else if (ring == RING_PUNT) {
        STREAM_OPEN(struct ring_work, out, punt);
        HLS_COPY(out, &work, sizeof *out);
        STREAM_PUSH(struct ring_work, out, punt);
    } else if (ring == RING_INJECT) {
        STREAM_OPEN(struct ring_work, out, inject);
        HLS_COPY(out, &work, sizeof *out);
        STREAM_PUSH(struct ring_work, out, inject);
    } else if (ring == RING_EVENT) {
        STREAM_OPEN(struct ring_work, out, event);
        HLS_COPY(out, &work, sizeof *out);
        STREAM_PUSH(struct ring_work, out, event);
    } else {
        state->unknown++;
    }
    STEP_END;
}
