/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/vhost_user_session.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/signaller.h"

#define EVENTS   32
#define WARNINGS 16u /* of one server: a client must not fill the log */

struct request {
    int (*handle)(struct vhost_user_session *session);
    size_t payload_min, payload_max;
    unsigned fds_min, fds_max;
    int feature; /* bit of the protocol feature that it needs; -1 = none */
};

#define ANY_TIME      -1
#define EXACTLY(type) sizeof(type), sizeof(type)
#define NOTHING       0, 0

static const struct request REQUESTS[] = {
    [VHOST_USER_GET_FEATURES] = {vhost_user_get_features, NOTHING, 0, 0, ANY_TIME},
    [VHOST_USER_SET_FEATURES] = {vhost_user_set_features, EXACTLY(uint64_t), 0, 0, ANY_TIME},
    [VHOST_USER_SET_OWNER] = {vhost_user_set_owner, NOTHING, 0, 0, ANY_TIME},
    [VHOST_USER_RESET_OWNER] = {vhost_user_reset_device, NOTHING, 0, 0, ANY_TIME},
    [VHOST_USER_SET_MEM_TABLE] = {vhost_user_set_mem_table, offsetof(struct vhost_user_memory, regions),
                                  sizeof(struct vhost_user_memory), 0, VHOST_USER_TABLE_REGIONS, ANY_TIME},
    [VHOST_USER_SET_VRING_NUM] = {vhost_user_set_vring_num, EXACTLY(struct vhost_user_state), 0, 0, ANY_TIME},
    [VHOST_USER_SET_VRING_ADDR] = {vhost_user_set_vring_addr, EXACTLY(struct vhost_user_address), 0, 0, ANY_TIME},
    [VHOST_USER_SET_VRING_BASE] = {vhost_user_set_vring_base, EXACTLY(struct vhost_user_state), 0, 0, ANY_TIME},
    [VHOST_USER_GET_VRING_BASE] = {vhost_user_get_vring_base, EXACTLY(struct vhost_user_state), 0, 0, ANY_TIME},
    [VHOST_USER_SET_VRING_KICK] = {vhost_user_set_vring_kick, EXACTLY(uint64_t), 0, 1, ANY_TIME},
    [VHOST_USER_SET_VRING_CALL] = {vhost_user_set_vring_call, EXACTLY(uint64_t), 0, 1, ANY_TIME},
    [VHOST_USER_SET_VRING_ERR] = {vhost_user_set_vring_err, EXACTLY(uint64_t), 0, 1, ANY_TIME},
    [VHOST_USER_GET_PROTOCOL_FEATURES] = {vhost_user_get_protocol_features, NOTHING, 0, 0, ANY_TIME},
    [VHOST_USER_SET_PROTOCOL_FEATURES] = {vhost_user_set_protocol_features, EXACTLY(uint64_t), 0, 0, ANY_TIME},
    [VHOST_USER_GET_QUEUE_NUM] = {vhost_user_get_queue_num, NOTHING, 0, 0, VHOST_USER_PROTOCOL_MQ},
    [VHOST_USER_SET_VRING_ENABLE] = {vhost_user_set_vring_enable, EXACTLY(struct vhost_user_state), 0, 0, ANY_TIME},
    [VHOST_USER_SET_BACKEND_REQ_FD] = {vhost_user_set_backend_req_fd, NOTHING, 1, 1, VHOST_USER_PROTOCOL_BACKEND_REQ},
    [VHOST_USER_GET_CONFIG] = {vhost_user_get_config, offsetof(struct vhost_user_config, data),
                               sizeof(struct vhost_user_config), 0, 0, VHOST_USER_PROTOCOL_CONFIG},
    [VHOST_USER_SET_CONFIG] = {vhost_user_set_config, offsetof(struct vhost_user_config, data),
                               sizeof(struct vhost_user_config), 0, 0, VHOST_USER_PROTOCOL_CONFIG},
    [VHOST_USER_GET_INFLIGHT_FD] = {vhost_user_get_inflight_fd, VHOST_USER_INFLIGHT_BYTES,
                                    sizeof(struct vhost_user_inflight), 0, 0, VHOST_USER_PROTOCOL_INFLIGHT_SHMFD},
    [VHOST_USER_SET_INFLIGHT_FD] = {vhost_user_set_inflight_fd, VHOST_USER_INFLIGHT_BYTES,
                                    sizeof(struct vhost_user_inflight), 1, 1, VHOST_USER_PROTOCOL_INFLIGHT_SHMFD},
    [VHOST_USER_RESET_DEVICE] = {vhost_user_reset_device, NOTHING, 0, 0, VHOST_USER_PROTOCOL_RESET_DEVICE},
    [VHOST_USER_GET_MAX_MEM_SLOTS] = {vhost_user_get_max_mem_slots, NOTHING, 0, 0,
                                      VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS},
    [VHOST_USER_ADD_MEM_REG] = {vhost_user_add_mem_reg, EXACTLY(struct vhost_user_one_region), 1, 1,
                                VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS},
    [VHOST_USER_REM_MEM_REG] = {vhost_user_rem_mem_reg, EXACTLY(struct vhost_user_one_region), 0, 1,
                                VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS},
    [VHOST_USER_SET_STATUS] = {vhost_user_set_status, EXACTLY(uint64_t), 0, 0, VHOST_USER_PROTOCOL_STATUS},
    [VHOST_USER_GET_STATUS] = {vhost_user_get_status, NOTHING, 0, 0, VHOST_USER_PROTOCOL_STATUS},
};

int vhost_user_session_init(struct vhost_user_session *session, const struct vhost_device_ops *ops, void *device,
                            struct vhost_user_counters *counters)
{
    memset(session, 0, sizeof *session);
    session->ops = ops;
    session->device = device;
    session->counters = counters;
    session->socket = session->backend_socket = -1;
    ops->info(device, &session->info);
    if (session->info.queues > VHOST_QUEUES)
        return -EINVAL;
    session->events = epoll_create1(EPOLL_CLOEXEC);
    if (session->events < 0)
        return -errno;
    int result = signaller_open(&session->signaller);
    if (result) {
        close(session->events);
        return result;
    }
    pthread_mutex_init(&session->backend_lock, NULL);
    vhost_user_rings_init(session);
    return 0;
}

void vhost_user_session_free(struct vhost_user_session *session)
{
    close(session->events);
    signaller_close(session->signaller);
    pthread_mutex_destroy(&session->backend_lock);
}

bool vhost_user_has(const struct vhost_user_session *session, enum vhost_user_protocol_feature feature)
{
    return session->protocol_features >> feature & 1;
}

void vhost_user_reply(struct vhost_user_session *session, const void *payload, size_t bytes, int fd)
{
    if (vhost_user_message_send(session->socket, session->message.header.request, VHOST_USER_REPLY, payload, bytes, fd))
        session->failed = true;
}

static int handle_request(struct vhost_user_session *session)
{
    const struct vhost_user_message *message = &session->message;
    unsigned number = message->header.request;
    if (message->header.flags & VHOST_USER_REPLY)
        return -EPROTO;
    if (number >= sizeof REQUESTS / sizeof REQUESTS[0] || !REQUESTS[number].handle)
        return -ENOTSUP;
    const struct request *request = &REQUESTS[number];
    if (request->feature >= 0 && !(session->protocol_features >> request->feature & 1))
        return -ENOTSUP;
    if (message->header.size < request->payload_min || message->header.size > request->payload_max)
        return -EINVAL;
    if (message->fd_count < request->fds_min || message->fd_count > request->fds_max || message->fds_lost)
        return -EINVAL;
    return request->handle(session);
}

static void handle_message(struct vhost_user_session *session)
{
    bool wants_answer =
        session->message.header.flags & VHOST_USER_NEED_REPLY && vhost_user_has(session, VHOST_USER_PROTOCOL_REPLY_ACK);
    atomic_fetch_add(&session->counters->messages, 1);
    int result = handle_request(session);
    bool told = result < 0 && atomic_fetch_add(&session->counters->errors, 1) < WARNINGS;
    if (result == VHOST_USER_REPLIED)
        return;
    if (wants_answer) {
        const uint64_t failed = result < 0;
        vhost_user_reply(session, &failed, sizeof failed, -1);
    } else if (result < 0) {
        if (told)
            cipu_warn("vhost-user: request %u is refused: %s: the client is disconnected",
                      session->message.header.request, strerror(-result));
        session->failed = true;
    }
}

/* One message of the client. False at the end of the connection. */
static bool take_message(struct vhost_user_session *session)
{
    int result = vhost_user_message_receive(session->socket, &session->message);
    if (result < 0)
        atomic_fetch_add(&session->counters->errors, 1);
    if (result <= 0)
        return false;
    handle_message(session);
    vhost_user_message_close_fds(&session->message);
    return !session->failed;
}

/* Kicks carry their queue, the socket a number that no queue has. A kick of a ring that has meanwhile stopped does the
 * card no harm. */
static bool take_events(struct vhost_user_session *session)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(session->events, events, EVENTS, -1);
    bool message = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 >= VHOST_QUEUES) {
            message = true;
        } else if (session->rings[events[i].data.u32].running) {
            session->ops->queue_kick(session->device, events[i].data.u32);
            atomic_fetch_add_explicit(&session->counters->kicks, 1, memory_order_relaxed);
        }
    }
    return (count >= 0 || errno == EINTR) && (!message || take_message(session));
}

void vhost_user_session_run(struct vhost_user_session *session, int socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = VHOST_QUEUES};
    session->socket = socket;
    session->failed = session->has_features = false;
    session->features = session->protocol_features = 0;
    session->status = 0;
    vhost_user_backend_attach(session);
    if (epoll_ctl(session->events, EPOLL_CTL_ADD, socket, &event) == 0) {
        while (take_events(session))
            ;
        epoll_ctl(session->events, EPOLL_CTL_DEL, socket, NULL);
    }
    vhost_user_message_close_fds(&session->message);
    shutdown(socket, SHUT_RDWR);
    vhost_user_backend_detach(session);
    vhost_user_rings_stop(session, false);
    vhost_user_rings_forget(session);
    vhost_user_inflight_forget(session);
    vhost_user_memory_forget(session);
    session->ops->reset(session->device);
    session->socket = -1;
}
