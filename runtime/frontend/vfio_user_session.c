/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/vfio_user_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct command {
    int (*handle)(struct vfio_user_session *session);
    size_t payload_min;
    size_t payload_max;
    unsigned fds_max;
};

#define EXACTLY(type)  sizeof(type), sizeof(type)
#define AT_LEAST(type) sizeof(type), VFIO_USER_MAX_PAYLOAD

static const struct command COMMANDS[] = {
    [VFIO_USER_VERSION] = {vfio_user_version, AT_LEAST(struct vfio_user_version), 0},
    [VFIO_USER_DMA_MAP] = {vfio_user_dma_map, EXACTLY(struct vfio_user_dma_map), 1},
    [VFIO_USER_DMA_UNMAP] = {vfio_user_dma_unmap, EXACTLY(struct vfio_user_dma_unmap), 0},
    [VFIO_USER_DEVICE_GET_INFO] = {vfio_user_device_get_info, EXACTLY(struct vfio_user_device_info), 0},
    [VFIO_USER_DEVICE_GET_REGION_INFO] = {vfio_user_get_region_info, AT_LEAST(struct vfio_user_region_info), 0},
    [VFIO_USER_DEVICE_GET_REGION_IO_FDS] = {vfio_user_get_region_io_fds, AT_LEAST(struct vfio_user_region_io_fds), 0},
    [VFIO_USER_DEVICE_GET_IRQ_INFO] = {vfio_user_get_irq_info, EXACTLY(struct vfio_user_irq_info), 0},
    [VFIO_USER_DEVICE_SET_IRQS] = {vfio_user_set_irqs, AT_LEAST(struct vfio_user_irq_set), VFIO_USER_MAX_FDS},
    [VFIO_USER_REGION_READ] = {vfio_user_region_read, EXACTLY(struct vfio_user_region_access), 0},
    [VFIO_USER_REGION_WRITE] = {vfio_user_region_write, AT_LEAST(struct vfio_user_region_access), 0},
    [VFIO_USER_DEVICE_RESET] = {vfio_user_device_reset, 0, 0, 0},
    [VFIO_USER_REGION_WRITE_MULTI] = {vfio_user_region_write_multi, AT_LEAST(uint64_t), 0},
    [VFIO_USER_DEVICE_FEATURE] = {vfio_user_device_feature, AT_LEAST(struct vfio_user_feature), 0},
};

int vfio_user_session_init(struct vfio_user_session *session, const struct device_ops *ops, void *device,
                           struct vfio_user_counters *counters)
{
    memset(session, 0, sizeof *session);
    session->ops = ops;
    session->device = device;
    session->counters = counters;
    session->socket = -1;
    session->payload = malloc(VFIO_USER_MAX_PAYLOAD);
    session->answer = malloc(VFIO_USER_MAX_TRANSFER);
    if (!session->payload || !session->answer || vfio_user_requests_init(&session->requests)) {
        free(session->payload);
        free(session->answer);
        return -ENOMEM;
    }
    pthread_mutex_init(&session->send_lock, NULL);
    vfio_user_message_init(&session->message, session->payload);
    return 0;
}

void vfio_user_session_free(struct vfio_user_session *session)
{
    vfio_user_requests_free(&session->requests);
    pthread_mutex_destroy(&session->send_lock);
    free(session->payload);
    free(session->answer);
}

static void send_reply(struct vfio_user_session *session, uint32_t flags, uint32_t error, const void *first,
                       size_t first_bytes, const void *second, size_t second_bytes, int fd)
{
    struct vfio_user_header header = {.id = session->message.header.id,
                                      .command = session->message.header.command,
                                      .flags = VFIO_USER_REPLY | flags,
                                      .error = error};
    if (session->message.header.flags & VFIO_USER_NO_REPLY)
        return;
    pthread_mutex_lock(&session->send_lock);
    int result = vfio_user_message_send(session->socket, &header, first, first_bytes, second, second_bytes, fd);
    pthread_mutex_unlock(&session->send_lock);
    if (result < 0)
        session->failed = true;
}

void vfio_user_reply(struct vfio_user_session *session, const void *first, size_t first_bytes, const void *second,
                     size_t second_bytes, int fd)
{
    send_reply(session, 0, 0, first, first_bytes, second, second_bytes, fd);
}

static int handle_command(struct vfio_user_session *session)
{
    const struct vfio_user_message *message = &session->message;
    unsigned number = message->header.command;
    if (message->header.flags & ~(uint32_t)(VFIO_USER_TYPE_MASK | VFIO_USER_NO_REPLY))
        return -EINVAL;
    if (number >= sizeof COMMANDS / sizeof COMMANDS[0] || !COMMANDS[number].handle)
        return -ENOTSUP;
    const struct command *command = &COMMANDS[number];
    if (session->negotiated == (number == VFIO_USER_VERSION))
        return -EINVAL;
    if (message->bytes < command->payload_min || message->bytes > command->payload_max)
        return -EINVAL;
    if (message->fd_count > command->fds_max || message->fds_lost)
        return -EINVAL;
    return command->handle(session);
}

static void handle_message(struct vfio_user_session *session)
{
    int result;
    atomic_fetch_add(&session->counters->messages, 1);
    switch (session->message.header.flags & VFIO_USER_TYPE_MASK) {
    case VFIO_USER_COMMAND:
        result = handle_command(session);
        if (result < 0)
            send_reply(session, VFIO_USER_ERROR, (uint32_t)-result, NULL, 0, NULL, 0, -1);
        break;
    case VFIO_USER_REPLY:
        result = vfio_user_requests_reply(session);
        break;
    default:
        result = -EINVAL;
        send_reply(session, VFIO_USER_ERROR, EINVAL, NULL, 0, NULL, 0, -1);
    }
    if (result < 0)
        atomic_fetch_add(&session->counters->errors, 1);
}

void vfio_user_session_run(struct vfio_user_session *session, int socket)
{
    session->socket = socket;
    session->negotiated = false;
    session->failed = false;
    session->limits = (struct vfio_user_limits){1, VFIO_USER_MAX_TRANSFER, VFIO_USER_MAX_MAPS};
    vfio_user_requests_open(session);
    struct device_memory_messages messages;
    vfio_user_requests_messages(session, &messages);
    session->ops->memory_messages(session->device, &messages);

    int result;
    while (!session->failed && (result = vfio_user_message_receive(socket, &session->message)) != 0) {
        if (result < 0) {
            atomic_fetch_add(&session->counters->errors, 1);
            break;
        }
        handle_message(session);
        vfio_user_message_close_fds(&session->message);
    }
    vfio_user_message_close_fds(&session->message);
    shutdown(socket, SHUT_RDWR);
    vfio_user_requests_close(session);
    session->ops->memory_messages(session->device, NULL);
    session->ops->disconnected(session->device);
    vfio_user_dma_forget(session);
    session->socket = -1;
}
