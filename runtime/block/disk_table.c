/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/disk_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/crc32c.h"

#define EXTENTS_MIN  2u
#define CAPACITY_MIN 4096u
#define GROWTH       4u /* a disk has room in its tables to become so many times as large */

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static uint64_t table_bytes(uint64_t capacity)
{
    return round_up(sizeof(struct disk_table) + DISK_VOLUMES * sizeof(struct disk_volume_record) +
                        capacity * sizeof(struct disk_extent_record),
                    DISK_BLOCK);
}

int disk_superblock_make(struct disk_superblock *superblock, uint64_t bytes)
{
    uint64_t capacity = (bytes >> DISK_EXTENT_SHIFT) * GROWTH;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    if (capacity > DISK_CAPACITY_MAX)
        capacity = DISK_CAPACITY_MAX;
    memset(superblock, 0, sizeof *superblock);
    memcpy(superblock->magic, DISK_MAGIC, sizeof superblock->magic);
    superblock->version = DISK_VERSION;
    superblock->extent_shift = DISK_EXTENT_SHIFT;
    superblock->capacity = (uint32_t)capacity;
    superblock->table_bytes = table_bytes(capacity);
    superblock->tables[0] = DISK_BLOCK;
    superblock->tables[1] = superblock->tables[0] + superblock->table_bytes;
    superblock->data = round_up(superblock->tables[1] + superblock->table_bytes, UINT64_C(1) << 20);
    superblock->crc = crc32c(0, superblock, offsetof(struct disk_superblock, crc));
    return disk_extents(superblock, bytes) < EXTENTS_MIN ? -EINVAL : 0;
}

int disk_superblock_check(const struct disk_superblock *superblock)
{
    static const uint8_t zeros[sizeof superblock->reserved2];
    if (memcmp(superblock->magic, DISK_MAGIC, sizeof superblock->magic) != 0 ||
        superblock->crc != crc32c(0, superblock, offsetof(struct disk_superblock, crc)))
        return -EINVAL;
    if (superblock->version != DISK_VERSION || superblock->reserved ||
        memcmp(superblock->reserved2, zeros, sizeof zeros) != 0)
        return -EINVAL;
    if (superblock->extent_shift < DISK_EXTENT_SHIFT_MIN || superblock->extent_shift > DISK_EXTENT_SHIFT_MAX ||
        superblock->capacity < EXTENTS_MIN || superblock->capacity > DISK_CAPACITY_MAX ||
        superblock->table_bytes != table_bytes(superblock->capacity))
        return -EINVAL;
    uint64_t first = superblock->tables[0], second = superblock->tables[1], data = superblock->data;
    if ((first | second | data) % DISK_BLOCK || first < DISK_BLOCK || second < first ||
        second - first < superblock->table_bytes || data < second || data - second < superblock->table_bytes ||
        data > (uint64_t)INT64_MAX - ((uint64_t)superblock->capacity << superblock->extent_shift))
        return -EINVAL;
    return 0;
}

uint32_t disk_extents(const struct disk_superblock *superblock, uint64_t bytes)
{
    if (bytes <= superblock->data)
        return 0;
    uint64_t extents = (bytes - superblock->data) >> superblock->extent_shift;
    return extents < superblock->capacity ? (uint32_t)extents : superblock->capacity;
}

struct disk_volume_record *disk_table_volumes(struct disk_table *table)
{
    return (struct disk_volume_record *)(table + 1);
}

struct disk_extent_record *disk_table_extents(struct disk_table *table)
{
    return (struct disk_extent_record *)(disk_table_volumes(table) + DISK_VOLUMES);
}

void disk_table_make(struct disk_table *table, const struct disk_superblock *superblock)
{
    memset(table, 0, superblock->table_bytes);
    memcpy(table->magic, DISK_TABLE_MAGIC, sizeof table->magic);
}

static uint32_t checksum(const struct disk_table *table, const struct disk_superblock *superblock)
{
    struct disk_table header = *table;
    header.crc = 0;
    return crc32c(crc32c(0, &header, sizeof header), table + 1, superblock->table_bytes - sizeof header);
}

void disk_table_seal(struct disk_table *table, const struct disk_superblock *superblock)
{
    table->crc = checksum(table, superblock);
}

bool disk_name_is_good(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strnlen(name, DISK_VOLUME_NAME_BYTES);
    return length > 0 && length < DISK_VOLUME_NAME_BYTES && strspn(name, letters) == length;
}

static uint64_t extents_of(uint64_t bytes, const struct disk_superblock *superblock)
{
    uint64_t mask = (UINT64_C(1) << superblock->extent_shift) - 1;
    return (bytes >> superblock->extent_shift) + (bytes & mask ? 1 : 0);
}

static int check_volumes(const struct disk_volume_record *volumes, const struct disk_superblock *superblock,
                         uint64_t *extents)
{
    *extents = 0;
    for (unsigned i = 0; i < DISK_VOLUMES; i++) {
        const struct disk_volume_record *volume = &volumes[i];
        if (!volume->name[0])
            continue;
        if (!disk_name_is_good(volume->name) || !volume->bytes || volume->bytes % 512 ||
            volume->extents != extents_of(volume->bytes, superblock) || volume->flags & ~DISK_VOLUME_ERASING)
            return -EINVAL;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(volumes[k].name, volume->name) == 0)
                return -EINVAL;
        *extents += volume->extents;
    }
    return 0;
}

/* Each extent of each volume is there once: `seen` has a bit for each, volume after volume. */
static int check_extents(const struct disk_table *table, const struct disk_extent_record *extents,
                         const struct disk_volume_record *volumes, uint64_t total, uint8_t *seen)
{
    uint64_t first[DISK_VOLUMES], before = 0, used = 0;
    for (unsigned i = 0; i < DISK_VOLUMES; i++) {
        first[i] = before;
        before += volumes[i].name[0] ? volumes[i].extents : 0;
    }
    for (uint32_t i = 0; i < table->extents; i++) {
        const struct disk_extent_record *extent = &extents[i];
        if (extent->state > DISK_USED)
            return -EINVAL;
        if (extent->state != DISK_USED)
            continue;
        if (extent->volume >= DISK_VOLUMES || !volumes[extent->volume].name[0] ||
            extent->index >= volumes[extent->volume].extents)
            return -EINVAL;
        uint64_t bit = first[extent->volume] + extent->index;
        if (seen[bit / 8] >> bit % 8 & 1)
            return -EINVAL;
        seen[bit / 8] |= (uint8_t)(1 << bit % 8);
        used++;
    }
    return used == total ? 0 : -EINVAL;
}

int disk_table_check(const struct disk_table *table, const struct disk_superblock *superblock)
{
    const struct disk_volume_record *volumes = (const struct disk_volume_record *)(table + 1);
    const struct disk_extent_record *extents = (const struct disk_extent_record *)(volumes + DISK_VOLUMES);
    uint64_t total;
    if (memcmp(table->magic, DISK_TABLE_MAGIC, sizeof table->magic) != 0 || table->crc != checksum(table, superblock) ||
        table->extents > superblock->capacity || check_volumes(volumes, superblock, &total) < 0 ||
        total > table->extents)
        return -EINVAL;
    uint8_t *seen = calloc(1, total / 8 + 1);
    if (!seen)
        return -ENOMEM;
    int result = check_extents(table, extents, volumes, total, seen);
    free(seen);
    return result;
}

unsigned disk_table_find(struct disk_table *table, const char *name)
{
    const struct disk_volume_record *volumes = disk_table_volumes(table);
    unsigned i = 0;
    while (i < DISK_VOLUMES && strncmp(volumes[i].name, name, DISK_VOLUME_NAME_BYTES) != 0)
        i++;
    return i;
}

static bool is_free(const struct disk_extent_record *extent)
{
    return extent->state == DISK_CLEAN || extent->state == DISK_UNKNOWN;
}

uint32_t disk_table_free(struct disk_table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->extents; i++)
        count += is_free(&disk_table_extents(table)[i]);
    return count;
}

int disk_table_grow(struct disk_table *table, const struct disk_superblock *superblock, unsigned number, uint64_t bytes,
                    uint32_t *unclean, uint32_t *count)
{
    struct disk_volume_record *volume = &disk_table_volumes(table)[number];
    struct disk_extent_record *extents = disk_table_extents(table);
    uint64_t wanted = extents_of(bytes, superblock);
    *count = 0;
    if (wanted < volume->extents || wanted - volume->extents > disk_table_free(table))
        return -ENOSPC;
    for (unsigned state = DISK_CLEAN + 1; state-- > DISK_UNKNOWN;) {
        for (uint32_t i = 0; i < table->extents && volume->extents < wanted; i++) {
            if (extents[i].state != state)
                continue;
            extents[i] = (struct disk_extent_record){(uint16_t)number, DISK_USED, 0, volume->extents++};
            if (state == DISK_UNKNOWN)
                unclean[(*count)++] = i;
        }
    }
    volume->bytes = bytes;
    return 0;
}

void disk_table_remove(struct disk_table *table, unsigned number)
{
    struct disk_extent_record *extents = disk_table_extents(table);
    for (uint32_t i = 0; i < table->extents; i++)
        if (extents[i].state == DISK_USED && extents[i].volume == number)
            extents[i] = (struct disk_extent_record){.state = DISK_ERASING};
    disk_table_volumes(table)[number] = (struct disk_volume_record){0};
}
