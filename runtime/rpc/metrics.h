/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics over HTTP: everything that is counted, in Prometheus' text form (exposition format 0.0.4).
 * Threads: everything happens in the thread of the event loop.
 */
#ifndef CIPU_METRICS_H
#define CIPU_METRICS_H

#include <event2/buffer.h>

#include "runtime/daemon/daemon.h"

struct metrics_server;

#define METRICS_CONNECTIONS_MAX 32 /* more wait in the socket's queue */

/* `where`: HOST:PORT, [IPV6]:PORT or the absolute path of a UNIX socket. */
int metrics_server_open(struct daemon *daemon, const char *where, struct metrics_server **server,
                        struct cipu_error *error);
void metrics_server_close(struct metrics_server *server);

/* Writes the statistics (daemon_statistics) as text. */
void metrics_write(json_t *statistics, const char *card, struct evbuffer *text);

#endif
