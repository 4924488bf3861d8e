/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/reservation_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/daemon/log.h"

static void record_name(const uint8_t uuid[16], const char *suffix, char name[64])
{
    size_t at = (size_t)snprintf(name, 64, "reservations-");
    for (unsigned i = 0; i < 16; i++)
        at += (size_t)snprintf(name + at, 64 - at, "%02x", uuid[i]);
    snprintf(name + at, 64 - at, "%s", suffix);
}

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

static int store(void *context, const uint8_t uuid[16], const void *record, size_t bytes)
{
    char name[64], beside[64];
    record_name(uuid, "", name);
    record_name(uuid, ".new", beside);
    int folder = open(context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = folder < 0 ? -errno : replace(folder, name, beside, record, bytes);
    if (folder >= 0)
        close(folder);
    if (result < 0)
        log_error("reservations not stored", "folder=%s\tname=%s\treason=%s", (const char *)context, name,
                  strerror(-result));
    return result;
}

static long load(void *context, const uint8_t uuid[16], void *record, size_t bytes)
{
    char name[64];
    record_name(uuid, "", name);
    int folder = open(context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, record, bytes);
    long result = count < 0 ? -errno : count;
    if (fd >= 0)
        close(fd);
    close(folder);
    return result;
}

const struct nvme_subsystem_ops reservation_store_ops = {.store = store, .load = load};
