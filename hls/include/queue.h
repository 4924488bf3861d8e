/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records between the kernels of a virtqueue.
 *
 *   doorbells, commands, DMA answers, own tokens -> queue_events -> virtq -> segments -> virtio_tx or virtio_rx
 *   used elements, commands, DMA answers, own tokens -> used_events -> virtio_used -> used ring, interrupt
 *
 * virtq walks the avail ring and the descriptor chains of 256 queues. A queue has at most one token: a read in flight,
 * a write in flight, or a record in the `again` stream; so these streams need room for CARD_QUEUES records and never
 * block.
 */
#ifndef CIPU_QUEUE_H
#define CIPU_QUEUE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/host_ring.h"

#define QUEUE_SIZE_MAX 32768u

/* A receive queue's segments are cached in the card (64 per queue); longer receive chains are used up to their 32nd
 * segment. */
#define RECEIVE_SEGMENTS  64u
#define RECEIVE_CHAIN_MAX 32u
/* A transmit queue may begin a chain while fewer segments than this are on their way. */
#define TRANSMIT_SEGMENTS 128u
/* Longer transmit chains are a fault: virtio_tx collects a chain before it goes on. */
#define TRANSMIT_CHAIN_MAX 256u
/* Bytes of a virtio-blk chain, at most. */
#define BLOCK_CHAIN_BYTES (1u << 31)
/* Segments in one credit token, at least: four tokens of each transmit queue fit the credit stream. */
#define TRANSMIT_CREDIT (TRANSMIT_SEGMENTS / 4u)

enum queue_event_kind {
    QUEUE_DOORBELL = 1,
    QUEUE_COMMAND = 2, /* data = struct command_entry */
    QUEUE_DATA = 3,    /* data = what was read; error */
    QUEUE_DONE = 4,    /* a write is visible; error */
    QUEUE_AGAIN = 5,
    QUEUE_CREDIT = 6, /* amount segments are free again */
    QUEUE_FAULT = 7,  /* a later kernel found detail = enum queue_fault: stop the queue */
    QUEUE_USED = 8,   /* a buffer is done: head, length, detail = enum used_more */
    QUEUE_LINE = 9,   /* data = a line of descriptors, amount = its place in the block; detail = 1: the last; error */
};

/* Tags of virtq's reads: the queue, and for descriptors this bit and the place of the first line in its block. */
#define QUEUE_TAG_LINE        0x100u
#define QUEUE_TAG_PLACE_SHIFT 9u
#define QUEUE_BLOCK_LINES     8u /* of 64 bytes: what is read at once lies in an aligned block of so many */

/* The one input of a queue's state machine. */
struct queue_event {
    uint8_t data[64];
    uint16_t queue;
    uint8_t kind; /* enum queue_event_kind */
    uint8_t error;
    uint16_t amount;
    uint8_t generation;
    uint8_t detail;
    uint32_t head;
    uint32_t length;
};

/* again, credit and fault streams. */
struct queue_token {
    uint16_t queue;
    uint16_t amount;
    uint8_t generation; /* of the queue's setting: records of an earlier one are ignored */
    uint8_t detail;     /* enum queue_fault */
    uint8_t reserved[2];
};

enum segment_kind {
    SEGMENT_BUFFER = 1, /* one descriptor: address, length */
    SEGMENT_ABORT = 2,  /* the chain begun before is withdrawn; flags has LAST */
    /* The others are commands on their way: `entry` is the completion, which the last kernel of the group sends. */
    SEGMENT_SETTING = 3, /* the queue starts: address = queue_setting.flags, length = mtu, or volume of a block queue */
    SEGMENT_WINDOW = 4,  /* address, length, function: goes on to the DMA channels of later kernels */
    SEGMENT_COMMAND = 5, /* nothing but a completion; QUEUE_STOP with status OK also ends the queue in later kernels */
};

/* With LAST, of a chain that has no fault behind it. MORE: the queue's next chain follows at once. ANNOUNCED: the
 * driver has made others available. WRITABLE: of a block queue, whose segments are as long as their descriptors. */
enum segment_flags {
    SEGMENT_FIRST = 1,
    SEGMENT_LAST = 2,
    SEGMENT_MORE = 4,
    SEGMENT_ANNOUNCED = 8,
    SEGMENT_WRITABLE = 16,
};

/* In `entry` of a block queue's first segment: where the chain's descriptors are. */
struct segment_table {
    uint64_t address;
    uint32_t entries;
    uint16_t first; /* index of the first descriptor */
    uint8_t reserved[2];
};

/* What virtq tells the kernel behind it: for each queue in the order of its avail ring; chains of several queues mix.
 */
struct virtq_segment {
    uint64_t address;
    uint64_t length;
    uint16_t queue;
    uint16_t function;
    uint16_t head; /* of the chain */
    uint8_t kind;  /* enum segment_kind */
    uint8_t flags; /* enum segment_flags */
    uint8_t generation;
    uint8_t reserved;
    uint16_t number;       /* BUFFER: segments of the chain before this one */
    uint32_t chain_length; /* BUFFER: bytes of the chain so far, with this segment; transmit and block queues */
    uint8_t entry[64];     /* SETTING, WINDOW, COMMAND: the completion so far; BUFFER: struct segment_table or zeros */
};

/* FOLLOWED: another buffer of the queue is done very soon, the used index may wait for it. ANNOUNCED: others will be.
 */
enum used_more { USED_FOLLOWED = 1, USED_ANNOUNCED = 2 };

/* A buffer that the device is done with. */
struct queue_used {
    uint16_t queue;
    uint16_t head;
    uint32_t length; /* bytes written */
    uint8_t more;    /* enum used_more */
    uint8_t reserved[3];
};

static_assert(sizeof(struct queue_event) == 80, "queue event");
static_assert(sizeof(struct queue_token) == 8, "queue token");
static_assert(sizeof(struct virtq_segment) == 96, "virtq segment");
static_assert(sizeof(struct segment_table) == 16, "segment table");
static_assert(sizeof(struct queue_used) == 12, "used buffer");
static_assert(CARD_QUEUES <= QUEUE_TAG_LINE, "a queue fits below the tag's bits");

#endif
