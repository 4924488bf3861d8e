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

/* True: the record ends here, as it has written its entry. */
HLS_INLINE bool match_way_command(const struct headers *headers, struct memory_request *asked, struct headers *out)
{
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_FLOW_WRITE;
    memory_request_fill(asked, FLOW_ENTRY_LINE + (headers->hash & (FLOW_ENTRIES - 1u)),
                        write ? MEMORY_WRITE : MEMORY_READ);
    if (write)
        HLS_COPY(asked->data, &headers->match, sizeof headers->match); /* the counters become 0 */
    HLS_COPY(out, headers, sizeof *out);
    return write;
}

STEP(match_way, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct memory_request, request), STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, bucket, line);
    STREAM_OPEN(struct memory_request, asked, request);
    STREAM_OPEN(struct headers, matched, out);
    bool ends = false;
    if (HLS_SELDOM(headers->verdict >= VERDICT_COMMAND)) {
        ends = match_way_command(headers, asked, matched);
    } else {
        uint64_t found = match_way_find(bucket, headers->tag);
        uint32_t entry = (uint32_t)(found >> 32) & (FLOW_ENTRIES - 1u);
        memory_request_fill(asked, FLOW_ENTRY_LINE + entry, MEMORY_READ);
        HLS_COPY(matched, headers, sizeof *matched);
        matched->tag = entry;
        if (HLS_SELDOM(found == 0 && headers->verdict == VERDICT_LOOKUP)) {
            matched->verdict = VERDICT_PUNT;
            matched->detail = PUNT_MISS;
        }
    }
    STREAM_PUSH(struct memory_request, asked, request);
    if (!HLS_SELDOM(ends))
        STREAM_PUSH(struct headers, matched, out);
    STEP_END;
}
