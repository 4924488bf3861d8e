/* SPDX-License-Identifier: Apache-2.0 */
/* A listening UNIX socket and the thread that serves one client after the other. */
#ifndef CIPU_SOCKET_SERVER_H
#define CIPU_SOCKET_SERVER_H

#include "driver/card.h"

struct socket_server;

/* Listens on `path` (a stale socket file is replaced, a live one is -EADDRINUSE). `serve` is called on a thread of its
 * own with each client's socket, until the client is gone; the socket stays the caller's. */
int socket_server_create(const char *path, void (*serve)(void *context, int client), void *context,
                         struct socket_server **server, struct cipu_error *error);

/* Shuts the client's socket down, waits until `serve` has returned, removes the socket file. */
void socket_server_destroy(struct socket_server *server);

#endif
