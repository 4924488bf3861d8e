/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the host's side share. */
#ifndef CIPU_HOST_INTERNAL_H
#define CIPU_HOST_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "driver/host.h"
#include "hls/include/beat.h"
#include "hls/include/dma.h"

/* One ring in host memory. `line` is written by the card at any time: read it through host_ring_index alone. */
struct host_ring_memory {
    uint8_t *entries;
    struct ring_index *line;
    uint32_t size;     /* entries, a power of two */
    uint32_t position; /* ours: producer of COMMAND and INJECT, consumer of the others */
};

/* COMMAND and COMPLETION rings have as many entries as there are slots: completions always fit. */
#define HOST_COMMAND_SLOTS_LOG2   10u
#define HOST_COMMAND_SLOTS        (1u << HOST_COMMAND_SLOTS_LOG2)
#define HOST_BACKEND_ENTRIES_LOG2 16u

struct host_command_slot {
    uint32_t tag; /* 0 = free */
    size_t command;
};

struct cipu_host {
    struct cipu_card *card;
    uint32_t registers; /* offset of the rings' block */
    int memory_fd;
    uint8_t *memory;
    size_t memory_bytes;
    uint64_t bus_base; /* bus address of the memory */
    bool mapped;
    struct host_ring_memory ring[RING_COUNT];

    pthread_mutex_t command_lock; /* for the four members below and both command rings */
    int completion_fd;
    uint32_t next_tag;
    struct host_command_slot slot[HOST_COMMAND_SLOTS];

    int block_fd;          /* the backend ring; -1 = nobody asked */
    uint32_t block_room;   /* answers for which there certainly is room */
    uint32_t block_told;   /* of answers, to the card */
    uint32_t backend_told; /* of entries that were read */

    int work_fd; /* packets and events */
    uint8_t packet[PACKET_BYTES_MAX];
};

/* The card's index of a ring. What the card wrote before it is visible afterwards. */
uint32_t host_ring_index(const struct cipu_host *host, enum host_ring ring);

/* Entries that wait in a ring from the card; 0 when its index makes no sense. */
uint32_t host_ring_waiting(const struct cipu_host *host, enum host_ring ring);

/* Free entries of a ring to the card; 0 when its index makes no sense. */
uint32_t host_ring_room(const struct cipu_host *host, enum host_ring ring);

/* Copies `bytes` out of or into a ring from the entry at `position` on, around its end. */
void host_ring_copy_out(const struct host_ring_memory *ring, uint32_t position, void *to, size_t bytes);
void host_ring_copy_in(struct host_ring_memory *ring, uint32_t position, const void *from, size_t bytes);

/* Tells the card our position. */
int host_ring_doorbell(const struct cipu_host *host, enum host_ring ring);

/* Allocates the rings' memory and maps it into the card; undone by host_memory_close, also after a failure. */
int host_memory_open(struct cipu_host *host, struct cipu_error *error);
void host_memory_close(struct cipu_host *host);

/* Finds the rings' registers; starts or stops all rings. */
int host_rings_find(struct cipu_host *host, struct cipu_error *error);
void host_rings_start(struct cipu_host *host);
void host_rings_stop(struct cipu_host *host);

#endif
