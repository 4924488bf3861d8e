/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms that one thread writes and any reads. */
#ifndef CIPU_BLOCK_LATENCY_H
#define CIPU_BLOCK_LATENCY_H

#include <stdint.h>

/* Bucket i counts durations of [2^(i/4), 2^((i+1)/4)) ns: relative error 19 %. */
#define LATENCY_BUCKETS 160u

/* The bucket of a duration in nanoseconds. */
unsigned latency_bucket(uint64_t nanoseconds);
/* Where a bucket begins, in nanoseconds. */
double latency_bucket_begin(unsigned bucket);

/* Counters: the one writer's step is a load and a store. */
static inline void counter_add(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
