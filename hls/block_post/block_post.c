/* SPDX-License-Identifier: Apache-2.0 */
/* Makes records of the backend ring: commands, raw ones with their second entry, and notices of moved data. */
#include "hls/include/block_path.h"
#include "hls/include/ring.h"

struct block_post_state {
    uint8_t raw[RING_ENTRY_BYTES]; /* the second entry */
    uint8_t holding;
    uint8_t notice_next; /* the last record was a command */
};

HLS_INLINE void block_post_entry(struct ring_work *entry, const void *data, uint32_t entries, uint32_t last)
{
    HLS_COPY(entry->data, data, RING_ENTRY_BYTES);
    ring_entry_fill(entry, RING_SOURCE_ALONE, entries, last, 0);
}

ARBITER(block_post, struct block_post_state *state, STREAM_IN_COND(struct block_issue, issue),
        STREAM_IN_COND(struct block_command, notice), STREAM_OUT(struct ring_work, out))
{
    STREAM_WAIT((state->holding || STREAM_CAN_READ(issue) || STREAM_CAN_READ(notice)) && STREAM_CAN_WRITE(out));
    STREAM_OPEN(struct ring_work, entry, out);
    if (state->holding) {
        block_post_entry(entry, state->raw, 0, 1);
        state->holding = 0;
    } else if (STREAM_CAN_READ(notice) && (state->notice_next || !STREAM_CAN_READ(issue))) {
        STREAM_READ(struct block_command, moved, notice);
        block_post_entry(entry, moved, 1, 1);
        state->notice_next = 0;
    } else {
        STREAM_READ(struct block_issue, issued, issue);
        bool raw = issued->command.kind == BACKEND_RAW;
        block_post_entry(entry, &issued->command, raw ? 2 : 1, !raw);
        HLS_COPY(state->raw, issued->raw, sizeof state->raw);
        state->holding = raw;
        state->notice_next = 1;
    }
    STREAM_PUSH(struct ring_work, entry, out);
    STEP_END;
}
