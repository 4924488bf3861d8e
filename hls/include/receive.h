/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records between the kernels that deliver packets into receive queues.
 *
 *   packets -> virtio_rx_head -> heads, with virtq's segments -> virtio_rx_merge -> virtio_rx -> DMA write requests
 *   packets and plans -> virtio_rx_write -> DMA write data -> done, with used records -> virtio_rx_used -> used buffers
 *
 * Depths that the kernels rely on: request and used 128 (all of a packet comes before its plan), credit 512 (at most
 * four tokens for each receive queue), fault CARD_FUNCTIONS.
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
    uint8_t reserved[7];
};

/* What becomes of a packet; one for each, in their order, after all its DMA requests. */
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
static_assert(sizeof(struct receive_plan) == 8, "receive plan");
static_assert(sizeof(struct receive_used) == 80, "receive used");

#endif
