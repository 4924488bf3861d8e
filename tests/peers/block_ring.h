/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of one virtio-blk queue, for tests: a split ring and a slot of buffers for each head, in guest
 * memory of BLOCK_RING_BYTES at `memory`. Requests are indirect, so that each takes one head. One thread.
 */
#ifndef CIPU_TEST_BLOCK_RING_H
#define CIPU_TEST_BLOCK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/virtio.h"

#define BLOCK_RING_ENTRIES_MAX 128u
#define BLOCK_RING_SLOT_BYTES  32768u
#define BLOCK_RING_DATA        4096u /* of a slot: where data begins */
#define BLOCK_RING_DATA_BYTES  (BLOCK_RING_SLOT_BYTES - BLOCK_RING_DATA)
#define BLOCK_RING_BYTES       (16384u + BLOCK_RING_ENTRIES_MAX * BLOCK_RING_SLOT_BYTES)

struct block_ring {
    uint8_t *memory;
    uint64_t address; /* guest address of `memory` */
    uint32_t entries;
    bool event_index;
    uint16_t avail, used_seen;
    uint16_t free_heads[BLOCK_RING_ENTRIES_MAX];
    unsigned free_count;
    bool busy[BLOCK_RING_ENTRIES_MAX];
    uint32_t used_length[BLOCK_RING_ENTRIES_MAX];
};

#define BLOCK_RING_AVAIL 4096u
#define BLOCK_RING_USED  8192u

void block_ring_init(struct block_ring *ring, uint8_t *memory, uint64_t address, uint32_t entries);

/* A head whose slot can be filled, or -1. */
int block_ring_claim(struct block_ring *ring);
uint8_t *block_ring_data(struct block_ring *ring, unsigned head);
uint8_t block_ring_status(const struct block_ring *ring, unsigned head);

/* A request as drivers make them: header, data (writable: the device writes it), status. */
void block_ring_submit(struct block_ring *ring, unsigned head, uint32_t type, uint64_t sector, uint32_t bytes,
                       bool writable);
/* Any descriptors: they become the head's indirect table. Addresses are the caller's. */
void block_ring_submit_table(struct block_ring *ring, unsigned head, const struct virtq_descriptor *table,
                             unsigned count);
uint64_t block_ring_address(const struct block_ring *ring, unsigned head, uint32_t offset);

/* Takes one used element: the head, or -1 when there is none, -2 when it names no request that is in flight. */
int block_ring_take(struct block_ring *ring);
/* Waits until this one is used, taking all; 0 or -1 after the time. */
int block_ring_wait(struct block_ring *ring, unsigned head, unsigned milliseconds);
/* Waits until nothing is in flight. */
int block_ring_drain(struct block_ring *ring, unsigned milliseconds);

#endif
