/* SPDX-License-Identifier: Apache-2.0 */
/* Where a disk's metadata is read and written, and its extents are erased: a file or device, or a test's own. Places
 * and sizes are multiples of DISK_BLOCK, as are addresses of buffers. All may block. Errors: negative errno. */
#ifndef CIPU_BLOCK_DISK_STORE_H
#define CIPU_BLOCK_DISK_STORE_H

#include "runtime/block/file_open.h"

struct disk_store;

struct disk_store_ops {
    int (*read)(struct disk_store *store, uint64_t offset, void *data, size_t bytes);
    int (*write)(struct disk_store *store, uint64_t offset, const void *data, size_t bytes);
    int (*zero)(struct disk_store *store, uint64_t offset, uint64_t bytes); /* reads as zeros from then on */
    int (*sync)(struct disk_store *store);                                  /* what was written and zeroed is durable */
};

struct disk_store {
    const struct disk_store_ops *ops;
    uint64_t bytes;
};

struct disk_file {
    struct disk_store store;
    struct block_file file;
};

int disk_file_open(const char *path, const struct backend_options *options, struct disk_file *disk,
                   struct cipu_error *error);
void disk_file_close(struct disk_file *disk);

#endif
