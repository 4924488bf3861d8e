/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/disk_store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "runtime/block/disk_format.h"

#define ZERO_BYTES (64u << 10)

static const uint8_t zeros[ZERO_BYTES] __attribute__((aligned(4096)));

static int fd_of(struct disk_store *store)
{
    return ((struct disk_file *)store)->file.fd;
}

static int file_read(struct disk_store *store, uint64_t offset, void *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd_of(store), (uint8_t *)data + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        done += (size_t)got;
    }
    return 0;
}

static int file_write(struct disk_store *store, uint64_t offset, const void *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t put = pwrite(fd_of(store), (const uint8_t *)data + done, bytes - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        done += (size_t)put;
    }
    return 0;
}

/* A regular file gives its blocks back; a device is told to make zeros, which is not what it makes of discarded ones.
 */
static int file_zero(struct disk_store *store, uint64_t offset, uint64_t bytes)
{
    const struct disk_file *disk = (const struct disk_file *)store;
    int mode = FALLOC_FL_KEEP_SIZE | (disk->file.device ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE);
    if (fallocate(disk->file.fd, mode, (off_t)offset, (off_t)bytes) == 0)
        return 0;
    for (uint64_t done = 0; done < bytes; done += ZERO_BYTES) {
        uint64_t left = bytes - done;
        int result = file_write(store, offset + done, zeros, left < ZERO_BYTES ? (size_t)left : ZERO_BYTES);
        if (result)
            return result;
    }
    return 0;
}

static int file_sync(struct disk_store *store)
{
    return fdatasync(fd_of(store)) < 0 ? -errno : 0;
}

static const struct disk_store_ops file_ops = {file_read, file_write, file_zero, file_sync};

int disk_file_open(const char *path, const struct backend_options *options, struct disk_file *disk,
                   struct cipu_error *error)
{
    int result = block_file_open(path, options, &disk->file, error);
    if (result)
        return result;
    if (disk->file.read_only)
        result = cipu_fail(error, -EROFS, "%s: is read only", path);
    else if (options->bytes > disk->file.bytes)
        result = block_file_resize(&disk->file, path, options->bytes, error);
    if (result) {
        disk_file_close(disk);
        return result;
    }
    disk->store = (struct disk_store){&file_ops, disk->file.bytes / DISK_BLOCK * DISK_BLOCK};
    return 0;
}

void disk_file_close(struct disk_file *disk)
{
    block_file_close(&disk->file);
}
