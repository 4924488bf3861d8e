/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny graph that exercises the shell: it fetches descriptors from host memory when a doorbell names a new producer
 * index, copies what they say, writes a status record for each finished packet, then raises an interrupt.
 */
#ifndef CIPU_TEST_MOVER_H
#define CIPU_TEST_MOVER_H

#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"

#define MOVER_DESCRIPTORS 1024u    /* a ring at bus address 0 */
#define MOVER_STATUS      0x10000u /* bus address of a ring of as many struct dma_done */
#define MOVER_VECTOR      3u

struct mover_descriptor {
    uint64_t from, to;
    uint32_t from_length, to_length; /* 0 = no request */
    uint16_t from_flags, to_flags;   /* enum dma_flags */
    uint16_t tag;
    uint8_t reserved[34];
};

static_assert(sizeof(struct mover_descriptor) == 64, "one beat");

#endif
