/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/socket_message.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void take_fds(const struct socket_fds *fds, struct msghdr *header)
{
    if (header->msg_flags & MSG_CTRUNC)
        *fds->lost = true;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
            if (*fds->count < fds->room) {
                fds->fds[(*fds->count)++] = fd;
            } else {
                close(fd);
                *fds->lost = true;
            }
        }
    }
}

int socket_receive(int socket, const struct socket_fds *fds, void *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        union {
            char bytes[CMSG_SPACE(SOCKET_MESSAGE_FDS * sizeof(int))];
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
        take_fds(fds, &header);
        if (got == 0)
            return done ? -ECONNRESET : 0;
        done += (size_t)got;
    }
    return 1;
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The time counts from the first wait of a message on (*until = 0 before), however little the other end takes each
 * time. */
static bool wait_for_room(int socket, int milliseconds, int64_t *until)
{
    struct pollfd room = {.fd = socket, .events = POLLOUT};
    int64_t now = now_ms();
    if (*until == 0)
        *until = now + milliseconds;
    return now < *until && poll(&room, 1, (int)(*until - now)) != 0;
}

/* Leaves out what was sent. */
static void advance(struct msghdr *message, size_t sent)
{
    while (sent > 0) {
        size_t step = sent < message->msg_iov->iov_len ? sent : message->msg_iov->iov_len;
        message->msg_iov->iov_base = (uint8_t *)message->msg_iov->iov_base + step;
        message->msg_iov->iov_len -= step;
        sent -= step;
        if (message->msg_iov->iov_len == 0 && message->msg_iovlen > 1) {
            message->msg_iov++;
            message->msg_iovlen--;
        }
    }
}

int socket_send(int socket, const struct iovec *from, unsigned count, int fd, int milliseconds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec parts[SOCKET_SEND_PARTS];
    size_t total = 0, left;
    if (count == 0 || count > SOCKET_SEND_PARTS)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        parts[i] = from[i];
        total += from[i].iov_len;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    int64_t until = 0;
    for (left = total; left > 0;) {
        ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            return -errno;
        if (sent < 0) {
            if (!wait_for_room(socket, milliseconds, &until))
                return left == total ? -EAGAIN : -ETIMEDOUT;
            continue;
        }
        left -= (size_t)sent;
        message.msg_control = NULL;
        message.msg_controllen = 0;
        advance(&message, (size_t)sent);
    }
    return 0;
}
