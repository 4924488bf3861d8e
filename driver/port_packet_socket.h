/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AF_XDP socket in copy mode on one queue of an interface (Documentation/networking/af_xdp.rst in the kernel's
 * source), with its memory. Frames and rings are shared with the kernel; a system call sends a batch, none is needed
 * to receive. One thread.
 */
#ifndef CIPU_PORT_PACKET_SOCKET_H
#define CIPU_PORT_PACKET_SOCKET_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/port_packet.h"

struct xdp_ring {
    void *memory;
    size_t bytes;
    uint32_t *producer, *consumer;
    void *entries;
};

struct xdp_sending {
    struct xdp_ring ring, completion;
    uint32_t produced;
    uint32_t free_count;
    uint64_t reserved;
    uint64_t free[PACKET_FRAMES]; /* a stack: the frame used last is in the cache */
};

struct xdp_receiving {
    struct xdp_ring ring, fill;
    uint32_t next, end; /* the frames known to be there */
    uint32_t filled;
};

struct xdp_socket {
    int fd;
    uint8_t *umem;
    size_t umem_bytes;
    struct xdp_sending sending;
    struct xdp_receiving receiving;
};

#define XDP_RELEASES 16u /* frames that go back together: the kernel's core and ours share the rings' cache lines */

enum xdp_directions { XDP_SENDS = 1, XDP_RECEIVES = 2 };

/*
 * Binds to a queue of the interface; what is received is what an XDP program redirects to the socket. Returns a
 * negative errno: -EMSGSIZE for an MTU that frames have no room for, -EBUSY if another socket has the queue. Close it
 * in either case.
 */
int xdp_socket_open(struct xdp_socket *socket, const struct port_link *link, uint32_t queue, unsigned directions);
void xdp_socket_close(struct xdp_socket *socket);

/* What the functions below need now and then. */
void xdp_socket_take_back(struct xdp_sending *sending); /* the frames whose copies have been consumed, in any order */
void xdp_socket_look(struct xdp_socket *socket); /* what has come since, and fetches it from the other core's cache */
void xdp_socket_give_back(struct xdp_receiving *receiving); /* the frames that were released */

static inline uint64_t xdp_socket_frame(uint64_t address)
{
    return address & ~(uint64_t)(PACKET_FRAME_SMALL - 1);
}

/* Room for PACKET_FRAME_SMALL bytes; NULL = none. */
static inline uint8_t *xdp_socket_reserve(struct xdp_socket *socket)
{
    struct xdp_sending *sending = &socket->sending;
    if (!sending->free_count)
        xdp_socket_take_back(sending);
    if (!sending->free_count)
        return NULL;
    sending->reserved = sending->free[sending->free_count - 1];
    return socket->umem + sending->reserved;
}

static inline void xdp_socket_commit(struct xdp_socket *socket, uint32_t length)
{
    struct xdp_sending *sending = &socket->sending;
    struct xdp_desc *entries = sending->ring.entries;
    /* As many entries as frames: the ring cannot be full. */
    entries[sending->produced++ % PACKET_FRAMES] = (struct xdp_desc){sending->reserved, length, 0};
    sending->free_count--;
}

bool xdp_socket_flush(struct xdp_socket *socket); /* false = some frames wait for another flush */

/* The next frame, which may be written to, valid until release; NULL = none. */
static inline uint8_t *xdp_socket_receive(struct xdp_socket *socket, uint32_t *length)
{
    struct xdp_receiving *receiving = &socket->receiving;
    if (receiving->next == receiving->end)
        xdp_socket_look(socket);
    if (receiving->next == receiving->end)
        return NULL;
    const struct xdp_desc *entries = receiving->ring.entries;
    struct xdp_desc frame = entries[receiving->next % PACKET_FRAMES];
    *length = frame.len;
    return socket->umem + frame.addr;
}

/* False: this was the last frame of a batch (there may be others since). */
static inline bool xdp_socket_release(struct xdp_socket *socket)
{
    struct xdp_receiving *receiving = &socket->receiving;
    const struct xdp_desc *entries = receiving->ring.entries;
    uint64_t *fill = receiving->fill.entries;
    fill[receiving->filled++ % PACKET_FRAMES] = xdp_socket_frame(entries[receiving->next++ % PACKET_FRAMES].addr);
    if (receiving->filled % XDP_RELEASES == 0)
        xdp_socket_give_back(receiving);
    return receiving->next != receiving->end;
}

#endif
