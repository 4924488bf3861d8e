/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/vfio_user_server.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/frontend/socket_server.h"
#include "runtime/frontend/vfio_user_session.h"

struct vfio_user_server {
    struct vfio_user_session session;
    struct vfio_user_counters counters;
    struct socket_server *server;
};

static void serve(void *context, int client)
{
    struct vfio_user_server *server = context;
    atomic_fetch_add(&server->counters.connections, 1);
    atomic_store(&server->counters.connected, true);
    vfio_user_session_run(&server->session, client);
    atomic_store(&server->counters.connected, false);
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
    int result = socket_server_create(path, serve, created, &created->server, error);
    if (result) {
        vfio_user_session_free(&created->session);
        free(created);
        return result;
    }
    *server = created;
    return 0;
}

void vfio_user_server_destroy(struct vfio_user_server *server)
{
    if (!server)
        return;
    socket_server_destroy(server->server);
    vfio_user_session_free(&server->session);
    free(server);
}

void vfio_user_server_statistics(struct vfio_user_server *server, struct vfio_user_server_statistics *statistics)
{
    statistics->connected = atomic_load(&server->counters.connected);
    statistics->connections = atomic_load(&server->counters.connections);
    statistics->messages = atomic_load(&server->counters.messages);
    statistics->errors = atomic_load(&server->counters.errors);
    statistics->mappings = atomic_load(&server->counters.mappings);
}
