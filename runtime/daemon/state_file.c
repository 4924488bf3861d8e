/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_BYTES 160

static int write_all(int fd, const uint8_t *bytes, size_t count)
{
    while (count) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int open_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The new record is whole and durable before it has the name. */
static int replace(int folder, const char *name, const char *beside, const void *record, size_t bytes)
{
    int fd = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = write_all(fd, record, bytes);
    close(fd);
    if (result == 0 && renameat(folder, beside, folder, name) < 0)
        result = -errno;
    if (result == 0 && fsync(folder) < 0)
        result = -errno;
    return result;
}

int state_file_write(const char *folder, const char *name, const void *record, size_t bytes)
{
    char beside[NAME_BYTES];
    if (snprintf(beside, sizeof beside, "%s.new", name) >= NAME_BYTES)
        return -ENAMETOOLONG;
    int fd = open_folder(folder);
    if (fd < 0)
        return fd;
    int result = replace(fd, name, beside, record, bytes);
    close(fd);
    return result;
}

long state_file_read(const char *folder, const char *name, void *record, size_t bytes)
{
    int fd = open_folder(folder);
    if (fd < 0)
        return fd;
    int file = openat(fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? -1 : read(file, record, bytes);
    long result = count < 0 ? -errno : count;
    if (file >= 0)
        close(file);
    close(fd);
    return result;
}

int state_file_remove(const char *folder, const char *name)
{
    int fd = open_folder(folder), result = 0;
    if (fd < 0)
        return fd;
    if ((unlinkat(fd, name, 0) < 0 && errno != ENOENT) || fsync(fd) < 0)
        result = -errno;
    close(fd);
    return result;
}
