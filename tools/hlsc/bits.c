/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/bits.h"

#include <string.h>

void bits_clear(uint64_t *to, uint32_t width)
{
    memset(to, 0, bits_words(width) * sizeof *to);
}

void bits_trim(uint64_t *value, uint32_t width)
{
    if (width % 64u != 0)
        value[width / 64u] &= bits_mask(width % 64u);
}

void bits_place(uint64_t *to, uint32_t low, const uint64_t *value, uint32_t width)
{
    uint32_t shift = low % 64u, at = low / 64u, words = bits_words(width);
    for (uint32_t i = 0; i < words; i++) {
        to[at + i] |= value[i] << shift;
        if (shift != 0 && value[i] >> (64u - shift) != 0)
            to[at + i + 1] |= value[i] >> (64u - shift);
    }
}

void bits_extract(uint64_t *to, uint32_t width, const uint64_t *value, uint32_t from_width, uint32_t low)
{
    for (uint32_t i = 0; i < bits_words(width); i++)
        to[i] = bits_word_at(value, bits_words(from_width), low + 64u * i);
    bits_trim(to, width);
}

bool bits_zero(const uint64_t *value, uint32_t width)
{
    for (uint32_t i = 0; i < bits_words(width); i++)
        if (value[i] != 0)
            return false;
    return true;
}

bool bits_equal(const uint64_t *a, const uint64_t *b, uint32_t width)
{
    return memcmp(a, b, bits_words(width) * sizeof *a) == 0;
}

bool bits_less(const uint64_t *a, const uint64_t *b, uint32_t width)
{
    for (uint32_t i = bits_words(width); i-- > 0;)
        if (a[i] != b[i])
            return a[i] < b[i];
    return false;
}

bool bits_signed_less(const uint64_t *a, const uint64_t *b, uint32_t width)
{
    bool negative_a = bits_get(a, width - 1), negative_b = bits_get(b, width - 1);
    return negative_a != negative_b ? negative_a : bits_less(a, b, width);
}

void bits_add(uint64_t *to, const uint64_t *a, const uint64_t *b, uint32_t width)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < bits_words(width); i++) {
        uint64_t partial = a[i] + carry;
        carry = partial < carry;
        uint64_t sum = partial + b[i];
        carry += sum < partial;
        to[i] = sum;
    }
    bits_trim(to, width);
}

void bits_sub(uint64_t *to, const uint64_t *a, const uint64_t *b, uint32_t width)
{
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < bits_words(width); i++) {
        uint64_t partial = a[i] - borrow;
        borrow = partial > a[i];
        uint64_t difference = partial - b[i];
        borrow += difference > partial;
        to[i] = difference;
    }
    bits_trim(to, width);
}

void bits_mul(uint64_t *to, const uint64_t *a, const uint64_t *b, uint32_t width)
{
    uint32_t words = bits_words(width);
    bits_clear(to, width);
    for (uint32_t i = 0; i < words; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; i + j < words; j++) {
            __extension__ unsigned __int128 sum = (unsigned __int128)a[i] * b[j] + to[i + j] + carry;
            to[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
    }
    bits_trim(to, width);
}

void bits_shl(uint64_t *to, const uint64_t *a, uint32_t amount, uint32_t width)
{
    uint32_t words = bits_words(width), skip = amount / 64u, shift = amount % 64u;
    for (uint32_t i = 0; i < words; i++) {
        to[i] = i >= skip ? a[i - skip] << shift : 0;
        if (shift != 0 && i > skip)
            to[i] |= a[i - skip - 1] >> (64u - shift);
    }
    bits_trim(to, width);
}

void bits_shr(uint64_t *to, const uint64_t *a, uint32_t amount, uint32_t width, bool arithmetic)
{
    bool sign = arithmetic && bits_get(a, width - 1);
    uint32_t kept = amount < width ? width - amount : 0;
    bits_clear(to, width);
    if (kept > 0)
        bits_extract(to, kept, a, width, amount);
    for (uint32_t bit = kept; sign && bit < width; bit++)
        to[bit / 64u] |= (uint64_t)1 << (bit % 64u);
}

uint32_t bits_active(const uint64_t *value, uint32_t width)
{
    for (uint32_t i = bits_words(width); i-- > 0;)
        if (value[i] != 0)
            return 64u * i + 64u - (uint32_t)__builtin_clzll(value[i]);
    return 0;
}
