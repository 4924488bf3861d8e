/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/socket_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/frontend/listener.h"

struct socket_server {
    void (*serve)(void *context, int client);
    void *context;
    struct listener listener;
    int stop_event;
    pthread_t thread;
    pthread_mutex_t lock; /* client, stopping */
    int client;
    bool stopping;
};

/* False when the server stops: then the client is not served. */
static bool adopt_client(struct socket_server *server, int client)
{
    pthread_mutex_lock(&server->lock);
    bool serve = !server->stopping;
    server->client = serve ? client : -1;
    pthread_mutex_unlock(&server->lock);
    return serve;
}

static void serve_client(struct socket_server *server, int client)
{
    if (adopt_client(server, client)) {
        server->serve(server->context, client);
        pthread_mutex_lock(&server->lock);
        server->client = -1;
        pthread_mutex_unlock(&server->lock);
    }
    close(client);
}

static void *run(void *argument)
{
    struct socket_server *server = argument;
    struct pollfd waits[2] = {{.fd = server->listener.fd, .events = POLLIN},
                              {.fd = server->stop_event, .events = POLLIN}};
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (waits[1].revents)
            return NULL;
        if (!waits[0].revents)
            continue;
        int client = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) {
            serve_client(server, client);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* The client keeps waiting; descriptors may come free. */
            poll(&waits[1], 1, 100);
        }
    }
}

static void free_server(struct socket_server *server)
{
    listener_close(&server->listener);
    if (server->stop_event >= 0)
        close(server->stop_event);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int socket_server_create(const char *path, void (*serve)(void *context, int client), void *context,
                         struct socket_server **server, struct cipu_error *error)
{
    struct socket_server *created = calloc(1, sizeof *created);
    if (!created)
        return cipu_fail(error, -ENOMEM, "%s: out of memory", path);
    created->serve = serve;
    created->context = context;
    pthread_mutex_init(&created->lock, NULL);
    created->client = created->listener.fd = -1;
    created->stop_event = eventfd(0, EFD_CLOEXEC);
    int result = created->stop_event < 0 ? cipu_fail(error, -errno, "%s: eventfd: %s", path, strerror(errno))
                                         : listener_open(&created->listener, path, error);
    if (!result && (result = -pthread_create(&created->thread, NULL, run, created)))
        cipu_fail(error, result, "%s: thread: %s", path, strerror(-result));
    if (result) {
        free_server(created);
        return result;
    }
    *server = created;
    return 0;
}

void socket_server_destroy(struct socket_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    if (server->client >= 0)
        shutdown(server->client, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    eventfd_write(server->stop_event, 1);
    pthread_join(server->thread, NULL);
    free_server(server);
}
