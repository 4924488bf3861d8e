/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and MACs from and to text. */
#include "runtime/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

static int parse_prefix(const char *digits, unsigned bits, unsigned *prefix)
{
    unsigned value = 0;
    if (digits[0] == 0 || (digits[0] == '0' && digits[1] != 0))
        return -EINVAL;
    for (const char *digit = digits; *digit != 0; digit++) {
        if (*digit < '0' || *digit > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(*digit - '0');
        if (value > bits)
            return -EINVAL;
    }
    *prefix = value;
    return 0;
}

int net_address_parse(const char *text, struct net_address *address, struct cipu_error *error)
{
    struct net_address parsed = {.family = 0};
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    if (length < sizeof host) {
        memcpy(host, text, length);
        host[length] = 0;
        if (inet_pton(AF_INET, host, parsed.bytes) == 1)
            parsed.family = 4;
        else if (inet_pton(AF_INET6, host, parsed.bytes) == 1)
            parsed.family = 6;
    }
    if (parsed.family == 0)
        return cipu_fail(error, -EINVAL, "'%.64s' is no address: expected 192.0.2.1, 2001:db8::1, or one with /prefix",
                         text);
    unsigned prefix = net_address_bits(parsed.family);
    if (slash && parse_prefix(slash + 1, prefix, &prefix) != 0)
        return cipu_fail(error, -EINVAL, "'%.64s' has no valid prefix length: expected /0 to /%u", text,
                         net_address_bits(parsed.family));
    parsed.prefix = (uint8_t)prefix;
    *address = parsed;
    return 0;
}

void net_address_format(const struct net_address *address, bool with_prefix, char *text, size_t bytes)
{
    char host[INET6_ADDRSTRLEN] = "none";
    if (address->family == 4 || address->family == 6)
        inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, host, sizeof host);
    if (with_prefix && address->family != 0)
        snprintf(text, bytes, "%s/%u", host, address->prefix);
    else
        snprintf(text, bytes, "%s", host);
}

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

int net_mac_parse(const char *text, uint8_t mac[6], struct cipu_error *error)
{
    uint8_t parsed[6];
    if (strlen(text) != 17)
        goto bad;
    for (int i = 0; i < 6; i++) {
        int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            goto bad;
        parsed[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(mac, parsed, 6);
    return 0;
bad:
    return cipu_fail(error, -EINVAL, "'%.64s' is no MAC address: expected six hex pairs such as 02:00:00:00:00:01",
                     text);
}

void net_mac_format(const uint8_t mac[6], char text[18])
{
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

struct net_address net_address_masked(const struct net_address *address, unsigned bits)
{
    struct net_address masked = *address;
    masked.prefix = (uint8_t)bits;
    for (unsigned i = 0; i < sizeof masked.bytes; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            masked.bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
    return masked;
}

bool net_address_unicast(const struct net_address *address)
{
    static const uint8_t zero[16];
    const uint8_t *bytes = address->bytes;
    if (address->family == 4) /* RFC 1122 section 3.2.1.3 */
        return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
    if (memcmp(bytes, zero, 15) == 0 && bytes[15] <= 1) /* RFC 4291 sections 2.5.2 and 2.5.3 */
        return false;
    return bytes[0] != 0xff;
}
