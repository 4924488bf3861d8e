/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/vhost_user_message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void vhost_user_message_close_fds(struct vhost_user_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
    message->fds_lost = false;
}

int vhost_user_message_take_fd(struct vhost_user_message *message, unsigned number)
{
    if (number >= message->fd_count)
        return -1;
    int fd = message->fds[number];
    message->fds[number] = -1;
    return fd;
}

int vhost_user_message_receive(int socket, struct vhost_user_message *message)
{
    const struct socket_fds fds = {message->fds, SOCKET_MESSAGE_FDS, &message->fd_count, &message->fds_lost};
    vhost_user_message_close_fds(message);
    memset(&message->payload, 0, sizeof message->payload);
    int result = socket_receive(socket, &fds, &message->header, sizeof message->header);
    if (result <= 0)
        return result;
    if ((message->header.flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
        message->header.size > sizeof message->payload)
        return -EPROTO;
    if (message->header.size == 0)
        return 1;
    result = socket_receive(socket, &fds, &message->payload, message->header.size);
    return result == 0 ? -ECONNRESET : result;
}

int vhost_user_message_send(int socket, uint32_t request, uint32_t flags, const void *payload, size_t bytes, int fd)
{
    struct vhost_user_header header = {request, VHOST_USER_VERSION | flags, (uint32_t)bytes};
    const struct iovec parts[] = {{&header, sizeof header}, {(void *)(uintptr_t)payload, bytes}};
    return socket_send(socket, parts, bytes ? 2 : 1, fd, VHOST_USER_SEND_MS);
}
