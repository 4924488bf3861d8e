/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for tests, written without the card's own headers so that a mistake there does not hide here. */
#ifndef CIPU_TEST_NET_PACKETS_H
#define CIPU_TEST_NET_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/hls/stream.h"

struct frame_spec {
    unsigned tags;    /* 0 .. 2 */
    unsigned version; /* 4, 6 or 0 = not IP */
    uint8_t traffic_class, ttl, protocol;
    uint8_t source[16], destination[16]; /* IPv4: the last 4 */
    uint16_t source_port, destination_port;
    size_t length; /* of the frame; what does not fit the headers makes it longer */
};

static inline void store16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline unsigned load16(const uint8_t *from)
{
    return (unsigned)(from[0] << 8 | from[1]);
}

/* RFC 1071, word by word */
static inline unsigned ones_sum(const uint8_t *bytes, size_t count)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += i % 2 ? bytes[i] : (unsigned long)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (unsigned)sum;
}

static inline size_t frame_network(const struct frame_spec *spec)
{
    return 14 + 4 * spec->tags;
}

/* Ethernet, tags, IP, UDP, then a pattern; returns the length. `bytes` has room for a jumbo frame. */
static inline size_t frame_write(const struct frame_spec *spec, uint8_t *bytes, uint64_t *random)
{
    static const uint8_t macs[12] = {2, 0x11, 0x12, 0x13, 0x14, 0x15, 2, 0x21, 0x22, 0x23, 0x24, 0x25};
    size_t network = frame_network(spec), ip = spec->version == 4 ? 20 : spec->version == 6 ? 40 : 0;
    size_t least = network + ip + (ip ? 8 : 0), length = spec->length < least ? least : spec->length;
    random_fill(random, bytes, length);
    memcpy(bytes, macs, 12);
    if (spec->tags == 2)
        store16(bytes + 12, 0x88a8);
    if (spec->tags)
        store16(bytes + 8 + 4 * spec->tags, 0x8100);
    store16(bytes + network - 2, spec->version == 4 ? 0x0800 : spec->version == 6 ? 0x86dd : 0x0806);
    uint8_t *header = bytes + network, *udp = header + ip;
    if (spec->version == 4) {
        header[0] = 0x45;
        header[1] = spec->traffic_class;
        store16(header + 2, (unsigned)(length - network));
        store16(header + 6, 0x4000);
        header[8] = spec->ttl;
        header[9] = spec->protocol;
        memcpy(header + 12, spec->source + 12, 4);
        memcpy(header + 16, spec->destination + 12, 4);
        store16(header + 10, 0);
        store16(header + 10, ~ones_sum(header, 20) & 0xffff);
    } else if (spec->version == 6) {
        header[0] = (uint8_t)(0x60 | spec->traffic_class >> 4);
        header[1] = (uint8_t)(spec->traffic_class << 4 | (header[1] & 15));
        store16(header + 4, (unsigned)(length - network - 40));
        header[6] = spec->protocol;
        header[7] = spec->ttl;
        memcpy(header + 8, spec->source, 16);
        memcpy(header + 24, spec->destination, 16);
    }
    if (ip) {
        store16(udp, spec->source_port);
        store16(udp + 2, spec->destination_port);
        store16(udp + 4, (unsigned)(length - network - ip));
    }
    return length;
}

#endif
