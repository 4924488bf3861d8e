/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets in parts so small that nothing is rounded. An operation is 1,953,125 parts: one per second makes 2 of
 * them in a tick of 1,024 ns. A sector of 512 bytes is 500,000,000 parts: a byte per second makes one in a tick.
 *
 * A command passes when the level is as high as it costs, or as the bucket is deep, and takes what it costs: a command
 * that is larger than the burst leaves a debt.
 */
#ifndef CIPU_QOS_BUCKET_H
#define CIPU_QOS_BUCKET_H

#include "hls/include/block_path.h"

#define QOS_OPERATION       1953125
#define QOS_OPERATION_RATE  2u
#define QOS_SECTOR          500000000
#define QOS_SECTOR_BYTES    512u
#define QOS_BYTES_RATE_MAX  ((uint64_t)1 << 38)
#define QOS_BYTES_BURST_MAX ((uint64_t)1 << 40)
#define QOS_ELAPSED_MAX     (1u << 24) /* ticks that a refill counts at once */

static_assert(QOS_OPERATION * 1024ull == QOS_OPERATION_RATE * 1000000000ull, "an operation per second");
static_assert(QOS_SECTOR * 1024ull == QOS_SECTOR_BYTES * 1000000000ull, "a byte per second");
static_assert(BLOCK_TICK_NANOSECONDS == 1024, "a tick");

struct qos_bucket {
    int64_t level; /* parts; below 0 = owed */
    int64_t burst;
    uint64_t rate; /* parts a tick; 0 = unlimited */
};

HLS_INLINE void qos_bucket_set_operations(struct qos_bucket *bucket, uint32_t rate, uint32_t burst)
{
    bucket->rate = (uint64_t)rate * QOS_OPERATION_RATE;
    bucket->burst = (int64_t)(burst != 0 ? burst : 1u) * QOS_OPERATION;
    bucket->level = bucket->burst;
}

HLS_INLINE void qos_bucket_set_bytes(struct qos_bucket *bucket, uint64_t rate, uint64_t burst)
{
    uint64_t bounded = burst < QOS_BYTES_BURST_MAX ? burst : QOS_BYTES_BURST_MAX;
    uint64_t sectors = (bounded + QOS_SECTOR_BYTES - 1u) / QOS_SECTOR_BYTES;
    bucket->rate = rate < QOS_BYTES_RATE_MAX ? rate : QOS_BYTES_RATE_MAX;
    bucket->burst = (int64_t)(sectors != 0 ? sectors : 1u) * QOS_SECTOR;
    bucket->level = bucket->burst;
}

/* `open`: commands waited all the time, so what came is theirs, even above the burst: looks are rare. */
HLS_INLINE void qos_bucket_refill(struct qos_bucket *bucket, uint32_t elapsed, bool open)
{
    int64_t held = bucket->level < bucket->burst || elapsed == 0 ? bucket->level : bucket->burst;
    int64_t filled = held + (int64_t)(bucket->rate * elapsed);
    bucket->level = open || filled < bucket->burst ? filled : bucket->burst;
}

HLS_INLINE bool qos_bucket_affords(const struct qos_bucket *bucket, int64_t cost)
{
    return bucket->rate == 0 || bucket->level >= cost || bucket->level >= bucket->burst;
}

#endif
