/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RPC request reader: a stream of bytes, cut at places that the first byte chooses, goes through framing and
 * dispatch to methods that take the real parameters. Framing must not depend on the cuts, and each reply must be JSON
 * of one line.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/rpc/json_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_function(struct rpc_call *call)
{
    call->result = schema_encode(&function_schema, call->parameters);
    return 0;
}

static int take_vpc(struct rpc_call *call)
{
    call->result = schema_encode(&vpc_schema, call->parameters);
    return 0;
}

static int take_route(struct rpc_call *call)
{
    const struct net_route *route = call->parameters;
    return cipu_fail(&call->error, -16, "route of %s", route->vpc);
}

static const struct rpc_method methods[] = {
    {"f", "", &function_schema, sizeof(struct function_settings), take_function},
    {"v", "", &vpc_schema, sizeof(struct net_vpc), take_vpc},
    {"r", "", &route_schema, sizeof(struct net_route), take_route},
};
static const struct rpc_service service = {methods, 3, NULL};

/* Where the first value ends when the text comes in pieces of `step` bytes; 0 = it does not. */
static size_t frame_in_steps(const char *text, size_t size, size_t step, enum rpc_frame *frame)
{
    struct rpc_framer framer = {0};
    *frame = RPC_FRAME_MORE;
    for (size_t there = 0; there < size && *frame == RPC_FRAME_MORE;) {
        there = size - there < step ? size : there + step;
        *frame = rpc_frame_scan(&framer, text, there);
    }
    return *frame == RPC_FRAME_COMPLETE ? framer.scanned : 0;
}

static void handle(const char *text, size_t bytes)
{
    size_t reply_bytes;
    bool broken;
    char *reply = rpc_handle(&service, NULL, text, bytes, &reply_bytes, &broken);
    if (reply) {
        json_t *json = json_loadb(reply, reply_bytes, 0, NULL);
        assert(json && !memchr(reply, '\n', reply_bytes));
        json_decref(json);
    }
    assert(reply || !broken);
    free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *text = (const char *)data + 1;
    size--;
    for (;;) {
        enum rpc_frame whole_frame, frame;
        size_t whole = frame_in_steps(text, size, size, &whole_frame);
        size_t end = frame_in_steps(text, size, (size_t)data[0] + 1, &frame);
        assert(whole == end && whole_frame == frame);
        if (!end)
            return 0;
        handle(text, end);
        text += end;
        size -= end;
        if (!size)
            return 0;
    }
}
