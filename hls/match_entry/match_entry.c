/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Third step of the flow lookup: compares the whole key, counts the packet in the entry and asks for the action. A key
 * that differs is a miss. FLOW_READ goes the same way as the counting, so it sees every packet before it; egress has
 * the answer.
 */
#include "hls/include/memory.h"
#include "hls/include/net.h"

HLS_INLINE bool match_entry_same(const struct flow_key *a, const struct flow_key *b)
{
    uint32_t x[11], y[11], difference = 0;
    HLS_COPY(x, a, sizeof x);
    HLS_COPY(y, b, sizeof y);
    for (uint32_t i = 0; i < 11; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}

/* True: the record ends here, as it has written its action. */
HLS_INLINE bool match_entry_command(const struct headers *headers, struct memory_request *asked, struct headers *out)
{
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_ACTION_WRITE;
    memory_request_fill(asked, FLOW_ACTION_LINE + (headers->hash & (FLOW_ACTIONS - 1u)),
                        write ? MEMORY_WRITE : MEMORY_READ);
    if (write)
        HLS_COPY(asked->data, &headers->match, sizeof(struct action));
    HLS_COPY(out, headers, sizeof *out);
    return write;
}

STEP(match_entry, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct memory_request, count), STREAM_OUT(struct memory_request, request),
     STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(count) && STREAM_CAN_WRITE(request) &&
                STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, entry, line);
    STREAM_OPEN(struct memory_request, counted, count);
    STREAM_OPEN(struct memory_request, asked, request);
    STREAM_OPEN(struct headers, matched, out);
    bool ends = false, counts = false;
    if (HLS_SELDOM(headers->verdict >= VERDICT_COMMAND)) {
        ends = match_entry_command(headers, asked, matched);
        counts = headers->verdict == VERDICT_COMMAND && headers->opcode == COMMAND_FLOW_READ;
        memory_request_fill(counted, FLOW_ENTRY_LINE + (headers->hash & (FLOW_ENTRIES - 1u)), MEMORY_READ);
    } else {
        HLS_RECORD(struct packet_match, found, entry->data);
        uint32_t action = headers->match.action;
        HLS_COPY(matched, headers, sizeof *matched);
        if (headers->verdict == VERDICT_LOOKUP) {
            counts = match_entry_same(&found->key, &headers->match.key);
            action = found->action;
            memory_request_fill(counted, FLOW_ENTRY_LINE + headers->tag, MEMORY_COUNT);
            counted->amount = headers->meta.length;
            if (HLS_SELDOM(!counts)) {
                matched->verdict = VERDICT_PUNT;
                matched->detail = PUNT_MISS;
            }
        }
        memory_request_fill(asked, FLOW_ACTION_LINE + (action & (FLOW_ACTIONS - 1u)), MEMORY_READ);
    }
    if (counts)
        STREAM_PUSH(struct memory_request, counted, count);
    STREAM_PUSH(struct memory_request, asked, request);
    if (!HLS_SELDOM(ends))
        STREAM_PUSH(struct headers, matched, out);
    STEP_END;
}
