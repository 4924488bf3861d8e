/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "driver/memory_fd.h"

#define WINDOW_SHIFT 21u

static struct memory_file *find(struct memory_files *files, const struct stat *status)
{
    for (struct memory_file *file = files->list; file; file = file->next)
        if (file->device == status->st_dev && file->inode == status->st_ino)
            return file;
    return NULL;
}

static unsigned log2_up(uint64_t value)
{
    unsigned shift = 0;
    while (shift < 40 && UINT64_C(1) << shift < value)
        shift++;
    return shift;
}

static struct memory_file *add(struct memory_files *files, int fd, const struct stat *status)
{
    struct memory_file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->device = status->st_dev;
    file->inode = status->st_ino;
    file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (file->fd < 0) {
        free(file);
        return NULL;
    }
    /* Huge pages are mapped whole: their file system's block is the page. */
    unsigned block = log2_up((uint64_t)status->st_blksize);
    file->window_shift = block > WINDOW_SHIFT ? block : WINDOW_SHIFT;
    file->writable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
    (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
    int seals = fcntl(fd, F_GET_SEALS);
    file->sealed = seals >= 0 && seals & F_SEAL_SHRINK;
    file->next = files->list;
    files->list = file;
    files->count++;
    return file;
}

int memory_file_get(struct memory_files *files, int fd, off_t offset, uint64_t length, struct memory_file **file)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    *file = NULL;
    if (!memory_fd_is_kernels(fd))
        return 0;
    struct memory_file *found = find(files, &status);
    if (!found && files->count >= MEMORY_FILES)
        return -ENOSPC;
    if (!found && !(found = add(files, fd, &status)))
        return -ENOMEM;
    found->pieces++;
    /* Looked at again after sealing: from now on it holds. */
    if (fstat(fd, &status) < 0 || offset > status.st_size || length > (uint64_t)(status.st_size - offset)) {
        memory_file_put(files, found);
        return -EINVAL;
    }
    *file = found;
    return 0;
}

static void close_window(struct memory_window *window)
{
    if (window->file)
        munmap(window->bytes, (size_t)1 << window->file->window_shift);
    window->file = NULL;
}

void memory_file_put(struct memory_files *files, struct memory_file *file)
{
    if (--file->pieces)
        return;
    for (unsigned i = 0; i < MEMORY_WINDOWS; i++)
        if (files->windows[i].file == file)
            close_window(&files->windows[i]);
    struct memory_file **link = &files->list;
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    files->count--;
    close(file->fd);
    free(file);
}

static uint8_t *open_window(struct memory_files *files, struct memory_file *file, uint64_t number)
{
    struct memory_window *window = &files->windows[(number ^ (uint64_t)file->inode) % MEMORY_WINDOWS];
    if (window->file == file && window->number == number)
        return window->bytes;
    close_window(window);
    void *bytes = mmap(NULL, (size_t)1 << file->window_shift, PROT_READ | (file->writable ? PROT_WRITE : 0), MAP_SHARED,
                       file->fd, (off_t)(number << file->window_shift));
    if (bytes == MAP_FAILED)
        return NULL;
    *window = (struct memory_window){file, number, bytes};
    return bytes;
}

/* The kernel copies between two addresses of this process and stops where there is no page. */
static int copy_guarded(void *target, const void *source, size_t bytes, bool write)
{
    struct iovec local = {write ? (void *)(uintptr_t)source : target, bytes};
    struct iovec guarded = {write ? target : (void *)(uintptr_t)source, bytes};
    ssize_t done = write ? process_vm_writev(getpid(), &local, 1, &guarded, 1, 0)
                         : process_vm_readv(getpid(), &local, 1, &guarded, 1, 0);
    return done == (ssize_t)bytes ? 0 : -EFAULT;
}

static int copy_bytes(const struct memory_file *file, uint8_t *guest, void *data, size_t bytes, bool write)
{
    if (!file->sealed)
        return copy_guarded(write ? guest : data, write ? data : guest, bytes, write);
    if (bytes == 2 && ((uintptr_t)guest & 1) == 0) {
        uint16_t value;
        if (write) {
            memcpy(&value, data, sizeof value);
            atomic_store_explicit((_Atomic uint16_t *)guest, value, memory_order_release);
        } else {
            value = atomic_load_explicit((_Atomic uint16_t *)guest, memory_order_acquire);
            memcpy(data, &value, sizeof value);
        }
        return 0;
    }
    memcpy(write ? guest : data, write ? data : guest, bytes);
    return 0;
}

static int copy(struct memory_files *files, struct memory_file *file, uint64_t offset, uint8_t *data, size_t bytes,
                bool write)
{
    if (write && !file->writable)
        return -EFAULT;
    uint64_t size = UINT64_C(1) << file->window_shift;
    while (bytes > 0) {
        uint8_t *window = open_window(files, file, offset >> file->window_shift);
        if (!window)
            return -EFAULT;
        uint64_t start = offset & (size - 1);
        size_t step = bytes < size - start ? bytes : (size_t)(size - start);
        int result = copy_bytes(file, window + start, data, step, write);
        if (result)
            return result;
        offset += step;
        data += step;
        bytes -= step;
    }
    return 0;
}

int memory_file_read(struct memory_files *files, struct memory_file *file, uint64_t offset, void *data, size_t bytes)
{
    return copy(files, file, offset, data, bytes, false);
}

int memory_file_write(struct memory_files *files, struct memory_file *file, uint64_t offset, const void *data,
                      size_t bytes)
{
    return copy(files, file, offset, (uint8_t *)(uintptr_t)data, bytes, true);
}
