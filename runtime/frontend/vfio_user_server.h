/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vfio-user server: one UNIX socket, one PCI function, one client at a time, one thread. Protocol: vfio-user.rst
 * 0.9.1.
 */
#ifndef CIPU_VFIO_USER_SERVER_H
#define CIPU_VFIO_USER_SERVER_H

#include "runtime/device/device.h"

struct vfio_user_server;

/* Listens on `path` (a stale socket file is replaced, a live one is -EADDRINUSE) and serves `device` on a new thread.
 */
int vfio_user_server_create(const char *path, const struct device_ops *ops, void *device,
                            struct vfio_user_server **server, struct cipu_error *error);

/* Disconnects the client, stops the thread, removes the socket file. */
void vfio_user_server_destroy(struct vfio_user_server *server);

struct vfio_user_server_statistics {
    bool connected;
    uint64_t connections, messages, errors;
    uint64_t mappings; /* pieces of guest memory now */
};
void vfio_user_server_statistics(struct vfio_user_server *server, struct vfio_user_server_statistics *statistics);

#endif
