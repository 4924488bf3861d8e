/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes of one disk, kept on its store: every change is durable when a function returns 0, and when it fails or
 * the machine does, the disk is as before or as after.
 *
 * Threads: one at a time (runtime/block/disk_set.c sees to it).
 */
#ifndef CIPU_BLOCK_DISK_VOLUMES_H
#define CIPU_BLOCK_DISK_VOLUMES_H

#include "runtime/block/disk_store.h"
#include "runtime/block/disk_table.h"

struct disk_volumes;

/* Reads the disk, or lays one out if `create` and there is none; goes on with interrupted erasing. -EINVAL: no disk, or
 * damaged beyond repair; nothing was written then. */
int disk_volumes_open(struct disk_store *store, bool create, struct disk_volumes **disk, struct cipu_error *error);
void disk_volumes_close(struct disk_volumes *disk);

/* The table as it is on the disk. */
const struct disk_superblock *disk_volumes_superblock(const struct disk_volumes *disk);
struct disk_table *disk_volumes_table(const struct disk_volumes *disk);

/* Return the number of the volume's record, or -EEXIST, -ENOSPC, -EINVAL, what the store says. */
int disk_volumes_create(struct disk_volumes *disk, const char *name, uint64_t bytes, struct cipu_error *error);
int disk_volumes_grow(struct disk_volumes *disk, unsigned number, uint64_t bytes, struct cipu_error *error);
int disk_volumes_erase(struct disk_volumes *disk, unsigned number, struct cipu_error *error);
int disk_volumes_remove(struct disk_volumes *disk, unsigned number, struct cipu_error *error);

/* Where the volume's extents lie on the store, in its order: as many as its record says. The caller frees it; NULL
 * without memory. */
uint64_t *disk_volumes_map(const struct disk_volumes *disk, unsigned number);

#endif
