/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the unix: port share: the cable's memory and its state. */
#ifndef CIPU_PORT_UNIX_H
#define CIPU_PORT_UNIX_H

#include <sys/stat.h>
#include <sys/un.h>

#include "driver/port.h"

#define CABLE_RING_BYTES (1u << 20) /* a power of two */

/* In shared memory. Indices are free-running counts of bytes, multiples of 64. */
struct cable_ring {
    _Alignas(64) _Atomic uint32_t head; /* written by the receiver */
    _Atomic uint32_t asleep;            /* set by the receiver before it sleeps, cleared by whoever wakes it */
    _Alignas(64) _Atomic uint32_t tail; /* written by the sender */
};

struct cable_entry {
    _Atomic uint32_t length;
    uint32_t reserved[3];
    uint8_t frame[];
};

/* The memfd: two ring headers, then from CABLE_DATA_OFFSET the data of ring 0 (to the listener) and of ring 1. */
#define CABLE_DATA_OFFSET 4096u
#define CABLE_BYTES       (CABLE_DATA_OFFSET + 2u * CABLE_RING_BYTES)

struct signaller;

struct cable {
    struct sockaddr_un address;
    struct stat socket; /* the listening socket's file, so that only it is removed */
    int listener, peer; /* sockets, -1 = none */
    bool broken;        /* the peer broke the rules: hang up */
    uint8_t *memory;    /* CABLE_BYTES; NULL = no link */
    struct cable_ring *receive, *send;
    uint8_t *receive_data, *send_data;
    uint32_t head, tail, step;
    int own_wake, peer_wake; /* eventfds, which the peer has as well */
    struct signaller *signaller;
};

int cable_link_open(struct port *port, const char *path, struct cipu_error *error);
void cable_link_close(struct port *port);

/* Accepts, greets, notices that the peer has gone. True = the link's memory is gone. */
bool cable_link_check(struct port *port);

#endif
