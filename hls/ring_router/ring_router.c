/* SPDX-License-Identifier: Apache-2.0 */
/* Brings ring settings and doorbells of the host to the ring that they are for. */
#include "hls/include/ring.h"

struct ring_router_state {
    uint32_t unknown; /* doorbells and settings of rings that do not exist */
};

#define RING_ROUTER_SEND(port)                    \
    do {                                          \
        STREAM_OPEN(struct ring_work, out, port); \
        HLS_COPY(out, &work, sizeof *out);        \
        STREAM_PUSH(struct ring_work, out, port); \
    } while (0)

ARBITER(ring_router, struct ring_router_state *state, STREAM_IN_COND(struct ring_setting, setting),
        STREAM_IN_COND(struct doorbell, doorbell), STREAM_OUT(struct ring_work, command),
        STREAM_OUT(struct ring_work, completion), STREAM_OUT(struct ring_work, punt),
        STREAM_OUT(struct ring_work, inject), STREAM_OUT(struct ring_work, event),
        STREAM_OUT(struct ring_work, backend), STREAM_OUT(struct ring_work, block))
{
    STREAM_WAIT((STREAM_CAN_READ(setting) || STREAM_CAN_READ(doorbell)) && STREAM_CAN_WRITE(command) &&
                STREAM_CAN_WRITE(completion) && STREAM_CAN_WRITE(punt) && STREAM_CAN_WRITE(inject) &&
                STREAM_CAN_WRITE(event) && STREAM_CAN_WRITE(backend) && STREAM_CAN_WRITE(block));
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
    if (ring == RING_COMMAND)
        RING_ROUTER_SEND(command);
    else if (ring == RING_COMPLETION)
        RING_ROUTER_SEND(completion);
    else if (ring == RING_PUNT)
        RING_ROUTER_SEND(punt);
    else if (ring == RING_INJECT)
        RING_ROUTER_SEND(inject);
    else if (ring == RING_EVENT)
        RING_ROUTER_SEND(event);
    else if (ring == RING_BACKEND)
        RING_ROUTER_SEND(backend);
    else if (ring == RING_BLOCK)
        RING_ROUTER_SEND(block);
    else
        state->unknown++;
    STEP_END;
}
