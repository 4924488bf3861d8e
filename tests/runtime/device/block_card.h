/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What virtio-blk and the block engine need of a card, in a few hundred lines of C: queues of virtio-blk fetched out of
 * the guest's memory, the two rings of the block path, moves, completions, interrupts. It stands for driver/card.h and
 * driver/host.h; one thread of its own is the card.
 */
#ifndef CIPU_TEST_BLOCK_CARD_H
#define CIPU_TEST_BLOCK_CARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "driver/host_block.h"
#include "hls/include/beat.h"
#include "hls/include/dma.h"

#define BLOCK_CARD_RING     (4u * BLOCK_TAGS)
#define BLOCK_CARD_MAPPINGS 512u
#define BLOCK_CARD_LATE     256u

struct block_card_mapping {
    uint64_t iova, length;
    uint8_t *memory;
};

struct block_card_chain {
    bool in_flight;
    uint64_t table; /* guest address */
    uint32_t entries;
    uint16_t first;
    uint64_t status; /* guest address */
};

struct block_card_queue {
    bool fetching, completing, faulted;
    struct queue_setting setting, used_setting;
    uint16_t avail, used;
    bool rung;
    struct block_card_chain chains[BLOCK_SLOTS];
};

struct cipu_card {
    pthread_mutex_t lock;
    pthread_t thread;
    atomic_bool stop;
    struct block_card_mapping mappings[BLOCK_CARD_MAPPINGS];
    struct block_card_queue queues[BLOCK_QUEUES];
    struct window_setting windows[CARD_FUNCTIONS];
    int vectors[CARD_VECTORS];
    bool latched[CARD_VECTORS];
    int wake;
    /* Completions are published so many later than they were answered; a random number up to this one. */
    atomic_uint lag;
    atomic_bool deaf; /* no new chains are taken: they stay in the avail ring */
    struct block_answer late[BLOCK_CARD_LATE];
    unsigned late_count;
    uint64_t random;
    atomic_uint commands, interrupts, fail_commands;
    void (*event)(void *context, const struct event_entry *event);
    void *event_context;
};

struct cipu_host {
    struct cipu_card *card;
    struct block_command ring[BLOCK_CARD_RING];
    _Atomic uint32_t produced, consumed;
    struct block_answer answers[BLOCK_CARD_RING];
    _Atomic uint32_t answered, taken;
    uint32_t prepared; /* the engine's: given out, not sent */
    int event;
};

int block_card_open(struct cipu_card **card, struct cipu_host **host);
void block_card_close(struct cipu_card *card, struct cipu_host *host);
/* Nothing of `function` is mapped, no queue of it is set. */
bool block_card_is_clean(struct cipu_card *card, unsigned function);

#endif
