/* SPDX-License-Identifier: Apache-2.0 */
/* Reading frames. */
#include "runtime/net/frame.h"

#include <errno.h>

/* More than anyone sends; bounds the walk. */
#define EXTENSION_HEADERS_MAX 8

static int parse_ipv4(struct frame *frame)
{
    const uint8_t *ip = frame->ip;
    size_t left = frame->length - FRAME_ETHERNET_BYTES;
    if (left < FRAME_IPV4_BYTES || ip[0] >> 4 != 4)
        return -EBADMSG;
    size_t header = (ip[0] & 15u) * 4u;
    size_t total = hls_be16(ip + 2);
    if (header < FRAME_IPV4_BYTES || total < header || total > left)
        return -EBADMSG;
    if (frame_checksum_finish(frame_checksum_add(0, ip, header)) != 0)
        return -EBADMSG;
    uint16_t fragment = hls_be16(ip + 6);
    frame->family = 4;
    frame->protocol = ip[9];
    frame->ttl = ip[8];
    frame->dont_fragment = (fragment & 0x4000) != 0;
    frame->fragment = (fragment & 0x3fff) != 0;
    frame->first_fragment = (fragment & 0x1fff) == 0;
    frame->options = header > FRAME_IPV4_BYTES;
    frame->ip_length = total;
    frame->payload = ip + header;
    frame->payload_length = total - header;
    frame->source = net_address_of(4, ip + 12);
    frame->destination = net_address_of(4, ip + 16);
    return 0;
}

static bool is_extension(uint8_t next_header)
{
    return next_header == IP_PROTOCOL_HOP_BY_HOP || next_header == IP_PROTOCOL_ROUTING ||
           next_header == IP_PROTOCOL_FRAGMENT || next_header == IP_PROTOCOL_DESTINATION;
}

/* RFC 8200 section 4: hop-by-hop, routing, fragment and destination options. */
static int skip_extensions(struct frame *frame, size_t total)
{
    size_t offset = FRAME_IPV6_BYTES;
    uint8_t next = frame->ip[6];
    for (int i = 0; is_extension(next); i++) {
        if (i == EXTENSION_HEADERS_MAX || offset + 8 > total)
            return -EBADMSG;
        const uint8_t *header = frame->ip + offset;
        frame->options = true;
        size_t bytes = next == IP_PROTOCOL_FRAGMENT ? 8 : (header[1] + 1u) * 8u;
        if (offset + bytes > total)
            return -EBADMSG;
        if (next == IP_PROTOCOL_FRAGMENT) {
            uint16_t fragment = hls_be16(header + 2);
            frame->fragment = true;
            frame->first_fragment = fragment >> 3 == 0;
        }
        next = header[0];
        offset += bytes;
        if (frame->fragment && !frame->first_fragment)
            break; /* what follows is data of the fragmented part */
    }
    frame->protocol = next;
    frame->payload = frame->ip + offset;
    frame->payload_length = total - offset;
    return 0;
}

static int parse_ipv6(struct frame *frame)
{
    const uint8_t *ip = frame->ip;
    size_t left = frame->length - FRAME_ETHERNET_BYTES;
    if (left < FRAME_IPV6_BYTES || ip[0] >> 4 != 6)
        return -EBADMSG;
    size_t total = FRAME_IPV6_BYTES + hls_be16(ip + 4);
    if (total > left)
        return -EBADMSG;
    frame->family = 6;
    frame->ttl = ip[7];
    frame->dont_fragment = true; /* RFC 8200 section 4.5: only sources fragment */
    frame->first_fragment = true;
    frame->ip_length = total;
    frame->source = net_address_of(6, ip + 8);
    frame->destination = net_address_of(6, ip + 24);
    return skip_extensions(frame, total);
}

int frame_parse(const uint8_t *data, size_t length, struct frame *frame)
{
    *frame = (struct frame){.data = data, .length = length};
    if (length < FRAME_ETHERNET_BYTES)
        return -EBADMSG;
    frame->type = hls_be16(data + 12);
    frame->ip = data + FRAME_ETHERNET_BYTES;
    if (frame->type == ETHERTYPE_IPV4)
        return parse_ipv4(frame);
    if (frame->type == ETHERTYPE_IPV6)
        return parse_ipv6(frame);
    return 0;
}

bool frame_vxlan(const struct frame *frame, uint32_t *vni, const uint8_t **inner, size_t *inner_length)
{
    const uint8_t *udp = frame->payload;
    if (frame->family == 0 || frame->protocol != IP_PROTOCOL_UDP || frame->fragment ||
        frame->payload_length < 8 + FRAME_VXLAN_BYTES + FRAME_ETHERNET_BYTES || hls_be16(udp + 2) != VXLAN_UDP_PORT)
        return false;
    size_t udp_length = hls_be16(udp + 4);
    if (udp_length < 8 + FRAME_VXLAN_BYTES + FRAME_ETHERNET_BYTES || udp_length > frame->payload_length ||
        !(udp[8] & VXLAN_FLAG_VNI))
        return false;
    *vni = hls_be32(udp + 12) >> 8;
    *inner = udp + 8 + FRAME_VXLAN_BYTES;
    *inner_length = udp_length - 8 - FRAME_VXLAN_BYTES;
    return true;
}
