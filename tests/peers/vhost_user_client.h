/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user client for tests: single messages, good and bad ones, and the orders of them that QEMU has for
 * vhost-user-blk. Functions return 0 or a negative errno: -EREMOTEIO when the server answers that a request failed,
 * -ECONNRESET when it hung up, -ETIMEDOUT after 10 s.
 */
#ifndef CIPU_VHOST_USER_CLIENT_H
#define CIPU_VHOST_USER_CLIENT_H

#include "runtime/device/vhost_device.h"
#include "runtime/frontend/vhost_user_message.h"

#define VHOST_CLIENT_PIECES 8u

struct vhost_user_client {
    int socket;
    int backend;      /* our end of the backend's own socket */
    bool needs_reply; /* asks to be told of each request's end, as QEMU 11.1 does of most */
    uint64_t features, protocol_features;
    struct vhost_user_message message; /* the last answer */
    int calls[VHOST_QUEUES], kicks[VHOST_QUEUES], errors[VHOST_QUEUES];
};

int vhost_user_client_connect(struct vhost_user_client *client, const char *path);
void vhost_user_client_close(struct vhost_user_client *client);
bool vhost_user_client_hung_up(struct vhost_user_client *client);

/* Sends bytes and descriptors exactly as they are. */
int vhost_user_client_raw(struct vhost_user_client *client, const void *bytes, size_t count, const int *fds,
                          unsigned fd_count);
/* A request, acknowledged if the client asks for that. */
int vhost_user_client_send(struct vhost_user_client *client, uint32_t request, const void *payload, size_t bytes,
                           const int *fds, unsigned fd_count);
/* A request that has an answer of its own: it is in client->message. */
int vhost_user_client_ask(struct vhost_user_client *client, uint32_t request, const void *payload, size_t bytes);
int vhost_user_client_get(struct vhost_user_client *client, uint32_t request, uint64_t *value);
int vhost_user_client_set(struct vhost_user_client *client, uint32_t request, uint64_t value);
int vhost_user_client_set_ring(struct vhost_user_client *client, uint32_t request, unsigned queue, uint32_t number);
int vhost_user_client_set_ring_fd(struct vhost_user_client *client, uint32_t request, unsigned queue, int fd);
int vhost_user_client_add_memory(struct vhost_user_client *client, const struct vhost_user_region *region, int fd);

/* What QEMU does when it connects: features, queues, configuration. */
enum vhost_user_qemu { QEMU_7_2, QEMU_11_1 };
struct vhost_user_machine {
    enum vhost_user_qemu version;
    unsigned queues, started; /* the driver (SeaBIOS) may start fewer */
    uint16_t entries;
    uint64_t features; /* that the driver takes */
    uint64_t protocol; /* mask of protocol features */
    struct vhost_user_region pieces[VHOST_CLIENT_PIECES];
    int piece_fds[VHOST_CLIENT_PIECES];
    unsigned piece_count;
    struct vhost_user_address rings[VHOST_QUEUES];
    uint16_t bases[VHOST_QUEUES];
    int inflight; /* descriptor; -1 = none yet */
    struct vhost_user_inflight inflight_description;
};
int vhost_user_client_realize(struct vhost_user_client *client, struct vhost_user_machine *machine);
/* The driver is ready; the machine stops or the driver resets. */
int vhost_user_client_start(struct vhost_user_client *client, struct vhost_user_machine *machine);
int vhost_user_client_stop(struct vhost_user_client *client, struct vhost_user_machine *machine);

#endif
