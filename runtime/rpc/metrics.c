/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/metrics.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/daemon/statistics.h"
#include "runtime/rpc/unix_socket.h"

#define TIMEOUT_S         10
#define SWEEP_MS          100
#define HEADERS_BYTES_MAX 8192
#define BODY_BYTES_MAX    1024

struct metrics_server {
    struct daemon *daemon;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct event *sweep_timer;
    struct bufferevent *streams[METRICS_CONNECTIONS_MAX]; /* referenced, so that their end can be seen */
    unsigned stream_count;
    char path[SOCKET_PATH_BYTES]; /* "" for TCP */
};

static void answer(struct evhttp_request *request, void *context)
{
    struct metrics_server *server = context;
    json_t *statistics = daemon_statistics(server->daemon);
    struct evbuffer *text = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Connection", "close");
    if (statistics && text) {
        metrics_write(statistics, server->daemon->config->card, text);
        evhttp_add_header(headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        evhttp_send_reply(request, HTTP_OK, "OK", text);
    } else {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    }
    json_decref(statistics);
    if (text)
        evbuffer_free(text);
}

/* evhttp has no limit of its own and does not tell when it is done with a stream; but one that was freed has no
 * callbacks. */
static bool is_freed(struct bufferevent *stream)
{
    bufferevent_data_cb readable, writable;
    bufferevent_event_cb event;
    bufferevent_getcb(stream, &readable, &writable, &event, NULL);
    return !readable && !writable && !event;
}

static void sweep(struct metrics_server *server)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < server->stream_count; i++) {
        if (is_freed(server->streams[i]))
            bufferevent_decref(server->streams[i]);
        else
            server->streams[kept++] = server->streams[i];
    }
    server->stream_count = kept;
    if (kept < METRICS_CONNECTIONS_MAX)
        evconnlistener_enable(server->listener);
    if (!kept)
        event_del(server->sweep_timer);
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    sweep(context);
}

static struct bufferevent *new_stream(struct event_base *base, void *context)
{
    struct metrics_server *server = context;
    struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!stream)
        return NULL;
    bufferevent_incref(stream);
    server->streams[server->stream_count++] = stream;
    if (server->stream_count == METRICS_CONNECTIONS_MAX)
        evconnlistener_disable(server->listener);
    event_add(server->sweep_timer, &(struct timeval){.tv_usec = SWEEP_MS * 1000});
    return stream;
}

static int listen_tcp(const char *where, struct cipu_error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;
    char host[256], service[8];
    uint16_t port;
    if (config_endpoint_parse(where, host, &port) < 0)
        return cipu_fail(error, -EINVAL, "found metrics %.64s, expected HOST:PORT or an absolute path", where);
    snprintf(service, sizeof(service), "%u", port);
    int code = getaddrinfo(host[0] ? host : NULL, service, &hints, &list);
    if (code)
        return cipu_fail(error, -EADDRNOTAVAIL, "cannot resolve metrics %.64s: %s", where, gai_strerror(code));
    int result = -EADDRNOTAVAIL;
    for (struct addrinfo *info = list; info && result < 0; info = info->ai_next) {
        int one = 1, fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
            bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 64) == 0) {
            result = fd;
            break;
        }
        result = cipu_fail(error, -errno, "cannot listen on metrics %.64s: %s", where, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    freeaddrinfo(list);
    return result;
}

static int open_http(struct metrics_server *server, int fd, struct cipu_error *error)
{
    struct event_base *base = server->daemon->base;
    server->http = evhttp_new(base);
    server->sweep_timer = event_new(base, -1, EV_PERSIST, on_sweep, server);
    server->listener = evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!server->listener)
        close(fd);
    if (!server->http || !server->sweep_timer || !server->listener ||
        !evhttp_bind_listener(server->http, server->listener)) {
        if (server->listener)
            evconnlistener_free(server->listener);
        if (server->sweep_timer)
            event_free(server->sweep_timer);
        if (server->http)
            evhttp_free(server->http);
        return cipu_fail(error, -ENOMEM, "no memory for the metrics");
    }
    evhttp_set_bevcb(server->http, new_stream, server);
    evhttp_set_timeout(server->http, TIMEOUT_S);
    evhttp_set_max_headers_size(server->http, HEADERS_BYTES_MAX);
    evhttp_set_max_body_size(server->http, BODY_BYTES_MAX);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_cb(server->http, "/metrics", answer, server);
    return 0;
}

int metrics_server_open(struct daemon *daemon, const char *where, struct metrics_server **result,
                        struct cipu_error *error)
{
    struct metrics_server *server = calloc(1, sizeof(*server));
    if (!server)
        return cipu_fail(error, -ENOMEM, "no memory for the metrics");
    server->daemon = daemon;
    if (where[0] == '/')
        strncpy(server->path, where, sizeof(server->path) - 1);
    int fd = server->path[0] ? unix_socket_listen(server->path, error) : listen_tcp(where, error);
    int code = fd < 0 ? fd : open_http(server, fd, error);
    if (code < 0) {
        if (fd >= 0 && server->path[0])
            unlink(server->path);
        free(server);
        return code;
    }
    *result = server;
    return 0;
}

void metrics_server_close(struct metrics_server *server)
{
    evhttp_free(server->http);
    for (unsigned i = 0; i < server->stream_count; i++)
        bufferevent_decref(server->streams[i]);
    event_free(server->sweep_timer);
    if (server->path[0])
        unlink(server->path);
    free(server);
}
