/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Ethernet frame's headers, out of its first bytes: Ethernet, up to two VLAN tags, IPv4 (RFC 791) or IPv6 (RFC
 * 8200), TCP, UDP or ICMP. Used for the packet and again for the frame inside VXLAN. What is found goes straight into
 * the record.
 */
#ifndef CIPU_PARSE_FRAME_H
#define CIPU_PARSE_FRAME_H

#include "hls/include/net.h"

#define FRAME_EXTENSIONS_MAX  4u /* IPv6 extension headers; packets with more are the host's */
#define FRAME_IP_BYTES        60u
#define FRAME_TRANSPORT_BYTES 16u
#define FRAME_ROOM_MAX        (WINDOW_BYTES - 14u) /* from the IP header on */

struct frame {
    uint8_t fault;   /* 0 or STATISTIC_DROP_TRUNCATED, _MALFORMED, _CHECKSUM; then the key's kind is FLOW_NONE */
    uint8_t beyond;  /* 1: headers that the window does not hold, or more of them than are followed */
    uint8_t options; /* 1: IPv4 options or IPv6 extension headers */
};

/* What the Ethernet header says. */
struct frame_ethernet {
    uint32_t type;
    uint32_t network; /* where its payload begins: 14, 18 or 22 */
    uint32_t tags;
};

/* How far the walk along the headers has come. */
struct frame_walk {
    uint32_t offset;   /* of the next header, from the IP header: a multiple of four */
    uint32_t payload;  /* bytes of IP payload from there on */
    uint32_t protocol; /* of the next header */
    bool fragment;
};

HLS_INLINE bool frame_is_tag(uint32_t type)
{
    return type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE_VLAN;
}

HLS_INLINE bool frame_is_extension(uint32_t protocol)
{
    return protocol == IP_PROTOCOL_HOP_BY_HOP || protocol == IP_PROTOCOL_ROUTING || protocol == IP_PROTOCOL_FRAGMENT ||
           protocol == IP_PROTOCOL_DESTINATION;
}

/* The sum of a header's words is all ones when its checksum is right. The order of bytes within words does not matter.
 */
HLS_INLINE bool frame_ipv4_checksum_right(const uint8_t *header, uint32_t header_bytes)
{
    uint32_t word[FRAME_IP_BYTES / 4];
    uint64_t sum = 0;
    HLS_COPY(word, header, FRAME_IP_BYTES);
    for (uint32_t i = 0; i < 5; i++)
        sum += word[i];
    if (HLS_SELDOM(header_bytes > 20)) {
        for (uint32_t i = 5; i < FRAME_IP_BYTES / 4; i++)
            sum += 4 * i < header_bytes ? word[i] : 0u;
    }
    uint32_t half = (uint32_t)((sum & 0xffffu) + (sum >> 16 & 0xffffu) + (sum >> 32));
    return net_fold(half) == 0xffffu;
}

/* `ip` holds the header's bytes, `remaining` is what the frame has from there on. */
HLS_INLINE void frame_ipv4(struct frame *frame, struct headers *headers, struct frame_walk *walk, const uint8_t *ip,
                           uint32_t remaining)
{
    uint32_t header_bytes = (ip[0] & 15u) * 4u;
    uint32_t total = hls_be16(ip + 2);
    if (HLS_SELDOM(remaining < 20))
        frame->fault = STATISTIC_DROP_TRUNCATED;
    else if (HLS_SELDOM(ip[0] >> 4 != 4 || header_bytes < 20))
        frame->fault = STATISTIC_DROP_MALFORMED;
    else if (HLS_SELDOM(remaining < header_bytes))
        frame->fault = STATISTIC_DROP_TRUNCATED;
    else if (HLS_SELDOM(total < header_bytes || total > remaining))
        frame->fault = STATISTIC_DROP_MALFORMED;
    else if (HLS_SELDOM(!frame_ipv4_checksum_right(ip, header_bytes)))
        frame->fault = STATISTIC_DROP_CHECKSUM;
    frame->options = header_bytes > 20;
    headers->traffic_class = ip[1];
    headers->second_byte = ip[1];
    headers->ttl = ip[8];
    headers->checksum = hls_be16(ip + 10);
    headers->match.key.kind = FLOW_IPV4;
    HLS_COPY(headers->match.key.source + 12, ip + 12, 4);
    HLS_COPY(headers->match.key.destination + 12, ip + 16, 4);
    walk->offset = header_bytes;
    walk->payload = total - header_bytes;
    walk->protocol = ip[9];
    walk->fragment = (hls_be16(ip + 6) & 0x3fffu) != 0; /* more fragments, offset */
}

/* Follows one extension header. A real fragment ends the walk: what follows may be data, and every fragment of a packet
 * must give the same key; atomic fragments (RFC 6946) are whole packets. */
HLS_INLINE void frame_extension(struct frame *frame, struct frame_walk *walk, const uint8_t *ip, uint32_t room,
                                bool first)
{
    if (walk->payload < 8) {
        frame->fault = STATISTIC_DROP_TRUNCATED;
    } else if (walk->offset + 8 > room) {
        frame->beyond = 1;
    } else {
        HLS_VIEW(header, 8, ip, room, walk->offset);
        bool is_fragment = walk->protocol == IP_PROTOCOL_FRAGMENT;
        uint32_t length = is_fragment ? 8u : (header[1] + 1u) * 8u;
        if (walk->protocol == IP_PROTOCOL_HOP_BY_HOP && !first)
            frame->fault = STATISTIC_DROP_MALFORMED;
        else if (length > walk->payload)
            frame->fault = STATISTIC_DROP_TRUNCATED;
        walk->fragment = is_fragment && (hls_be16(header + 2) & 0xfff9u) != 0;
        walk->protocol = header[0];
        walk->offset += length;
        walk->payload -= length;
    }
}

HLS_INLINE void frame_ipv6(struct frame *frame, struct headers *headers, struct frame_walk *walk, const uint8_t *ip,
                           uint32_t room, uint32_t remaining)
{
    uint32_t payload = hls_be16(ip + 4);
    if (remaining < 40)
        frame->fault = STATISTIC_DROP_TRUNCATED;
    else if (ip[0] >> 4 != 6 || payload > remaining - 40)
        frame->fault = STATISTIC_DROP_MALFORMED;
    headers->traffic_class = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
    headers->second_byte = ip[1];
    headers->ttl = ip[7];
    headers->match.key.kind = FLOW_IPV6;
    HLS_COPY(headers->match.key.source, ip + 8, 16);
    HLS_COPY(headers->match.key.destination, ip + 24, 16);
    walk->offset = 40u;
    walk->payload = payload;
    walk->protocol = ip[6];
    walk->fragment = false;
    if (frame->fault == 0 && frame_is_extension(walk->protocol)) {
        frame->options = 1;
        for (uint32_t i = 0; i < FRAME_EXTENSIONS_MAX; i++) {
            if (frame->fault == 0 && !frame->beyond && !walk->fragment && frame_is_extension(walk->protocol))
                frame_extension(frame, walk, ip, room, i == 0);
        }
        if (frame->fault == 0 && !walk->fragment && frame_is_extension(walk->protocol))
            frame->beyond = 1;
    }
}

/* TCP, RFC 9293, section 3.1 */
HLS_INLINE void frame_tcp(struct frame *frame, struct flow_key *key, const uint8_t *header, uint32_t payload)
{
    uint32_t header_bytes = (uint32_t)(header[12] >> 4) * 4u;
    if (HLS_SELDOM(header_bytes < 20 || header_bytes > payload))
        frame->fault = STATISTIC_DROP_MALFORMED;
    HLS_COPY(key->source_port, header, 2);
    HLS_COPY(key->destination_port, header + 2, 2);
}

/* RFC 768 */
HLS_INLINE void frame_udp(struct frame *frame, struct flow_key *key, const uint8_t *header, uint32_t payload)
{
    uint32_t length = hls_be16(header + 4);
    if (HLS_SELDOM(length < 8 || length > payload))
        frame->fault = STATISTIC_DROP_MALFORMED;
    HLS_COPY(key->source_port, header, 2);
    HLS_COPY(key->destination_port, header + 2, 2);
}

/* RFC 792, RFC 4443 */
HLS_INLINE void frame_icmp(struct flow_key *key, const uint8_t *header, bool echo)
{
    HLS_COPY(key->destination_port, header, 2);
    if (echo)
        HLS_COPY(key->source_port, header + 4, 2);
}

HLS_INLINE void frame_transport(struct frame *frame, struct headers *headers, const struct frame_walk *walk,
                                const uint8_t *ip, uint32_t room)
{
    struct flow_key *key = &headers->match.key;
    bool tcp = walk->protocol == IP_PROTOCOL_TCP;
    bool udp = walk->protocol == IP_PROTOCOL_UDP;
    bool icmp = walk->protocol == (key->kind == FLOW_IPV4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6);
    if (tcp || udp || icmp) {
        if (HLS_SELDOM(walk->payload < (tcp ? 20u : 8u))) {
            frame->fault = STATISTIC_DROP_TRUNCATED;
        } else if (HLS_SELDOM(walk->offset + FRAME_TRANSPORT_BYTES > room)) {
            frame->beyond = 1;
        } else {
            HLS_VIEW(header, FRAME_TRANSPORT_BYTES, ip, room, walk->offset);
            headers->transport = (uint8_t)(headers->network + walk->offset);
            if (tcp)
                frame_tcp(frame, key, header, walk->payload);
            else if (udp)
                frame_udp(frame, key, header, walk->payload);
            else if (key->kind == FLOW_IPV4)
                frame_icmp(key, header, header[0] == ICMP_ECHO_REQUEST || header[0] == ICMP_ECHO_REPLY);
            else
                frame_icmp(key, header, header[0] == ICMPV6_ECHO_REQUEST || header[0] == ICMPV6_ECHO_REPLY);
        }
    }
}

HLS_INLINE struct frame_ethernet frame_ethernet(const uint8_t *bytes)
{
    struct frame_ethernet ethernet = {hls_be16(bytes + 12), 14, 0};
    if (frame_is_tag(ethernet.type)) {
        bool two = frame_is_tag(hls_be16(bytes + 16));
        ethernet.type = two ? hls_be16(bytes + 20) : hls_be16(bytes + 16);
        ethernet.network = two ? 22u : 18u;
        ethernet.tags = two ? 2 : 1;
    }
    return ethernet;
}

/* `ip` is what follows the Ethernet header in the frame's first `room` bytes (a constant), `length` is that of the
 * whole frame. Nothing beyond either is taken for a header. `headers` must be zero but for its sideband. */
HLS_INLINE struct frame frame_parse(struct headers *headers, const struct frame_ethernet *ethernet, const uint8_t *ip,
                                    uint32_t room, uint32_t length)
{
    struct frame frame = {0, 0, 0};
    uint32_t network = ethernet->network;
    headers->tags = (uint8_t)ethernet->tags;
    headers->network = (uint8_t)network;
    headers->frame_length = (uint16_t)length;
    if (HLS_SELDOM(length < network)) {
        frame.fault = STATISTIC_DROP_TRUNCATED;
    } else if (ethernet->type == ETHERTYPE_IPV4 || ethernet->type == ETHERTYPE_IPV6) {
        struct frame_walk walk;
        if (ethernet->type == ETHERTYPE_IPV4)
            frame_ipv4(&frame, headers, &walk, ip, length - network);
        else
            frame_ipv6(&frame, headers, &walk, ip, room - network, length - network);
        headers->match.key.protocol = (uint8_t)walk.protocol;
        headers->match.key.fragment = walk.fragment;
        if (frame.fault == 0 && !frame.beyond && !walk.fragment)
            frame_transport(&frame, headers, &walk, ip, room - network);
        if (frame.fault != 0)
            headers->match.key.kind = FLOW_NONE;
    }
    return frame;
}

#endif
