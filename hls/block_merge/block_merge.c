/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one stream of the commands of NVMe controllers and of virtio-blk queues, in turn. */
#include "hls/include/block_path.h"

struct block_merge_state {
    uint8_t blk_next; /* the last command was of NVMe */
};

ARBITER(block_merge, struct block_merge_state *state, STREAM_IN_COND(struct block_submit, nvme),
        STREAM_IN_COND(struct block_submit, blk), STREAM_OUT(struct block_submit, out))
{
    STREAM_WAIT((STREAM_CAN_READ(nvme) || STREAM_CAN_READ(blk)) && STREAM_CAN_WRITE(out));
    bool take_blk = STREAM_CAN_READ(blk) && (state->blk_next || !STREAM_CAN_READ(nvme));
    STREAM_OPEN(struct block_submit, taken, out);
    if (take_blk) {
        STREAM_READ(struct block_submit, command, blk);
        HLS_COPY(taken, command, sizeof *taken);
    } else {
        STREAM_READ(struct block_submit, command, nvme);
        HLS_COPY(taken, command, sizeof *taken);
    }
    STREAM_PUSH(struct block_submit, taken, out);
    state->blk_next = !take_blk;
    STEP_END;
}
