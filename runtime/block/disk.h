/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks: files or block devices that are cut into volumes of several tenants, "disk:NAME/VOLUME". What is on a disk is
 * in runtime/block/disk_format.h.
 *
 * An extent that a volume gives back is erased before another gets it, also when that is interrupted; a volume that was
 * just made reads as zeros.
 *
 * Threads: any but the engine's, serialised inside; the backends of a disk's volumes as all backends. Errors: negative
 * errno.
 */
#ifndef CIPU_BLOCK_DISK_H
#define CIPU_BLOCK_DISK_H

#include "runtime/block/backend.h"

#define DISK_NAME_BYTES 64
#define DISK_PATH_BYTES 512
#define DISK_BYTES_MIN  (UINT64_C(16) << 20)

struct disk_settings {
    char name[DISK_NAME_BYTES];
    char path[DISK_PATH_BYTES];
    uint64_t bytes; /* of a file that is made, or grown to it; 0 = what is there */
    bool create;    /* make the file, or lay out what has no disk on it yet and is zeros at its beginning */
};

struct disk_set;

struct disk_set *disk_set_create(void); /* NULL without memory */
void disk_set_destroy(struct disk_set *set);

/* Opens a disk, and goes on with what an interruption left undone. -EEXIST: the name is taken; -EINVAL: no disk there.
 */
int disk_set_add(struct disk_set *set, const struct disk_settings *settings, struct cipu_error *error);
int disk_set_remove(struct disk_set *set, const char *name, struct cipu_error *error); /* -EBUSY: volumes are open */

struct disk_info {
    struct disk_settings settings;
    uint64_t bytes, extent_bytes;
    uint64_t free_bytes; /* for new volumes, those that are to be erased first with them */
    unsigned volumes, open_volumes;
};
/* -ENOENT beyond the last. */
int disk_set_info(struct disk_set *set, unsigned index, struct disk_info *info);

/* Bytes that are free for new volumes, without waiting for a change of a disk that takes its time. -ENOENT. */
int disk_set_free(struct disk_set *set, const char *name, uint64_t *bytes);

struct disk_volume_info {
    char name[DISK_NAME_BYTES];
    uint64_t bytes;
    bool open;
};
int disk_volume_info(struct disk_set *set, const char *disk, unsigned index, struct disk_volume_info *info);

bool disk_volume_exists(struct disk_set *set, const char *place); /* "NAME/VOLUME" */

/* Removes a volume from its disk: its bytes are gone when this returns. -EBUSY while it is open. `place`:
 * "NAME/VOLUME". */
int disk_volume_delete(struct disk_set *set, const char *place, struct cipu_error *error);

/* The number of the disk that a backend lies on, from 1 on: volumes of one share it by weight. 0 = on none. */
unsigned disk_number(const struct block_backend *backend);

#endif
