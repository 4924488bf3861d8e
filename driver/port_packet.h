/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ways in which a packet: port receives and sends.
 *
 * Receiving: AF_PACKET's ring sees a copy of every frame and what the kernel knows of it (VLAN tag, unfinished
 * checksum); AF_XDP takes every frame before the kernel's stack does, for about half the work.
 * Sending: AF_XDP costs the kernel about a third less for each frame than AF_PACKET's ring, but takes small frames only
 * and one socket for each queue; where one cannot be had, the ring sends.
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
    bool receives;                       /* its socket shall be able to receive too; set before open */
    int fd;
    uint32_t frame_max;
    void *state;
};

extern const struct packet_sender_ops packet_send_xdp, packet_send_ring;

struct packet_receiver;

struct packet_receiver_ops {
    /* Binds to the interface and watches it for the port; negative errno with a message. Close is called in either
     * case. The sender, which is open, stays so for longer. */
    int (*open)(struct packet_receiver *receiver, const struct port_link *link, struct packet_sender *sender,
                struct cipu_error *error);
    void (*close)(struct packet_receiver *receiver);
    /* The next frame, valid until release; frames that no wire could have brought are dropped and counted. */
    bool (*receive)(struct packet_receiver *receiver, const uint8_t **frame, uint32_t *length);
    void (*release)(struct packet_receiver *receiver);
    /* Fetches what error the interface left with the sockets; returns how many frames the kernel has dropped since. */
    uint32_t (*look)(struct packet_receiver *receiver);
};

struct packet_receiver {
    const struct packet_receiver_ops *ops; /* NULL = not open */
    struct port *port;
    void *state;
};

extern const struct packet_receiver_ops packet_receive_xdp, packet_receive_ring;

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
int packet_promiscuous(int fd, const struct port_link *link);

static inline struct tpacket2_hdr *packet_ring_frame(const struct packet_ring *ring)
{
    return (struct tpacket2_hdr *)(void *)(ring->memory + (uint64_t)(ring->next % PACKET_FRAMES) * ring->frame_bytes);
}

#endif
