/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/vfio_user_message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/frontend/socket_message.h"

void vfio_user_message_init(struct vfio_user_message *message, uint8_t *payload)
{
    memset(message, 0, sizeof *message);
    message->payload = payload;
}

void vfio_user_message_close_fds(struct vfio_user_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
    message->fds_lost = false;
}

static int receive_bytes(int socket, struct vfio_user_message *message, void *data, size_t bytes)
{
    const struct socket_fds fds = {message->fds, VFIO_USER_MESSAGE_FDS, &message->fd_count, &message->fds_lost};
    return socket_receive(socket, &fds, data, bytes);
}

int vfio_user_message_receive(int socket, struct vfio_user_message *message)
{
    vfio_user_message_close_fds(message);
    message->bytes = 0;
    int result = receive_bytes(socket, message, &message->header, sizeof message->header);
    if (result <= 0)
        return result;
    if (message->header.size < sizeof message->header ||
        message->header.size - sizeof message->header > VFIO_USER_MAX_PAYLOAD)
        return -EPROTO;
    message->bytes = message->header.size - sizeof message->header;
    if (message->bytes == 0)
        return 1;
    result = receive_bytes(socket, message, message->payload, message->bytes);
    return result == 0 ? -ECONNRESET : result;
}

int vfio_user_message_send(int socket, struct vfio_user_header *header, const void *first, size_t first_bytes,
                           const void *second, size_t second_bytes, int fd)
{
    const struct iovec parts[] = {
        {header, sizeof *header}, {(void *)(uintptr_t)first, first_bytes}, {(void *)(uintptr_t)second, second_bytes}};
    header->size = (uint32_t)(sizeof *header + first_bytes + second_bytes);
    return socket_send(socket, parts, 3, fd, VFIO_USER_SEND_MS);
}
