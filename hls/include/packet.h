/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the packet pipeline, from the window of a packet's first bytes to the command that rewrites it.
 *
 *     ingress -> split -> parse -> match_bucket -> match_way -> match_entry -> apply -> rewrite -> egress
 *                  \---------------------------- beats ---------------------------------^
 *
 * Control commands travel in band as packets of one beat with meta.source = ENDPOINT_NONE, so a table changes between
 * two packets and every kernel behind ingress is a function of its inputs alone. A memory write has no answer, but
 * every record waits for one line at each table; so a command that writes a table goes twice: first as COMMAND_WRITE,
 * which has no beat and ends in the kernel that writes, then as COMMAND_WHOLE, which only comes out at the end.
 */
#ifndef CIPU_PACKET_H
#define CIPU_PACKET_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/flow.h"
#include "hls/include/hls.h"

#define WINDOW_BYTES       192u
#define INNER_BYTES_MAX    78u                              /* Ethernet, two tags, IPv6, UDP, VXLAN */
#define INNER_WINDOW_BYTES (WINDOW_BYTES - INNER_BYTES_MAX) /* what the window holds of every inner frame */

/* In two parts, so that no store crosses a cache line. */
HLS_INLINE void beat_copy(struct beat *to, const struct beat *from)
{
    HLS_COPY(to->data, from->data, BEAT_BYTES);
    HLS_COPY(&to->meta, &from->meta, sizeof to->meta);
}

/* meta.source_id of a command. */
enum command_part {
    COMMAND_WHOLE = 0,
    COMMAND_WRITE = 1,
};

/* The first bytes of a packet, zeros beyond its end. */
struct window {
    uint8_t data[WINDOW_BYTES];
    struct beat_meta meta; /* of the packet's first beat */
};

enum verdict {
    VERDICT_LOOKUP = 0,  /* the key decides */
    VERDICT_ACTION = 1,  /* match.action decides */
    VERDICT_PUNT = 2,    /* detail = enum punt_reason */
    VERDICT_DROP = 3,    /* detail = enum statistic */
    VERDICT_COMMAND = 4, /* a control command; match = its data */
    VERDICT_WRITE = 5,   /* the same, COMMAND_WRITE */
};

/* In commands: the 48 bytes of data. */
struct packet_match {
    struct flow_key key;
    uint32_t action; /* index of an action line */
};

/* What the parser found. Fields of headers that are not there are zero. A packet whose headers are wrong (VERDICT_DROP,
 * or an injected one) has the key's kind FLOW_NONE, and only meta, verdict, detail, inner, network, tags and
 * frame_length hold. */
struct headers {
    struct beat_meta meta;
    struct packet_match match;
    uint8_t verdict; /* enum verdict */
    uint8_t detail;
    uint8_t inner;         /* offset of the inner frame in a VXLAN packet for this card; else 0 */
    uint8_t network;       /* offset of the IP header (or other payload) from the (inner) frame's start: 14, 18 or 22 */
    uint8_t transport;     /* offset of the transport header from the (inner) frame's start; 0 = none */
    uint8_t tags;          /* VLAN tags of the (inner) frame */
    uint8_t traffic_class; /* of the (inner) IP header: DSCP << 2 | ECN */
    uint8_t ttl;           /* or hop limit */
    uint8_t second_byte;   /* of the (inner) IP header */
    uint8_t outer_ecn;
    uint16_t checksum;     /* of the (inner) IPv4 header, as a number */
    uint16_t frame_length; /* bytes of the (inner) frame */
    uint16_t opcode;       /* commands: enum command_opcode, COMMAND_NOP when refused */
    uint32_t hash;         /* of the key, struct flow_hash.bucket; commands: the index */
    uint32_t tag;          /* struct flow_hash.tag, then the entry; commands: the argument */
    uint8_t reserved[8];   /* zero */
};

static_assert(sizeof(struct window) == 208, "header window");
static_assert(sizeof(struct packet_match) == 48, "a command's data");
static_assert(sizeof(struct headers) == 96, "headers");

enum rewrite_operation {
    REWRITE_DROP = 0,
    REWRITE_PASS = 1,             /* out = in; also control commands */
    REWRITE_ENCAPSULATE_IPV4 = 2, /* out = header, in */
    REWRITE_ENCAPSULATE_IPV6 = 3,
    REWRITE_STRIP = 4,      /* out = in from byte `shift` on, meta.length bytes of it */
    REWRITE_STRIP_LONG = 5, /* the same, from byte 64 + `shift` on */
};

enum rewrite_edits {
    EDIT_SOURCE_MAC = 1,
    EDIT_DESTINATION_MAC = 2,
    EDIT_IPV4 = 4, /* second byte, TTL and checksum */
    EDIT_IPV6 = 8, /* second byte and hop limit */
    EDIT_CUT = 16, /* the packet goes on after what is stripped to: zeros from there on */
};

#define ENCAPSULATION_IPV4_BYTES 50u
#define ENCAPSULATION_IPV6_BYTES 70u

enum fate_kind {
    FATE_UNTOLD = 0, /* never sent */
    FATE_PACKET = 1,
    FATE_READ = 2, /* not a packet: tell the counter `index` */
};

#define STATISTIC_ROW_PORT 128u /* + port; functions are rows 0..127 */
#define STATISTIC_ROW_NONE 255u

/* What became of a packet; or which counter to tell. */
struct fate {
    uint8_t kind;   /* enum fate_kind */
    uint8_t fate;   /* enum statistic */
    uint8_t reason; /* enum punt_reason */
    uint8_t source_row;
    uint8_t destination_row;
    uint8_t reserved; /* zero */
    uint16_t index;   /* FATE_READ: enum statistic */
    uint32_t length;  /* bytes of the packet as it entered */
};

static_assert(sizeof(struct fate) == 12, "fate");

/* What is done to one packet. Edits are in the coordinates of the packet as it leaves. */
struct rewrite_plan {
    struct beat_meta meta; /* of the first beat as it leaves */
    uint8_t operation;     /* enum rewrite_operation */
    uint8_t shift; /* byte of {previous, current} beat at which a beat that leaves begins: 0, 6, 10, 14, 50, 54 or 58 */
    uint8_t edits; /* enum rewrite_edits */
    uint8_t network; /* offset of the IP header to edit */
    uint8_t second_byte;
    uint8_t ttl;
    uint16_t checksum;
    uint8_t destination_mac[6];
    uint8_t source_mac[6];
    struct fate fate; /* if the packet is not spoilt */
};

/* One for each packet and command. */
struct rewrite_command {
    uint8_t header[128]; /* of an encapsulation: at the end, zeros before */
    struct rewrite_plan plan;
};

static_assert(sizeof(struct rewrite_plan) == 48 && sizeof(struct rewrite_command) == 176, "rewrite command");

struct statistic_answer {
    uint64_t packets;
    uint64_t bytes;
};

#endif
