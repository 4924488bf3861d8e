/* SPDX-License-Identifier: Apache-2.0 */
/* A disk's store in memory that remembers what was done to it and can fail; and a disk on it that is small enough to be
 * used up again and again. */
#ifndef CIPU_TEST_DISK_IMAGE_H
#define CIPU_TEST_DISK_IMAGE_H

#include "runtime/block/disk_volumes.h"

#define IMAGE_EXTENT_SHIFT 16u
#define IMAGE_EXTENTS      14u

enum image_kind { IMAGE_WRITE, IMAGE_ZERO, IMAGE_SYNC };

struct image_entry {
    enum image_kind kind;
    uint64_t offset, bytes;
    uint8_t *data;
};

struct image {
    struct disk_store store;
    uint8_t *bytes;
    struct image_entry *log;
    size_t count, room;
    unsigned fail_in; /* the next but so many writes, zeroings or syncs fail; 0 = none */
};

void image_open(struct image *image, uint64_t bytes); /* zeros */
void image_close(struct image *image);
void image_forget(struct image *image); /* the log */
void image_apply(uint8_t *bytes, const struct image_entry *entry);

/* Opens an image with an empty disk; the bytes of its extents are not zeros. */
void image_make_disk(struct image *image);

#endif
