/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing and converting addresses. An address without a prefix of its own has the full one (32 or 128). */
#ifndef CIPU_NET_ADDRESS_H
#define CIPU_NET_ADDRESS_H

#include <string.h>

#include "runtime/net/net.h"

static inline unsigned net_address_bits(uint8_t family)
{
    return family == 4 ? 32 : 128;
}

static inline size_t net_address_bytes(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static inline struct net_address net_address_of(uint8_t family, const uint8_t *bytes)
{
    struct net_address address = {.family = family, .prefix = (uint8_t)net_address_bits(family)};
    memcpy(address.bytes, bytes, net_address_bytes(family));
    return address;
}

/* The form of struct flow_key and struct action: IPv4 in the last 4 of 16 bytes. */
static inline void net_address_wide(const struct net_address *address, uint8_t wide[16])
{
    memset(wide, 0, 16);
    size_t bytes = net_address_bytes(address->family);
    memcpy(wide + (16 - bytes), address->bytes, bytes);
}

static inline struct net_address net_address_from_wide(uint8_t family, const uint8_t wide[16])
{
    return net_address_of(family, wide + (16 - net_address_bytes(family)));
}

/* Whether the first `bits` bits are the same. */
static inline bool net_bits_equal(const uint8_t *left, const uint8_t *right, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(left, right, whole) != 0)
        return false;
    return rest == 0 || ((left[whole] ^ right[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

static inline bool net_address_same_host(const struct net_address *left, const struct net_address *right)
{
    return left->family == right->family && memcmp(left->bytes, right->bytes, net_address_bytes(left->family)) == 0;
}

static inline bool net_address_contains(const struct net_address *prefix, const struct net_address *address)
{
    return prefix->family != 0 && prefix->family == address->family &&
           net_bits_equal(prefix->bytes, address->bytes, prefix->prefix);
}

/* The address with all bits beyond `bits` cleared. */
struct net_address net_address_masked(const struct net_address *address, unsigned bits);

static inline bool net_mac_unicast(const uint8_t mac[6])
{
    static const uint8_t zero[6];
    return !(mac[0] & 1) && memcmp(mac, zero, 6) != 0;
}

static inline bool net_address_unspecified(const struct net_address *address)
{
    static const uint8_t zero[16];
    return memcmp(address->bytes, zero, net_address_bytes(address->family)) == 0;
}

static inline bool net_address_link_local(const struct net_address *address)
{
    return address->family == 6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

/* An address that one host may have: not unspecified, loopback, multicast or broadcast. */
bool net_address_unicast(const struct net_address *address);

#endif
