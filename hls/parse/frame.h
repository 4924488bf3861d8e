/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Ethernet frame's headers, out of its first bytes: Ethernet, up to two VLAN tags, IPv4 (RFC 791) or IPv6 (RFC 8200), TCP,
 * UDP or ICMP. Used for the packet and again for the frame inside VXLAN.
 */
#ifndef CIPU_PARSE_FRAME_H
#define CIPU_PARSE_FRAME_H

#include "hls/include/net.h"

#define FRAME_EXTENSIONS_MAX 4u /* IPv6 extension headers; packets with more are the host's */
#define FRAME_TRANSPORT_BYTES 16u

struct frame {
    uint8_t fault;   /* 0 or STATISTIC_DROP_TRUNCATED, _MALFORMED, _CHECKSUM; then kind is FLOW_NONE */
    uint8_t beyond;  /* 1: headers that the window does not hold, or more of them than are followed */
    uint8_t kind;    /* enum flow_kind */
    uint8_t options; /* 1: IPv4 options or IPv6 extension headers */
    uint8_t fragment;
    uint8_t protocol;
    uint8_t tags;
    uint8_t network;
    uint8_t transport;
    uint8_t traffic_class;
    uint8_t ttl;
    uint8_t second_byte;
    uint16_t checksum;
    uint16_t udp_length;       /* with header */
    uint8_t source[16];        /* IPv4: in the last 4 bytes */
    uint8_t destination[16];
    uint8_t source_port[2];    /* as in the flow key */
    uint8_t destination_port[2];
    uint8_t udp_payload[8];
};

/* How far the walk along the headers has come. */
struct frame_walk {
    uint32_t offset;  /* of the next header, from the frame's start */
    uint32_t payload; /* bytes of IP payload from there on */
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

/* The sum of a header's words is all ones when its checksum is right. The order of bytes within words does not matter. */
HLS_INLINE bool frame_ipv4_checksum_right(const uint8_t header[60], uint32_t header_bytes)
{
    uint16_t word[30];
    HLS_COPY(word, header, 60);
    uint32_t sum = 0, options = 0;
    for (uint32_t i = 0; i < 10; i++)
        sum += word[i];
    if (header_bytes > 20) {
        for (uint32_t i = 10; i < 30; i++)
            options += 2 * i < header_bytes ? word[i] : 0u;
    }
    return net_fold(sum + options) == 0xffffu;
}

/* `ip` holds the header's bytes, `remaining` is what the frame has from there on. */
HLS_INLINE void frame_ipv4(struct frame *frame, struct frame_walk *walk, const uint8_t ip[60], uint32_t remaining)
{
    uint32_t header_bytes = (ip[0] & 15u) * 4u;
    uint32_t total = hls_be16(ip + 2);
    uint32_t fragment = hls_be16(ip + 6) & 0x3fffu; /* more fragments, offset */
    frame->kind = FLOW_IPV4;
    frame->traffic_class = ip[1];
    frame->second_byte = ip[1];
    frame->ttl = ip[8];
    frame->protocol = ip[9];
    frame->checksum = hls_be16(ip + 10);
    frame->fragment = fragment != 0;
    frame->options = header_bytes > 20;
    HLS_COPY(frame->source + 12, ip + 12, 4);
    HLS_COPY(frame->destination + 12, ip + 16, 4);
    walk->offset = frame->network + header_bytes;
    walk->payload = total - header_bytes;
    if (remaining < 20)
        frame->fault = STATISTIC_DROP_TRUNCATED;
    else if (ip[0] >> 4 != 4 || header_bytes < 20)
        frame->fault = STATISTIC_DROP_MALFORMED;
    else if (remaining < header_bytes)
        frame->fault = STATISTIC_DROP_TRUNCATED;
    else if (total < header_bytes || total > remaining)
        frame->fault = STATISTIC_DROP_MALFORMED;
    else if (!frame_ipv4_checksum_right(ip, header_bytes))
        frame->fault = STATISTIC_DROP_CHECKSUM;
}

/* Follows one extension header. A real fragment ends the walk: what follows may be data, and every fragment of a packet must
 * give the same key; atomic fragments (RFC 6946) are whole packets. */
HLS_INLINE void frame_extension(struct frame *frame, struct frame_walk *walk, const uint8_t *bytes, uint32_t room,
                                bool first)
{
    uint8_t header[8];
    if (walk->payload < 8) {
        frame->fault = STATISTIC_DROP_TRUNCATED;
    } else if (walk->offset + 8 > room) {
        frame->beyond = 1;
    } else {
        HLS_WINDOW(header, 8, bytes, room, walk->offset);
        bool is_fragment = frame->protocol == IP_PROTOCOL_FRAGMENT;
        uint32_t length = is_fragment ? 8u : (header[1] + 1u) * 8u;
        if (frame->protocol == IP_PROTOCOL_HOP_BY_HOP && !first)
            frame->fault = STATISTIC_DROP_MALFORMED;
        else if (length > walk->payload)
            frame->fault = STATISTIC_DROP_TRUNCATED;
        frame->fragment = is_fragment && (hls_be16(header + 2) & 0xfff9u) != 0;
        frame->protocol = header[0];
        walk->offset += length;
        walk->payload -= length;
    }
}

HLS_INLINE void frame_ipv6(struct frame *frame, struct frame_walk *walk, const uint8_t ip[60], const uint8_t *bytes,
                           uint32_t room, uint32_t remaining)
{
    uint32_t payload = hls_be16(ip + 4);
    frame->kind = FLOW_IPV6;
    frame->traffic_class = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
    frame->second_byte = ip[1];
    frame->ttl = ip[7];
    frame->protocol = ip[6];
    HLS_COPY(frame->source, ip + 8, 16);
    HLS_COPY(frame->destination, ip + 24, 16);
    walk->offset = frame->network + 40u;
    walk->payload = payload;
    if (remaining < 40)
        frame->fault = STATISTIC_DROP_TRUNCATED;
    else if (ip[0] >> 4 != 6 || payload > remaining - 40)
        frame->fault = STATISTIC_DROP_MALFORMED;
    if (frame->fault == 0 && frame_is_extension(frame->protocol)) {
        frame->options = 1;
        for (uint32_t i = 0; i < FRAME_EXTENSIONS_MAX; i++) {
            if (frame->fault == 0 && !frame->beyond && !frame->fragment && frame_is_extension(frame->protocol))
                frame_extension(frame, walk, bytes, room, i == 0);
        }
        if (frame->fault == 0 && !frame->fragment && frame_is_extension(frame->protocol))
            frame->beyond = 1;
    }
}

HLS_INLINE void frame_icmp(struct frame *frame, const uint8_t *header, bool echo)
{
    HLS_COPY(frame->destination_port, header, 2);
    if (echo)
        HLS_COPY(frame->source_port, header + 4, 2);
}

/* TCP: RFC 9293, 3.1; UDP: RFC 768; ICMP: RFC 792; ICMPv6: RFC 4443. */
HLS_INLINE void frame_transport(struct frame *frame, const struct frame_walk *walk, const uint8_t *bytes, uint32_t room)
{
    bool tcp = frame->protocol == IP_PROTOCOL_TCP;
    bool udp = frame->protocol == IP_PROTOCOL_UDP;
    bool icmp = frame->kind == FLOW_IPV4 && frame->protocol == IP_PROTOCOL_ICMP;
    bool icmpv6 = frame->kind == FLOW_IPV6 && frame->protocol == IP_PROTOCOL_ICMPV6;
    if (tcp || udp || icmp || icmpv6) {
        if (walk->payload < (tcp ? 20u : 8u)) {
            frame->fault = STATISTIC_DROP_TRUNCATED;
        } else if (walk->offset + FRAME_TRANSPORT_BYTES > room) {
            frame->beyond = 1;
        } else {
            uint8_t header[FRAME_TRANSPORT_BYTES];
            HLS_WINDOW(header, FRAME_TRANSPORT_BYTES, bytes, room, walk->offset);
            frame->transport = (uint8_t)walk->offset;
            if (tcp || udp) {
                HLS_COPY(frame->source_port, header, 2);
                HLS_COPY(frame->destination_port, header + 2, 2);
            }
            if (tcp) {
                uint32_t header_bytes = (uint32_t)(header[12] >> 4) * 4u;
                if (header_bytes < 20 || header_bytes > walk->payload)
                    frame->fault = STATISTIC_DROP_MALFORMED;
            } else if (udp) {
                frame->udp_length = hls_be16(header + 4);
                HLS_COPY(frame->udp_payload, header + 8, 8);
                if (frame->udp_length < 8 || frame->udp_length > walk->payload)
                    frame->fault = STATISTIC_DROP_MALFORMED;
            } else if (icmp) {
                frame_icmp(frame, header, header[0] == ICMP_ECHO_REQUEST || header[0] == ICMP_ECHO_REPLY);
            } else {
                frame_icmp(frame, header, header[0] == ICMPV6_ECHO_REQUEST || header[0] == ICMPV6_ECHO_REPLY);
            }
        }
    }
}

/* `bytes` are the frame's first `room` bytes (a constant), `length` is that of the whole frame. Nothing beyond either is
 * taken for a header. */
HLS_INLINE void frame_parse(struct frame *frame, const uint8_t *bytes, uint32_t room, uint32_t length)
{
    bool one = frame_is_tag(hls_be16(bytes + 12));
    bool two = one && frame_is_tag(hls_be16(bytes + 16));
    uint32_t type = two ? hls_be16(bytes + 20) : one ? hls_be16(bytes + 16) : hls_be16(bytes + 12);
    uint32_t network = two ? 22u : one ? 18u : 14u;
    HLS_ZERO(frame, sizeof *frame);
    frame->tags = (uint8_t)(two ? 2 : one ? 1 : 0);
    frame->network = (uint8_t)network;
    if (length < network) {
        frame->fault = STATISTIC_DROP_TRUNCATED;
    } else if (type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6) {
        uint8_t ip[60];
        struct frame_walk walk;
        HLS_WINDOW(ip, 60, bytes, room, network);
        if (type == ETHERTYPE_IPV4)
            frame_ipv4(frame, &walk, ip, length - network);
        else
            frame_ipv6(frame, &walk, ip, bytes, room, length - network);
        if (frame->fault == 0 && !frame->beyond && !frame->fragment)
            frame_transport(frame, &walk, bytes, room);
    }
    if (frame->fault != 0)
        frame->kind = FLOW_NONE;
}

#endif
