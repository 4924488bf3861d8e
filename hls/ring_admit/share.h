/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fair shares of a ring to the host: what a source holds of the ring, with a new record, is at most an eighth of what
 * is then free (dynamic thresholds: Choudhury and Hahne, 1998). So one source alone gets a ninth of the ring, and even
 * n that fill their shares one after the other, while the host reads nothing, leave (8/9)^n of it to one more. A source
 * gets its share back as the host reads its entries.
 */
#ifndef CIPU_RING_SHARE_H
#define CIPU_RING_SHARE_H

#include "hls/include/ring.h"

struct ring_share {
    uint32_t held;    /* entries in the ring that the host has not read */
    uint32_t dropped; /* records of this source */
};

/* `room` entries of the ring are free. */
HLS_INLINE bool ring_share_fits(const struct ring_share *share, uint32_t source, uint32_t entries, uint32_t room)
{
    uint32_t needs = source == RING_SOURCE_ALONE ? entries : entries * 9u + share->held * 8u;
    return entries != 0 && needs <= room;
}

#endif
