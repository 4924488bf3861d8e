/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/port_packet_checksum.h"

#include <netinet/in.h>
#include <string.h>

#include "hls/include/hls.h"

#define ETHERNET_BYTES 14u
#define VLAN_BYTES     4u
#define VLAN_TAGS_MAX  2u
#define IPV4_BYTES     20u
#define IPV6_BYTES     40u
#define UDP_BYTES      8u
#define VXLAN_BYTES    8u
#define VXLAN_PORT     4789u
#define PACKETS_MAX    2u /* a packet, and one within VXLAN */

enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_SERVICE_VLAN = 0x88a8 };

struct layer4 {
    uint8_t protocol;
    uint32_t start, end;
    uint64_t pseudo; /* sum of the pseudo header, in the machine's byte order */
};

static uint64_t sum_words(uint64_t sum, const uint8_t *data, uint32_t length)
{
    uint32_t word;
    for (; length >= sizeof word; data += sizeof word, length -= (uint32_t)sizeof word) {
        memcpy(&word, data, sizeof word);
        sum += word;
    }
    uint8_t rest[sizeof word] = {0};
    memcpy(rest, data, length);
    memcpy(&word, rest, sizeof word);
    return sum + word;
}

/* RFC 1071 */
static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t load16(const uint8_t *data)
{
    uint16_t value;
    memcpy(&value, data, sizeof value);
    return value;
}

/* Zero means "no checksum" to UDP; its other form is as good for all (RFC 768). */
static void put_checksum(uint8_t *field, uint64_t sum)
{
    uint16_t checksum = (uint16_t)~fold(sum);
    if (!checksum)
        checksum = 0xffff;
    memcpy(field, &checksum, sizeof checksum);
}

bool packet_checksum_finish(uint8_t *frame, uint32_t length, uint32_t start, uint32_t offset)
{
    if (start >= length || start + offset + 2 > length)
        return false;
    put_checksum(frame + start + offset, sum_words(0, frame + start, length - start));
    return true;
}

static uint64_t network_order(uint16_t value)
{
    uint8_t bytes[2];
    hls_put_be16(bytes, value);
    return load16(bytes);
}

static bool read_ipv4(const uint8_t *frame, uint32_t at, uint32_t length, struct layer4 *layer4)
{
    const uint8_t *ip = frame + at;
    if (length - at < IPV4_BYTES || ip[0] >> 4 != 4)
        return false;
    uint32_t header = (ip[0] & 15u) * 4, total = hls_be16(ip + 2);
    bool fragment = hls_be16(ip + 6) & 0x3fff;
    if (header < IPV4_BYTES || total < header || total > length - at || fragment)
        return false;
    *layer4 = (struct layer4){.protocol = ip[9], .start = at + header, .end = at + total};
    layer4->pseudo = sum_words(network_order(layer4->protocol) + network_order((uint16_t)(total - header)), ip + 12, 8);
    return true;
}

static bool read_ipv6(const uint8_t *frame, uint32_t at, uint32_t length, struct layer4 *layer4)
{
    const uint8_t *ip = frame + at;
    if (length - at < IPV6_BYTES || ip[0] >> 4 != 6)
        return false;
    uint32_t payload = hls_be16(ip + 4);
    if (payload > length - at - IPV6_BYTES)
        return false;
    *layer4 = (struct layer4){.protocol = ip[6], .start = at + IPV6_BYTES, .end = at + IPV6_BYTES + payload};
    layer4->pseudo = sum_words(network_order(layer4->protocol) + network_order((uint16_t)payload), ip + 8, 32);
    return true;
}

static bool read_packet(const uint8_t *frame, uint32_t at, uint32_t length, struct layer4 *layer4)
{
    if (length - at < ETHERNET_BYTES)
        return false;
    uint32_t type = hls_be16(frame + at + 12);
    at += ETHERNET_BYTES;
    for (unsigned tags = 0; (type == TYPE_VLAN || type == TYPE_SERVICE_VLAN) && tags < VLAN_TAGS_MAX; tags++) {
        if (length - at < VLAN_BYTES)
            return false;
        type = hls_be16(frame + at + 2);
        at += VLAN_BYTES;
    }
    if (type == TYPE_IPV4)
        return read_ipv4(frame, at, length, layer4);
    return type == TYPE_IPV6 && read_ipv6(frame, at, length, layer4);
}

void packet_checksum_detect(uint8_t *frame, uint32_t length)
{
    struct layer4 layer4;
    uint32_t at = 0;
    for (unsigned packets = 0; packets < PACKETS_MAX && read_packet(frame, at, length, &layer4); packets++) {
        uint32_t offset = layer4.protocol == IPPROTO_TCP ? 16 : 6, bytes = layer4.end - layer4.start;
        if ((layer4.protocol != IPPROTO_TCP && layer4.protocol != IPPROTO_UDP) || bytes < offset + 2)
            return;
        uint8_t *start = frame + layer4.start;
        if (load16(start + offset) == fold(layer4.pseudo)) {
            put_checksum(start + offset, sum_words(0, start, bytes));
            return;
        }
        if (layer4.protocol != IPPROTO_UDP || bytes < UDP_BYTES + VXLAN_BYTES || hls_be16(start + 2) != VXLAN_PORT)
            return;
        at = layer4.start + UDP_BYTES + VXLAN_BYTES;
        length = layer4.end;
    }
}
