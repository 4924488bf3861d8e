/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's connection: what the parts of the vhost-user server share. Everything runs on the frontend's thread
 * except what the device tells (vhost_user_backend.c).
 *
 * A handler returns 0, VHOST_USER_REPLIED, or a negative errno. An error goes to the client if it asked to be told;
 * otherwise it would go on as if all were well: the connection ends.
 */
#ifndef CIPU_VHOST_USER_SESSION_H
#define CIPU_VHOST_USER_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/device/vhost_device.h"
#include "runtime/frontend/vhost_user_message.h"

#define VHOST_USER_REPLIED      1
#define VHOST_USER_MEMORY_SLOTS 64u

struct vhost_user_piece {
    struct vhost_user_region region;
    dev_t device; /* of the file behind it */
    ino_t inode;
};

struct vhost_user_ring {
    uint32_t entries;
    struct vhost_user_address address; /* as the client gave it */
    bool has_address;
    uint16_t base;
    int kick, error; /* eventfds; -1 = none */
    bool started;    /* has a kick */
    bool enabled;
    struct vhost_queue setting; /* of `running` */
    bool running;
};

struct vhost_user_counters {
    atomic_bool connected;
    atomic_uint_fast64_t connections, messages, errors, kicks;
};

struct vhost_user_session {
    const struct vhost_device_ops *ops;
    void *device;
    struct vhost_device_info info;
    struct vhost_user_counters *counters;

    int socket, events; /* events: the epoll of socket and kicks */
    bool failed;        /* sending failed: the connection is over */
    struct vhost_user_message message;
    uint64_t features, protocol_features;
    bool has_features;
    atomic_uchar status; /* of the virtio device, as the client sets it */
    struct vhost_user_piece pieces[VHOST_USER_MEMORY_SLOTS];
    unsigned piece_count;
    struct vhost_user_ring rings[VHOST_QUEUES];

    uint8_t *inflight; /* the mapped inflight buffer; NULL = none */
    size_t inflight_bytes;
    uint16_t inflight_queues, inflight_entries;

    pthread_mutex_t backend_lock; /* what follows, and rings[].error */
    int backend_socket;
    struct signaller *signaller;
};

int vhost_user_session_init(struct vhost_user_session *session, const struct vhost_device_ops *ops, void *device,
                            struct vhost_user_counters *counters);
void vhost_user_session_free(struct vhost_user_session *session);
/* Serves a connected client until it hangs up or breaks the protocol. The socket stays the caller's. */
void vhost_user_session_run(struct vhost_user_session *session, int socket);

bool vhost_user_has(const struct vhost_user_session *session, enum vhost_user_protocol_feature feature);
void vhost_user_reply(struct vhost_user_session *session, const void *payload, size_t bytes, int fd);

/* Handlers; the payload's size and the number of descriptors are checked. vhost_user_requests.c */
int vhost_user_get_features(struct vhost_user_session *session);
int vhost_user_set_features(struct vhost_user_session *session);
int vhost_user_set_owner(struct vhost_user_session *session);
int vhost_user_reset_device(struct vhost_user_session *session);
int vhost_user_get_protocol_features(struct vhost_user_session *session);
int vhost_user_set_protocol_features(struct vhost_user_session *session);
int vhost_user_get_queue_num(struct vhost_user_session *session);
int vhost_user_get_config(struct vhost_user_session *session);
int vhost_user_set_config(struct vhost_user_session *session);
int vhost_user_get_status(struct vhost_user_session *session);
int vhost_user_set_status(struct vhost_user_session *session);

/* vhost_user_memory.c */
int vhost_user_set_mem_table(struct vhost_user_session *session);
int vhost_user_get_max_mem_slots(struct vhost_user_session *session);
int vhost_user_add_mem_reg(struct vhost_user_session *session);
int vhost_user_rem_mem_reg(struct vhost_user_session *session);
void vhost_user_memory_forget(struct vhost_user_session *session);
/* Guest address of `bytes` at an address of the client, all in one piece. */
bool vhost_user_translate(const struct vhost_user_session *session, uint64_t user_address, uint64_t bytes,
                          uint64_t *guest_address);

/* vhost_user_ring.c */
int vhost_user_set_vring_num(struct vhost_user_session *session);
int vhost_user_set_vring_addr(struct vhost_user_session *session);
int vhost_user_set_vring_base(struct vhost_user_session *session);
int vhost_user_get_vring_base(struct vhost_user_session *session);
int vhost_user_set_vring_kick(struct vhost_user_session *session);
int vhost_user_set_vring_call(struct vhost_user_session *session);
int vhost_user_set_vring_err(struct vhost_user_session *session);
int vhost_user_set_vring_enable(struct vhost_user_session *session);
void vhost_user_rings_init(struct vhost_user_session *session);
/* What the rings are made of changed: they start, stop, or start anew. */
int vhost_user_rings_update(struct vhost_user_session *session);
/* `forget`: the driver has reset the device. Otherwise what is in flight is waited for. */
void vhost_user_rings_stop(struct vhost_user_session *session, bool forget);
/* Stopped and without what the client said of them, but for the eventfds that the device signals: those it gives once.
 */
void vhost_user_rings_reset(struct vhost_user_session *session);
void vhost_user_rings_forget(struct vhost_user_session *session);
bool vhost_user_rings_run(const struct vhost_user_session *session);

/* vhost_user_inflight.c */
int vhost_user_get_inflight_fd(struct vhost_user_session *session);
int vhost_user_set_inflight_fd(struct vhost_user_session *session);
void vhost_user_inflight_forget(struct vhost_user_session *session);
/* A queue's part of the buffer, or NULL when it has none for so many entries. */
void *vhost_user_inflight_of(const struct vhost_user_session *session, unsigned queue, uint32_t entries);

/* vhost_user_backend.c */
int vhost_user_set_backend_req_fd(struct vhost_user_session *session);
void vhost_user_backend_attach(struct vhost_user_session *session);
void vhost_user_backend_detach(struct vhost_user_session *session);

#endif
