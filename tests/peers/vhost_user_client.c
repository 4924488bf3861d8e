/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/vhost_user_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/peers/try.h"

#define ANSWER_MS   10000
#define CONFIG_SIZE 57u /* what QEMU asks for */

#define STATUS_READY    15u
#define STATUS_FEATURES 11u

int vhost_user_client_connect(struct vhost_user_client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(client, 0, sizeof *client);
    client->backend = -1;
    for (unsigned i = 0; i < VHOST_QUEUES; i++)
        client->calls[i] = client->kicks[i] = client->errors[i] = -1;
    client->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (connect(client->socket, (const struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    int result = -errno;
    close(client->socket);
    client->socket = -1;
    return result;
}

static void close_all(int *fds)
{
    for (unsigned i = 0; i < VHOST_QUEUES; i++)
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
}

void vhost_user_client_close(struct vhost_user_client *client)
{
    vhost_user_message_close_fds(&client->message);
    if (client->socket >= 0)
        close(client->socket);
    if (client->backend >= 0)
        close(client->backend);
    client->socket = client->backend = -1;
    close_all(client->calls);
    close_all(client->kicks);
    close_all(client->errors);
}

bool vhost_user_client_hung_up(struct vhost_user_client *client)
{
    struct pollfd end = {.fd = client->socket, .events = POLLRDHUP};
    return poll(&end, 1, 5000) == 1 && end.revents & (POLLRDHUP | POLLHUP);
}

int vhost_user_client_raw(struct vhost_user_client *client, const void *bytes, size_t count, const int *fds,
                          unsigned fd_count)
{
    union {
        char bytes[CMSG_SPACE(64 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)bytes, count};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    return sendmsg(client->socket, &header, MSG_NOSIGNAL) == (ssize_t)count ? 0 : -ECONNRESET;
}

static int transmit(struct vhost_user_client *client, uint32_t request, uint32_t flags, const void *payload,
                    size_t bytes, const int *fds, unsigned fd_count)
{
    uint8_t message[sizeof(struct vhost_user_header) + sizeof(union vhost_user_payload)];
    const struct vhost_user_header header = {request, VHOST_USER_VERSION | flags, (uint32_t)bytes};
    memcpy(message, &header, sizeof header);
    if (bytes)
        memcpy(message + sizeof header, payload, bytes);
    return vhost_user_client_raw(client, message, sizeof header + bytes, fds, fd_count);
}

static int receive(struct vhost_user_client *client, uint32_t request)
{
    struct pollfd answer = {.fd = client->socket, .events = POLLIN};
    if (poll(&answer, 1, ANSWER_MS) != 1)
        return -ETIMEDOUT;
    int result = vhost_user_message_receive(client->socket, &client->message);
    if (result <= 0)
        return -ECONNRESET;
    return client->message.header.request == request &&
                   client->message.header.flags == (VHOST_USER_VERSION | VHOST_USER_REPLY)
               ? 0
               : -EPROTO;
}

int vhost_user_client_send(struct vhost_user_client *client, uint32_t request, const void *payload, size_t bytes,
                           const int *fds, unsigned fd_count)
{
    bool asks = client->needs_reply && client->protocol_features >> VHOST_USER_PROTOCOL_REPLY_ACK & 1;
    TRY(transmit(client, request, asks ? VHOST_USER_NEED_REPLY : 0, payload, bytes, fds, fd_count));
    if (!asks)
        return 0;
    TRY(receive(client, request));
    if (client->message.header.size != sizeof(uint64_t))
        return -EPROTO;
    return client->message.payload.value ? -EREMOTEIO : 0;
}

int vhost_user_client_ask(struct vhost_user_client *client, uint32_t request, const void *payload, size_t bytes)
{
    TRY(transmit(client, request, 0, payload, bytes, NULL, 0));
    return receive(client, request);
}

int vhost_user_client_get(struct vhost_user_client *client, uint32_t request, uint64_t *value)
{
    TRY(vhost_user_client_ask(client, request, NULL, 0));
    *value = client->message.payload.value;
    return client->message.header.size == sizeof *value ? 0 : -EPROTO;
}

int vhost_user_client_set(struct vhost_user_client *client, uint32_t request, uint64_t value)
{
    return vhost_user_client_send(client, request, &value, sizeof value, NULL, 0);
}

int vhost_user_client_set_ring(struct vhost_user_client *client, uint32_t request, unsigned queue, uint32_t number)
{
    const struct vhost_user_state state = {queue, number};
    return vhost_user_client_send(client, request, &state, sizeof state, NULL, 0);
}

int vhost_user_client_set_ring_fd(struct vhost_user_client *client, uint32_t request, unsigned queue, int fd)
{
    const uint64_t value = queue | (fd < 0 ? VHOST_USER_VRING_NO_FD : 0);
    return vhost_user_client_send(client, request, &value, sizeof value, &fd, fd < 0 ? 0 : 1);
}

int vhost_user_client_add_memory(struct vhost_user_client *client, const struct vhost_user_region *region, int fd)
{
    const struct vhost_user_one_region message = {0, *region};
    return vhost_user_client_send(client, VHOST_USER_ADD_MEM_REG, &message, sizeof message, &fd, 1);
}

static bool has(const struct vhost_user_client *client, unsigned feature)
{
    return client->protocol_features >> feature & 1;
}

static int give_backend_socket(struct vhost_user_client *client)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    client->backend = pair[0];
    int result = vhost_user_client_send(client, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
    close(pair[1]);
    return result;
}

/* Given anew each time, as QEMU does. */
static int give_eventfd(struct vhost_user_client *client, uint32_t request, unsigned queue, int *fd)
{
    if (*fd < 0)
        *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return vhost_user_client_set_ring_fd(client, request, queue, *fd);
}

int vhost_user_client_realize(struct vhost_user_client *client, struct vhost_user_machine *machine)
{
    uint64_t value;
    TRY(vhost_user_client_get(client, VHOST_USER_GET_FEATURES, &value));
    if (!(value & VHOST_USER_F_PROTOCOL_FEATURES))
        return -EPROTO;
    TRY(vhost_user_client_get(client, VHOST_USER_GET_PROTOCOL_FEATURES, &value));
    uint64_t wanted = value & machine->protocol;
    TRY(vhost_user_client_set(client, VHOST_USER_SET_PROTOCOL_FEATURES, wanted));
    client->protocol_features = wanted;
    if (has(client, VHOST_USER_PROTOCOL_MQ)) {
        TRY(vhost_user_client_get(client, VHOST_USER_GET_QUEUE_NUM, &value));
        if (value < machine->queues)
            return -ENOSPC;
    }
    if (has(client, VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS)) {
        TRY(vhost_user_client_get(client, VHOST_USER_GET_MAX_MEM_SLOTS, &value));
        if (value < 32)
            return -ENOSPC;
    }
    if (has(client, VHOST_USER_PROTOCOL_BACKEND_REQ))
        TRY(give_backend_socket(client));
    TRY(vhost_user_client_send(client, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0));
    TRY(vhost_user_client_get(client, VHOST_USER_GET_FEATURES, &value));
    client->needs_reply = machine->version == QEMU_11_1;
    for (unsigned i = 0; i < machine->queues; i++) {
        TRY(give_eventfd(client, VHOST_USER_SET_VRING_CALL, i, &client->calls[i]));
        TRY(give_eventfd(client, VHOST_USER_SET_VRING_ERR, i, &client->errors[i]));
    }
    if (has(client, VHOST_USER_PROTOCOL_CONFIG)) {
        struct vhost_user_config config = {.bytes = CONFIG_SIZE};
        size_t bytes = offsetof(struct vhost_user_config, data) + CONFIG_SIZE;
        TRY(vhost_user_client_ask(client, VHOST_USER_GET_CONFIG, &config, bytes));
        if (client->message.header.size != bytes)
            return -EPROTO;
    }
    if (machine->version == QEMU_11_1 && has(client, VHOST_USER_PROTOCOL_RESET_DEVICE))
        TRY(vhost_user_client_send(client, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0));
    return 0;
}

/* Read, modify, write. */
static int add_status(struct vhost_user_client *client, uint64_t bits)
{
    uint64_t status;
    if (!has(client, VHOST_USER_PROTOCOL_STATUS))
        return 0;
    TRY(vhost_user_client_get(client, VHOST_USER_GET_STATUS, &status));
    TRY(vhost_user_client_set(client, VHOST_USER_SET_STATUS, status | bits));
    TRY(vhost_user_client_get(client, VHOST_USER_GET_STATUS, &status));
    return (status & bits) == bits ? 0 : -EPROTO;
}

static int give_inflight(struct vhost_user_client *client, struct vhost_user_machine *machine)
{
    if (machine->inflight < 0) {
        const struct vhost_user_inflight ask = {.queues = (uint16_t)machine->queues, .entries = machine->entries};
        TRY(vhost_user_client_ask(client, VHOST_USER_GET_INFLIGHT_FD, &ask, sizeof ask));
        machine->inflight_description = client->message.payload.inflight;
        machine->inflight = vhost_user_message_take_fd(&client->message, 0);
        if (machine->inflight < 0 || client->message.header.size != sizeof ask)
            return -EPROTO;
    }
    return vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &machine->inflight_description,
                                  sizeof machine->inflight_description, &machine->inflight, 1);
}

static int give_memory(struct vhost_user_client *client, struct vhost_user_machine *machine)
{
    if (has(client, VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS)) {
        for (unsigned i = 0; i < machine->piece_count; i++)
            TRY(vhost_user_client_add_memory(client, &machine->pieces[i], machine->piece_fds[i]));
        return 0;
    }
    struct vhost_user_memory table = {.count = machine->piece_count};
    memcpy(table.regions, machine->pieces, sizeof machine->pieces);
    return vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table,
                                  offsetof(struct vhost_user_memory, regions) +
                                      machine->piece_count * sizeof table.regions[0],
                                  machine->piece_fds, machine->piece_count);
}

static int take_memory(struct vhost_user_client *client, struct vhost_user_machine *machine)
{
    if (!has(client, VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS))
        return 0;
    for (unsigned i = 0; i < machine->piece_count; i++) {
        struct vhost_user_one_region message = {0, machine->pieces[i]};
        message.region.offset = 0;
        TRY(vhost_user_client_send(client, VHOST_USER_REM_MEM_REG, &message, sizeof message, NULL, 0));
    }
    return 0;
}

int vhost_user_client_start(struct vhost_user_client *client, struct vhost_user_machine *machine)
{
    uint64_t offered, features;
    client->needs_reply = false;
    TRY(vhost_user_client_get(client, VHOST_USER_GET_FEATURES, &offered));
    features = (machine->features & offered) | VHOST_USER_F_PROTOCOL_FEATURES;
    client->features = features;
    TRY(vhost_user_client_set(client, VHOST_USER_SET_FEATURES, features));
    TRY(add_status(client, STATUS_FEATURES));
    if (has(client, VHOST_USER_PROTOCOL_INFLIGHT_SHMFD))
        TRY(give_inflight(client, machine));
    client->needs_reply = machine->version == QEMU_11_1;
    for (unsigned i = 0; i < machine->queues; i++)
        TRY(give_eventfd(client, VHOST_USER_SET_VRING_CALL, i, &client->calls[i]));
    client->needs_reply = false;
    TRY(vhost_user_client_set(client, VHOST_USER_SET_FEATURES, features));
    client->needs_reply = true; /* of memory both versions want to know */
    TRY(give_memory(client, machine));
    client->needs_reply = machine->version == QEMU_11_1;
    for (unsigned i = 0; i < machine->started; i++) {
        machine->rings[i].index = i;
        TRY(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_NUM, i, machine->entries));
        TRY(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_BASE, i, machine->bases[i]));
        TRY(vhost_user_client_send(client, VHOST_USER_SET_VRING_ADDR, &machine->rings[i], sizeof machine->rings[i],
                                   NULL, 0));
        TRY(give_eventfd(client, VHOST_USER_SET_VRING_KICK, i, &client->kicks[i]));
        TRY(give_eventfd(client, VHOST_USER_SET_VRING_CALL, i, &client->calls[i]));
    }
    for (unsigned i = 0; i < machine->queues; i++)
        TRY(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, i, 1));
    return add_status(client, STATUS_READY);
}

int vhost_user_client_stop(struct vhost_user_client *client, struct vhost_user_machine *machine)
{
    if (machine->version == QEMU_11_1)
        for (unsigned i = 0; i < machine->queues; i++)
            TRY(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, i, 0));
    for (unsigned i = 0; i < machine->started; i++) {
        const struct vhost_user_state state = {i, 0};
        TRY(vhost_user_client_ask(client, VHOST_USER_GET_VRING_BASE, &state, sizeof state));
        if (client->message.header.size != sizeof state || client->message.payload.state.index != i)
            return -EPROTO;
        machine->bases[i] = (uint16_t)client->message.payload.state.number;
    }
    if (has(client, VHOST_USER_PROTOCOL_STATUS))
        TRY(vhost_user_client_set(client, VHOST_USER_SET_STATUS, 0));
    client->needs_reply = true;
    return take_memory(client, machine);
}
