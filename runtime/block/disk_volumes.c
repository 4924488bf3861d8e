/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/disk_volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct disk_volumes {
    struct disk_store *store;
    struct disk_superblock superblock;
    struct disk_table *table; /* as it is on the disk */
    struct disk_table *next;  /* being changed */
    uint32_t *unclean;        /* extents, as disk_table_grow tells */
};

const struct disk_superblock *disk_volumes_superblock(const struct disk_volumes *disk)
{
    return &disk->superblock;
}

struct disk_table *disk_volumes_table(const struct disk_volumes *disk)
{
    return disk->table;
}

/* ---- changes ---- */

static struct disk_table *begin_change(struct disk_volumes *disk)
{
    memcpy(disk->next, disk->table, disk->superblock.table_bytes);
    return disk->next;
}

/* Over the older table. After an error it may be on the disk or not: the next change is written to the same place. */
static int commit(struct disk_volumes *disk)
{
    struct disk_table *next = disk->next;
    next->generation = disk->table->generation + 1;
    disk_table_seal(next, &disk->superblock);
    int result = disk->store->ops->write(disk->store, disk->superblock.tables[next->generation & 1], next,
                                         disk->superblock.table_bytes);
    if (!result)
        result = disk->store->ops->sync(disk->store);
    if (result)
        return result;
    disk->next = disk->table;
    disk->table = next;
    return 0;
}

static uint64_t place_of(const struct disk_volumes *disk, uint32_t extent)
{
    return disk->superblock.data + ((uint64_t)extent << disk->superblock.extent_shift);
}

static int zero_extents(struct disk_volumes *disk, uint32_t first, uint32_t count)
{
    return disk->store->ops->zero(disk->store, place_of(disk, first), (uint64_t)count << disk->superblock.extent_shift);
}

/* Zeros of extents in rising order, neighbours at once; durable when it returns. */
static int erase_list(struct disk_volumes *disk, const uint32_t *extents, uint32_t count)
{
    if (!count)
        return 0;
    for (uint32_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && extents[i + run] == extents[i] + run; run++)
            ;
        int result = zero_extents(disk, extents[i], run);
        if (result)
            return result;
    }
    return disk->store->ops->sync(disk->store);
}

/* Those that are in this state and, if they are used, the volume's. */
static uint32_t list_extents(struct disk_volumes *disk, uint8_t state, unsigned volume)
{
    const struct disk_extent_record *extents = disk_table_extents(disk->table);
    uint32_t count = 0;
    for (uint32_t i = 0; i < disk->table->extents; i++)
        if (extents[i].state == state && (state != DISK_USED || extents[i].volume == volume))
            disk->unclean[count++] = i;
    return count;
}

/* What volumes gave back becomes zeros, and only then free. */
static int clean_returned(struct disk_volumes *disk)
{
    uint32_t count = list_extents(disk, DISK_ERASING, 0);
    if (!count)
        return 0;
    int result = erase_list(disk, disk->unclean, count);
    if (result)
        return result;
    struct disk_extent_record *extents = disk_table_extents(begin_change(disk));
    for (uint32_t i = 0; i < count; i++)
        extents[disk->unclean[i]].state = DISK_CLEAN;
    return commit(disk);
}

static int erase_marked(struct disk_volumes *disk, unsigned number)
{
    int result = erase_list(disk, disk->unclean, list_extents(disk, DISK_USED, number));
    if (result)
        return result;
    disk_table_volumes(begin_change(disk))[number].flags = 0;
    return commit(disk);
}

/* ---- opening ---- */

static int refuse(struct cipu_error *error, int code, const char *text)
{
    cipu_fail(error, code, "%s", text);
    return code;
}

static bool all_zeros(const uint8_t *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static int allocate(struct disk_volumes *disk)
{
    disk->table = aligned_alloc(DISK_BLOCK, disk->superblock.table_bytes);
    disk->next = aligned_alloc(DISK_BLOCK, disk->superblock.table_bytes);
    disk->unclean = malloc(disk->superblock.capacity * sizeof disk->unclean[0]);
    return disk->table && disk->next && disk->unclean ? 0 : -ENOMEM;
}

/* The superblock comes last: until it is there, there is no disk. The first table is written over the second place;
 * what an earlier disk may have left in the first one is made unreadable before. */
static int lay_out(struct disk_volumes *disk, uint8_t *block, struct cipu_error *error)
{
    const struct disk_store_ops *ops = disk->store->ops;
    if (disk_superblock_make(&disk->superblock, disk->store->bytes) < 0)
        return refuse(error, -EINVAL, "found fewer bytes than a disk needs: 16 MiB");
    if (allocate(disk))
        return refuse(error, -ENOMEM, "no memory for a disk");
    int result = ops->write(disk->store, disk->superblock.tables[0], block, DISK_BLOCK);
    if (!result)
        result = ops->sync(disk->store);
    disk_table_make(disk->table, &disk->superblock);
    disk_table_make(disk->next, &disk->superblock);
    if (!result)
        result = commit(disk);
    memcpy(block, &disk->superblock, sizeof disk->superblock);
    if (!result)
        result = ops->write(disk->store, 0, block, DISK_BLOCK);
    if (!result)
        result = ops->sync(disk->store);
    return result ? cipu_fail(error, result, "laying out a disk: %s", strerror(-result)) : 0;
}

static int read_table(struct disk_volumes *disk, unsigned which, struct disk_table *table)
{
    const struct disk_superblock *superblock = &disk->superblock;
    int result = disk->store->ops->read(disk->store, superblock->tables[which], table, superblock->table_bytes);
    if (result)
        return result;
    result = disk_table_check(table, superblock);
    return !result && (table->generation & 1) != which ? -EINVAL : result;
}

static int read_tables(struct disk_volumes *disk, struct cipu_error *error)
{
    if (allocate(disk))
        return refuse(error, -ENOMEM, "no memory for a disk");
    int first = read_table(disk, 0, disk->table), second = read_table(disk, 1, disk->next);
    if (first && second)
        return refuse(error, -EINVAL, "found a disk whose tables are both damaged");
    if (first || (!second && disk->next->generation > disk->table->generation)) {
        struct disk_table *newer = disk->next;
        disk->next = disk->table;
        disk->table = newer;
    }
    return 0;
}

/* More extents than before are free ones that nobody has erased; fewer are an error if any was used. */
static int fit_extents(struct disk_volumes *disk, struct cipu_error *error)
{
    uint32_t there = disk_extents(&disk->superblock, disk->store->bytes);
    struct disk_extent_record *extents = disk_table_extents(disk->table);
    for (uint32_t i = there; i < disk->table->extents; i++)
        if (extents[i].state == DISK_USED)
            return cipu_fail(error, -EINVAL, "the disk has become smaller than its volumes");
    for (uint32_t i = disk->table->extents; i < there; i++)
        extents[i] = (struct disk_extent_record){.state = DISK_UNKNOWN};
    disk->table->extents = there;
    return 0;
}

static int finish_erasing(struct disk_volumes *disk, struct cipu_error *error)
{
    int result = clean_returned(disk);
    for (unsigned i = 0; i < DISK_VOLUMES && !result; i++)
        if (disk_table_volumes(disk->table)[i].flags & DISK_VOLUME_ERASING)
            result = erase_marked(disk, i);
    return result ? cipu_fail(error, result, "erasing what was to be erased: %s", strerror(-result)) : 0;
}

static int open_disk(struct disk_volumes *disk, bool create, uint8_t *block, struct cipu_error *error)
{
    int result = disk->store->bytes < DISK_BLOCK ? -EINVAL : disk->store->ops->read(disk->store, 0, block, DISK_BLOCK);
    if (result)
        return refuse(error, result, "cannot read its beginning");
    if (all_zeros(block, DISK_BLOCK)) {
        result =
            create ? lay_out(disk, block, error) : refuse(error, -EINVAL, "found no disk there, and create is not set");
    } else {
        memcpy(&disk->superblock, block, sizeof disk->superblock);
        if (disk_superblock_check(&disk->superblock) < 0)
            result = refuse(error, -EINVAL, "found other data there, expected a disk or zeros");
        else if (disk->superblock.data > disk->store->bytes)
            result = refuse(error, -EINVAL, "found a disk that is smaller than its own tables");
        else
            result = read_tables(disk, error);
    }
    if (!result)
        result = fit_extents(disk, error);
    if (!result)
        result = finish_erasing(disk, error);
    return result;
}

int disk_volumes_open(struct disk_store *store, bool create, struct disk_volumes **result, struct cipu_error *error)
{
    struct disk_volumes *disk = calloc(1, sizeof *disk);
    uint8_t *block = aligned_alloc(DISK_BLOCK, DISK_BLOCK);
    int code = -ENOMEM;
    if (disk && block) {
        disk->store = store;
        code = open_disk(disk, create, block, error);
    } else {
        cipu_fail(error, code, "no memory for a disk");
    }
    free(block);
    if (code) {
        disk_volumes_close(disk);
        return code;
    }
    *result = disk;
    return 0;
}

void disk_volumes_close(struct disk_volumes *disk)
{
    if (!disk)
        return;
    free(disk->table);
    free(disk->next);
    free(disk->unclean);
    free(disk);
}

/* ---- volumes ---- */

static int compare(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return first < second ? -1 : first > second;
}

/* In the table that is being changed; the extents are zeros before the change is written. */
static int grow(struct disk_volumes *disk, unsigned number, uint64_t bytes, struct cipu_error *error)
{
    uint32_t count;
    int result = disk_table_grow(disk->next, &disk->superblock, number, bytes, disk->unclean, &count);
    if (result)
        return cipu_fail(error, result, "found %llu bytes for the volume, expected at most what is free: %llu",
                         (unsigned long long)bytes,
                         (unsigned long long)disk_table_free(disk->table) << disk->superblock.extent_shift);
    qsort(disk->unclean, count, sizeof disk->unclean[0], compare);
    result = erase_list(disk, disk->unclean, count);
    if (!result)
        result = commit(disk);
    return result ? cipu_fail(error, result, "writing the disk's table: %s", strerror(-result)) : 0;
}

int disk_volumes_create(struct disk_volumes *disk, const char *name, uint64_t bytes, struct cipu_error *error)
{
    if (!disk_name_is_good(name))
        return cipu_fail(error, -EINVAL, "found \"%.64s\", expected a volume's name: letters, digits, '.', '_' and '-'",
                         name);
    if (!bytes || bytes % 512)
        return cipu_fail(error, -EINVAL, "found a size of %llu bytes, expected a multiple of 512",
                         (unsigned long long)bytes);
    if (disk_table_find(disk->table, name) < DISK_VOLUMES)
        return cipu_fail(error, -EEXIST, "volume %s is there already", name);
    unsigned number = disk_table_find(disk->table, "");
    if (number == DISK_VOLUMES)
        return cipu_fail(error, -ENOSPC, "found %u volumes, which is all that a disk has records of", DISK_VOLUMES);
    struct disk_volume_record *record = &disk_table_volumes(begin_change(disk))[number];
    memset(record, 0, sizeof *record);
    memcpy(record->name, name, strlen(name));
    int result = grow(disk, number, bytes, error);
    return result ? result : (int)number;
}

int disk_volumes_grow(struct disk_volumes *disk, unsigned number, uint64_t bytes, struct cipu_error *error)
{
    if (bytes < disk_table_volumes(disk->table)[number].bytes || bytes % 512)
        return cipu_fail(error, -EINVAL, "found %llu bytes, expected a multiple of 512, not less than before",
                         (unsigned long long)bytes);
    begin_change(disk);
    return grow(disk, number, bytes, error);
}

int disk_volumes_erase(struct disk_volumes *disk, unsigned number, struct cipu_error *error)
{
    disk_table_volumes(begin_change(disk))[number].flags = DISK_VOLUME_ERASING;
    int result = commit(disk);
    if (!result)
        result = erase_marked(disk, number);
    return result ? cipu_fail(error, result, "erasing a volume: %s", strerror(-result)) : 0;
}

int disk_volumes_remove(struct disk_volumes *disk, unsigned number, struct cipu_error *error)
{
    disk_table_remove(begin_change(disk), number);
    int result = commit(disk);
    if (!result)
        result = clean_returned(disk);
    return result ? cipu_fail(error, result, "removing a volume: %s", strerror(-result)) : 0;
}

uint64_t *disk_volumes_map(const struct disk_volumes *disk, unsigned number)
{
    const struct disk_extent_record *extents = disk_table_extents(disk->table);
    uint32_t count = disk_table_volumes(disk->table)[number].extents;
    uint64_t *map = malloc(count * sizeof *map);
    for (uint32_t i = 0; map && i < disk->table->extents; i++)
        if (extents[i].state == DISK_USED && extents[i].volume == number)
            map[extents[i].index] = place_of(disk, i);
    return map;
}
