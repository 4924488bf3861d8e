/* SPDX-License-Identifier: Apache-2.0 */
/* Rings: what they are made of comes in many messages and in any order; a ring runs when it has all of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hls/include/virtio.h"
#include "runtime/frontend/vhost_user_session.h"

void vhost_user_rings_init(struct vhost_user_session *session)
{
    for (unsigned i = 0; i < VHOST_QUEUES; i++)
        session->rings[i] = (struct vhost_user_ring){.kick = -1, .error = -1};
}

static struct vhost_user_ring *ring_of(struct vhost_user_session *session, uint32_t index)
{
    return index < session->info.queues ? &session->rings[index] : NULL;
}

/* 2.7: descriptors on 16 bytes, available ring on 2, used ring on 4. */
static bool describe(const struct vhost_user_session *session, unsigned index, struct vhost_queue *setting)
{
    const struct vhost_user_ring *ring = &session->rings[index];
    uint32_t entries = ring->entries;
    *setting = (struct vhost_queue){.entries = entries, .position = ring->base};
    if (!entries || !ring->has_address ||
        !vhost_user_translate(session, ring->address.descriptors, entries * sizeof(struct virtq_descriptor),
                              &setting->descriptors) ||
        !vhost_user_translate(session, ring->address.avail, VIRTQ_AVAIL_USED_EVENT(entries) + 2u, &setting->avail) ||
        !vhost_user_translate(session, ring->address.used, VIRTQ_USED_AVAIL_EVENT(entries) + 2u, &setting->used))
        return false;
    setting->inflight = vhost_user_inflight_of(session, index, entries);
    return setting->descriptors % 16 == 0 && setting->avail % 2 == 0 && setting->used % 4 == 0;
}

/* Without the negotiation of protocol features, a kick enables its ring. */
static bool should_run(const struct vhost_user_session *session, const struct vhost_user_ring *ring)
{
    return ring->started && session->has_features &&
           (ring->enabled || !(session->features & VHOST_USER_F_PROTOCOL_FEATURES));
}

static void stop(struct vhost_user_session *session, unsigned index, bool forget)
{
    struct vhost_user_ring *ring = &session->rings[index];
    if (!ring->running)
        return;
    session->ops->queue_stop(session->device, index, forget, &ring->base);
    ring->running = false;
}

static bool same_places(const struct vhost_queue *left, const struct vhost_queue *right)
{
    return left->descriptors == right->descriptors && left->avail == right->avail && left->used == right->used &&
           left->entries == right->entries;
}

static int update(struct vhost_user_session *session, unsigned index)
{
    struct vhost_user_ring *ring = &session->rings[index];
    struct vhost_queue setting;
    bool run = should_run(session, ring), whole = run && describe(session, index, &setting);
    if (ring->running && whole && same_places(&setting, &ring->setting))
        return 0;
    stop(session, index, false);
    if (!run)
        return 0;
    if (!whole)
        return -EFAULT;
    setting.position = ring->base;
    int result = session->ops->queue_start(session->device, index, &setting);
    ring->running = !result;
    ring->setting = setting;
    return result;
}

int vhost_user_rings_update(struct vhost_user_session *session)
{
    int result = 0;
    for (unsigned i = 0; i < session->info.queues; i++) {
        int updated = update(session, i);
        result = result ? result : updated;
    }
    return result;
}

bool vhost_user_rings_run(const struct vhost_user_session *session)
{
    bool run = false;
    for (unsigned i = 0; i < session->info.queues; i++)
        run |= session->rings[i].running;
    return run;
}

void vhost_user_rings_stop(struct vhost_user_session *session, bool forget)
{
    for (unsigned i = 0; i < session->info.queues; i++)
        stop(session, i, forget);
}

static void set_kick(struct vhost_user_session *session, unsigned index, int fd)
{
    struct vhost_user_ring *ring = &session->rings[index];
    if (ring->kick >= 0) {
        epoll_ctl(session->events, EPOLL_CTL_DEL, ring->kick, NULL);
        close(ring->kick);
    }
    ring->kick = fd;
}

static void set_error(struct vhost_user_session *session, unsigned index, int fd)
{
    pthread_mutex_lock(&session->backend_lock);
    if (session->rings[index].error >= 0)
        close(session->rings[index].error);
    session->rings[index].error = fd;
    pthread_mutex_unlock(&session->backend_lock);
}

void vhost_user_rings_reset(struct vhost_user_session *session)
{
    vhost_user_rings_stop(session, true);
    for (unsigned i = 0; i < session->info.queues; i++) {
        struct vhost_user_ring *ring = &session->rings[i];
        set_kick(session, i, -1);
        ring->started = ring->enabled = ring->has_address = false;
        ring->entries = 0;
        ring->base = 0;
    }
}

void vhost_user_rings_forget(struct vhost_user_session *session)
{
    for (unsigned i = 0; i < session->info.queues; i++) {
        set_kick(session, i, -1);
        set_error(session, i, -1);
        session->ops->queue_call(session->device, i, -1);
        session->rings[i] = (struct vhost_user_ring){.kick = -1, .error = -1};
    }
}

int vhost_user_set_vring_num(struct vhost_user_session *session)
{
    const struct vhost_user_state *state = &session->message.payload.state;
    struct vhost_user_ring *ring = ring_of(session, state->index);
    uint32_t entries = state->number;
    if (!ring || entries < 2 || entries > session->info.entries_max || entries & (entries - 1))
        return -EINVAL;
    if (ring->running && entries != ring->entries)
        return -EBUSY;
    ring->entries = entries;
    return 0;
}

/* A log is for those whose migration is tracked, which is not offered. */
int vhost_user_set_vring_addr(struct vhost_user_session *session)
{
    const struct vhost_user_address *address = &session->message.payload.address;
    struct vhost_user_ring *ring = ring_of(session, address->index);
    if (!ring)
        return -EINVAL;
    if (address->flags & VHOST_USER_ADDRESS_LOG)
        return -ENOTSUP;
    ring->address = *address;
    ring->has_address = true;
    return update(session, address->index);
}

int vhost_user_set_vring_base(struct vhost_user_session *session)
{
    const struct vhost_user_state *state = &session->message.payload.state;
    struct vhost_user_ring *ring = ring_of(session, state->index);
    if (!ring || state->number > UINT16_MAX)
        return -EINVAL;
    if (ring->running)
        return -EBUSY;
    ring->base = (uint16_t)state->number;
    return 0;
}

int vhost_user_get_vring_base(struct vhost_user_session *session)
{
    struct vhost_user_state state = session->message.payload.state;
    struct vhost_user_ring *ring = ring_of(session, state.index);
    if (!ring)
        return -EINVAL;
    stop(session, state.index, false);
    set_kick(session, state.index, -1);
    ring->started = false;
    state.number = ring->base;
    vhost_user_reply(session, &state, sizeof state, -1);
    return VHOST_USER_REPLIED;
}

/* Anything but an eventfd is refused: waiting for it could be in the hands of another process. */
static bool is_eventfd(int fd)
{
    static const char EXPECTED[] = "anon_inode:[eventfd]";
    char path[32], name[sizeof EXPECTED] = {0};
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, name, sizeof name);
    return length == (ssize_t)sizeof EXPECTED - 1 && !memcmp(name, EXPECTED, sizeof EXPECTED - 1);
}

/* The queue that the message names, and its eventfd (still the message's), or -1. */
static int vring_fd(struct vhost_user_session *session, unsigned *index, int *fd)
{
    uint64_t value = session->message.payload.value;
    bool none = value & VHOST_USER_VRING_NO_FD;
    *index = value & VHOST_USER_VRING_INDEX_MASK;
    if (value & ~(uint64_t)(VHOST_USER_VRING_INDEX_MASK | VHOST_USER_VRING_NO_FD) || *index >= session->info.queues ||
        session->message.fd_count != (none ? 0 : 1))
        return -EINVAL;
    *fd = none ? -1 : session->message.fds[0];
    return none || is_eventfd(*fd) ? 0 : -EINVAL;
}

/* Edge triggered: nobody reads the eventfd, which could block in the hands of who shares it. A ring without a kick
 * would have to be polled: a card sleeps. */
int vhost_user_set_vring_kick(struct vhost_user_session *session)
{
    unsigned index;
    int fd, result = vring_fd(session, &index, &fd);
    if (result)
        return result;
    if (fd < 0)
        return -ENOTSUP;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = index};
    set_kick(session, index, -1);
    if (epoll_ctl(session->events, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    session->rings[index].kick = vhost_user_message_take_fd(&session->message, 0);
    session->rings[index].started = true;
    return update(session, index);
}

int vhost_user_set_vring_call(struct vhost_user_session *session)
{
    unsigned index;
    int fd, result = vring_fd(session, &index, &fd);
    if (!result)
        session->ops->queue_call(session->device, index, fd);
    return result;
}

int vhost_user_set_vring_err(struct vhost_user_session *session)
{
    unsigned index;
    int fd, result = vring_fd(session, &index, &fd);
    if (!result)
        set_error(session, index, fd < 0 ? -1 : vhost_user_message_take_fd(&session->message, 0));
    return result;
}

/* Comes before the ring has anything else, and again and again. */
int vhost_user_set_vring_enable(struct vhost_user_session *session)
{
    const struct vhost_user_state *state = &session->message.payload.state;
    struct vhost_user_ring *ring = ring_of(session, state->index);
    if (!ring || state->number > 1)
        return -EINVAL;
    ring->enabled = state->number;
    return update(session, state->index);
}
