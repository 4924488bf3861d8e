/* SPDX-License-Identifier: Apache-2.0 */
/* All of C's operators, signed and unsigned, and the compiler's functions of integers. */
#include "tests/tools/hlsc/accepted/common.h"

STEP(arithmetic, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    int32_t s = q->s, t = (int32_t)(int8_t)q->d;
    int64_t product = (int64_t)s * t;
    uint32_t sum;
    bool carried = __builtin_add_overflow(q->a, q->b, &sum);
    int32_t difference;
    bool overflowed = __builtin_sub_overflow(s, t * 65536, &difference);
    r->words[0] = sum + carried;
    r->words[1] = (uint32_t)difference ^ (overflowed ? 0x80000001u : 0u);
    r->wide = (uint64_t)product ^ q->wide * 0x9e3779b97f4a7c15u;
    r->words[2] = (uint32_t)(s / 16 + s % 8 + (s >> 3)) + q->a / 64u + q->b % 32u;
    r->words[3] = (uint32_t)(s < t) | (uint32_t)(s <= t) << 1 | (uint32_t)(q->a > q->b) << 2 |
                  (uint32_t)(q->a >= q->b) << 3 | (uint32_t)(s != t) << 4 | (uint32_t)(-s) << 8;
    r->bytes[0] = (uint8_t)__builtin_popcount(q->a);
    r->bytes[1] = (uint8_t)(q->b != 0 ? __builtin_clz(q->b) : 32);
    r->bytes[2] = (uint8_t)(q->b != 0 ? __builtin_ctz(q->b) : 32);
    r->bytes[3] = (uint8_t)(q->d << (q->kind & 7u) | q->d >> ((8u - (q->kind & 7u)) & 7u));
    r->bytes[4] = (uint8_t)(q->wide >> (q->kind & 63u));
    r->bytes[5] = (uint8_t)__builtin_parity(q->a);
    r->bytes[6] = (uint8_t)(s < 0 ? -s : s);
    r->bytes[7] = (uint8_t)(q->a < q->b ? q->a : q->b);
    uint32_t rotated = q->a << (q->kind & 31u) | q->a >> (-(uint32_t)q->kind & 31u);
    uint64_t swapped = __builtin_bswap64(q->wide);
    HLS_COPY(r->bytes + 8, &rotated, 4);
    HLS_COPY(r->bytes + 12, &swapped, 4);
    ANSWER_END;
}
