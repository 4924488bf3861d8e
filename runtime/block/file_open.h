/* SPDX-License-Identifier: Apache-2.0 */
/* Opening what stands for a disk: a regular file or a block device, with direct access where that can be had. */
#ifndef CIPU_FILE_OPEN_H
#define CIPU_FILE_OPEN_H

#include "runtime/block/backend.h"

struct block_file {
    int fd;
    bool device, direct, read_only;
    bool created;
    uint64_t bytes;
    uint32_t block_bytes; /* 512 or 4096 */
};

/* Locked against whoever else opens it so: readers among themselves share it. With options->create a file that is not
 * there is made, sparse, of options->bytes. -EBUSY: somebody has it open. */
int block_file_open(const char *path, const struct backend_options *options, struct block_file *file,
                    struct cipu_error *error);
void block_file_close(struct block_file *file);
/* Looks at the size again; a regular file is made as large first. */
int block_file_resize(struct block_file *file, const char *path, uint64_t bytes, struct cipu_error *error);

#endif
