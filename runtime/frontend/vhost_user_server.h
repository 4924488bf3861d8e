/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user server: one UNIX socket, one virtio device, one client at a time, one thread, which takes in messages
 * and kicks. A client may come back after a server has gone: it finds its requests (vhost_user_inflight.c).
 */
#ifndef CIPU_VHOST_USER_SERVER_H
#define CIPU_VHOST_USER_SERVER_H

#include "runtime/device/vhost_device.h"

struct vhost_user_server;

/* Listens on `path` (a stale socket file is replaced, a live one is -EADDRINUSE) and serves `device` on a new thread.
 */
int vhost_user_server_create(const char *path, const struct vhost_device_ops *ops, void *device,
                             struct vhost_user_server **server, struct cipu_error *error);

/* Disconnects the client, stops the thread, removes the socket file. */
void vhost_user_server_destroy(struct vhost_user_server *server);

struct vhost_user_server_statistics {
    bool connected;
    uint64_t connections, messages, errors, kicks;
};
void vhost_user_server_statistics(struct vhost_user_server *server, struct vhost_user_server_statistics *statistics);

#endif
