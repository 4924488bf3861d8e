/* SPDX-License-Identifier: Apache-2.0 */
/* Joins the completions of the block path's kernels for control. Those of one kernel stay in order. */
#include "hls/include/arbiter.h"
#include "hls/include/host_ring.h"

struct command_merge_state {
    uint32_t last; /* input that was served last */
};

#define COMMAND_MERGE_TAKE(port)                        \
    do {                                                \
        STREAM_READ(struct command_entry, taken, port); \
        HLS_COPY(entry, taken, sizeof *entry);          \
    } while (0)

ARBITER(command_merge, struct command_merge_state *state, STREAM_IN_COND(struct command_entry, blk),
        STREAM_IN_COND(struct command_entry, blk_used), STREAM_IN_COND(struct command_entry, nvme_sq),
        STREAM_IN_COND(struct command_entry, nvme_cq), STREAM_IN_COND(struct command_entry, qos),
        STREAM_IN_COND(struct command_entry, window), STREAM_OUT(struct command_entry, out))
{
    STREAM_WAIT((STREAM_CAN_READ(blk) || STREAM_CAN_READ(blk_used) || STREAM_CAN_READ(nvme_sq) ||
                 STREAM_CAN_READ(nvme_cq) || STREAM_CAN_READ(qos) || STREAM_CAN_READ(window)) &&
                STREAM_CAN_WRITE(out));
    uint32_t ready = (STREAM_CAN_READ(blk) ? 1u : 0u) | (STREAM_CAN_READ(blk_used) ? 2u : 0u) |
                     (STREAM_CAN_READ(nvme_sq) ? 4u : 0u) | (STREAM_CAN_READ(nvme_cq) ? 8u : 0u) |
                     (STREAM_CAN_READ(qos) ? 16u : 0u) | (STREAM_CAN_READ(window) ? 32u : 0u);
    uint32_t pick = arbiter_pick(ready, state->last);
    state->last = pick;
    STREAM_OPEN(struct command_entry, entry, out);
    if (pick == 1u)
        COMMAND_MERGE_TAKE(blk);
    else if (pick == 2u)
        COMMAND_MERGE_TAKE(blk_used);
    else if (pick == 4u)
        COMMAND_MERGE_TAKE(nvme_sq);
    else if (pick == 8u)
        COMMAND_MERGE_TAKE(nvme_cq);
    else if (pick == 16u)
        COMMAND_MERGE_TAKE(qos);
    else
        COMMAND_MERGE_TAKE(window);
    STREAM_PUSH(struct command_entry, entry, out);
    STEP_END;
}
