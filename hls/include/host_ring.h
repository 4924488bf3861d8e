/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host rings: rings of 64-byte entries in host memory.
 *
 * Producer and consumer indices are free-running 32-bit counts of entries. To the card (COMMAND, INJECT, BLOCK): the
 * host writes entries, then the producer index into the ring's doorbell page; the card reads entries by DMA and writes
 * its consumer index to the ring's index line. From the card (COMPLETION, PUNT, EVENT, BACKEND): the card writes
 * entries, then its producer index to the ring's index line, then raises vector VECTOR_CONTROL + ring; the host writes
 * its consumer index into the ring's doorbell page.
 *
 * A record is one entry, or, for packets, a packet_entry followed by its data in whole entries. The card never waits
 * for the host: what does not fit is dropped as a whole record and counted (struct ring_index.dropped).
 *
 * Of PUNT and EVENT each source (a function, a port) has a fair share, so that one which provokes many records takes
 * nothing from the others; what it loses is told in its next record (packet_entry.dropped, event_entry.dropped).
 */
#ifndef CIPU_HOST_RING_H
#define CIPU_HOST_RING_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define RING_ENTRY_BYTES      64u
#define RING_ENTRIES_LOG2_MAX 16u

enum host_ring {
    RING_COMMAND = 0,
    RING_COMPLETION = 1,
    RING_PUNT = 2,
    RING_INJECT = 3,
    RING_EVENT = 4,
    RING_BACKEND = 5, /* from the card: struct block_command (hls/include/block.h) */
    RING_BLOCK = 6,   /* to the card: struct block_answer */
    RING_COUNT = 7,
};

/* The ring's index line in host memory, written by the card. */
struct ring_index {
    uint32_t index;   /* consumer (COMMAND, INJECT) or producer (others) */
    uint32_t dropped; /* records dropped for want of room; COMMAND, INJECT: doorbells that contradict the ring */
    uint8_t reserved[56];
};

/* From the register file to the ring kernels when RING_ENABLE is written. */
struct ring_setting {
    uint64_t entries; /* bus address, 64-byte aligned */
    uint64_t index;   /* bus address of struct ring_index */
    uint32_t entries_log2;
    uint32_t ring;    /* enum host_ring */
    uint32_t enabled; /* 0 stops the ring and sets its indices to 0 */
    uint32_t reserved;
};

enum command_target {
    TARGET_NET = 0,      /* ports, flow tables, statistics: travels in band with the packets */
    TARGET_TX = 1,       /* virtio_tx */
    TARGET_TX_USED = 2,  /* virtio_used of the transmit side */
    TARGET_RX = 3,       /* virtio_rx */
    TARGET_RX_USED = 4,  /* virtio_used of the receive side */
    TARGET_BLK = 5,      /* virtq of virtio-blk */
    TARGET_BLK_USED = 6, /* virtio_used of virtio-blk */
    TARGET_NVME_SQ = 7,  /* nvme_queue and nvme_decode */
    TARGET_NVME_CQ = 8,  /* nvme_cq */
    TARGET_BLOCK = 9,    /* qos */
    TARGET_COUNT = 10,
};

enum command_opcode {
    COMMAND_NOP = 0,
    /* TARGET_NET */
    COMMAND_PORT_SET = 1,     /* index = port, data = struct port_setting */
    COMMAND_SEED_SET = 2,     /* argument = seed of flow_hash; before the first flow */
    COMMAND_BUCKET_WRITE = 3, /* index = bucket, argument = way, data = struct flow_way */
    COMMAND_FLOW_WRITE = 4,   /* index = entry, data = struct flow_key, then u32 action; counters become 0 */
    COMMAND_FLOW_READ = 5, /* index = entry; completion data = the entry's last 20 bytes (action .. bytes), in order */
    COMMAND_ACTION_WRITE = 6,   /* index = action, data = struct action */
    COMMAND_STATISTIC_READ = 7, /* index = counter (enum statistic); completion data = u64 packets, u64 bytes */
    /* TARGET_TX, TARGET_RX, TARGET_TX_USED, TARGET_RX_USED */
    COMMAND_WINDOW_SET = 16, /* index = function, data = struct window_setting */
    COMMAND_QUEUE_SET = 17,  /* index = queue, data = struct queue_setting; the queue must be stopped */
    COMMAND_QUEUE_STOP = 18, /* index = queue; completes when nothing of the queue is in flight in the target any more;
                                completion data = struct queue_position */
    /* TARGET_RX */
    COMMAND_QUEUE_READ = 21, /* index = queue; completion data = struct queue_position */
    COMMAND_FILTER_SET = 19, /* index = function, data = struct filter_setting */
    COMMAND_VLAN_SET = 20,   /* index = function, argument = word (0..63), data = u64 of VLAN ids word*64.. */
    /* TARGET_NVME_SQ, TARGET_NVME_CQ take WINDOW_SET, QUEUE_SET (struct nvme_queue_setting) and QUEUE_STOP too;
       TARGET_BLK, TARGET_BLK_USED as the others of virtqueues, index = block queue, with QUEUE_BLOCK in the setting's
       flags */
    COMMAND_NAMESPACE_SET = 22, /* TARGET_NVME_SQ: data = struct namespace_setting (hls/include/block.h) */
    COMMAND_VOLUME_SET = 23,    /* TARGET_BLOCK: index = volume, data = struct volume_setting */
};

struct command_entry {
    uint16_t opcode;
    uint8_t target;
    uint8_t status; /* in completions: 0 or enum command_status */
    uint32_t tag;   /* the host's; returned */
    uint32_t index;
    uint32_t argument;
    uint8_t data[48];
};

enum command_status {
    STATUS_OK = 0,
    STATUS_BAD_OPCODE = 1,
    STATUS_BAD_INDEX = 2,
    STATUS_BAD_DATA = 3,
    STATUS_BUSY = 4,
};

enum port_mode {
    PORT_OFF = 0,
    PORT_UPLINK = 1, /* the underlay: VXLAN for the endpoint's own addresses is parsed to the inner packet */
    PORT_ACCESS = 2, /* stands for a function: what it receives is treated as sent by that function */
};

struct port_setting {
    uint8_t mode;        /* enum port_mode */
    uint8_t promiscuous; /* else frames for other unicast MACs are dropped */
    uint16_t function;   /* PORT_ACCESS */
    uint8_t mac[6];
    uint16_t vxlan_port; /* UDP; 0 = 4789 */
    uint8_t ipv4[4];     /* tunnel endpoint; zeros = none */
    uint8_t ipv6[16];
    uint8_t reserved[16];
};

struct window_setting {
    uint64_t bus_base;
    uint64_t length; /* 0 = nothing is reachable */
};

enum queue_flags {
    QUEUE_EVENT_INDEX = 1,
    QUEUE_INDIRECT = 2,
    QUEUE_MERGEABLE = 4, /* receive: VIRTIO_NET_F_MRG_RXBUF */
    QUEUE_CHECKSUM = 8,  /* transmit: VIRTIO_NET_F_CSUM; receive: VIRTIO_NET_F_GUEST_CSUM */
    QUEUE_BLOCK = 16,    /* a queue of virtio-blk: chains have readable descriptors, then writable ones */
};

/* The same setting is sent to TARGET_TX and TARGET_TX_USED (or RX and RX_USED, BLK and BLK_USED). */
struct queue_setting {
    uint64_t descriptors; /* guest addresses */
    uint64_t avail;
    uint64_t used;
    uint32_t entries;  /* 2 .. 32768, a power of two */
    uint16_t flags;    /* enum queue_flags */
    uint16_t position; /* avail and used index to start from */
    uint16_t vector;   /* card-wide; 0xffff = none */
    uint16_t function;
    uint16_t mtu; /* transmit: frames longer than mtu + 18 bytes are dropped with an event; 0 = PACKET_BYTES_MAX */
    uint16_t generation; /* the host's; EVENT_QUEUE_STOPPED returns it */
    uint32_t volume;     /* virtio-blk */
    uint8_t reserved[4];
};

struct queue_position {
    uint16_t position; /* next avail index (TX, RX) or used index (TX_USED, RX_USED) */
    uint8_t reserved[2];
    uint32_t dropped; /* RX: packets dropped for want of buffers since QUEUE_SET */
};

enum filter_flags {
    FILTER_PROMISCUOUS = 1,
    FILTER_ALL_MULTICAST = 2,
    FILTER_ALL_UNICAST = 4,
    FILTER_NO_MULTICAST = 8,
    FILTER_NO_UNICAST = 16,
    FILTER_NO_BROADCAST = 32,
    FILTER_VLAN = 64, /* tagged frames pass only for VLAN ids that are set */
};

/* MAC tables longer than the filter's are handled by the runtime: it sets ALL_UNICAST or ALL_MULTICAST. */
struct filter_setting {
    uint8_t flags; /* enum filter_flags */
    uint8_t reserved;
    uint8_t mac[6];        /* the function's own */
    uint8_t table_entries; /* 0 .. 6 */
    uint8_t reserved2[3];
    uint8_t table[6][6];
};

/* Precedes a packet in the PUNT and INJECT rings; ceil(length / 64) entries of data follow, the last filled with zeros.
 */
struct packet_entry {
    uint16_t length; /* PACKET_BYTES_MIN .. PACKET_BYTES_MAX */
    uint8_t reason;  /* PUNT: enum punt_reason */
    uint8_t source;  /* enum endpoint: where it came from; in INJECT: where it shall appear to come from */
    uint16_t source_id;
    uint16_t reserved;
    uint32_t action; /* INJECT: index of the action to apply instead of a lookup, or INJECT_LOOKUP */
    uint8_t reserved2[48];
    uint32_t dropped; /* PUNT: packets of this source that found no room since the ring was enabled */
};

#define INJECT_LOOKUP 0xffffffffu

enum punt_reason {
    PUNT_NONE = 0,
    PUNT_MISS = 1,    /* no flow */
    PUNT_ACTION = 2,  /* ACTION_PUNT */
    PUNT_TTL = 3,     /* routed packet with TTL or hop limit <= 1 */
    PUNT_MTU = 4,     /* larger than the action's MTU */
    PUNT_CONTROL = 5, /* ARP, ND, or another packet that never has a flow */
    PUNT_OPTIONS = 6, /* headers that the card does not rewrite (options in the underlay, headers beyond the window) */
};

/* Every packet is counted once by what became of it, and once by source and by destination. */
enum statistic {
    STATISTIC_FORWARDED = 0,
    STATISTIC_ENCAPSULATED = 1,
    STATISTIC_DECAPSULATED = 2,
    STATISTIC_PUNTED = 3,
    STATISTIC_DROP_ACTION = 4,
    STATISTIC_DROP_TRUNCATED = 5, /* ends inside a header */
    STATISTIC_DROP_MALFORMED = 6, /* a header contradicts itself or the packet's length */
    STATISTIC_DROP_CHECKSUM = 7,  /* IPv4 header checksum wrong */
    STATISTIC_DROP_ADDRESS = 8,   /* for another station */
    STATISTIC_DROP_ECN = 9,       /* RFC 6040: outer CE on a packet that is not ECN capable */
    STATISTIC_DROP_VLAN = 10,
    STATISTIC_DROP_ERROR = 11, /* spoilt on its way (beat error) */
    STATISTIC_INJECTED = 12,
    STATISTIC_PUNT_REASON = 16,    /* + enum punt_reason */
    STATISTIC_FROM_PORT = 32,      /* + port */
    STATISTIC_TO_PORT = 48,        /* + port */
    STATISTIC_FROM_FUNCTION = 256, /* + function */
    STATISTIC_TO_FUNCTION = 512,   /* + function */
    STATISTIC_COUNT = 1024,
};

enum event_kind {
    EVENT_QUEUE_STOPPED = 1,  /* detail = enum queue_fault */
    EVENT_PACKET_DROPPED = 2, /* a function's packet: detail = enum queue_fault; the queue goes on */
    EVENT_DOORBELL = 3, /* NVMe: detail = FAULT_DOORBELL, queue = block queue, address = value << 32 | index; the queue
                           goes on */
};

enum queue_fault {
    FAULT_NONE = 0,
    FAULT_AVAIL_INDEX = 1,       /* avail index ahead by more than the queue's size */
    FAULT_DESCRIPTOR_INDEX = 2,  /* head or next beyond the table */
    FAULT_DESCRIPTOR_LOOP = 3,   /* chain longer than the queue, or than TRANSMIT_CHAIN_MAX */
    FAULT_DESCRIPTOR_LENGTH = 4, /* zero, or a chain longer than a packet may be, or too short for the header */
    FAULT_INDIRECT = 5,          /* not negotiated, nested, with NEXT, or a length that is no multiple of 16 */
    FAULT_DIRECTION = 6,         /* a writable descriptor in a transmit chain, a read-only one in a receive chain */
    FAULT_ADDRESS = 7,           /* DMA refused or failed */
    FAULT_HEADER = 8,            /* virtio-net header asks for what was not negotiated or points outside the packet */
    FAULT_SETTING = 9,           /* queue setting inconsistent */
    FAULT_DOORBELL = 10,         /* NVMe: a doorbell of a queue that is not there, or a value out of range */
    FAULT_BUSY_HEAD = 11,        /* virtio-blk: the chain's head is in flight already */
};

struct event_entry {
    uint16_t kind;
    uint16_t detail;
    uint16_t function;
    uint16_t queue;
    uint64_t address;    /* what was refused, if an address; else the offending value */
    uint16_t generation; /* EVENT_QUEUE_STOPPED: of the queue's setting, so that an event of an earlier one is known */
    uint8_t reserved[42];
    uint32_t dropped; /* events of this function that found no room since the ring was enabled */
};

/* Where a record's first entry tells it. */
#define RING_DROPPED_OFFSET 60u

static_assert(sizeof(struct ring_index) == 64, "one line");
static_assert(sizeof(struct ring_setting) == 32, "ring setting");
static_assert(sizeof(struct command_entry) == 64 && offsetof(struct command_entry, data) == 16, "one entry");
static_assert(sizeof(struct port_setting) == 48, "fits a command");
static_assert(sizeof(struct queue_setting) == 48, "fits a command");
static_assert(sizeof(struct filter_setting) == 48, "fits a command");
static_assert(sizeof(struct packet_entry) == 64, "one entry");
static_assert(sizeof(struct event_entry) == 64, "one entry");
static_assert(offsetof(struct packet_entry, dropped) == RING_DROPPED_OFFSET &&
                  offsetof(struct event_entry, dropped) == RING_DROPPED_OFFSET,
              "one place in all records");

#endif
