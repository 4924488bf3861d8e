/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/latency.h"

/* 2^(k/4) * 2^31 */
static const uint32_t quarters[4] = {0x80000000u, 0x9837f052u, 0xb504f334u, 0xd744fccbu};

unsigned latency_bucket(uint64_t nanoseconds)
{
    if (nanoseconds < 2)
        return 0;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(nanoseconds);
    uint32_t mantissa = (uint32_t)(exponent > 31 ? nanoseconds >> (exponent - 31) : nanoseconds << (31 - exponent));
    unsigned quarter = (mantissa >= quarters[1]) + (mantissa >= quarters[2]) + (mantissa >= quarters[3]);
    unsigned bucket = 4 * exponent + quarter;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

double latency_bucket_begin(unsigned bucket)
{
    return (double)(UINT64_C(1) << bucket / 4) * quarters[bucket % 4] / quarters[0];
}
