/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket and the thread that serves one client after the other. */
#include "runtime/frontend/vfio_user_server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/frontend/listener.h"
#include "runtime/frontend/vfio_user_session.h"

struct vfio_user_server {
    struct vfio_user_session session;
    struct vfio_user_counters counters;
    struct listener listener;
    int stop_event;
    pthread_t thread;
    pthread_mutex_t lock; /* client, stopping */
    int client;
    bool stopping;
};

/* False when the server stops: then the client is not served. */
static bool adopt_client(struct vfio_user_server *server, int client)
{
    pthread_mutex_lock(&server->lock);
    bool serve = !server->stopping;
    server->client = serve ? client : -1;
    pthread_mutex_unlock(&server->lock);
    return serve;
}

static void serve_client(struct vfio_user_server *server, int client)
{
    if (adopt_client(server, client)) {
        atomic_fetch_add(&server->counters.connections, 1);
        atomic_store(&server->counters.connected, true);
        vfio_user_session_run(&server->session, client);
        atomic_store(&server->counters.connected, false);
        pthread_mutex_lock(&server->lock);
        server->client = -1;
        pthread_mutex_unlock(&server->lock);
    }
    close(client);
}

static void *serve(void *argument)
{
    struct vfio_user_server *server = argument;
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

static void free_server(struct vfio_user_server *server)
{
    listener_close(&server->listener);
    if (server->stop_event >= 0)
        close(server->stop_event);
    vfio_user_session_free(&server->session);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int vfio_user_server_create(const char *path, const struct device_ops *ops, void *device,
                            struct vfio_user_server **server, struct cipu_error *error)
{
    struct vfio_user_server *created = calloc(1, sizeof *created);
    if (!created)
        return cipu_fail(error, -ENOMEM, "%s: out of memory", path);
    if (vfio_user_session_init(&created->session, ops, device, &created->counters)) {
        free(created);
        return cipu_fail(error, -ENOMEM, "%s: out of memory", path);
    }
    pthread_mutex_init(&created->lock, NULL);
    created->client = created->listener.fd = -1;
    created->stop_event = eventfd(0, EFD_CLOEXEC);
    int result = created->stop_event < 0 ? cipu_fail(error, -errno, "%s: eventfd: %s", path, strerror(errno))
                                         : listener_open(&created->listener, path, error);
    if (!result && (result = -pthread_create(&created->thread, NULL, serve, created)))
        cipu_fail(error, result, "%s: thread: %s", path, strerror(-result));
    if (result) {
        free_server(created);
        return result;
    }
    *server = created;
    return 0;
}

void vfio_user_server_destroy(struct vfio_user_server *server)
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

void vfio_user_server_statistics(struct vfio_user_server *server, struct vfio_user_server_statistics *statistics)
{
    statistics->connected = atomic_load(&server->counters.connected);
    statistics->connections = atomic_load(&server->counters.connections);
    statistics->messages = atomic_load(&server->counters.messages);
    statistics->errors = atomic_load(&server->counters.errors);
    statistics->mappings = atomic_load(&server->counters.mappings);
}
