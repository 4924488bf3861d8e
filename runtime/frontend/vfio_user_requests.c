/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes of guest memory by messages to the client. Other threads send and wait; the frontend's thread finds
 * the waiting one by the reply's id, which counts apart from the client's ids.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "runtime/frontend/vfio_user_session.h"

#define REPLY_SECONDS 2

struct vfio_user_request {
    struct vfio_user_request *next;
    uint16_t id;
    uint16_t command;
    struct vfio_user_dma_access access;
    void *data; /* of a read */
    bool done;
    int result;
};

int vfio_user_requests_init(struct vfio_user_requests *requests)
{
    pthread_condattr_t attributes;
    memset(requests, 0, sizeof *requests);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int result = pthread_cond_init(&requests->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (!result)
        result = pthread_mutex_init(&requests->lock, NULL);
    return -result;
}

void vfio_user_requests_free(struct vfio_user_requests *requests)
{
    pthread_mutex_destroy(&requests->lock);
    pthread_cond_destroy(&requests->changed);
}

void vfio_user_requests_open(struct vfio_user_session *session)
{
    struct vfio_user_requests *requests = &session->requests;
    pthread_mutex_lock(&requests->lock);
    requests->open = true;
    requests->cancelled = false;
    pthread_mutex_unlock(&requests->lock);
}

static void fail_waiting(struct vfio_user_requests *requests, int result)
{
    for (struct vfio_user_request *request = requests->waiting; request; request = request->next) {
        request->done = true;
        request->result = result;
    }
    requests->waiting = NULL;
    pthread_cond_broadcast(&requests->changed);
}

void vfio_user_requests_close(struct vfio_user_session *session)
{
    struct vfio_user_requests *requests = &session->requests;
    pthread_mutex_lock(&requests->lock);
    requests->open = false;
    fail_waiting(requests, -ENOTCONN);
    while (requests->callers)
        pthread_cond_wait(&requests->changed, &requests->lock);
    pthread_mutex_unlock(&requests->lock);
}

static void cancel(void *context, bool cancelled)
{
    struct vfio_user_requests *requests = &((struct vfio_user_session *)context)->requests;
    pthread_mutex_lock(&requests->lock);
    requests->cancelled = cancelled;
    if (cancelled)
        fail_waiting(requests, -ECANCELED);
    pthread_mutex_unlock(&requests->lock);
}

static void forget(struct vfio_user_requests *requests, const struct vfio_user_request *gone)
{
    for (struct vfio_user_request **link = &requests->waiting; *link; link = &(*link)->next) {
        if (*link == gone) {
            *link = gone->next;
            return;
        }
    }
}

/* A write's reply repeats the access, except from QEMU 10, which sends the header alone. */
static int take_reply(const struct vfio_user_message *message, const struct vfio_user_request *request)
{
    const struct vfio_user_dma_access *access = (const struct vfio_user_dma_access *)message->payload;
    if (message->header.flags & VFIO_USER_ERROR)
        return message->header.error > 0 && message->header.error < 4096 ? -(int)message->header.error : -EIO;
    if (request->command == VFIO_USER_DMA_WRITE && message->bytes == 0)
        return 0;
    size_t data = request->command == VFIO_USER_DMA_READ ? request->access.count : 0;
    if (message->bytes != sizeof *access + data || access->address != request->access.address ||
        access->count != request->access.count)
        return -EPROTO;
    if (data)
        memcpy(request->data, access + 1, data);
    return 0;
}

int vfio_user_requests_reply(struct vfio_user_session *session)
{
    struct vfio_user_requests *requests = &session->requests;
    const struct vfio_user_message *message = &session->message;
    int result = -EPROTO;

    pthread_mutex_lock(&requests->lock);
    for (struct vfio_user_request *request = requests->waiting; request; request = request->next) {
        if (request->id != message->header.id || request->command != message->header.command)
            continue;
        request->result = message->fd_count ? -EPROTO : take_reply(message, request);
        request->done = true;
        result = request->result == -EPROTO ? -EPROTO : 0;
        forget(requests, request);
        pthread_cond_broadcast(&requests->changed);
        break;
    }
    pthread_mutex_unlock(&requests->lock);
    return result;
}

static int wait_for_reply(struct vfio_user_requests *requests, struct vfio_user_request *request)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += REPLY_SECONDS;
    while (!request->done)
        if (pthread_cond_timedwait(&requests->changed, &requests->lock, &until) == ETIMEDOUT && !request->done) {
            forget(requests, request);
            return -ETIMEDOUT;
        }
    return request->result;
}

static int exchange(struct vfio_user_session *session, uint16_t command, uint64_t address, void *read_data,
                    const void *write_data, size_t bytes)
{
    struct vfio_user_requests *requests = &session->requests;
    struct vfio_user_request request = {
        .command = command, .access = {.address = address, .count = bytes}, .data = read_data};

    pthread_mutex_lock(&requests->lock);
    if (!requests->open || requests->cancelled) {
        int result = requests->open ? -ECANCELED : -ENOTCONN;
        pthread_mutex_unlock(&requests->lock);
        return result;
    }
    requests->callers++;
    request.id = requests->next_id++;
    request.next = requests->waiting;
    requests->waiting = &request;
    pthread_mutex_unlock(&requests->lock);

    struct vfio_user_header header = {.id = request.id, .command = command, .flags = VFIO_USER_COMMAND};
    pthread_mutex_lock(&session->send_lock);
    int sent = vfio_user_message_send(session->socket, &header, &request.access, sizeof request.access, write_data,
                                      write_data ? bytes : 0, -1);
    pthread_mutex_unlock(&session->send_lock);

    pthread_mutex_lock(&requests->lock);
    int result;
    if (sent < 0) {
        /* After half a message nothing can follow: the frontend's thread sees the end. */
        if (sent != -EAGAIN)
            shutdown(session->socket, SHUT_RDWR);
        result = sent == -EAGAIN ? -ETIMEDOUT : sent;
        forget(requests, &request);
    } else {
        result = wait_for_reply(requests, &request);
    }
    requests->callers--;
    pthread_cond_broadcast(&requests->changed);
    pthread_mutex_unlock(&requests->lock);
    return result;
}

static size_t next_step(const struct vfio_user_session *session, size_t left)
{
    return left < session->limits.transfer ? left : session->limits.transfer;
}

static int read_memory(void *context, uint64_t address, void *data, size_t bytes)
{
    struct vfio_user_session *session = context;
    for (size_t done = 0; done < bytes;) {
        size_t step = next_step(session, bytes - done);
        int result = exchange(session, VFIO_USER_DMA_READ, address + done, (uint8_t *)data + done, NULL, step);
        if (result)
            return result;
        done += step;
    }
    return 0;
}

static int write_memory(void *context, uint64_t address, const void *data, size_t bytes)
{
    struct vfio_user_session *session = context;
    for (size_t done = 0; done < bytes;) {
        size_t step = next_step(session, bytes - done);
        int result = exchange(session, VFIO_USER_DMA_WRITE, address + done, NULL, (const uint8_t *)data + done, step);
        if (result)
            return result;
        done += step;
    }
    return 0;
}

void vfio_user_requests_messages(struct vfio_user_session *session, struct device_memory_messages *messages)
{
    *messages = (struct device_memory_messages){
        .read = read_memory, .write = write_memory, .cancel = cancel, .context = session};
}
