/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bit vectors of any width as arrays of 64-bit words, lowest first. Bits beyond the width are 0 in every operand and
 * every result.
 */
#ifndef CIPU_HLSC_BITS_H
#define CIPU_HLSC_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t bits_words(uint32_t width)
{
    return (width + 63u) / 64u;
}

static inline uint64_t bits_mask(uint32_t width)
{
    return width >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << width) - 1u;
}

static inline bool bits_get(const uint64_t *value, uint32_t bit)
{
    return (value[bit / 64u] >> (bit % 64u) & 1u) != 0;
}

/* Bits low..low+63 of a value of so many words, zeros beyond. */
static inline uint64_t bits_word_at(const uint64_t *value, uint32_t words, uint32_t low)
{
    uint32_t i = low / 64u, shift = low % 64u;
    uint64_t word = i < words ? value[i] >> shift : 0;
    if (shift != 0 && i + 1 < words)
        word |= value[i + 1] << (64u - shift);
    return word;
}

void bits_clear(uint64_t *to, uint32_t width);
/* Clears what lies beyond the width. */
void bits_trim(uint64_t *value, uint32_t width);
/* to[low .. low+width-1] = value; these bits of `to` were 0. */
void bits_place(uint64_t *to, uint32_t low, const uint64_t *value, uint32_t width);
/* to = value[low .. low+width-1], where value has `from_width` bits. */
void bits_extract(uint64_t *to, uint32_t width, const uint64_t *value, uint32_t from_width, uint32_t low);
bool bits_zero(const uint64_t *value, uint32_t width);
bool bits_equal(const uint64_t *a, const uint64_t *b, uint32_t width);
bool bits_less(const uint64_t *a, const uint64_t *b, uint32_t width);
bool bits_signed_less(const uint64_t *a, const uint64_t *b, uint32_t width);
void bits_add(uint64_t *to, const uint64_t *a, const uint64_t *b, uint32_t width);
void bits_sub(uint64_t *to, const uint64_t *a, const uint64_t *b, uint32_t width);
void bits_mul(uint64_t *to, const uint64_t *a, const uint64_t *b, uint32_t width); /* `to` is neither a nor b */
void bits_shl(uint64_t *to, const uint64_t *a, uint32_t amount, uint32_t width);   /* `to` is not a */
void bits_shr(uint64_t *to, const uint64_t *a, uint32_t amount, uint32_t width, bool arithmetic);
/* The position of the highest bit that is set, plus 1. */
uint32_t bits_active(const uint64_t *value, uint32_t width);

#endif
