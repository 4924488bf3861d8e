/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vhost-user session on any stream of bytes, in front of a device that aborts when it is asked for what no frontend
 * may ask. A first byte with its low bit set has a good negotiation put before the rest, so that the requests behind it
 * are reached, and the next bit makes the framing right: the rest is then cut into messages of {u8 request, u8 flags,
 * u8 length, payload}; flags: 1 needs a reply, 2 an eventfd, 4 a memory file, both so often as the upper bits say.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/frontend/vhost_user_session.h"
#include "tests/runtime/frontend/plain_vhost_device.h"

#define MEMORY_BYTES (1 << 20)

static struct plain_vhost_device device;
static struct vhost_user_session session;
static struct vhost_user_counters counters;
static int memory, event;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    memory = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    plain_vhost_device_init(&device);
    return ftruncate(memory, MEMORY_BYTES)
               ? 1
               : vhost_user_session_init(&session, &plain_vhost_device_ops, &device, &counters);
}

static void send_message(int socket, uint32_t request, uint8_t flags, const uint8_t *payload, uint32_t bytes)
{
    uint8_t message[sizeof(struct vhost_user_header) + 255];
    const struct vhost_user_header header = {request, VHOST_USER_VERSION | (flags & 1 ? VHOST_USER_NEED_REPLY : 0),
                                             bytes};
    union {
        char bytes[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    int fds[16];
    unsigned count = 0, repeat = 1u + (flags >> 5);
    memcpy(message, &header, sizeof header);
    memcpy(message + sizeof header, payload, bytes);
    for (unsigned i = 0; i < repeat; i++) {
        if (flags & 2)
            fds[count++] = event;
        if (flags & 4)
            fds[count++] = memory;
    }
    struct iovec part = {message, sizeof header + bytes};
    struct msghdr out = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        out.msg_control = control.bytes;
        out.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&out);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    (void)!sendmsg(socket, &out, 0);
}

static void send_messages(int socket, const uint8_t *data, size_t bytes)
{
    while (bytes >= 3) {
        size_t payload = data[2] < bytes - 3 ? data[2] : bytes - 3;
        send_message(socket, data[0], data[1], data + 3, (uint32_t)payload);
        data += 3 + payload;
        bytes -= 3 + payload;
    }
}

static void negotiate(int socket)
{
    const uint64_t protocol = 0x1b629, features = PLAIN_FEATURES | VHOST_USER_F_PROTOCOL_FEATURES;
    send_message(socket, VHOST_USER_SET_PROTOCOL_FEATURES, 0, (const uint8_t *)&protocol, sizeof protocol);
    send_message(socket, VHOST_USER_SET_FEATURES, 0, (const uint8_t *)&features, sizeof features);
}

static void *drain(void *argument)
{
    uint8_t bytes[65536];
    while (read(*(int *)argument, bytes, sizeof bytes) > 0)
        ;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int sockets[2];
    pthread_t drainer;
    if (bytes < 1 || bytes > 4096 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
        return 0;
    const int room = 1 << 20; /* the whole stream is written before anybody reads */
    setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (data[0] & 1)
        negotiate(sockets[0]);
    if (data[0] & 2)
        send_messages(sockets[0], data + 1, bytes - 1);
    else
        (void)!write(sockets[0], data + 1, bytes - 1);
    shutdown(sockets[0], SHUT_WR);
    pthread_create(&drainer, NULL, drain, &sockets[0]);
    vhost_user_session_run(&session, sockets[1]);
    close(sockets[1]);
    pthread_join(drainer, NULL);
    close(sockets[0]);
    return device.pieces ? abort(), 0 : 0;
}
