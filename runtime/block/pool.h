/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers that both backends and the card reach, in a few sizes. Nothing is allocated after opening; what runs out has
 * its takers wait (block/command.c).
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
    uint64_t offset; /* of the first in the pool */
    uint16_t *stack; /* numbers of the free ones */
};

struct block_pool {
    struct cipu_card *card;
    uint8_t *memory;
    uint64_t bus;
    uint64_t bytes;
    struct pool_class classes[POOL_CLASSES];
    int fd;
    bool mapped;
};

/* Maps the pool into the card at `bus`. */
int block_pool_open(struct block_pool *pool, struct cipu_card *card, uint64_t bus, struct cipu_error *error);
void block_pool_close(struct block_pool *pool);

/* The smallest class with room for `bytes`; POOL_CLASSES = none has. */
unsigned block_pool_class(const struct block_pool *pool, uint64_t bytes);
/* A buffer of that class or the next larger one that has any left; false = all are taken. */
bool block_pool_take(struct block_pool *pool, unsigned class, struct pool_buffer *buffer);
void block_pool_give(struct block_pool *pool, struct pool_buffer *buffer);

#endif
