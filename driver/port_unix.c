/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix:PATH: a cable between two cards, usually in two processes. Who finds nobody at PATH listens there, the other
 * connects (port_unix_link.c); the listener hands over a sealed memfd with one ring for each direction and two
 * eventfds. Frames then pass through shared memory; a system call is made only to wake a card that sleeps.
 *
 * The peer may write anything into the shared memory at any time: indices and lengths are read once and checked.
 */
#include "driver/port_unix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "driver/signaller.h"

#define ENTRY_ALIGN 64u
#define WRAP        UINT32_MAX /* instead of a length: the next entry is at the ring's beginning */
#define ENTRY_BYTES_MAX \
    ((PACKET_BYTES_MAX + (uint32_t)sizeof(struct cable_entry) + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN)

static uint32_t entry_bytes(uint32_t length)
{
    return (length + (uint32_t)sizeof(struct cable_entry) + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
}

static struct cable_entry *entry_at(uint8_t *data, uint32_t index)
{
    return (struct cable_entry *)(void *)(data + index % CABLE_RING_BYTES);
}

static void fail_peer(struct port *port)
{
    struct cable *cable = port->state;
    cable->broken = true;
    port->attention = true;
}

static bool unix_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct cable *cable = port->state;
    struct cable_ring *ring = cable->receive;
    if (!ring || cable->broken)
        return false;
    for (;;) {
        uint32_t ready = atomic_load_explicit(&ring->tail, memory_order_acquire) - cable->head;
        if (!ready)
            return false;
        struct cable_entry *entry = entry_at(cable->receive_data, cable->head);
        uint32_t bytes = atomic_load_explicit(&entry->length, memory_order_relaxed);
        uint32_t straight = CABLE_RING_BYTES - cable->head % CABLE_RING_BYTES;
        bool wrap = bytes == WRAP;
        uint32_t step = wrap ? straight : bytes > PACKET_BYTES_MAX ? UINT32_MAX : entry_bytes(bytes);
        if (ready > CABLE_RING_BYTES || step > ready || step > straight) {
            fail_peer(port);
            return false;
        }
        if (!wrap) {
            cable->step = step;
            *frame = entry->frame;
            *length = bytes;
            return true;
        }
        cable->head += step;
        atomic_store_explicit(&ring->head, cable->head, memory_order_release);
    }
}

static void unix_release(struct port *port)
{
    struct cable *cable = port->state;
    cable->head += cable->step;
    if (cable->receive)
        atomic_store_explicit(&cable->receive->head, cable->head, memory_order_release);
}

static uint8_t *unix_reserve(struct port *port)
{
    struct cable *cable = port->state;
    struct cable_ring *ring = cable->send;
    if (!ring || cable->broken)
        return NULL;
    uint32_t used = cable->tail - atomic_load_explicit(&ring->head, memory_order_acquire);
    if (used > CABLE_RING_BYTES) {
        fail_peer(port);
        return NULL;
    }
    uint32_t straight = CABLE_RING_BYTES - cable->tail % CABLE_RING_BYTES;
    uint32_t skip = straight < ENTRY_BYTES_MAX ? straight : 0;
    if (CABLE_RING_BYTES - used < skip + ENTRY_BYTES_MAX)
        return NULL;
    if (skip) {
        atomic_store_explicit(&entry_at(cable->send_data, cable->tail)->length, WRAP, memory_order_relaxed);
        cable->tail += skip;
    }
    return entry_at(cable->send_data, cable->tail)->frame;
}

static void unix_commit(struct port *port, uint32_t length)
{
    struct cable *cable = port->state;
    atomic_store_explicit(&entry_at(cable->send_data, cable->tail)->length, length, memory_order_relaxed);
    cable->tail += entry_bytes(length);
}

static void unix_flush(struct port *port)
{
    struct cable *cable = port->state;
    if (!cable->send || atomic_load_explicit(&cable->send->tail, memory_order_relaxed) == cable->tail)
        return;
    /* Sequentially consistent, as in arm: either the peer sees the frames before it sleeps, or it is seen asleep. */
    atomic_store(&cable->send->tail, cable->tail);
    if (atomic_load(&cable->send->asleep) && atomic_exchange(&cable->send->asleep, 0)) {
        signaller_add(cable->signaller, cable->peer_wake);
        signaller_flush(cable->signaller);
    }
}

static bool unix_arm(struct port *port)
{
    struct cable *cable = port->state;
    if (!cable->receive || cable->broken)
        return cable->broken;
    atomic_store(&cable->receive->asleep, 1);
    return atomic_load(&cable->receive->tail) != cable->head;
}

static bool unix_wake(struct port *port)
{
    struct cable *cable = port->state;
    uint64_t count;
    const struct iovec part = {&count, sizeof count};
    if (cable->receive)
        atomic_store_explicit(&cable->receive->asleep, 0, memory_order_relaxed);
    /* O_NONBLOCK is as much the peer's as ours. */
    if (cable->own_wake >= 0 && preadv2(cable->own_wake, &part, 1, -1, RWF_NOWAIT) < 0 && errno != EAGAIN)
        cable->broken = true;
    return cable_link_check(port);
}

static int unix_open(struct port *port, const char *argument, struct cipu_error *error)
{
    struct cable *cable = calloc(1, sizeof *cable);
    if (!cable)
        return -ENOMEM;
    port->state = cable;
    cable->listener = cable->peer = cable->own_wake = cable->peer_wake = -1;
    int result = signaller_open(&cable->signaller);
    if (result)
        return cipu_fail(error, result, "port unix:%s: asynchronous I/O (fs.aio-max-nr): %s", argument,
                         strerror(-result));
    return cable_link_open(port, argument, error);
}

static void unix_close(struct port *port)
{
    if (!port->state)
        return;
    struct cable *cable = port->state;
    cable_link_close(port);
    signaller_close(cable->signaller);
    free(cable);
}

const struct port_ops port_unix = {
    .scheme = "unix",
    .open = unix_open,
    .close = unix_close,
    .receive = unix_receive,
    .release = unix_release,
    .reserve = unix_reserve,
    .commit = unix_commit,
    .flush = unix_flush,
    .arm = unix_arm,
    .wake = unix_wake,
};
