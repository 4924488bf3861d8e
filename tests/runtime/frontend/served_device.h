/* SPDX-License-Identifier: Apache-2.0 */
/* A plain device behind a real server in a folder of its own: the fixture of the frontend's tests. */
#ifndef CIPU_SERVED_DEVICE_H
#define CIPU_SERVED_DEVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/frontend/vfio_user_server.h"
#include "tests/peers/vfio_user_client.h"
#include "tests/runtime/frontend/plain_device.h"

struct served_device {
    char folder[32];
    char path[64];
    struct plain_device device;
    struct vfio_user_server *server;
    struct vfio_user_client *client;
};

static inline int served_device_setup(void **state)
{
    struct served_device *served = calloc(1, sizeof *served);
    *state = served;
    snprintf(served->folder, sizeof served->folder, "/tmp/cipu-test-XXXXXX");
    if (!mkdtemp(served->folder))
        return -1;
    snprintf(served->path, sizeof served->path, "%s/socket", served->folder);
    plain_device_init(&served->device);
    if (vfio_user_server_create(served->path, &plain_device_ops, &served->device, &served->server, NULL))
        return -1;
    return vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &served->client);
}

static inline int served_device_teardown(void **state)
{
    struct served_device *served = *state;
    vfio_user_client_close(served->client);
    vfio_user_server_destroy(served->server);
    plain_device_free(&served->device);
    int result = access(served->path, F_OK) == 0;
    rmdir(served->folder);
    free(served);
    return result;
}

static inline struct vfio_user_server_statistics served_statistics(struct served_device *served)
{
    struct vfio_user_server_statistics statistics;
    vfio_user_server_statistics(served->server, &statistics);
    return statistics;
}

/* Sends any command; the result as the client sees it. */
static inline int served_command(struct served_device *served, uint16_t command, const void *data, size_t bytes)
{
    struct vfio_user_exchange exchange = {.data = data, .bytes = bytes};
    int result = vfio_user_client_exchange(served->client, command, &exchange);
    if (exchange.reply_fd >= 0)
        close(exchange.reply_fd);
    return result;
}

static inline int served_socket(struct served_device *served)
{
    int socket = vfio_user_client_socket(served->path);
    if (socket < 0)
        abort();
    return socket;
}

static inline unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += dup2(fd, fd) == fd;
    return count;
}

#endif
