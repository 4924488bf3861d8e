/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket and the thread that serves one client after the other. */
#include "runtime/frontend/vfio_user_server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/frontend/vfio_user_session.h"

struct vfio_user_server {
    struct vfio_user_session session;
    struct vfio_user_counters counters;
    struct sockaddr_un address;
    dev_t socket_device;
    ino_t socket_inode;
    int listener;
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
    struct pollfd waits[2] = {{.fd = server->listener, .events = POLLIN}, {.fd = server->stop_event, .events = POLLIN}};
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (waits[1].revents)
            return NULL;
        if (!waits[0].revents)
            continue;
        int client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) {
            serve_client(server, client);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* The client keeps waiting; descriptors may come free. */
            poll(&waits[1], 1, 100);
        }
    }
}

/* Removes a socket file that nobody listens on any more. */
static int replace_stale(const struct sockaddr_un *address, struct cipu_error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : cipu_fail(error, -errno, "%s: %s", address->sun_path, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return cipu_fail(error, -EADDRINUSE, "%s: exists and is no socket", address->sun_path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return cipu_fail(error, -errno, "%s: %s", address->sun_path, strerror(errno));
    int refused = connect(probe, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    close(probe);
    if (!refused)
        return cipu_fail(error, -EADDRINUSE, "%s: another server listens there", address->sun_path);
    if (unlink(address->sun_path) < 0)
        return cipu_fail(error, -errno, "%s: a stale socket cannot be removed: %s", address->sun_path, strerror(errno));
    return 0;
}

static int listen_on(struct vfio_user_server *server, const char *path, struct cipu_error *error)
{
    struct stat status;
    server->address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof server->address.sun_path)
        return cipu_fail(error, -ENAMETOOLONG, "%s: longer than the %zu bytes of a socket's path", path,
                         sizeof server->address.sun_path - 1);
    memcpy(server->address.sun_path, path, strlen(path) + 1);
    int result = replace_stale(&server->address, error);
    if (result)
        return result;
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listener < 0)
        return cipu_fail(error, -errno, "%s: %s", path, strerror(errno));
    if (bind(server->listener, (const struct sockaddr *)&server->address, sizeof server->address) < 0)
        return cipu_fail(error, -errno, "%s: bind: %s", path, strerror(errno));
    if (stat(path, &status) == 0) {
        server->socket_device = status.st_dev;
        server->socket_inode = status.st_ino;
    }
    if (listen(server->listener, 4) < 0)
        return cipu_fail(error, -errno, "%s: listen: %s", path, strerror(errno));
    return 0;
}

static void remove_socket(const struct vfio_user_server *server)
{
    struct stat status;
    if (server->socket_inode && stat(server->address.sun_path, &status) == 0 &&
        status.st_dev == server->socket_device && status.st_ino == server->socket_inode)
        unlink(server->address.sun_path);
}

static void free_server(struct vfio_user_server *server)
{
    remove_socket(server);
    if (server->listener >= 0)
        close(server->listener);
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
    created->client = created->listener = -1;
    created->stop_event = eventfd(0, EFD_CLOEXEC);
    int result = created->stop_event < 0 ? cipu_fail(error, -errno, "%s: eventfd: %s", path, strerror(errno))
                                         : listen_on(created, path, error);
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
