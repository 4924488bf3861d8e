/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inflight buffer: memory that the client keeps, with a part for each queue, so that the next server on its socket
 * knows what was in flight. Its format is that of split virtqueues (vhost-user.rst, "Inflight I/O tracking").
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/frontend/vhost_user_session.h"

#define PART_HEAD    16u
#define PART_ENTRY   16u
#define PART_ALIGN   64u
#define PAGE_BYTES   4096u
#define PART_VERSION 1u

struct part_head { /* struct QueueRegionSplit */
    uint64_t features;
    uint16_t version;
    uint16_t entries;
    uint16_t last_batch_head;
    uint16_t used_index;
};

static_assert(sizeof(struct part_head) == PART_HEAD, "QueueRegionSplit");

static size_t part_bytes(uint32_t entries)
{
    return (PART_HEAD + (size_t)PART_ENTRY * entries + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

static int check(const struct vhost_user_session *session, const struct vhost_user_inflight *inflight)
{
    bool good = inflight->queues >= 1 && inflight->queues <= session->info.queues && inflight->entries >= 2 &&
                inflight->entries <= session->info.entries_max;
    return good ? 0 : -EINVAL;
}

void vhost_user_inflight_forget(struct vhost_user_session *session)
{
    if (session->inflight)
        munmap(session->inflight, session->inflight_bytes);
    session->inflight = NULL;
}

/* A buffer that was made here, or by another server, must not be cut while it is written to. */
static int check_file(int fd, uint64_t offset, uint64_t bytes)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (offset % PAGE_BYTES || status.st_size < 0 || bytes > (uint64_t)status.st_size ||
        offset > (uint64_t)status.st_size - bytes)
        return -EINVAL;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return -EINVAL; /* no memory file */
    if (!(seals & F_SEAL_SHRINK) && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
        return -errno;
    return fstat(fd, &status)<0 ? -errno : offset + bytes>(uint64_t) status.st_size ? -EINVAL : 0;
}

static int map(struct vhost_user_session *session, int fd, const struct vhost_user_inflight *inflight)
{
    size_t bytes = part_bytes(inflight->entries) * inflight->queues;
    if (inflight->bytes < bytes)
        return -EINVAL;
    int result = check_file(fd, inflight->offset, bytes);
    if (result)
        return result;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)inflight->offset);
    if (memory == MAP_FAILED)
        return -errno;
    vhost_user_inflight_forget(session);
    session->inflight = memory;
    session->inflight_bytes = bytes;
    session->inflight_queues = inflight->queues;
    session->inflight_entries = inflight->entries;
    return 0;
}

static void fill(struct vhost_user_session *session)
{
    for (unsigned i = 0; i < session->inflight_queues; i++) {
        const struct part_head head = {.version = PART_VERSION, .entries = session->inflight_entries};
        memcpy(session->inflight + i * part_bytes(session->inflight_entries), &head, sizeof head);
    }
}

static int make(struct vhost_user_session *session, struct vhost_user_inflight *inflight, int *fd)
{
    inflight->bytes = part_bytes(inflight->entries) * inflight->queues;
    inflight->offset = 0;
    *fd = memfd_create("cipu-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return -errno;
    if (ftruncate(*fd, (off_t)inflight->bytes) < 0 || fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return -errno;
    int result = map(session, *fd, inflight);
    if (!result)
        fill(session);
    return result;
}

/* The answer has the request's size: clients differ in the structure's padding. */
int vhost_user_get_inflight_fd(struct vhost_user_session *session)
{
    struct vhost_user_inflight *inflight = &session->message.payload.inflight;
    int fd = -1, result = check(session, inflight);
    if (!result && vhost_user_rings_run(session))
        result = -EBUSY;
    if (!result)
        result = make(session, inflight, &fd);
    if (!result)
        vhost_user_reply(session, inflight, session->message.header.size, fd);
    if (fd >= 0)
        close(fd);
    return result ? result : VHOST_USER_REPLIED;
}

int vhost_user_set_inflight_fd(struct vhost_user_session *session)
{
    const struct vhost_user_inflight *inflight = &session->message.payload.inflight;
    int result = check(session, inflight);
    if (!result && vhost_user_rings_run(session))
        result = -EBUSY;
    return result ? result : map(session, session->message.fds[0], inflight);
}

void *vhost_user_inflight_of(const struct vhost_user_session *session, unsigned queue, uint32_t entries)
{
    if (!session->inflight || queue >= session->inflight_queues || entries > session->inflight_entries)
        return NULL;
    return session->inflight + queue * part_bytes(session->inflight_entries);
}
