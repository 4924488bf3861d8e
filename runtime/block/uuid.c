/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/uuid.h"

#include <string.h>

#define SHA1_BYTES_MAX 4096u

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t load(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return ((b & c) | (~b & d)) + 0x5a827999u;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1u;
    if (t < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
    return (b ^ c ^ d) + 0xca62c1d6u;
}

static void add_block(uint32_t hash[5], const uint8_t block[64])
{
    uint32_t w[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (unsigned t = 0; t < 16; t++)
        w[t] = load(block + 4 * t);
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = rotate(a, 5) + mix(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void sha1(const void *data, size_t bytes, uint8_t digest[20])
{
    uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t message[SHA1_BYTES_MAX + 128] = {0};
    if (bytes > SHA1_BYTES_MAX)
        bytes = SHA1_BYTES_MAX;
    memcpy(message, data, bytes);
    message[bytes] = 0x80;
    size_t padded = (bytes + 8) / 64 * 64 + 64;
    store(message + padded - 4, (uint32_t)bytes * 8);
    for (size_t i = 0; i < padded; i += 64)
        add_block(hash, message + i);
    for (unsigned i = 0; i < 5; i++)
        store(digest + 4 * i, hash[i]);
}

void volume_uuid(const char *name, uint8_t uuid[16])
{
    static const uint8_t space[16] = {0x8a, 0x1d, 0x3e, 0x5c, 0x0b, 0x77, 0x4f, 0x0e,
                                      0x9c, 0x3a, 0x6d, 0x21, 0xc1, 0x4b, 0x90, 0xe2};
    uint8_t text[16 + 256], digest[20];
    size_t length = strnlen(name, 256);
    memcpy(text, space, 16);
    memcpy(text + 16, name, length);
    sha1(text, 16 + length, digest);
    memcpy(uuid, digest, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x50);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}
