/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one function's guest: pieces that come and go, mapped into the card's window of that function while the
 * guest lets the device master the bus, and read and written by software where the card does not go.
 *
 * Pieces without a descriptor are reached by messages to the frontend's client. Threads: map, unmap, clear, messages
 * and expose on the frontend's thread; read and write on any other; the rest on any.
 */
#ifndef CIPU_GUEST_MEMORY_H
#define CIPU_GUEST_MEMORY_H

#include "runtime/device/device.h"

struct guest_memory;

/* Pieces that end above `limit` are never mapped into the card; bus_base is the bus address of guest address 0. */
int guest_memory_create(struct cipu_card *card, uint64_t bus_base, uint64_t limit, struct guest_memory **memory);
void guest_memory_destroy(struct guest_memory *memory);

int guest_memory_map(struct guest_memory *memory, uint64_t address, uint64_t length, int fd, off_t offset,
                     int protection);
void guest_memory_unmap(struct guest_memory *memory, uint64_t address);
void guest_memory_clear(struct guest_memory *memory);

/* NULL: returns when no call through the old ones is under way. */
void guest_memory_messages(struct guest_memory *memory, const struct device_memory_messages *messages);
/* Stops what waits for messages; see struct device_memory_messages. */
void guest_memory_cancel(struct guest_memory *memory, bool cancelled);

/* Maps all pieces that the card can take, now and as they come, or takes all of them away. */
void guest_memory_expose(struct guest_memory *memory, bool exposed);

/* True when the card sees all bytes of the range. */
bool guest_memory_in_card(struct guest_memory *memory, uint64_t address, uint64_t length);
/* True when there are pieces that the card does not see. */
bool guest_memory_any_outside_card(struct guest_memory *memory);

/* May cross pieces. Aligned accesses of two bytes are single accesses in shared memory. -EFAULT: not there, or not
 * allowed. */
int guest_memory_read(struct guest_memory *memory, uint64_t address, void *data, size_t bytes);
int guest_memory_write(struct guest_memory *memory, uint64_t address, const void *data, size_t bytes);

#endif
