/* SPDX-License-Identifier: Apache-2.0 */
/* What backend_disk.c needs of the disks. */
#ifndef CIPU_BLOCK_DISK_SET_H
#define CIPU_BLOCK_DISK_SET_H

#include "runtime/block/backend_file.h"
#include "runtime/block/disk.h"

struct disk;

/* A volume of a disk in use: nobody else opens or deletes it until it is given back. */
struct disk_volume {
    struct disk *disk;
    unsigned number; /* of its record */
};

/* An open volume's shape. */
struct disk_shape {
    uint64_t bytes;
    uint64_t *places; /* of its extents; the caller frees it */
    uint32_t extents;
    unsigned extent_shift;
};

/* `place`: "NAME/VOLUME". With options->create a volume that is not there is made. */
int disk_volume_take(struct disk_set *set, const char *place, const struct backend_options *options,
                     struct disk_volume *volume, struct cipu_error *error);
void disk_volume_give(const struct disk_volume *volume);
int disk_volume_shape(const struct disk_volume *volume, struct disk_shape *shape, struct cipu_error *error);
int disk_volume_grow(const struct disk_volume *volume, uint64_t bytes, struct cipu_error *error);
int disk_volume_erase(const struct disk_volume *volume, struct cipu_error *error);
/* A backend on the whole disk. */
int disk_volume_file(const struct disk_volume *volume, struct block_backend **backend, struct cipu_error *error);
unsigned disk_volume_disk(const struct disk_volume *volume); /* the disk's number */

#endif
