/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/vfio_user_client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MEMORIES      16
#define REPLY_SECONDS 10
#define PAGE          4096u

struct memory {
    uint64_t address, length;
    uint8_t *bytes;
    int fd;
};

struct vfio_user_client {
    int socket;
    uint16_t next_id;
    pthread_t reader;
    pthread_mutex_t send_lock;
    struct memory memories[MEMORIES];
    atomic_uint memory_count;
    atomic_uint_fast64_t dma_messages;
    atomic_bool answers;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t arrived;
    bool hung_up, waiting, done;
    uint16_t waiting_id;
    struct vfio_user_header reply;
    struct vfio_user_exchange *exchange;
};

int vfio_user_client_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    for (int tries = 0; tries < 100; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return -ECONNREFUSED;
}

static uint8_t *find_memory(struct vfio_user_client *client, uint64_t address, uint64_t length)
{
    /* The newest first: it may have taken an older one's place. */
    for (unsigned i = client->memory_count; i-- > 0;) {
        const struct memory *memory = &client->memories[i];
        if (address >= memory->address && length <= memory->length &&
            address - memory->address <= memory->length - length)
            return memory->bytes + (address - memory->address);
    }
    return NULL;
}

/* The device's accesses are as unordered with the driver's as those of hardware: not for the thread sanitizer to judge.
 * Two bytes are one access, as the ring's indices need. */
__attribute__((noinline, no_sanitize("thread"))) static void device_copy(uint8_t *to, const uint8_t *from, size_t bytes)
{
    if (bytes == 2) {
        *(volatile uint16_t *)to = *(const volatile uint16_t *)from;
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        ((volatile uint8_t *)to)[i] = ((const volatile uint8_t *)from)[i];
}

static void answer_dma(struct vfio_user_client *client, const struct vfio_user_message *message)
{
    struct vfio_user_dma_access access = {0};
    struct vfio_user_header header = {
        .id = message->header.id, .command = message->header.command, .flags = VFIO_USER_REPLY};
    bool write = message->header.command == VFIO_USER_DMA_WRITE;
    const size_t head = sizeof access;
    uint8_t *memory = NULL;
    if (message->bytes >= head) {
        memcpy(&access, message->payload, head);
        if (access.count <= VFIO_USER_MAX_TRANSFER && message->bytes == head + (write ? access.count : 0))
            memory = find_memory(client, access.address, access.count);
    }
    if (!memory) {
        header.flags |= VFIO_USER_ERROR;
        header.error = EFAULT;
    } else if (write) {
        device_copy(memory, message->payload + head, access.count);
    } else {
        device_copy(message->payload + head, memory, access.count);
    }
    atomic_thread_fence(memory_order_seq_cst);
    client->dma_messages++;
    pthread_mutex_lock(&client->send_lock);
    (void)vfio_user_message_send(client->socket, &header, &access, memory ? head : 0, message->payload + head,
                                 memory && !write ? access.count : 0, -1);
    pthread_mutex_unlock(&client->send_lock);
}

static void take_reply(struct vfio_user_client *client, struct vfio_user_message *message)
{
    pthread_mutex_lock(&client->lock);
    if (client->waiting && client->waiting_id == message->header.id) {
        struct vfio_user_exchange *exchange = client->exchange;
        client->reply = message->header;
        exchange->reply_bytes = message->bytes;
        if (exchange->reply)
            memcpy(exchange->reply, message->payload,
                   message->bytes < exchange->room ? message->bytes : exchange->room);
        if (message->fd_count == 1) {
            exchange->reply_fd = message->fds[0];
            message->fd_count = 0;
        }
        client->done = true;
        client->waiting = false;
        pthread_cond_signal(&client->arrived);
    }
    pthread_mutex_unlock(&client->lock);
}

static void *read_messages(void *argument)
{
    struct vfio_user_client *client = argument;
    struct vfio_user_message message;
    vfio_user_message_init(&message, malloc(VFIO_USER_MAX_PAYLOAD));
    while (message.payload && vfio_user_message_receive(client->socket, &message) > 0) {
        if ((message.header.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_REPLY)
            take_reply(client, &message);
        else if (client->answers)
            answer_dma(client, &message);
    }
    vfio_user_message_close_fds(&message);
    free(message.payload);
    pthread_mutex_lock(&client->lock);
    client->hung_up = true;
    pthread_cond_signal(&client->arrived);
    pthread_mutex_unlock(&client->lock);
    return NULL;
}

int vfio_user_client_send_raw(struct vfio_user_client *client, const void *bytes, size_t count, const int *fds,
                              unsigned fd_count)
{
    union {
        char bytes[CMSG_SPACE(VFIO_USER_MESSAGE_FDS * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)bytes, count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    int result = 0;
    pthread_mutex_lock(&client->send_lock);
    while (part.iov_len && !result) {
        ssize_t sent = sendmsg(client->socket, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            result = -errno;
            break;
        }
        part.iov_base = (uint8_t *)part.iov_base + sent;
        part.iov_len -= (size_t)sent;
        message.msg_control = NULL;
        message.msg_controllen = 0;
    }
    pthread_mutex_unlock(&client->send_lock);
    return result;
}

static int send_command(struct vfio_user_client *client, uint16_t command, uint16_t id, uint32_t flags,
                        const struct vfio_user_exchange *exchange)
{
    struct vfio_user_header header = {
        .id = id, .command = command, .size = (uint32_t)(sizeof header + exchange->bytes), .flags = flags};
    uint8_t *all = malloc(sizeof header + exchange->bytes);
    if (!all)
        return -ENOMEM;
    memcpy(all, &header, sizeof header);
    if (exchange->bytes)
        memcpy(all + sizeof header, exchange->data, exchange->bytes);
    int result =
        vfio_user_client_send_raw(client, all, sizeof header + exchange->bytes, exchange->fds, exchange->fd_count);
    free(all);
    return result;
}

static int wait_reply(struct vfio_user_client *client)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += REPLY_SECONDS;
    while (!client->done && !client->hung_up)
        if (pthread_cond_timedwait(&client->arrived, &client->lock, &until))
            return -ETIMEDOUT;
    if (!client->done)
        return -ECONNRESET;
    return client->reply.flags & VFIO_USER_ERROR ? -(int)client->reply.error : 0;
}

int vfio_user_client_exchange(struct vfio_user_client *client, uint16_t command, struct vfio_user_exchange *exchange)
{
    exchange->reply_bytes = 0;
    exchange->reply_fd = -1;
    pthread_mutex_lock(&client->lock);
    client->exchange = exchange;
    client->waiting_id = ++client->next_id;
    client->waiting = true;
    client->done = false;
    pthread_mutex_unlock(&client->lock);
    int result = send_command(client, command, client->next_id, VFIO_USER_COMMAND, exchange);
    pthread_mutex_lock(&client->lock);
    if (result != -ENOMEM)
        result = wait_reply(client);
    client->waiting = false;
    pthread_mutex_unlock(&client->lock);
    return result;
}

int vfio_user_client_post(struct vfio_user_client *client, uint16_t command, const void *data, size_t bytes)
{
    const struct vfio_user_exchange exchange = {.data = data, .bytes = bytes};
    return send_command(client, command, ++client->next_id, VFIO_USER_COMMAND | VFIO_USER_NO_REPLY, &exchange);
}

static int negotiate(struct vfio_user_client *client, const char *json)
{
    uint8_t request[1024] = {0}, reply[1024] = {0};
    size_t bytes = sizeof(struct vfio_user_version) + strlen(json) + 1;
    if (bytes > sizeof request)
        return -EINVAL;
    memcpy(request + sizeof(struct vfio_user_version), json, strlen(json));
    struct vfio_user_exchange exchange = {.data = request, .bytes = bytes, .reply = reply, .room = sizeof reply};
    return vfio_user_client_exchange(client, VFIO_USER_VERSION, &exchange);
}

int vfio_user_client_connect(const char *path, const char *json, struct vfio_user_client **client)
{
    int socket = vfio_user_client_socket(path);
    if (socket < 0)
        return socket;
    struct vfio_user_client *created = calloc(1, sizeof *created);
    if (!created) {
        close(socket);
        return -ENOMEM;
    }
    created->socket = socket;
    created->answers = true;
    pthread_mutex_init(&created->lock, NULL);
    pthread_mutex_init(&created->send_lock, NULL);
    pthread_cond_init(&created->arrived, NULL);
    int result = -pthread_create(&created->reader, NULL, read_messages, created);
    if (result) {
        close(socket);
        free(created);
        return result;
    }
    result = json ? negotiate(created, json) : 0;
    if (result)
        vfio_user_client_close(created);
    else
        *client = created;
    return result;
}

void vfio_user_client_close(struct vfio_user_client *client)
{
    if (!client)
        return;
    shutdown(client->socket, SHUT_RDWR);
    pthread_join(client->reader, NULL);
    close(client->socket);
    for (unsigned i = 0; i < client->memory_count; i++) {
        munmap(client->memories[i].bytes, client->memories[i].length);
        close(client->memories[i].fd);
    }
    pthread_cond_destroy(&client->arrived);
    pthread_mutex_destroy(&client->lock);
    pthread_mutex_destroy(&client->send_lock);
    free(client);
}

bool vfio_user_client_hung_up(struct vfio_user_client *client)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += REPLY_SECONDS;
    pthread_mutex_lock(&client->lock);
    while (!client->hung_up && pthread_cond_timedwait(&client->arrived, &client->lock, &until) == 0)
        ;
    bool hung_up = client->hung_up;
    pthread_mutex_unlock(&client->lock);
    return hung_up;
}

int vfio_user_client_read(struct vfio_user_client *client, uint32_t region, uint64_t offset, void *data, uint32_t bytes)
{
    const struct vfio_user_region_access request = {offset, region, bytes};
    uint8_t *reply = malloc(sizeof request + bytes);
    if (!reply)
        return -ENOMEM;
    struct vfio_user_exchange exchange = {
        .data = &request, .bytes = sizeof request, .reply = reply, .room = sizeof request + bytes};
    int result = vfio_user_client_exchange(client, VFIO_USER_REGION_READ, &exchange);
    if (!result && exchange.reply_bytes != exchange.room)
        result = -EPROTO;
    if (!result)
        memcpy(data, reply + sizeof request, bytes);
    free(reply);
    return result;
}

struct write_request {
    struct vfio_user_region_access access;
    uint8_t data[4096];
};

static int make_write(struct write_request *request, uint32_t region, uint64_t offset, const void *data, uint32_t bytes)
{
    if (bytes > sizeof request->data)
        return -EINVAL;
    request->access = (struct vfio_user_region_access){offset, region, bytes};
    memcpy(request->data, data, bytes);
    return 0;
}

int vfio_user_client_write(struct vfio_user_client *client, uint32_t region, uint64_t offset, const void *data,
                           uint32_t bytes)
{
    struct write_request request;
    int result = make_write(&request, region, offset, data, bytes);
    struct vfio_user_exchange exchange = {.data = &request, .bytes = sizeof request.access + bytes};
    return result ? result : vfio_user_client_exchange(client, VFIO_USER_REGION_WRITE, &exchange);
}

int vfio_user_client_write_posted(struct vfio_user_client *client, uint32_t region, uint64_t offset, const void *data,
                                  uint32_t bytes)
{
    struct write_request request;
    int result = make_write(&request, region, offset, data, bytes);
    return result ? result
                  : vfio_user_client_post(client, VFIO_USER_REGION_WRITE, &request, sizeof request.access + bytes);
}

int vfio_user_client_irq(struct vfio_user_client *client, uint32_t index, uint32_t vector, int eventfd)
{
    const struct vfio_user_irq_set request = {sizeof request, VFIO_USER_IRQ_DATA_EVENTFD | VFIO_USER_IRQ_TRIGGER, index,
                                              vector, 1};
    struct vfio_user_exchange exchange = {
        .data = &request, .bytes = sizeof request, .fds = &eventfd, .fd_count = eventfd >= 0};
    return vfio_user_client_exchange(client, VFIO_USER_DEVICE_SET_IRQS, &exchange);
}

int vfio_user_client_reset(struct vfio_user_client *client)
{
    struct vfio_user_exchange exchange = {0};
    return vfio_user_client_exchange(client, VFIO_USER_DEVICE_RESET, &exchange);
}

int vfio_user_client_dma_map(struct vfio_user_client *client, uint64_t address, uint64_t length, int fd,
                             uint64_t offset, uint32_t flags)
{
    const struct vfio_user_dma_map request = {sizeof request, flags, offset, address, length};
    struct vfio_user_exchange exchange = {.data = &request, .bytes = sizeof request, .fds = &fd, .fd_count = fd >= 0};
    return vfio_user_client_exchange(client, VFIO_USER_DMA_MAP, &exchange);
}

int vfio_user_client_dma_unmap(struct vfio_user_client *client, uint64_t address, uint64_t length)
{
    const struct vfio_user_dma_unmap request = {sizeof request, 0, address, length};
    struct vfio_user_exchange exchange = {.data = &request, .bytes = sizeof request};
    return vfio_user_client_exchange(client, VFIO_USER_DMA_UNMAP, &exchange);
}

/* The file's pages in the opposite order: what is adjacent for the guest is not in the file. */
static int map_pages(struct vfio_user_client *client, const struct memory *memory)
{
    uint64_t pages = memory->length / PAGE;
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t offset = (pages - 1 - i) * PAGE;
        if (mmap(memory->bytes + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory->fd,
                 (off_t)offset) == MAP_FAILED)
            return -errno;
        int result = vfio_user_client_dma_map(client, memory->address + i * PAGE, PAGE, memory->fd, offset, 3);
        if (result)
            return result;
    }
    return 0;
}

int vfio_user_client_memory(struct vfio_user_client *client, enum vfio_user_memory_kind kind, uint64_t address,
                            uint64_t length, uint8_t **bytes)
{
    if (client->memory_count == MEMORIES)
        return -ENOSPC;
    struct memory *memory = &client->memories[client->memory_count];
    *memory = (struct memory){
        .address = address, .length = length, .fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (memory->fd < 0 || ftruncate(memory->fd, (off_t)length) < 0)
        return -errno;
    memory->bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    if (memory->bytes == MAP_FAILED)
        return -errno;
    client->memory_count++;
    *bytes = memory->bytes;
    if (kind == CLIENT_MEMORY_PAGES)
        return map_pages(client, memory);
    if (kind == CLIENT_MEMORY_MIXED && length > CLIENT_MIXED_SHARED) {
        int result = vfio_user_client_dma_map(client, address, CLIENT_MIXED_SHARED, memory->fd, 0, 3);
        return result ? result
                      : vfio_user_client_dma_map(client, address + CLIENT_MIXED_SHARED, length - CLIENT_MIXED_SHARED,
                                                 -1, 0, 3);
    }
    return vfio_user_client_dma_map(client, address, length, kind == CLIENT_MEMORY_SHARED ? memory->fd : -1, 0, 3);
}

uint64_t vfio_user_client_dma_messages(struct vfio_user_client *client)
{
    return client->dma_messages;
}

void vfio_user_client_answer(struct vfio_user_client *client, bool answers)
{
    client->answers = answers;
}
