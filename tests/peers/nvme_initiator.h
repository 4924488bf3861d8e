/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An NVMe driver over the vfio-user client, for tests and benchmarks: polling, PRPs, queues wherever the caller wants
 * them. It does what a driver does, and lets the caller do what no driver would. Functions return 0 or a negative
 * errno; a command's own status is in its completion.
 *
 * Memory: the caller's shared guest memory, given out page by page from its beginning on.
 */
#ifndef CIPU_NVME_INITIATOR_H
#define CIPU_NVME_INITIATOR_H

#include <stdatomic.h>
#include <string.h>

#include "hls/include/nvme.h"
#include "tests/peers/vfio_user_client.h"

#define INITIATOR_PAIRS 32u

struct nvme_pair {
    struct nvme_command *sq;
    struct nvme_completion *cq;
    uint64_t sq_address, cq_address;
    uint32_t number, entries, tail, head;
    uint16_t phase, next_identifier;
};

struct nvme_initiator {
    struct vfio_user_client *client;
    uint8_t *memory;
    uint64_t address, bytes, used;
    uint8_t *page;                    /* the mapped doorbell page; NULL = doorbells are written by messages */
    _Atomic uint32_t *doorbells;      /* in it */
    _Atomic uint32_t *shadow, *event; /* after nvme_initiator_shadow */
    struct nvme_pair pairs[INITIATOR_PAIRS];
};

/* `memory` of `bytes` at guest address `address`, which the server knows already. */
int nvme_initiator_open(struct nvme_initiator *initiator, struct vfio_user_client *client, uint8_t *memory,
                        uint64_t address, uint64_t bytes);
void nvme_initiator_close(struct nvme_initiator *initiator); /* the client stays the caller's */

/* `pages` pages of guest memory, zeroed; *address is the guest's. NULL when there are no more. */
void *nvme_initiator_alloc(struct nvme_initiator *initiator, unsigned pages, uint64_t *address);

int nvme_initiator_read(struct nvme_initiator *initiator, uint32_t offset, uint32_t *value);
int nvme_initiator_write(struct nvme_initiator *initiator, uint32_t offset, uint32_t value);

/* Resets the controller, sets up the admin queue of `entries`, enables it and waits until it is ready. */
int nvme_initiator_enable(struct nvme_initiator *initiator, uint32_t entries);
int nvme_initiator_disable(struct nvme_initiator *initiator);

/* An admin command with one page of data at most: in from or out to `data`. Waits up to 10 s. */
int nvme_initiator_admin(struct nvme_initiator *initiator, struct nvme_command *command, void *data, size_t bytes,
                         bool to_controller, struct nvme_completion *completion);

/* Creates completion and submission queue `number` of `entries`. -EIO: the controller refused. */
int nvme_initiator_pair(struct nvme_initiator *initiator, uint32_t number, uint32_t entries);

/* Doorbell Buffer Config: from now on I/O queues use shadow doorbells. */
int nvme_initiator_shadow(struct nvme_initiator *initiator);

/* Writes a doorbell: through the page if it is mapped, else by a posted message. */
void nvme_initiator_ring(struct nvme_initiator *initiator, uint32_t word, uint32_t old, uint32_t value);

/* Puts a command into the queue; nvme_initiator_submitted tells the controller of all put so far. */
static inline void nvme_initiator_put(struct nvme_pair *pair, const struct nvme_command *command)
{
    memcpy(&pair->sq[pair->tail], command, sizeof *command);
    pair->tail = pair->tail + 1 == pair->entries ? 0 : pair->tail + 1;
}

static inline void nvme_initiator_submitted(struct nvme_initiator *initiator, struct nvme_pair *pair, uint32_t old)
{
    atomic_thread_fence(memory_order_release);
    nvme_initiator_ring(initiator, 2 * pair->number, old, pair->tail);
}

/* The next completion, or NULL. It is the controller's again after nvme_initiator_taken. */
static inline const struct nvme_completion *nvme_initiator_next(struct nvme_pair *pair)
{
    const struct nvme_completion *entry = &pair->cq[pair->head];
    uint16_t status =
        atomic_load_explicit((const _Atomic uint16_t *)(const void *)&entry->status, memory_order_acquire);
    return (status & 1u) == pair->phase ? entry : NULL;
}

static inline void nvme_initiator_skip(struct nvme_pair *pair)
{
    if (++pair->head == pair->entries) {
        pair->head = 0;
        pair->phase ^= 1;
    }
}

static inline void nvme_initiator_taken(struct nvme_initiator *initiator, struct nvme_pair *pair, uint32_t old)
{
    nvme_initiator_ring(initiator, 2 * pair->number + 1, old, pair->head);
}

/* One command on an I/O queue, waited for up to 10 s. */
int nvme_initiator_execute(struct nvme_initiator *initiator, struct nvme_pair *pair, struct nvme_command *command,
                           struct nvme_completion *completion);

#endif
