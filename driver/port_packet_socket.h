/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AF_XDP socket in copy mode on one queue of an interface (Documentation/networking/af_xdp.rst in the kernel's
 * source), with its memory. Frames and rings are shared with the kernel; a system call sends a batch, none is needed
 * to receive. One thread.
 */
#ifndef CIPU_PORT_PACKET_SOCKET_H
#define CIPU_PORT_PACKET_SOCKET_H

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

enum xdp_directions { XDP_SENDS = 1, XDP_RECEIVES = 2 };

/*
 * Binds to a queue of the interface; what is received is what an XDP program redirects to the socket. Returns a
 * negative errno: -EMSGSIZE for an MTU that frames have no room for, -EBUSY if another socket has the queue. Close it in
 * either case.
 */
int xdp_socket_open(struct xdp_socket *socket, const struct port_link *link, uint32_t queue, unsigned directions);
void xdp_socket_close(struct xdp_socket *socket);

uint8_t *xdp_socket_reserve(struct xdp_socket *socket); /* room for PACKET_FRAME_SMALL bytes; NULL = none */
void xdp_socket_commit(struct xdp_socket *socket, uint32_t length);
bool xdp_socket_flush(struct xdp_socket *socket); /* false = some frames wait for another flush */

/* The next frame, which may be written to, valid until release; NULL = none. */
uint8_t *xdp_socket_receive(struct xdp_socket *socket, uint32_t *length);
/* False: this was the last frame of a batch (there may be others since). */
bool xdp_socket_release(struct xdp_socket *socket);

#endif
