/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512u
#define PAGE   4096u

/* Whether reads and writes of `block_bytes` can go past the page cache (statx(2), Linux 6.1). */
static bool direct_fits(int fd, uint32_t block_bytes)
{
    struct statx status = {0};
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) < 0 || !(status.stx_mask & STATX_DIOALIGN))
        return false;
    return status.stx_dio_offset_align && status.stx_dio_offset_align <= block_bytes &&
           status.stx_dio_mem_align <= PAGE;
}

static int measure(struct block_file *file, const char *path, struct cipu_error *error)
{
    struct stat status;
    int sector = SECTOR;
    if (fstat(file->fd, &status) < 0)
        return cipu_fail(error, -errno, "%s: %s", path, strerror(errno));
    file->device = S_ISBLK(status.st_mode);
    if (!file->device && !S_ISREG(status.st_mode))
        return cipu_fail(error, -EINVAL, "%s: found no regular file and no block device", path);
    file->bytes = (uint64_t)status.st_size;
    if (file->device && (ioctl(file->fd, BLKGETSIZE64, &file->bytes) < 0 || ioctl(file->fd, BLKSSZGET, &sector) < 0))
        return cipu_fail(error, -errno, "%s: size of the block device: %s", path, strerror(errno));
    if (sector > (int)PAGE)
        return cipu_fail(error, -EINVAL, "%s: found blocks of %d bytes, expected at most %u", path, sector, PAGE);
    file->block_bytes = sector > (int)SECTOR ? PAGE : SECTOR;
    file->bytes = file->bytes / file->block_bytes * file->block_bytes;
    return 0;
}

/* Only the open file's own lock holds between two openings of one process too. */
static int lock(const struct block_file *file, const char *path, struct cipu_error *error)
{
    struct flock range = {.l_type = file->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file->fd, F_OFD_SETLK, &range) == 0)
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return cipu_fail(error, -EBUSY, "%s: it is in use already", path);
    return cipu_fail(error, -errno, "%s: lock: %s", path, strerror(errno));
}

static int open_path(const char *path, const struct backend_options *options, struct block_file *file,
                     struct cipu_error *error)
{
    int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    file->read_only = options->read_only;
    file->fd = open(path, flags | (file->read_only ? O_RDONLY : O_RDWR));
    if (file->fd < 0 && (errno == EACCES || errno == EROFS) && !file->read_only) {
        file->read_only = true;
        file->fd = open(path, flags | O_RDONLY);
    }
    if (file->fd < 0 && errno == ENOENT && options->create) {
        if (!options->bytes) {
            cipu_fail(error, -EINVAL, "%s: is not there, and no size to make it with was given", path);
            return -EINVAL;
        }
        file->fd = open(path, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
        file->created = file->fd >= 0;
        file->read_only = false;
    }
    if (file->fd >= 0)
        return 0;
    int code = -errno;
    cipu_fail(error, code, "%s: %s", path, strerror(-code));
    return code;
}

/* The name of a new file must be on the disk too before anything in it is called durable. */
static int make(const char *path, struct block_file *file, uint64_t bytes, struct cipu_error *error)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) < sizeof folder) {
        size_t length = slash == path ? 1 : (size_t)(slash - path);
        memcpy(folder, path, length);
        folder[length] = 0;
    }
    if (ftruncate(file->fd, (off_t)bytes) < 0 || fsync(file->fd) < 0)
        return cipu_fail(error, -errno, "%s: making it with %llu bytes: %s", path, (unsigned long long)bytes,
                         strerror(errno));
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        (void)fsync(directory);
        close(directory);
    }
    return 0;
}

/* Direct access spares the copy and the page cache; where it cannot be had in the blocks that guests use, the page
 * cache serves and a flush is what makes durable in both. */
static void make_direct(struct block_file *file)
{
    if (!direct_fits(file->fd, file->block_bytes))
        return;
    int flags = fcntl(file->fd, F_GETFL);
    file->direct = flags >= 0 && fcntl(file->fd, F_SETFL, flags | O_DIRECT) == 0;
}

int block_file_open(const char *path, const struct backend_options *options, struct block_file *file,
                    struct cipu_error *error)
{
    *file = (struct block_file){.fd = -1};
    int result = open_path(path, options, file, error);
    if (!result)
        result = lock(file, path, error);
    if (!result && file->created)
        result = make(path, file, options->bytes / PAGE * PAGE + (options->bytes % PAGE ? PAGE : 0), error);
    if (!result)
        result = measure(file, path, error);
    if (!result && file->bytes < file->block_bytes)
        result = cipu_fail(error, -EINVAL, "%s: found %llu bytes, expected at least one block", path,
                           (unsigned long long)file->bytes);
    if (!result) {
        int flags = fcntl(file->fd, F_GETFL);
        if (flags >= 0)
            (void)fcntl(file->fd, F_SETFL, flags & ~O_NONBLOCK);
        make_direct(file);
        return 0;
    }
    if (file->created)
        (void)unlink(path);
    block_file_close(file);
    return result;
}

void block_file_close(struct block_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

int block_file_resize(struct block_file *file, const char *path, uint64_t bytes, struct cipu_error *error)
{
    if (!file->device && bytes > file->bytes && (ftruncate(file->fd, (off_t)bytes) < 0 || fsync(file->fd) < 0))
        return cipu_fail(error, -errno, "%s: growing to %llu bytes: %s", path, (unsigned long long)bytes,
                         strerror(errno));
    int result = measure(file, path, error);
    if (!result && file->bytes < bytes)
        result = cipu_fail(error, -EINVAL, "%s: found %llu bytes, expected at least %llu", path,
                           (unsigned long long)file->bytes, (unsigned long long)bytes);
    return result;
}
