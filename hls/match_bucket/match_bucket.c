/* SPDX-License-Identifier: Apache-2.0 */
/* First step of the flow lookup: hashes the key and asks for its bucket. Every record asks for one line. */
#include "hls/include/memory.h"
#include "hls/include/net.h"

struct match_bucket_state {
    uint32_t seed;
};

/* True: the record ends here, as it has written its bucket. */
HLS_INLINE bool match_bucket_command(struct match_bucket_state *state, const struct headers *headers,
                                     struct memory_request *asked, struct headers *out)
{
    bool write = headers->verdict == VERDICT_WRITE && headers->opcode == COMMAND_BUCKET_WRITE;
    if (headers->opcode == COMMAND_SEED_SET)
        state->seed = headers->tag;
    memory_request_fill(asked, FLOW_BUCKET_LINE + (headers->hash & (FLOW_BUCKETS - 1u)),
                        write ? MEMORY_WRITE_WORD : MEMORY_READ);
    if (write) {
        asked->word = (uint8_t)(headers->tag & (FLOW_WAYS - 1u));
        HLS_COPY(asked->data, &headers->match, sizeof(struct flow_way));
    }
    HLS_COPY(out, headers, sizeof *out);
    return write;
}

STEP(match_bucket, struct match_bucket_state *state, STREAM_IN(struct headers, in),
     STREAM_OUT(struct memory_request, request), STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_OPEN(struct memory_request, asked, request);
    STREAM_OPEN(struct headers, hashed, out);
    bool ends = false;
    if (HLS_SELDOM(headers->verdict >= VERDICT_COMMAND)) {
        ends = match_bucket_command(state, headers, asked, hashed);
    } else {
        struct flow_hash hash = flow_hash(&headers->match.key, state->seed);
        memory_request_fill(asked, FLOW_BUCKET_LINE + (hash.bucket & (FLOW_BUCKETS - 1u)), MEMORY_READ);
        HLS_COPY(hashed, headers, sizeof *hashed);
        hashed->hash = hash.bucket;
        hashed->tag = hash.tag;
    }
    STREAM_PUSH(struct memory_request, asked, request);
    if (!HLS_SELDOM(ends))
        STREAM_PUSH(struct headers, hashed, out);
    STEP_END;
}
