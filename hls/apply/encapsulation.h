/* SPDX-License-Identifier: Apache-2.0 */
/* The outer headers of a VXLAN packet (RFC 7348) over IPv4 and IPv6, at the end of a rewrite command's header. */
#ifndef CIPU_APPLY_ENCAPSULATION_H
#define CIPU_APPLY_ENCAPSULATION_H

#include "hls/include/net.h"

#define ENCAPSULATION_IPV4_AT         (128u - ENCAPSULATION_IPV4_BYTES)
#define ENCAPSULATION_IPV6_AT         (128u - ENCAPSULATION_IPV6_BYTES)
#define ENCAPSULATION_UDP_VXLAN_BYTES 16u
#define ENCAPSULATION_SOURCE_PORT     49152u /* + 14 bits of the inner flow's hash, RFC 7348 section 5 */

/* Where this card's tunnels start. */
struct apply_port {
    uint8_t mac[6];
    uint8_t has_ipv4;
    uint8_t has_ipv6;
    uint32_t vxlan_port;
    uint32_t ipv4_sum; /* of the address' two words, for the checksum */
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
    hls_put_be32(to, (ENCAPSULATION_SOURCE_PORT | values->hash >> 18) << 16 | port->vxlan_port);
    hls_put_be32(to + 4, (values->frame_length + ENCAPSULATION_UDP_VXLAN_BYTES) << 16);
    hls_put_be32(to + 8, VXLAN_FLAG_VNI << 24);
    hls_put_be32(to + 12, action->vni << 8);
}

HLS_INLINE void encapsulation_ipv4(uint8_t header[128], const struct action *action, const struct apply_port *port,
                                   const struct encapsulation *values)
{
    uint8_t *ip = header + ENCAPSULATION_IPV4_AT + 14;
    uint32_t remote = hls_be32(action->remote + 12);
    uint32_t first = 0x4500u | values->traffic_class;
    uint32_t length = values->frame_length + 20u + ENCAPSULATION_UDP_VXLAN_BYTES;
    uint32_t fragment = action->flags & ACTION_DONT_FRAGMENT ? 0x4000u : 0u;
    uint32_t ttl = (uint32_t)action->outer_ttl << 8 | IP_PROTOCOL_UDP;
    uint32_t sum = first + length + fragment + ttl + port->ipv4_sum + (remote >> 16) + (remote & 0xffffu);
    encapsulation_ethernet(header + ENCAPSULATION_IPV4_AT, action, port, ETHERTYPE_IPV4);
    hls_put_be32(ip, first << 16 | length);
    hls_put_be32(ip + 4, fragment);
    hls_put_be32(ip + 8, ttl << 16 | (~net_fold(sum) & 0xffffu));
    HLS_COPY(ip + 12, port->ipv4, 4);
    hls_put_be32(ip + 16, remote);
    encapsulation_udp_vxlan(ip + 20, action, port, values);
}

HLS_INLINE void encapsulation_ipv6(uint8_t header[128], const struct action *action, const struct apply_port *port,
                                   const struct encapsulation *values)
{
    uint8_t *ip = header + ENCAPSULATION_IPV6_AT + 14;
    uint32_t length = values->frame_length + ENCAPSULATION_UDP_VXLAN_BYTES;
    encapsulation_ethernet(header + ENCAPSULATION_IPV6_AT, action, port, ETHERTYPE_IPV6);
    hls_put_be32(ip, 6u << 28 | values->traffic_class << 20);
    hls_put_be32(ip + 4, length << 16 | IP_PROTOCOL_UDP << 8 | action->outer_ttl);
    HLS_COPY(ip + 8, port->ipv6, 16);
    HLS_COPY(ip + 24, action->remote, 16);
    encapsulation_udp_vxlan(ip + 40, action, port, values);
}

#endif
