/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC 2.0: from the text of a request or a batch to the text of the reply. Parameters are named and described by a
 * schema; what does not fit it is refused with the offending name and what was expected.
 *
 * Threads: calls run in the caller's thread. The service is read only.
 */
#ifndef CIPU_JSON_RPC_H
#define CIPU_JSON_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/config/schema.h"

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMETERS = -32602,
    RPC_INTERNAL_ERROR = -32603,
    RPC_REPLY_TOO_LARGE = -32001,
    /* Refusals of a method are negative errno values, with data {"errno": "EEXIST"}. */
};

#define RPC_REQUEST_BYTES_MAX (1u << 20)
#define RPC_REPLY_BYTES_MAX   (16u << 20)
#define RPC_BATCH_MAX         256

struct rpc_call {
    void *context;          /* of the service */
    void *connection;       /* identifies the client; NULL outside a server */
    const void *parameters; /* the structure of the method's schema */
    json_t *result;         /* set by the method; given to the caller */
    struct cipu_error error;
    const char *parameter; /* may be set with -EINVAL: the parameter at fault */
};

struct rpc_method {
    const char *name;
    const char *summary;
    const struct schema *parameters; /* NULL: none */
    size_t parameter_bytes;
    int (*call)(struct rpc_call *call); /* 0 or a negative errno and call->error */
};

struct rpc_service {
    const struct rpc_method *methods;
    size_t count;
    void *context;
};

/* Returns the reply, which the caller frees, or NULL if there is none to send (notifications). *broken: the text was
 * not JSON, so nothing after it can be trusted. */
char *rpc_handle(const struct rpc_service *service, void *connection, const char *text, size_t bytes,
                 size_t *reply_bytes, bool *broken);

/* A reply without a request: for requests that could not be read. */
char *rpc_refuse(enum rpc_code code, const char *message, size_t *reply_bytes);

/* Where the first JSON object or array of a stream ends. Fed with growing text, it looks at each byte once. */
struct rpc_framer {
    size_t scanned;
    size_t start; /* of the value: after white space */
    unsigned depth;
    bool in_string, escaped;
};

enum rpc_frame { RPC_FRAME_MORE, RPC_FRAME_COMPLETE, RPC_FRAME_BROKEN };

/* `text` begins where the framer was reset and has `bytes` bytes now. COMPLETE: the value is text[start .. scanned -
 * 1]. */
enum rpc_frame rpc_frame_scan(struct rpc_framer *framer, const char *text, size_t bytes);

#endif
