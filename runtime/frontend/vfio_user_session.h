/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's connection: what the parts of the vfio-user server share. Everything runs on the frontend's thread
 * except vfio_user_requests_*, which other threads call to reach guest memory by messages.
 */
#ifndef CIPU_VFIO_USER_SESSION_H
#define CIPU_VFIO_USER_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/device/device.h"
#include "runtime/device/interval_map.h"
#include "runtime/frontend/vfio_user_message.h"

struct vfio_user_limits {
    unsigned fds;    /* in one message to the client */
    size_t transfer; /* data bytes in one message */
    size_t maps;     /* pieces of guest memory */
};

/* Requests of this side that wait for the client's reply. */
struct vfio_user_requests {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct vfio_user_request *waiting; /* list */
    unsigned callers;
    uint16_t next_id;
    bool open, cancelled;
};

struct vfio_user_counters {
    atomic_bool connected;
    atomic_uint_fast64_t connections, messages, errors, mappings;
};

struct vfio_user_session {
    const struct device_ops *ops;
    void *device;
    struct vfio_user_counters *counters;

    int socket;
    bool negotiated;
    bool failed; /* sending failed: the connection is over */
    struct vfio_user_limits limits;
    struct interval_map maps;
    struct vfio_user_message message;
    uint8_t *payload; /* the message's, VFIO_USER_MAX_PAYLOAD bytes */
    uint8_t *answer;  /* VFIO_USER_MAX_TRANSFER bytes */

    pthread_mutex_t send_lock;
    struct vfio_user_requests requests;
};

int vfio_user_session_init(struct vfio_user_session *session, const struct device_ops *ops, void *device,
                           struct vfio_user_counters *counters);
void vfio_user_session_free(struct vfio_user_session *session);

/* Serves the client on `socket` until it goes away or loses framing. The socket stays the caller's. */
void vfio_user_session_run(struct vfio_user_session *session, int socket);

/* Answers the current message; at most once, nothing if the client wants no reply. fd = -1: none. */
void vfio_user_reply(struct vfio_user_session *session, const void *first, size_t first_bytes, const void *second,
                     size_t second_bytes, int fd);

/*
 * Command handlers. They check everything before anything changes. They return 0 when they have replied, or a negative
 * errno that becomes the error reply.
 */
int vfio_user_version(struct vfio_user_session *session);
int vfio_user_dma_map(struct vfio_user_session *session);
int vfio_user_dma_unmap(struct vfio_user_session *session);
int vfio_user_device_get_info(struct vfio_user_session *session);
int vfio_user_get_region_info(struct vfio_user_session *session);
int vfio_user_get_region_io_fds(struct vfio_user_session *session);
int vfio_user_get_irq_info(struct vfio_user_session *session);
int vfio_user_set_irqs(struct vfio_user_session *session);
int vfio_user_region_read(struct vfio_user_session *session);
int vfio_user_region_write(struct vfio_user_session *session);
int vfio_user_region_write_multi(struct vfio_user_session *session);
int vfio_user_device_reset(struct vfio_user_session *session);
int vfio_user_device_feature(struct vfio_user_session *session);

void vfio_user_dma_forget(struct vfio_user_session *session);

int vfio_user_requests_init(struct vfio_user_requests *requests);
void vfio_user_requests_free(struct vfio_user_requests *requests);
/* Opens for the session's client; closing fails all that wait and returns when no other thread is inside. */
void vfio_user_requests_open(struct vfio_user_session *session);
void vfio_user_requests_close(struct vfio_user_session *session);
/* The current message is a reply: wakes the one who waits for it. -EPROTO if nobody does or it does not fit. */
int vfio_user_requests_reply(struct vfio_user_session *session);
void vfio_user_requests_messages(struct vfio_user_session *session, struct device_memory_messages *messages);

#endif
