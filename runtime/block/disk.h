/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks: files or block devices that are cut into volumes of several tenants, "disk:NAME/VOLUME".
 *
 * Threads: any but the engine's, serialised inside. Errors: negative errno.
 */
#ifndef CIPU_BLOCK_DISK_H
#define CIPU_BLOCK_DISK_H

#include "runtime/block/backend.h"

struct disk_set;

struct disk_set *disk_set_create(void); /* NULL without memory */
void disk_set_destroy(struct disk_set *set);

/* The number of the disk that a backend lies on, from 1 on: volumes of one share it by weight. 0 = on none. */
unsigned disk_number(const struct block_backend *backend);

#endif
