/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* 64 MiB, of which the memory is there that was ever used. The largest holds what one answer can move. */
static const struct {
    uint32_t bytes, count;
} sizes[POOL_CLASSES] = {{4096, 2048}, {32u << 10, 512}, {128u << 10, 128}, {1u << 20, 24}};

#define RESERVE_PART 4u

static int map(struct block_pool *pool, struct cipu_error *error)
{
    pool->fd = memfd_create("cipu-buffers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (pool->fd < 0 || ftruncate(pool->fd, (off_t)pool->bytes) < 0 ||
        fcntl(pool->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return cipu_fail(error, -errno, "buffers: memfd of %llu bytes: %s", (unsigned long long)pool->bytes,
                         strerror(errno));
    void *memory = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pool->fd, 0);
    if (memory == MAP_FAILED)
        return cipu_fail(error, -errno, "buffers: mmap of %llu bytes: %s", (unsigned long long)pool->bytes,
                         strerror(errno));
    pool->memory = memory;
    int result =
        cipu_card_dma_map(pool->card, pool->fd, 0, pool->bus, pool->bytes, CIPU_DMA_READ | CIPU_DMA_WRITE, error);
    pool->mapped = result == 0;
    return result;
}

int block_pool_open(struct block_pool *pool, struct cipu_card *card, uint64_t bus, struct cipu_error *error)
{
    *pool = (struct block_pool){.card = card, .bus = bus, .fd = -1};
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        struct pool_class *class = &pool->classes[i];
        *class = (struct pool_class){.bytes = sizes[i].bytes,
                                     .count = sizes[i].count,
                                     .free = sizes[i].count,
                                     .reserve = sizes[i].count / RESERVE_PART,
                                     .offset = pool->bytes};
        pool->bytes += (uint64_t)class->bytes * class->count;
        class->stack = malloc(class->count * sizeof class->stack[0]);
        if (!class->stack)
            return cipu_fail(error, -ENOMEM, "buffers: no memory");
        for (unsigned k = 0; k < class->count; k++)
            class->stack[k] = (uint16_t)(class->count - 1 - k);
    }
    return map(pool, error);
}

void block_pool_close(struct block_pool *pool)
{
    if (pool->mapped)
        cipu_card_dma_unmap(pool->card, pool->bus, pool->bytes);
    if (pool->memory && !pool->kept)
        munmap(pool->memory, pool->bytes);
    if (pool->fd >= 0)
        close(pool->fd);
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        free(pool->classes[i].stack);
    *pool = (struct block_pool){.fd = -1};
}

void block_pool_keep(struct block_pool *pool)
{
    pool->kept = true;
}

unsigned block_pool_class(const struct block_pool *pool, uint64_t bytes)
{
    unsigned class = 0;
    while (class < POOL_CLASSES && pool->classes[class].bytes < bytes)
        class ++;
    return class;
}

static bool may_have(const struct pool_class *class, uint32_t held)
{
    return held == 0 || held + class->reserve < class->free;
}

bool block_pool_take(struct block_pool *pool, struct pool_share *share, unsigned class, struct pool_buffer *buffer)
{
    while (class < POOL_CLASSES && !pool->classes[class].free)
        class ++;
    if (class == POOL_CLASSES || !may_have(&pool->classes[class], share->held[class]))
        return false;
    share->held[class]++;
    struct pool_class *from = &pool->classes[class];
    uint16_t number = from->stack[--from->free];
    uint64_t offset = from->offset + (uint64_t)number * from->bytes;
    *buffer = (struct pool_buffer){pool->memory + offset, pool->bus + offset, number, (uint8_t)class};
    return true;
}

void block_pool_give(struct block_pool *pool, struct pool_share *share, struct pool_buffer *buffer)
{
    struct pool_class *to = &pool->classes[buffer->class];
    share->held[buffer->class]--;
    to->stack[to->free++] = buffer->number;
    buffer->memory = NULL;
}
