/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an arbiter: round robin over at most 32 inputs. */
#ifndef CIPU_ARBITER_H
#define CIPU_ARBITER_H

#include "hls/include/hls.h"

/* Bit i of `ready`: input i has a record. Returns one bit of it: the first after `last` (what the previous call
 * returned, 0 at the start), cyclically; 0 when nothing is ready. */
HLS_INLINE uint32_t arbiter_pick(uint32_t ready, uint32_t last)
{
    uint32_t after = ready & ~(last | (last - 1u));
    uint32_t candidates = after != 0 ? after : ready;
    return candidates & (0u - candidates);
}

#endif
