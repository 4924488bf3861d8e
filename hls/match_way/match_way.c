/* SPDX-License-Identifier: Apache-2.0 */
/* Second step of the flow lookup: picks the way of the bucket whose tag fits and asks for its entry; none is a miss. */
#include "hls/include/memory.h"
#include "hls/include/net.h"

/* The way whose tag fits, as {tag, entry << 32}; 0 = none. Which one is as good as random, so nothing branches on it.
 * Two alike tags, which the host does not write, would give an entry whose key differs: a miss. */
HLS_INLINE uint64_t match_way_find(const struct memory_line *line, uint32_t tag)
{
    uint64_t way[FLOW_WAYS], found = 0;
    HLS_COPY(way, line, sizeof way);
    for (uint32_t i = 0; i < FLOW_WAYS; i++) {
        uint64_t differs = (uint32_t)way[i] ^ tag;
        found |= way[i] & (0u - ((differs - 1u) >> 63)); /* all ones when nothing differs */
    }
    return found;
}

STEP(match_way, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct memory_request, request), STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, bucket, line);
    bool command = headers->verdict == VERDICT_COMMAND || headers->verdict == VERDICT_WRITE;
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_FLOW_WRITE;
    uint64_t found = match_way_find(bucket, headers->tag);
    uint32_t entry = (command ? headers->hash : (uint32_t)(found >> 32)) & (FLOW_ENTRIES - 1u);

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
            if (headers->verdict == VERDICT_LOOKUP && found == 0) {
                matched->verdict = VERDICT_PUNT;
                matched->detail = PUNT_MISS;
            }
        }
        STREAM_PUSH(struct headers, matched, out);
    }
    STEP_END;
}
