/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON-RPC server on a UNIX stream socket. Requests follow one another without any separator; replies come in the
 * order of the requests, one line each.
 *
 * A client is bounded: RPC_REQUEST_BYTES_MAX for a request, no new request is handled while RPC_OUTPUT_BYTES wait to be
 * read, and one that does not read for 30 s or says nothing for 300 s is disconnected. Beyond RPC_CONNECTIONS_MAX
 * clients, new ones are refused. Threads: everything happens in the thread of the event loop.
 */
#ifndef CIPU_RPC_SERVER_H
#define CIPU_RPC_SERVER_H

#include <event2/event.h>

#include "runtime/rpc/json_rpc.h"

#define RPC_CONNECTIONS_MAX 64
#define RPC_OUTPUT_BYTES    (256u << 10)

struct rpc_server;

/* Claims the socket; clients wait until rpc_server_start. -EADDRINUSE when another daemon serves it. */
int rpc_server_open(struct event_base *base, const char *path, struct rpc_server **server, struct cipu_error *error);

/* `closed` is called with the connection that calls had when it goes away. The service stays the caller's. */
void rpc_server_start(struct rpc_server *server, const struct rpc_service *service,
                      void (*closed)(void *context, void *connection));

/* Disconnects all clients, removes the socket. */
void rpc_server_close(struct rpc_server *server);

#endif
