/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register file. It describes itself: a list of blocks, each beginning with {type, version, length, next}; software
 * walks it from offset 0 and skips types that it does not know. 32-bit registers, little endian.
 */
#ifndef CIPU_REGISTERS_H
#define CIPU_REGISTERS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum register_block_type { BLOCK_CARD = 1, BLOCK_RINGS = 2, BLOCK_PORTS = 3, BLOCK_STREAMS = 4 };

struct register_block {
    uint32_t type;
    uint32_t version;
    uint32_t length; /* bytes, with this header */
    uint32_t next;   /* offset of the next block; 0 = none */
};

#define CARD_MAGIC 0x55504943u /* "CIPU" */

struct card_block {
    struct register_block header;
    uint32_t magic;
    uint32_t functions;
    uint32_t queues;
    uint32_t ports;
    uint32_t vectors;
    uint32_t flow_entries;
    uint32_t flow_actions;
    uint32_t clock_khz; /* of the kernels; 0 = no clock (native card) */
    uint32_t reset;     /* write 1: reset; reads 0 when done */
    uint32_t reserved[3];
};

struct ring_registers {
    uint32_t entries_low;
    uint32_t entries_high;
    uint32_t index_low;
    uint32_t index_high;
    uint32_t entries_log2;
    uint32_t enable; /* writing applies the others: 1 start, 0 stop */
    uint32_t reserved[2];
};

struct rings_block {
    struct register_block header;
    struct ring_registers ring[7]; /* enum host_ring */
};

struct port_registers {
    uint32_t link; /* 1 = up; read only */
    uint32_t received_packets;
    uint32_t received_dropped; /* no room in the port's FIFO, too short or too long */
    uint32_t sent_packets;
    uint32_t send_dropped;
    uint32_t reserved[3];
};

struct ports_block {
    struct register_block header;
    struct port_registers port[2];
};

/* The streams of packets between the shell and the kernels. */
#define MONITOR_RECEIVE   0u  /* + port: what came from its MAC */
#define MONITOR_SEND      2u  /* + port: what goes to its MAC */
#define MONITOR_DMA_READ  4u  /* + channel */
#define MONITOR_DMA_WRITE 20u /* + channel */
#define MONITOR_STREAMS   44u

/* Counters of 64 bits in two halves, which are read one after the other: take the low half between two equal high ones.
 */
struct stream_registers {
    uint32_t packets_low;
    uint32_t packets_high;
    uint32_t bytes_low;
    uint32_t bytes_high;
    uint32_t stalls_low; /* cycles in which a beat waited for its reader; 0 on a card without a clock */
    uint32_t stalls_high;
    uint32_t reserved[2];
};

struct streams_block {
    struct register_block header;
    uint32_t streams;      /* how many there are */
    uint32_t stuck_cycles; /* a beat that waits so long, or up to twice as long, makes its stream stuck; 0 = never */
    uint32_t stuck_low;    /* a bit for each stream: until a beat moves */
    uint32_t stuck_high;
    struct stream_registers stream[44]; /* MONITOR_... */
};

#define CARD_BLOCK_OFFSET    0x000u
#define RINGS_BLOCK_OFFSET   0x100u
#define PORTS_BLOCK_OFFSET   0x200u
#define STREAMS_BLOCK_OFFSET 0x300u
#define REGISTER_FILE_BYTES  0x1000u

static_assert(sizeof(struct card_block) == 64, "card block");
static_assert(sizeof(struct rings_block) == 240, "rings block");
static_assert(sizeof(struct ports_block) == 80, "ports block");
static_assert(sizeof(struct streams_block) == 32 + MONITOR_STREAMS * 32, "streams block");
static_assert(STREAMS_BLOCK_OFFSET + sizeof(struct streams_block) <= REGISTER_FILE_BYTES, "all within the file");

#endif
