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

STEP(match_entry, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct memory_request, count), STREAM_OUT(struct memory_request, request),
     STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(count) && STREAM_CAN_WRITE(request) &&
                STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, entry, line);
    HLS_RECORD(struct packet_match, found, entry->data);
    bool command = headers->verdict == VERDICT_COMMAND || headers->verdict == VERDICT_WRITE;
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_ACTION_WRITE;
    bool lookup = headers->verdict == VERDICT_LOOKUP;
    bool hit = lookup && match_entry_same(&found->key, &headers->match.key);
    uint32_t action = command ? headers->hash : hit ? found->action : headers->match.action;

    bool tell = headers->verdict == VERDICT_COMMAND && headers->opcode == COMMAND_FLOW_READ;
    if (hit || tell) {
        uint32_t index = (tell ? headers->hash : headers->tag) & (FLOW_ENTRIES - 1u);
        STREAM_OPEN(struct memory_request, counted, count);
        memory_request_fill(counted, FLOW_ENTRY_LINE + index, tell ? MEMORY_READ : MEMORY_COUNT);
        counted->amount = headers->meta.length;
        STREAM_PUSH(struct memory_request, counted, count);
    }

    STREAM_OPEN(struct memory_request, asked, request);
    memory_request_fill(asked, FLOW_ACTION_LINE + (action & (FLOW_ACTIONS - 1u)), write ? MEMORY_WRITE : MEMORY_READ);
    if (write) {
        asked->bytes = sizeof(struct action);
        HLS_COPY(asked->data, &headers->match, sizeof(struct action));
    }
    STREAM_PUSH(struct memory_request, asked, request);

    if (!write) {
        STREAM_OPEN(struct headers, matched, out);
        HLS_COPY(matched, headers, sizeof *matched);
        if (lookup && !hit) {
            matched->verdict = VERDICT_PUNT;
            matched->detail = PUNT_MISS;
        }
        STREAM_PUSH(struct headers, matched, out);
    }
    STEP_END;
}
