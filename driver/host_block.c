/* SPDX-License-Identifier: Apache-2.0 */
/* The block path's rings: entries are read and answers written where they lie. */
#include "driver/host_block.h"

#include <sys/eventfd.h>

#include "driver/host_internal.h"

/* The card need not know of each entry that was read: it has room for all that can be under way, and this many. */
#define RELEASES_UNTOLD 4096u

static_assert(3u * BLOCK_TAGS + RELEASES_UNTOLD <= 1u << HOST_BACKEND_ENTRIES_LOG2, "the backend ring never overflows");

const struct block_command *cipu_host_block_entries(struct cipu_host *host, uint32_t *count)
{
    const struct host_ring_memory *ring = &host->ring[RING_BACKEND];
    uint32_t waiting = host_ring_waiting(host, RING_BACKEND);
    uint32_t place = ring->position & (ring->size - 1);
    *count = waiting < ring->size - place ? waiting : ring->size - place;
    return (const struct block_command *)(const void *)(ring->entries + (size_t)place * RING_ENTRY_BYTES);
}

void cipu_host_block_release(struct cipu_host *host, uint32_t count)
{
    host->ring[RING_BACKEND].position += count;
    if (host->ring[RING_BACKEND].position - host->backend_told < RELEASES_UNTOLD)
        return;
    host->backend_told = host->ring[RING_BACKEND].position;
    host_ring_doorbell(host, RING_BACKEND);
}

struct block_answer *cipu_host_block_answer(struct cipu_host *host)
{
    struct host_ring_memory *ring = &host->ring[RING_BLOCK];
    if (host->block_room == 0 && (host->block_room = host_ring_room(host, RING_BLOCK)) == 0)
        return NULL;
    host->block_room--;
    uint32_t place = ring->position++ & (ring->size - 1);
    return (struct block_answer *)(void *)(ring->entries + (size_t)place * RING_ENTRY_BYTES);
}

void cipu_host_block_send(struct cipu_host *host)
{
    if (host->ring[RING_BLOCK].position == host->block_told)
        return;
    host->block_told = host->ring[RING_BLOCK].position;
    host_ring_doorbell(host, RING_BLOCK);
}

int cipu_host_block_fd(struct cipu_host *host)
{
    if (host->block_fd < 0 && (host->block_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) >= 0)
        cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_BACKEND, host->block_fd);
    return host->block_fd;
}
