/* SPDX-License-Identifier: Apache-2.0 */
/* A target that completes every command: the argument comes back as data. */
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"

struct echo_state {
    uint32_t commands;
};

STEP(echo, struct echo_state *state, STREAM_IN(struct command_entry, in), STREAM_OUT(struct command_entry, done))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(done));
    STREAM_READ(struct command_entry, command, in);
    STREAM_OPEN(struct command_entry, completion, done);
    HLS_COPY(completion, command, sizeof *completion);
    HLS_COPY(completion->data, &command->argument, sizeof command->argument);
    completion->status = command->index == 0xbadu ? (uint8_t)STATUS_BAD_INDEX : (uint8_t)STATUS_OK;
    state->commands++;
    STREAM_PUSH(struct command_entry, completion, done);
    STEP_END;
}
