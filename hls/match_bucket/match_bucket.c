/* SPDX-License-Identifier: Apache-2.0 */
/* First step of the flow lookup: hashes the key and asks for its bucket. Every record asks for one line. */
#include "hls/include/memory.h"
#include "hls/include/net.h"

struct match_bucket_state {
    uint32_t seed;
};

STEP(match_bucket, struct match_bucket_state *state, STREAM_IN(struct headers, in),
     STREAM_OUT(struct memory_request, request), STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    bool command = headers->verdict == VERDICT_COMMAND || headers->verdict == VERDICT_WRITE;
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_BUCKET_WRITE;
    if (command && headers->opcode == COMMAND_SEED_SET)
        state->seed = headers->tag;
    struct flow_hash hash = flow_hash(&headers->match.key, state->seed);
    uint32_t bucket = (write ? headers->hash : hash.bucket) & (FLOW_BUCKETS - 1u);

    STREAM_OPEN(struct memory_request, asked, request);
    memory_request_fill(asked, FLOW_BUCKET_LINE + bucket, write ? MEMORY_WRITE : MEMORY_READ);
    if (write) {
        uint32_t way = headers->tag & (FLOW_WAYS - 1u);
        asked->bytes = sizeof(struct flow_way);
        asked->first = (uint8_t)(way * sizeof(struct flow_way));
        for (uint32_t i = 0; i < FLOW_WAYS; i++) /* only the way at `first` is written */
            HLS_COPY(asked->data + i * sizeof(struct flow_way), &headers->match, sizeof(struct flow_way));
    }
    STREAM_PUSH(struct memory_request, asked, request);

    if (!write) {
        STREAM_OPEN(struct headers, hashed, out);
        HLS_COPY(hashed, headers, sizeof *hashed);
        if (!command) {
            hashed->hash = hash.bucket;
            hashed->tag = hash.tag;
        }
        STREAM_PUSH(struct headers, hashed, out);
    }
    STEP_END;
}
