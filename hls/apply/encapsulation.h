/* SPDX-License-Identifier: Apache-2.0 */
/* The outer headers of a VXLAN packet (RFC 7348) over IPv4 and IPv6, at the end of a rewrite command's header. */
#ifndef CIPU_APPLY_ENCAPSULATION_H
#define CIPU_APPLY_ENCAPSULATION_H

#include "hls/include/net.h"

#define ENCAPSULATION_IPV4_AT (128u - ENCAPSULATION_IPV4_BYTES)
#define ENCAPSULATION_IPV6_AT (128u - ENCAPSULATION_IPV6_BYTES)
#define ENCAPSULATION_UDP_VXLAN_BYTES 16u
#define ENCAPSULATION_SOURCE_PORT 49152u /* + 14 bits of the inner flow's hash, RFC 7348 section 5 */

/* Where this card's tunnels start. */
struct apply_port {
    uint8_t mac[6];
    uint8_t vxlan_port[2];
    uint8_t has_ipv4;
    uint8_t has_ipv6;
    uint8_t reserved[2];
    uint8_t ipv4[4];
    uint8_t ipv6[16];
};

struct encapsulation {
    uint32_t frame_length;  /* of the inner frame */
    uint32_t traffic_class; /* of the outer header */
    uint32_t hash;
};

HLS_INLINE void encapsulation_ethernet(uint8_t *to, const struct action *action, const struct apply_port *port,
                                       uint32_t type)
{
    HLS_COPY(to, action->outer_destination_mac, 6);
    HLS_COPY(to + 6, port->mac, 6);
    hls_put_be16(to + 12, type);
}

/* The UDP checksum is zero, as section 5 of RFC 7348 wants it. */
HLS_INLINE void encapsulation_udp_vxlan(uint8_t *to, const struct action *action, const struct apply_port *port,
                                        const struct encapsulation *values)
{
    hls_put_be16(to, ENCAPSULATION_SOURCE_PORT | values->hash >> 18);
    HLS_COPY(to + 2, port->vxlan_port, 2);
    hls_put_be16(to + 4, values->frame_length + ENCAPSULATION_UDP_VXLAN_BYTES);
    hls_put_be16(to + 6, 0);
    hls_put_be32(to + 8, VXLAN_FLAG_VNI << 24);
    hls_put_be32(to + 12, action->vni << 8);
}

HLS_INLINE uint32_t encapsulation_ipv4_checksum(const uint8_t header[20])
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 20; i += 2)
        sum += hls_be16(header + i);
    return ~net_fold(sum) & 0xffffu;
}

HLS_INLINE void encapsulation_ipv4(uint8_t header[128], const struct action *action, const struct apply_port *port,
                                   const struct encapsulation *values)
{
    uint8_t ip[20];
    ip[0] = 0x45;
    ip[1] = (uint8_t)values->traffic_class;
    hls_put_be16(ip + 2, values->frame_length + 20u + ENCAPSULATION_UDP_VXLAN_BYTES);
    hls_put_be16(ip + 4, 0);
    hls_put_be16(ip + 6, action->flags & ACTION_DONT_FRAGMENT ? 0x4000u : 0u);
    ip[8] = action->outer_ttl;
    ip[9] = IP_PROTOCOL_UDP;
    hls_put_be16(ip + 10, 0);
    HLS_COPY(ip + 12, port->ipv4, 4);
    HLS_COPY(ip + 16, action->remote + 12, 4);
    hls_put_be16(ip + 10, encapsulation_ipv4_checksum(ip));
    encapsulation_ethernet(header + ENCAPSULATION_IPV4_AT, action, port, ETHERTYPE_IPV4);
    HLS_COPY(header + ENCAPSULATION_IPV4_AT + 14, ip, 20);
    encapsulation_udp_vxlan(header + ENCAPSULATION_IPV4_AT + 34, action, port, values);
}

HLS_INLINE void encapsulation_ipv6(uint8_t header[128], const struct action *action, const struct apply_port *port,
                                   const struct encapsulation *values)
{
    uint8_t *ip = header + ENCAPSULATION_IPV6_AT + 14;
    encapsulation_ethernet(header + ENCAPSULATION_IPV6_AT, action, port, ETHERTYPE_IPV6);
    hls_put_be32(ip, 6u << 28 | values->traffic_class << 20);
    hls_put_be16(ip + 4, values->frame_length + ENCAPSULATION_UDP_VXLAN_BYTES);
    ip[6] = IP_PROTOCOL_UDP;
    ip[7] = action->outer_ttl;
    HLS_COPY(ip + 8, port->ipv6, 16);
    HLS_COPY(ip + 24, action->remote, 16);
    encapsulation_udp_vxlan(ip + 40, action, port, values);
}

#endif
