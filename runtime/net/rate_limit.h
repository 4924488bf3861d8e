/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket in milliseconds. Zeroed memory is a full bucket. */
#ifndef CIPU_NET_RATE_LIMIT_H
#define CIPU_NET_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
    uint64_t free_at; /* ms * rate: the bucket is full from here on */
};

/* Takes a token of a bucket that holds `burst` and gains `per_second`; false if there is none. */
static inline bool rate_limit_take(struct rate_limit *limit, uint64_t now, uint32_t per_second, uint32_t burst)
{
    uint64_t time = now * per_second;
    uint64_t start = limit->free_at > time ? limit->free_at : time;
    if (start - time > (uint64_t)(burst - 1) * 1000)
        return false;
    limit->free_at = start + 1000;
    return true;
}

#endif
