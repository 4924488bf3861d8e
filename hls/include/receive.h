/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records between the kernels that deliver packets into receive queues.
 *
 *   packets -> virtio_rx_head -> heads, with virtq's segments -> virtio_rx_merge -> virtio_rx -> virtio_rx_place ->
 *   DMA write requests
 *   packets and plans -> virtio_rx_write -> DMA write data -> done, with used records -> virtio_rx_used -> used buffers
 *
 * Depths that the kernels rely on: request and used 128 (a packet's, while its plan is being made), credit 512 (at most
 * four tokens for each receive queue), fault CARD_FUNCTIONS, again as many as the items and stages before virtio_rx.
 */
#ifndef CIPU_RECEIVE_H
#define CIPU_RECEIVE_H

#include <assert.h>
#include <stdint.h>

#include "hls/include/queue.h"

/* One for each packet, with its first beat. */
struct receive_head {
    uint16_t queue;
    uint16_t length; /* bytes of the packet */
    uint8_t flags;   /* enum beat_flags */
    uint8_t reserved[3];
};

enum receive_item_kind { RECEIVE_SEGMENT = 1, RECEIVE_HEAD = 2 };

/* What virtio_rx works on, in its one order. */
struct receive_item {
    struct virtq_segment segment; /* RECEIVE_SEGMENT, else zeros */
    struct receive_head head;     /* RECEIVE_HEAD, else zeros */
    uint8_t kind;                 /* enum receive_item_kind */
    uint8_t sequence;             /* counts items; they take effect in this order */
    uint8_t buffers;              /* HEAD: chains that the packet has filled so far */
    uint8_t reserved;
    uint16_t left; /* HEAD: bytes of a packet that was begun, which still need a place; 0 = not begun */
    uint8_t reserved2[2];
};

enum receive_place_kind {
    PLACE_SEGMENT = 1, /* address, length, head, last: is kept at `position` */
    PLACE_CHAINS = 2,  /* the next `length` bytes of a packet go into `segments` segments from `position` on */
    PLACE_WINDOW = 3,  /* address, length: for the DMA channel; entry */
    PLACE_COMMAND = 4, /* entry */
};

/* From virtio_rx to virtio_rx_place. */
struct receive_place {
    uint64_t address;
    uint64_t length;
    uint8_t entry[64];
    uint16_t function;
    uint16_t head;
    uint16_t position;
    uint8_t segments; /* 1 .. 2 * RECEIVE_CHAIN_MAX */
    uint8_t kind;     /* enum receive_place_kind */
    uint8_t last;     /* SEGMENT: of its chain; CHAINS: of the packet */
    uint8_t generation;
    uint8_t reserved[6];
};

/* What becomes of a packet; one for each, in their order. */
struct receive_plan {
    uint16_t queue;
    uint16_t function;
    uint16_t flags;  /* enum queue_flags of the queue */
    uint8_t buffers; /* chains that the packet fills, 1 .. RECEIVE_SEGMENTS */
    uint8_t drop;    /* 1: nothing was requested */
};

enum receive_used_kind { RECEIVE_BUFFER = 1, RECEIVE_COMMAND = 2 };

/* A chain that holds (a part of) a packet, or a command that ends when everything before it has. */
struct receive_used {
    uint8_t entry[64]; /* RECEIVE_COMMAND: the completion, else zeros */
    uint32_t length;   /* bytes written into the chain */
    uint16_t queue;
    uint16_t head;
    uint8_t kind; /* enum receive_used_kind */
    uint8_t last; /* of the packet */
    uint8_t generation;
    uint8_t reserved[5];
};

static_assert(sizeof(struct receive_head) == 8, "receive head");
static_assert(sizeof(struct receive_item) == 112, "receive item");
static_assert(sizeof(struct receive_place) == 96, "receive place");
static_assert(sizeof(struct receive_plan) == 8, "receive plan");
static_assert(sizeof(struct receive_used) == 80, "receive used");

#endif
