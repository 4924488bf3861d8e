/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/vfio_user_message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

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

static void take_fds(struct vfio_user_message *message, struct msghdr *header)
{
    if (header->msg_flags & MSG_CTRUNC)
        message->fds_lost = true;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
            if (message->fd_count < VFIO_USER_MESSAGE_FDS) {
                message->fds[message->fd_count++] = fd;
            } else {
                close(fd);
                message->fds_lost = true;
            }
        }
    }
}

/* Reads exactly `bytes`; 0 = end of stream before the first byte. */
static int receive_bytes(int socket, struct vfio_user_message *message, void *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        union {
            char bytes[CMSG_SPACE(VFIO_USER_MESSAGE_FDS * sizeof(int))];
            struct cmsghdr align;
        } control;
        struct iovec part = {(uint8_t *)data + done, bytes - done};
        struct msghdr header = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
        ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        take_fds(message, &header);
        if (got == 0)
            return done ? -ECONNRESET : 0;
        done += (size_t)got;
    }
    return 1;
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

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The time counts from the first wait of a message on (*until = 0 before), however little the client takes each time.
 */
static bool wait_for_room(int socket, int64_t *until)
{
    struct pollfd room = {.fd = socket, .events = POLLOUT};
    int64_t now = now_ms();
    if (*until == 0)
        *until = now + VFIO_USER_SEND_MS;
    return now < *until && poll(&room, 1, (int)(*until - now)) != 0;
}

int vfio_user_message_send(int socket, struct vfio_user_header *header, const void *first, size_t first_bytes,
                           const void *second, size_t second_bytes, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec parts[3] = {
        {header, sizeof *header}, {(void *)(uintptr_t)first, first_bytes}, {(void *)(uintptr_t)second, second_bytes}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};

    header->size = (uint32_t)(sizeof *header + first_bytes + second_bytes);
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    size_t left = header->size;
    int64_t until = 0;
    while (left > 0) {
        ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            return -errno;
        if (sent < 0) {
            if (!wait_for_room(socket, &until))
                return left == header->size ? -EAGAIN : -ETIMEDOUT;
            continue;
        }
        left -= (size_t)sent;
        message.msg_control = NULL;
        message.msg_controllen = 0;
        for (size_t skip = (size_t)sent; skip > 0;) {
            size_t step = skip < message.msg_iov->iov_len ? skip : message.msg_iov->iov_len;
            message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + step;
            message.msg_iov->iov_len -= step;
            skip -= step;
            if (message.msg_iov->iov_len == 0 && message.msg_iovlen > 1) {
                message.msg_iov++;
                message.msg_iovlen--;
            }
        }
    }
    return 0;
}
