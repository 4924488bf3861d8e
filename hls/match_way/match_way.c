/* SPDX-License-Identifier: Apache-2.0 */
/* Second step of the flow lookup: picks the way of the bucket whose tag fits and asks for its entry; none is a miss. */
#include "hls/include/memory.h"
#include "hls/include/net.h"

struct match_way_pick {
    uint32_t entry;
    bool found;
};

HLS_INLINE struct match_way_pick match_way_find(const struct memory_line *line, uint32_t tag)
{
    struct flow_bucket bucket;
    struct match_way_pick pick = {0, false};
    HLS_COPY(&bucket, line, sizeof bucket);
    for (uint32_t i = 0; i < FLOW_WAYS; i++) {
        bool same = bucket.ways[i].tag == tag;
        pick.entry = same ? bucket.ways[i].entry & (FLOW_ENTRIES - 1u) : pick.entry;
        pick.found = pick.found || same;
    }
    return pick;
}

STEP(match_way, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct memory_request, request), STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, bucket, line);
    bool command = headers->verdict == VERDICT_COMMAND || headers->verdict == VERDICT_WRITE;
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_FLOW_WRITE;
    struct match_way_pick pick = match_way_find(bucket, headers->tag);
    uint32_t entry = command ? headers->hash & (FLOW_ENTRIES - 1u) : pick.entry;

    STREAM_OPEN(struct memory_request, asked, request);
    memory_request_fill(asked, FLOW_ENTRY_LINE + entry, write ? MEMORY_WRITE : MEMORY_READ);
    if (write) {
        asked->bytes = sizeof(struct flow_entry);
        HLS_COPY(asked->data, &headers->match, sizeof headers->match);
    }
    STREAM_PUSH(struct memory_request, asked, request);

    if (!write) {
        STREAM_OPEN(struct headers, matched, out);
        HLS_COPY(matched, headers, sizeof *matched);
        if (!command) {
            matched->tag = entry;
            if (headers->verdict == VERDICT_LOOKUP && !pick.found) {
                matched->verdict = VERDICT_PUNT;
                matched->detail = PUNT_MISS;
            }
        }
        STREAM_PUSH(struct headers, matched, out);
    }
    STEP_END;
}
