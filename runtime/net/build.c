/* SPDX-License-Identifier: Apache-2.0 */
/* Building frames: headers and checksums. */
#include "runtime/net/frame.h"

size_t frame_put_ethernet(uint8_t *to, const uint8_t destination[6], const uint8_t source[6], uint16_t type)
{
    memcpy(to, destination, 6);
    memcpy(to + 6, source, 6);
    hls_put_be16(to + 12, type);
    return FRAME_ETHERNET_BYTES;
}

static size_t put_ipv4(uint8_t *to, const struct net_address *source, const struct net_address *destination,
                       uint8_t protocol, uint8_t ttl, size_t payload)
{
    memset(to, 0, FRAME_IPV4_BYTES);
    to[0] = 0x45;
    hls_put_be16(to + 2, (uint32_t)(FRAME_IPV4_BYTES + payload));
    hls_put_be16(to + 6, 0x4000);
    to[8] = ttl;
    to[9] = protocol;
    memcpy(to + 12, source->bytes, 4);
    memcpy(to + 16, destination->bytes, 4);
    frame_ipv4_checksum(to, FRAME_IPV4_BYTES);
    return FRAME_IPV4_BYTES;
}

size_t frame_put_ip(uint8_t *to, const struct net_address *source, const struct net_address *destination,
                    uint8_t protocol, uint8_t ttl, size_t payload)
{
    if (source->family == 4)
        return put_ipv4(to, source, destination, protocol, ttl, payload);
    memset(to, 0, FRAME_IPV6_BYTES);
    to[0] = 0x60;
    hls_put_be16(to + 4, (uint32_t)payload);
    to[6] = protocol;
    to[7] = ttl;
    memcpy(to + 8, source->bytes, 16);
    memcpy(to + 24, destination->bytes, 16);
    return FRAME_IPV6_BYTES;
}

uint64_t frame_checksum_add(uint64_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += hls_be16(bytes + i);
    if (length % 2 != 0)
        sum += (uint64_t)bytes[length - 1] << 8;
    return sum;
}

uint16_t frame_checksum_finish(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint16_t frame_icmp_checksum(const struct net_address *source, const struct net_address *destination,
                             const uint8_t *message, size_t length)
{
    uint64_t sum = frame_checksum_add(0, message, length);
    if (source->family == 6) {
        sum = frame_checksum_add(sum, source->bytes, 16);
        sum = frame_checksum_add(sum, destination->bytes, 16);
        sum += length + IP_PROTOCOL_ICMPV6;
    }
    return frame_checksum_finish(sum);
}

void frame_ipv4_checksum(uint8_t *header, size_t bytes)
{
    hls_put_be16(header + 10, 0);
    hls_put_be16(header + 10, frame_checksum_finish(frame_checksum_add(0, header, bytes)));
}
