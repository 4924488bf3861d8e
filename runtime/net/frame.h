/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and building the frames of the slow path. frame_parse never looks beyond `length`; every pointer and length
 * it leaves in struct frame lies inside the data.
 */
#ifndef CIPU_NET_FRAME_H
#define CIPU_NET_FRAME_H

#include "hls/include/beat.h"
#include "hls/include/net.h"
#include "runtime/net/address.h"

#define FRAME_ETHERNET_BYTES 14u
#define FRAME_TYPE_ARP       0x0806u

#define FRAME_VXLAN_BYTES 8u

#define FRAME_IPV4_BYTES 20u
#define FRAME_IPV6_BYTES 40u

struct frame {
    const uint8_t *data; /* the Ethernet frame */
    size_t length;
    uint16_t type;                                /* EtherType */
    uint8_t family;                               /* 4, 6; 0: not IP, and nothing below holds */
    uint8_t protocol;                             /* IPv6: after the extension headers */
    bool fragment, first_fragment, dont_fragment; /* first_fragment: offset 0, also of a whole packet */
    bool options;                                 /* IPv4 options or IPv6 extension headers */
    uint8_t ttl;
    const uint8_t *ip;
    size_t ip_length;       /* of the IP packet by its own header; link padding excluded */
    const uint8_t *payload; /* what follows the IP headers; NULL if the headers are incomplete */
    size_t payload_length;
    struct net_address source, destination;
};

/* 0, or -EBADMSG for a frame whose headers contradict themselves or its length, or an IPv4 header with a wrong
 * checksum. */
int frame_parse(const uint8_t *data, size_t length, struct frame *frame);

static inline bool frame_is_tagged(const struct frame *frame)
{
    return frame->type == ETHERTYPE_VLAN || frame->type == ETHERTYPE_SERVICE_VLAN;
}

static inline const uint8_t *frame_destination_mac(const struct frame *frame)
{
    return frame->data;
}

static inline const uint8_t *frame_source_mac(const struct frame *frame)
{
    return frame->data + 6;
}

static inline bool frame_is_icmp(const struct frame *frame)
{
    return frame->family == 4 ? frame->protocol == IP_PROTOCOL_ICMP : frame->protocol == IP_PROTOCOL_ICMPV6;
}

/* ND messages that are answered or passed on: solicitation or advertisement, valid by RFC 4861 section 7.1. */
bool frame_is_neighbour_message(const struct frame *frame);

/* The inner frame of a VXLAN packet with the I flag (RFC 7348 section 5) for the UDP port 4789; false if it is none. */
bool frame_vxlan(const struct frame *frame, uint32_t *vni, const uint8_t **inner, size_t *inner_length);

/* ---- building; `to` has room, all return the bytes written ---- */

size_t frame_put_ethernet(uint8_t *to, const uint8_t destination[6], const uint8_t source[6], uint16_t type);
/* Without options; `payload` bytes follow. */
size_t frame_put_ip(uint8_t *to, const struct net_address *source, const struct net_address *destination,
                    uint8_t protocol, uint8_t ttl, size_t payload);

/* RFC 1071 sum of the bytes added to `sum`; frame_checksum_finish folds and complements it. */
uint64_t frame_checksum_add(uint64_t sum, const uint8_t *bytes, size_t length);
uint16_t frame_checksum_finish(uint64_t sum);
/* The checksum of an ICMP message of that family; IPv6 with its pseudo header (RFC 8200 section 8.1). */
uint16_t frame_icmp_checksum(const struct net_address *source, const struct net_address *destination,
                             const uint8_t *message, size_t length);
/* Writes the IPv4 header's checksum. */
void frame_ipv4_checksum(uint8_t *header, size_t bytes);

#define FRAME_ARP_BYTES       42u
#define FRAME_NEIGHBOUR_BYTES 86u
enum frame_arp_operation { FRAME_ARP_REQUEST = 1, FRAME_ARP_REPLY = 2 };

/* What an ARP packet (RFC 826) or a neighbour message (RFC 4861) says. */
struct frame_neighbour {
    bool solicitation; /* else an answer */
    uint8_t family;
    struct net_address sender; /* ND: the IP source of a solicitation, the target of an advertisement */
    struct net_address target; /* ND: an advertisement's IP destination */
    uint8_t sender_mac[6];     /* ARP: sha; ND: the link-layer option, else the Ethernet source */
};

/* false if the frame is neither, or malformed. */
bool frame_neighbour_read(const struct frame *frame, struct frame_neighbour *message);
/* Asks on behalf of (source_mac, source) for the target's MAC; to one station if `to_mac`, else broadcast or multicast.
 */
size_t frame_put_solicitation(uint8_t *to, const uint8_t source_mac[6], const struct net_address *source,
                              const struct net_address *target, const uint8_t *to_mac);
/* Answers `asked`, which came from to_mac, that `mac` has asked->target. */
size_t frame_put_answer(uint8_t *to, const struct frame_neighbour *asked, const uint8_t to_mac[6], const uint8_t mac[6],
                        bool router);

#endif
