/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An emulated card's Ethernet port: whole frames in and out, in batches. All functions but open and close are called by
 * the card's thread alone and never block.
 */
#ifndef CIPU_PORT_H
#define CIPU_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver/card.h"
#include "hls/include/beat.h"

struct port;

struct port_ops {
    const char *scheme;
    int (*open)(struct port *port, const char *argument, struct cipu_error *error);
    void (*close)(struct port *port); /* also after a failed open; state may be NULL */

    /* The next received frame, valid until release; false = none. Any length, the caller checks it. */
    bool (*receive)(struct port *port, const uint8_t **frame, uint32_t *length);
    void (*release)(struct port *port);

    /* Room for a frame of frame_max bytes; NULL = none: the caller drops. Fill it and commit, or reserve again to
     * discard. */
    uint8_t *(*reserve)(struct port *port);
    void (*commit)(struct port *port, uint32_t length);
    void (*flush)(struct port *port); /* after a batch of commits */

    /* Before the card sleeps: true = there is something to receive. NULL = the port's descriptors tell (port_watch). */
    bool (*arm)(struct port *port);
    /* After a sleep, from time to time, and when `attention` is set: looks at links and peers. True = the memory that
     * receive and reserve gave is gone. May be NULL. */
    bool (*wake)(struct port *port);
};

struct port {
    const struct port_ops *ops;
    void *state;
    int epoll;          /* the card's */
    uint32_t frame_max; /* what reserve has room for; at most PACKET_BYTES_MAX, which it is unless open changes it */
    bool attention;     /* set by the port's own functions: wake shall be called soon */
    _Atomic uint32_t link;
    _Atomic uint32_t received_packets, received_dropped, sent_packets, send_dropped;
};

/* One writer, many readers. */
static inline void port_count(_Atomic uint32_t *counter, uint32_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* spec: SCHEME[:ARGUMENT], see driver/card.h. */
int port_open(struct port *port, const char *spec, int epoll, struct cipu_error *error);
void port_close(struct port *port);

/* Input on the descriptor, or an error of it, wakes the card. Closing the descriptor ends it. */
int port_watch(struct port *port, int fd);

extern const struct port_ops port_none, port_tap, port_packet, port_unix, port_pcap;

#endif
