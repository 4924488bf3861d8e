/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers that both backends and the card reach, in a few sizes. Nothing is allocated after opening; what runs out has
 * its takers wait (block/buffer.c).
 *
 * Takers of one pool share it (dynamic thresholds: Choudhury and Hahne, 1998): a share may have at most as many buffers
 * of a size as are left for all, and a quarter of them is kept for shares that have none. So whoever keeps what he has
 * for ever, as a volume does whose backend hangs, has 3/8 of them, the next such 3/16, and so on.
 *
 * Threads: one, the engine's.
 */
#ifndef CIPU_BLOCK_POOL_H
#define CIPU_BLOCK_POOL_H

#include <stdbool.h>

#include "driver/card.h"

#define POOL_CLASSES 4u

struct pool_buffer {
    void *memory; /* NULL = none */
    uint64_t bus;
    uint16_t number;
    uint8_t class;
};

struct pool_class {
    uint32_t bytes; /* of a buffer */
    uint32_t count, free;
    uint32_t reserve; /* for shares that have none */
    uint64_t offset;  /* of the first in the pool */
    uint16_t *stack;  /* numbers of the free ones */
};

/* What one taker has. */
struct pool_share {
    uint16_t held[POOL_CLASSES];
};

struct block_pool {
    struct cipu_card *card;
    uint8_t *memory;
    uint64_t bus;
    uint64_t bytes;
    struct pool_class classes[POOL_CLASSES];
    int fd;
    bool mapped;
    bool kept; /* its memory outlives it */
};

/* Maps the pool into the card at `bus`. */
int block_pool_open(struct block_pool *pool, struct cipu_card *card, uint64_t bus, struct cipu_error *error);
void block_pool_close(struct block_pool *pool);
/* The kernel may write to buffers still: their memory outlives the pool. */
void block_pool_keep(struct block_pool *pool);

/* The smallest class with room for `bytes`; POOL_CLASSES = none has. */
unsigned block_pool_class(const struct block_pool *pool, uint64_t bytes);
/* A buffer of that class, or of the next larger one that has any left; false = all are taken, or as many as the share
 * may have. */
bool block_pool_take(struct block_pool *pool, struct pool_share *share, unsigned class, struct pool_buffer *buffer);
void block_pool_give(struct block_pool *pool, struct pool_share *share, struct pool_buffer *buffer);

#endif
