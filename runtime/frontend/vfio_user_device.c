/* SPDX-License-Identifier: Apache-2.0 */
/* What the device is: its information, regions and interrupts, reset. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/frontend/vfio_user_session.h"

int vfio_user_device_get_info(struct vfio_user_session *session)
{
    const struct vfio_user_device_info *request = (const struct vfio_user_device_info *)session->payload;
    if (request->argsz < sizeof *request)
        return -EINVAL;
    const struct vfio_user_device_info reply = {.argsz = sizeof reply,
                                                .flags = VFIO_USER_DEVICE_RESETTABLE | VFIO_USER_DEVICE_PCI,
                                                .regions = DEVICE_REGIONS,
                                                .irqs = DEVICE_IRQS};
    vfio_user_reply(session, &reply, sizeof reply, NULL, 0, -1);
    return 0;
}

/* A client that left no room for the capability learns from argsz how much to ask for. */
int vfio_user_get_region_info(struct vfio_user_session *session)
{
    const struct vfio_user_region_info *request = (const struct vfio_user_region_info *)session->payload;
    if (request->argsz < sizeof *request || request->index >= DEVICE_REGIONS)
        return -EINVAL;

    struct device_region region = {.mmap_fd = -1};
    session->ops->region_info(session->device, request->index, &region);
    struct vfio_user_region_info reply = {.argsz = sizeof reply, .index = request->index, .size = region.size};
    if (region.size && region.readable)
        reply.flags |= VFIO_USER_REGION_READABLE;
    if (region.size && region.writable)
        reply.flags |= VFIO_USER_REGION_WRITABLE;
    if (region.mmap_fd < 0 || session->limits.fds == 0) {
        vfio_user_reply(session, &reply, sizeof reply, NULL, 0, -1);
        return 0;
    }
    const struct vfio_user_sparse_mmap areas = {.id = VFIO_USER_CAP_SPARSE_MMAP,
                                                .version = 1,
                                                .areas = 1,
                                                .offset = region.mmap_offset,
                                                .size = region.mmap_length};
    bool fits = request->argsz >= sizeof reply + sizeof areas;
    reply.argsz = sizeof reply + sizeof areas;
    reply.flags |= VFIO_USER_REGION_MMAP;
    reply.offset = (uint64_t)region.mmap_fd_offset - region.mmap_offset;
    if (fits) {
        reply.flags |= VFIO_USER_REGION_CAPS;
        reply.cap_offset = sizeof reply;
    }
    vfio_user_reply(session, &reply, sizeof reply, &areas, fits ? sizeof areas : 0, region.mmap_fd);
    return 0;
}

/* No region offers ioeventfds or ioregionfds. */
int vfio_user_get_region_io_fds(struct vfio_user_session *session)
{
    const struct vfio_user_region_io_fds *request = (const struct vfio_user_region_io_fds *)session->payload;
    if (request->argsz < sizeof *request || request->flags || request->index >= DEVICE_REGIONS)
        return -EINVAL;
    const struct vfio_user_region_io_fds reply = {.argsz = sizeof reply, .index = request->index};
    vfio_user_reply(session, &reply, sizeof reply, NULL, 0, -1);
    return 0;
}

/* NORESIZE is not set: so a client connects vectors one by one and never loses the others for a moment. */
int vfio_user_get_irq_info(struct vfio_user_session *session)
{
    const struct vfio_user_irq_info *request = (const struct vfio_user_irq_info *)session->payload;
    if (request->argsz < sizeof *request || request->index >= DEVICE_IRQS)
        return -EINVAL;
    const struct vfio_user_irq_info reply = {.argsz = sizeof reply,
                                             .flags = VFIO_USER_IRQ_EVENTFD,
                                             .index = request->index,
                                             .count = session->ops->irq_count(session->device, request->index)};
    vfio_user_reply(session, &reply, sizeof reply, NULL, 0, -1);
    return 0;
}

/* Whoever raises the interrupt must never be made to wait: so nothing but an eventfd, and not a blocking one. */
static bool is_eventfd(int fd)
{
    char path[32], target[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = 0;
    return strcmp(target, "anon_inode:[eventfd]") == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static int connect_vectors(struct vfio_user_session *session, unsigned irq, unsigned start, unsigned count,
                           const int *fds)
{
    for (unsigned i = 0; i < count; i++) {
        int result = session->ops->irq_set(session->device, irq, start + i, fds ? fds[i] : -1);
        if (result)
            return result;
    }
    return 0;
}

int vfio_user_set_irqs(struct vfio_user_session *session)
{
    const struct vfio_user_irq_set *request = (const struct vfio_user_irq_set *)session->payload;
    const struct vfio_user_message *message = &session->message;
    uint32_t data = request->flags & VFIO_USER_IRQ_DATA_MASK, action = request->flags & VFIO_USER_IRQ_ACTION_MASK;

    if (request->argsz < sizeof *request || request->index >= DEVICE_IRQS || (data | action) != request->flags)
        return -EINVAL;
    unsigned vectors = session->ops->irq_count(session->device, request->index);
    if (request->start > vectors || request->count > vectors - request->start)
        return -EINVAL;
    size_t extra = data == VFIO_USER_IRQ_DATA_BOOL ? request->count : 0;
    if (message->bytes != sizeof *request + extra)
        return -EINVAL;
    /* No vector is maskable, and clients do not raise the device's interrupts. */
    if (action != VFIO_USER_IRQ_TRIGGER)
        return -EINVAL;

    int result;
    if (data == VFIO_USER_IRQ_DATA_EVENTFD) {
        if (request->count == 0 || (message->fd_count && message->fd_count != request->count))
            return -EINVAL;
        for (unsigned i = 0; i < message->fd_count; i++)
            if (!is_eventfd(message->fds[i]))
                return -EINVAL;
        result = connect_vectors(session, request->index, request->start, request->count,
                                 message->fd_count ? message->fds : NULL);
    } else {
        if (message->fd_count)
            return -EINVAL;
        if (data != VFIO_USER_IRQ_DATA_NONE || request->start || request->count)
            return data == VFIO_USER_IRQ_DATA_NONE || data == VFIO_USER_IRQ_DATA_BOOL ? -ENOTSUP : -EINVAL;
        result = connect_vectors(session, request->index, 0, vectors, NULL);
    }
    if (result)
        return result;
    vfio_user_reply(session, NULL, 0, NULL, 0, -1);
    return 0;
}

/* The reply says that it is done: the client reuses the memory that the device could reach before. */
int vfio_user_device_reset(struct vfio_user_session *session)
{
    session->ops->reset(session->device);
    vfio_user_reply(session, NULL, 0, NULL, 0, -1);
    return 0;
}

/* No feature is offered: neither migration nor logging of DMA. */
int vfio_user_device_feature(struct vfio_user_session *session)
{
    const struct vfio_user_feature *request = (const struct vfio_user_feature *)session->payload;
    return request->argsz < sizeof *request ? -EINVAL : -ENOTTY;
}
