/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/daemon/log.h"
#include "runtime/rpc/unix_socket.h"

#define REQUESTS_PER_PASS 64 /* then the other clients have their turn */
#define READ_TIMEOUT_S    300
#define WRITE_TIMEOUT_S   30

struct connection {
    LIST_ENTRY(connection) link;
    struct rpc_server *server;
    struct bufferevent *stream;
    struct rpc_framer framer;
    bool ended;   /* the client sends nothing more, but may still read */
    bool closing; /* as soon as its output is gone */
};

struct rpc_server {
    struct event_base *base;
    struct evconnlistener *listener;
    const struct rpc_service *service;
    void (*closed)(void *context, void *connection);
    char path[SOCKET_PATH_BYTES];
    int lock;
    unsigned count;
    LIST_HEAD(connection_list, connection) connections;
};

static void close_connection(struct connection *connection)
{
    struct rpc_server *server = connection->server;
    LIST_REMOVE(connection, link);
    server->count--;
    server->closed(server->service->context, connection);
    bufferevent_free(connection->stream);
    free(connection);
}

static void send_reply(struct connection *connection, char *text, size_t bytes)
{
    if (!text)
        return;
    bufferevent_write(connection->stream, text, bytes);
    bufferevent_write(connection->stream, "\n", 1);
    free(text);
}

/* Nothing more is read; what was answered is still sent. */
static void stop_reading(struct connection *connection)
{
    connection->closing = true;
    bufferevent_disable(connection->stream, EV_READ);
}

static void refuse(struct connection *connection, enum rpc_code code, const char *message)
{
    size_t bytes;
    char *text = rpc_refuse(code, message, &bytes);
    send_reply(connection, text, bytes);
    stop_reading(connection);
}

/* Handles one request; false when there is no whole one. */
static bool handle_next(struct connection *connection)
{
    struct evbuffer *input = bufferevent_get_input(connection->stream);
    size_t bytes = evbuffer_get_length(input), reply_bytes;
    const char *text = (const char *)evbuffer_pullup(input, -1);
    struct rpc_framer *framer = &connection->framer;
    enum rpc_frame frame = rpc_frame_scan(framer, text, bytes);
    bool broken;
    if (frame == RPC_FRAME_BROKEN) {
        refuse(connection, RPC_PARSE_ERROR, "found no JSON object or array, expected a request");
        return false;
    }
    if (framer->scanned - framer->start > RPC_REQUEST_BYTES_MAX) {
        refuse(connection, RPC_INVALID_REQUEST, "found a request of more than 1 MiB");
        return false;
    }
    if (frame == RPC_FRAME_MORE) {
        if (framer->depth == 0) { /* white space only */
            evbuffer_drain(input, bytes);
            *framer = (struct rpc_framer){0};
        } else if (framer->start) {
            evbuffer_drain(input, framer->start);
            framer->scanned -= framer->start;
            framer->start = 0;
        }
        return false;
    }
    char *reply = rpc_handle(connection->server->service, connection, text + framer->start,
                             framer->scanned - framer->start, &reply_bytes, &broken);
    evbuffer_drain(input, framer->scanned);
    *framer = (struct rpc_framer){0};
    send_reply(connection, reply, reply_bytes);
    if (broken)
        stop_reading(connection);
    return !broken;
}

/* Handles what came in until the client's output is full or the others must have their turn. */
static void handle_requests(struct connection *connection)
{
    struct evbuffer *output = bufferevent_get_output(connection->stream);
    for (unsigned i = 0; i < REQUESTS_PER_PASS; i++) {
        if (evbuffer_get_length(output) > RPC_OUTPUT_BYTES) {
            bufferevent_disable(connection->stream, EV_READ); /* on_writable goes on */
            return;
        }
        if (!handle_next(connection)) {
            connection->closing |= connection->ended;
            return;
        }
    }
    bufferevent_trigger(connection->stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

static void finish_if_done(struct connection *connection)
{
    if (connection->closing && evbuffer_get_length(bufferevent_get_output(connection->stream)) == 0)
        close_connection(connection);
}

static void on_readable(struct bufferevent *stream, void *context)
{
    (void)stream;
    struct connection *connection = context;
    if (!connection->closing)
        handle_requests(connection);
    finish_if_done(connection);
}

static void on_writable(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;
    if (!connection->closing && !(bufferevent_get_enabled(stream) & EV_READ)) {
        if (!connection->ended)
            bufferevent_enable(stream, EV_READ);
        handle_requests(connection);
    }
    finish_if_done(connection);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    (void)stream;
    struct connection *connection = context;
    if (what & BEV_EVENT_TIMEOUT)
        log_info("a client of the RPC socket is disconnected: it was silent or did not read for too long", NULL);
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_READING)) == (BEV_EVENT_EOF | BEV_EVENT_READING)) {
        connection->ended = true;
        handle_requests(connection);
        finish_if_done(connection);
        return;
    }
    close_connection(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length,
                      void *context)
{
    static const char full[] = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-11,\"message\":\"too many clients are "
                               "connected\",\"data\":{\"errno\":\"EAGAIN\"}},\"id\":null}\n";
    struct rpc_server *server = context;
    struct connection *connection = NULL;
    (void)listener;
    (void)address;
    (void)length;
    if (server->count >= RPC_CONNECTIONS_MAX) {
        if (send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            log_debug("cannot tell a client that too many are connected", "error=%s", strerror(errno));
        close(fd);
        return;
    }
    connection = calloc(1, sizeof(*connection));
    if (connection)
        connection->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!connection || !connection->stream) {
        free(connection);
        close(fd);
        return;
    }
    connection->server = server;
    LIST_INSERT_HEAD(&server->connections, connection, link);
    server->count++;
    bufferevent_setcb(connection->stream, on_readable, on_writable, on_event, connection);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, RPC_REQUEST_BYTES_MAX + (64u << 10));
    bufferevent_set_timeouts(connection->stream, &(struct timeval){.tv_sec = READ_TIMEOUT_S},
                             &(struct timeval){.tv_sec = WRITE_TIMEOUT_S});
    bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

/* Without descriptors accept would fail at once again and again: wait a moment. */
static void on_enable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    evconnlistener_enable(context);
}

static void on_accept_error(struct evconnlistener *listener, void *context)
{
    struct rpc_server *server = context;
    log_error("cannot accept a client of the RPC socket", "error=%s", strerror(errno));
    if (event_base_once(server->base, -1, EV_TIMEOUT, on_enable, listener, &(struct timeval){.tv_usec = 100000}) == 0)
        evconnlistener_disable(listener);
}

int rpc_server_open(struct event_base *base, const char *path, struct rpc_server **result, struct cipu_error *error)
{
    struct rpc_server *server = calloc(1, sizeof(*server));
    if (!server)
        return cipu_fail(error, -ENOMEM, "no memory for the RPC server");
    server->base = base;
    LIST_INIT(&server->connections);
    strncpy(server->path, path, sizeof(server->path) - 1);
    server->lock = unix_socket_lock(path, error);
    if (server->lock < 0) {
        int code = server->lock;
        free(server);
        return code;
    }
    int fd = unix_socket_listen(path, error);
    if (fd >= 0)
        server->listener = evconnlistener_new(base, on_accept, server,
                                              LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (fd < 0 || !server->listener) {
        if (fd >= 0) {
            close(fd);
            unlink(path);
            fd = cipu_fail(error, -ENOMEM, "no memory for the RPC server");
        }
        unix_socket_unlock(path, server->lock);
        free(server);
        return fd;
    }
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    *result = server;
    return 0;
}

void rpc_server_start(struct rpc_server *server, const struct rpc_service *service,
                      void (*closed)(void *context, void *connection))
{
    server->service = service;
    server->closed = closed;
    evconnlistener_enable(server->listener);
}

void rpc_server_close(struct rpc_server *server)
{
    for (struct connection *connection = LIST_FIRST(&server->connections), *next; connection; connection = next) {
        next = LIST_NEXT(connection, link);
        close_connection(connection);
    }
    unlink(server->path);
    evconnlistener_free(server->listener);
    unix_socket_unlock(server->path, server->lock);
    free(server);
}
