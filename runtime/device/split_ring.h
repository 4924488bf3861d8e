/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of a split virtqueue, walked in software (VIRTIO 1.2, section 2.7): for queues that the card does
 * not fetch itself. The ring is the guest's and not to be trusted: every index and length is checked, every chain
 * bounded. One thread at a time.
 */
#ifndef CIPU_SPLIT_RING_H
#define CIPU_SPLIT_RING_H

#include "runtime/device/guest_memory.h"

#define SPLIT_RING_SEGMENTS 1024u /* longest chain */

struct split_ring {
    struct guest_memory *memory;
    uint64_t descriptors, avail, used; /* guest addresses */
    uint32_t entries;
    bool event_index, indirect;
    uint16_t next_avail;  /* first not taken */
    uint16_t next_used;   /* first not written */
    uint16_t published;   /* used index that the driver sees */
    uint16_t avail_index; /* the driver's, as last read */
};

struct split_segment {
    uint64_t address;
    uint32_t length;
};

/* First the segments that the driver filled, then those for the device to fill (2.7.4.2). */
struct split_chain {
    uint16_t head;
    unsigned readable, writable; /* segments */
    size_t readable_bytes, writable_bytes;
    struct split_segment segments[SPLIT_RING_SEGMENTS];
};

/* Starts at `position` in both rings. */
void split_ring_init(struct split_ring *ring, uint16_t position);

/* Takes the next chain. 1, 0 when there is none, -EPROTO when the ring breaks the rules, or what guest_memory_read
 * returned. */
int split_ring_take(struct split_ring *ring, struct split_chain *chain);
/* The last one taken was not used: it will be taken again. */
void split_ring_untake(struct split_ring *ring);

/* The chain that begins at `head`, wherever it is in the avail ring. As split_ring_take, but never 0. */
int split_ring_chain(struct split_ring *ring, uint16_t head, struct split_chain *chain);

/* Asks for a notification of the next chain that the driver adds. 1 when there are chains not taken, 0, or a negative
 * errno. */
int split_ring_arm(struct split_ring *ring);

/* Puts a chain into the used ring; the driver sees it after split_ring_publish, which returns 1 if it wants an
 * interrupt, 0 or a negative errno. */
int split_ring_use(struct split_ring *ring, uint16_t head, uint32_t length);
int split_ring_publish(struct split_ring *ring);

/* Copies from the chain's readable bytes, or to its writable ones, from `offset`; the range must lie within. */
int split_chain_read(struct split_ring *ring, const struct split_chain *chain, size_t offset, void *data, size_t bytes);
int split_chain_write(struct split_ring *ring, const struct split_chain *chain, size_t offset, const void *data,
                      size_t bytes);

#endif
