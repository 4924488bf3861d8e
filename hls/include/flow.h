/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table in card memory: buckets of 8 ways (tag, entry index) -> entries (key, action index, counters) ->
 * actions. Every table is an array of 64-byte lines. Placement is the host's: it hashes with flow_hash (the card uses
 * the same function), writes the entry first and the way last, so a packet sees a flow completely or not at all. To
 * change a flow: write a new entry and swing the way to it (one 8-byte write).
 */
#ifndef CIPU_FLOW_H
#define CIPU_FLOW_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/hls.h"

#define FLOW_BUCKETS_LOG2 18u
#define FLOW_BUCKETS      (1u << FLOW_BUCKETS_LOG2)
#define FLOW_WAYS         8u
#define FLOW_ENTRIES      (1u << 20)
#define FLOW_ACTIONS      (1u << 16)

/* Card memory, in lines of 64 bytes. */
#define FLOW_BUCKET_LINE  0u
#define FLOW_ENTRY_LINE   (FLOW_BUCKET_LINE + FLOW_BUCKETS)
#define FLOW_ACTION_LINE  (FLOW_ENTRY_LINE + FLOW_ENTRIES)
#define CARD_MEMORY_LINES (FLOW_ACTION_LINE + FLOW_ACTIONS)

enum flow_kind {
    FLOW_NONE = 0, /* not a packet that can have a flow (ARP, ND, malformed, ...): always punted or dropped */
    FLOW_IPV4 = 1, /* addresses in the last 4 bytes of the 16, the others zero */
    FLOW_IPV6 = 2,
};

/* Ports are zero for protocols without them and for every fragment (first or not). ICMP echo: source_port = identifier,
 * destination_port = type << 8 | code; other ICMP: source_port = 0. All fields big endian as in the packet, but domain.
 */
struct flow_key {
    uint32_t domain; /* FLOW_DOMAIN_* | number */
    uint8_t source[16];
    uint8_t destination[16];
    uint8_t source_port[2];
    uint8_t destination_port[2];
    uint8_t protocol; /* IP protocol or, for IPv6, the first non-extension next header */
    uint8_t kind;     /* enum flow_kind */
    uint8_t fragment; /* 1 for a fragment */
    uint8_t reserved;
};

#define FLOW_DOMAIN_FUNCTION 0x01000000u /* | function: sent by a function */
#define FLOW_DOMAIN_VNI      0x02000000u /* | VNI: came in a VXLAN packet for this card's tunnel endpoint */
#define FLOW_DOMAIN_PORT     0x03000000u /* | port: plain packet of a port */

struct flow_way {
    uint32_t tag;   /* high half of the hash with bit 0 set; 0 = empty */
    uint32_t entry; /* index of the entry */
};

struct flow_bucket {
    struct flow_way ways[FLOW_WAYS];
};

struct flow_entry {
    struct flow_key key;
    uint32_t action;    /* index of the action */
    uint32_t last_seen; /* card time in ms (wraps) of the newest packet; 0 = none yet */
    uint32_t packets;   /* wraps: read it at least every 10 s */
    uint64_t bytes; /* bytes of the packets as they entered, without FCS; unaligned halves in hardware are one word */
};

enum action_kind {
    ACTION_DROP = 0, /* an action line of zeros drops */
    ACTION_FORWARD = 1,
    ACTION_ENCAPSULATE_IPV4 = 2, /* VXLAN over IPv4, RFC 7348 */
    ACTION_ENCAPSULATE_IPV6 = 3,
    ACTION_DECAPSULATE = 4, /* strip to the inner frame, RFC 6040 ECN */
    ACTION_PUNT = 5,        /* always to the host, reason PUNT_ACTION */
};

enum action_flags {
    ACTION_SET_SOURCE_MAC = 1,
    ACTION_SET_DESTINATION_MAC = 2,
    ACTION_DECREMENT_TTL = 4,  /* routed: TTL or hop limit <= 1 is punted with PUNT_TTL */
    ACTION_DONT_FRAGMENT = 8,  /* DF in the outer IPv4 header */
    ACTION_INHERIT_DSCP = 16,  /* outer DSCP = inner DSCP, else outer_dscp */
    ACTION_KEEP_UNTAGGED = 32, /* a VLAN-tagged (inner) frame is dropped, not passed on */
};

/* The source MAC and IP of the outer header are those of the port (command PORT_SET). */
struct action {
    uint8_t kind;        /* enum action_kind */
    uint8_t destination; /* enum endpoint */
    uint16_t destination_id;
    uint16_t
        mtu; /* largest (inner) packet without Ethernet header; larger ones are punted with PUNT_MTU; 0 = no limit */
    uint16_t flags; /* enum action_flags */
    uint32_t vni;
    uint8_t destination_mac[6]; /* of the inner frame */
    uint8_t source_mac[6];      /* of the inner frame */
    uint8_t outer_destination_mac[6];
    uint8_t outer_ttl;
    uint8_t outer_dscp;
    uint8_t remote[16]; /* tunnel endpoint; IPv4 in the last 4 bytes */
};

static_assert(sizeof(struct flow_key) == 44, "flow key is 44 bytes");
static_assert(sizeof(struct flow_bucket) == 64, "a bucket is one line");
static_assert(offsetof(struct flow_entry, bytes) == 56 && sizeof(struct flow_entry) == 64, "an entry is one line");
static_assert(sizeof(struct action) == 48, "an action fits one control command");

struct flow_hash {
    uint32_t bucket; /* use the low FLOW_BUCKETS_LOG2 bits */
    uint32_t tag;    /* never 0 */
};

/* Odd constants without a meaning. */
static const uint32_t flow_hash_key[12] = {0xf9b439fdu, 0x91d93081u, 0x8142c8ebu, 0x3ceaaf31u,
                                           0xa05f1119u, 0x627655dbu, 0xab13dfafu, 0x9dfb369bu,
                                           0x0944fe0du, 0x0ff9bb51u, 0xa0c5154fu, 0x6301bbfdu};

/* Pairs of words are multiplied and added (the universal hash NH of RFC 4418, 5.2.2), then mixed: six multipliers side
 * by side in hardware. The seed keeps a guest from computing colliding keys. */
HLS_INLINE struct flow_hash flow_hash(const struct flow_key *key, uint32_t seed)
{
    uint32_t word[12];
    HLS_COPY(word, key, 44);
    word[11] = seed;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t left = word[i] + (flow_hash_key[i] ^ seed), right = word[i + 6] + (flow_hash_key[i + 6] + seed);
        sum += (uint64_t)left * right;
    }
    sum = (sum ^ sum >> 29) * 0xbf58476d1ce4e5b9u;
    sum ^= sum >> 32;
    struct flow_hash result = {(uint32_t)sum, (uint32_t)(sum >> 32) | 1u};
    return result;
}

#endif
