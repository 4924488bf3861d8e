/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk's metadata in memory: read with suspicion, and changed. Nothing here reads or writes a disk. Pure functions of
 * their arguments; errors: negative errno.
 */
#ifndef CIPU_BLOCK_DISK_TABLE_H
#define CIPU_BLOCK_DISK_TABLE_H

#include <stdbool.h>

#include "runtime/block/disk_format.h"

/* A new disk's, of a file or device with so many bytes: -EINVAL when it is too small or too large. */
int disk_superblock_make(struct disk_superblock *superblock, uint64_t bytes);
/* -EINVAL: not one of ours, or damaged. */
int disk_superblock_check(const struct disk_superblock *superblock);
/* Extents that there are on `bytes`. */
uint32_t disk_extents(const struct disk_superblock *superblock, uint64_t bytes);

void disk_table_make(struct disk_table *table, const struct disk_superblock *superblock);
/* Makes its checksum. */
void disk_table_seal(struct disk_table *table, const struct disk_superblock *superblock);
/* -EINVAL: damaged, or it contradicts itself or the superblock. */
int disk_table_check(const struct disk_table *table, const struct disk_superblock *superblock);

struct disk_volume_record *disk_table_volumes(struct disk_table *table);
struct disk_extent_record *disk_table_extents(struct disk_table *table);

/* The volume's record, DISK_VOLUMES = none. */
unsigned disk_table_find(struct disk_table *table, const char *name);
bool disk_name_is_good(const char *name);

/* Extents that can be had. */
uint32_t disk_table_free(struct disk_table *table);
/* Gives volume `number` free extents until it has room for `bytes`, clean ones first, and sets its size. -ENOSPC and no
 * change. Those that were not clean are for the caller to erase before the table is written: `unclean` (as many entries
 * as there are extents) and *count tell which. */
int disk_table_grow(struct disk_table *table, const struct disk_superblock *superblock, unsigned number, uint64_t bytes,
                    uint32_t *unclean, uint32_t *count);
/* The volume is gone; its extents are to be erased. */
void disk_table_remove(struct disk_table *table, unsigned number);

#endif
