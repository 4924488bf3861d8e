/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a packet: port sends. AF_XDP sockets (Documentation/networking/af_xdp.rst in the kernel's source) cost the kernel
 * about a third less for each frame than AF_PACKET's ring, but take small frames only and one socket for each
 * interface; where one cannot be had, the ring sends.
 */
#ifndef CIPU_PORT_PACKET_H
#define CIPU_PORT_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "driver/port_link.h"

#define PACKET_FRAMES      1024u
#define PACKET_FRAME_SMALL 2048u
#define PACKET_FRAME_LARGE 16384u
#define PACKET_MTU_SMALL   1600

/* Bytes of a ring's frame for an interface's MTU. */
static inline uint32_t packet_frame_bytes(int mtu)
{
    return mtu <= PACKET_MTU_SMALL ? PACKET_FRAME_SMALL : PACKET_FRAME_LARGE;
}

struct packet_sender;

struct packet_sender_ops {
    /* Binds to the interface; negative errno. Close is called in either case. */
    int (*open)(struct packet_sender *sender, const struct port_link *link);
    void (*close)(struct packet_sender *sender);
    uint8_t *(*reserve)(struct packet_sender *sender); /* room for frame_max bytes, NULL = none */
    void (*commit)(struct packet_sender *sender, uint32_t length);
    bool (*flush)(struct packet_sender *sender); /* false = some frames wait for another flush */
};

struct packet_sender {
    const struct packet_sender_ops *ops; /* NULL = not open */
    int fd;
    uint32_t frame_max;
    void *state;
};

extern const struct packet_sender_ops packet_send_xdp, packet_send_ring;

/* A ring of an AF_PACKET socket, mapped. */
struct packet_ring {
    int fd;
    uint8_t *memory;
    uint32_t frame_bytes;
    uint32_t next;
};

/* Maps a ring of the socket (option PACKET_RX_RING or PACKET_TX_RING) and binds it. Protocol 0 = no reception. */
int packet_ring_open(struct packet_ring *ring, int option, const struct port_link *link, uint16_t protocol);
void packet_ring_close(struct packet_ring *ring);
int packet_option(int fd, int option, int value);

static inline struct tpacket2_hdr *packet_ring_frame(const struct packet_ring *ring)
{
    return (struct tpacket2_hdr *)(void *)(ring->memory + (uint64_t)(ring->next % PACKET_FRAMES) * ring->frame_bytes);
}

#endif
