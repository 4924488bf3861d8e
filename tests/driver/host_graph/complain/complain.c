/* SPDX-License-Identifier: Apache-2.0 */
/* A target that completes every command and reports an event for it, with the argument as its address,
 * of eight functions in turn. */
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"

struct complain_state {
    uint32_t commands;
};

STEP(complain, struct complain_state *state, STREAM_IN(struct command_entry, in),
     STREAM_OUT(struct command_entry, done), STREAM_OUT(struct event_entry, event))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(done) && STREAM_CAN_WRITE(event));
    STREAM_READ(struct command_entry, command, in);
    STREAM_OPEN(struct command_entry, completion, done);
    HLS_COPY(completion, command, sizeof *completion);
    STREAM_PUSH(struct command_entry, completion, done);
    STREAM_OPEN(struct event_entry, complaint, event);
    HLS_ZERO(complaint, sizeof *complaint);
    complaint->kind = EVENT_QUEUE_STOPPED;
    complaint->detail = FAULT_ADDRESS;
    complaint->function = (uint16_t)(command->argument & 7u);
    complaint->queue = (uint16_t)command->index;
    complaint->address = command->argument;
    state->commands++;
    STREAM_PUSH(struct event_entry, complaint, event);
    STEP_END;
}
