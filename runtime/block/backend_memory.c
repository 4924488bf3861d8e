/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: bytes in a memfd, zeros at first, gone when it is closed. The card moves data between it and guests itself.
 * memory:huge takes them from the host's reserved huge pages: random reads then do not wait for the page tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/block/backend.h"

#define MEMORY_PAGE      4096u
#define MEMORY_PAGE_HUGE (2u << 20)
/* MFD_HUGE_2MB of linux/memfd.h, which does not go with sys/mman.h. */
#define MEMORY_HUGE_FLAG (21u << MAP_HUGE_SHIFT)
/* From here on pages are given back and made anew; below it writing zeros is quicker. */
#define MEMORY_PUNCH_BYTES (256u << 10)

struct memory_backend {
    struct block_backend base;
    int fd;
    uint8_t *memory;
    uint64_t bytes, mapped;
    uint32_t page;
};

static uint64_t whole_pages(const struct memory_backend *memory, uint64_t bytes)
{
    return (bytes + memory->page - 1) / memory->page * memory->page;
}

static int resize_memory(struct memory_backend *memory, uint64_t bytes, struct cipu_error *error)
{
    bool huge = memory->page == MEMORY_PAGE_HUGE;
    uint64_t mapped = whole_pages(memory, bytes);
    if (mapped < bytes || mapped > INT64_MAX)
        return cipu_fail(error, -EFBIG, "memory: %llu bytes are too many", (unsigned long long)bytes);
    if (huge && mapped != bytes)
        return cipu_fail(error, -EINVAL, "memory:huge: found a size of %llu bytes, expected a multiple of 2 MiB",
                         (unsigned long long)bytes);
    if (ftruncate(memory->fd, (off_t)mapped) < 0)
        return cipu_fail(error, -errno, "memory: %llu bytes: %s", (unsigned long long)bytes, strerror(errno));
    /* Huge pages are reserved, so that none is missing when it is touched. */
    void *place = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | (huge ? 0 : MAP_NORESERVE), memory->fd, 0);
    if (place == MAP_FAILED)
        return cipu_fail(error, -errno, "memory: mmap of %llu bytes: %s%s", (unsigned long long)bytes, strerror(errno),
                         huge ? " (are there as many huge pages free in /proc/meminfo?)" : "");
    if (memory->memory)
        munmap(memory->memory, memory->mapped);
    memory->memory = place;
    memory->mapped = mapped;
    memory->bytes = bytes;
    return 0;
}

static void memory_close(struct block_backend *backend)
{
    struct memory_backend *memory = (struct memory_backend *)backend;
    if (memory->memory)
        munmap(memory->memory, memory->mapped);
    if (memory->fd >= 0)
        close(memory->fd);
    free(memory);
}

static int memory_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                       struct cipu_error *error)
{
    bool huge = strcmp(rest, "huge") == 0;
    if (rest[0] && !huge)
        return cipu_fail(error, -EINVAL, "found \"memory:%.48s\", expected memory: or memory:huge", rest);
    if (options->bytes < 512)
        return cipu_fail(error, -EINVAL, "memory: found a size of %llu bytes, expected at least 512",
                         (unsigned long long)options->bytes);
    struct memory_backend *memory = calloc(1, sizeof *memory);
    if (!memory)
        return cipu_fail(error, -ENOMEM, "memory: no memory");
    memory->base.ops = &backend_memory;
    memory->page = huge ? MEMORY_PAGE_HUGE : MEMORY_PAGE;
    memory->fd =
        memfd_create("cipu-volume", MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB | MEMORY_HUGE_FLAG : 0));
    int result = memory->fd < 0 ? cipu_fail(error, -errno, "memory: memfd_create: %s", strerror(errno)) : 0;
    if (!result)
        result = resize_memory(memory, options->bytes / 512 * 512, error);
    if (result) {
        memory_close(&memory->base);
        return result;
    }
    (void)fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK);
    *backend = &memory->base;
    return 0;
}

static void memory_info(const struct block_backend *backend, struct backend_info *info)
{
    const struct memory_backend *memory = (const struct memory_backend *)backend;
    *info = (struct backend_info){.bytes = memory->bytes, .block_bytes = 512, .discards_zero = true};
}

static int zero(struct memory_backend *memory, uint64_t offset, uint64_t length, bool unmap)
{
    uint64_t begin = whole_pages(memory, offset), end = (offset + length) / memory->page * memory->page;
    if (!unmap || length < MEMORY_PUNCH_BYTES || begin >= end ||
        fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(end - begin)) < 0) {
        memset(memory->memory + offset, 0, length);
        return 0;
    }
    memset(memory->memory + offset, 0, begin - offset);
    memset(memory->memory + end, 0, offset + length - end);
    return 0;
}

static int operate(struct memory_backend *memory, struct backend_request *request)
{
    if (request->operation == BACKEND_FLUSH)
        return 0;
    if (request->offset > memory->bytes || request->length > memory->bytes - request->offset)
        return -EINVAL;
    uint8_t *place = memory->memory + request->offset;
    switch (request->operation) {
    case BACKEND_READ:
        memcpy(request->buffer, place, request->length);
        return 0;
    case BACKEND_WRITE:
        memcpy(place, request->buffer, request->length);
        return 0;
    case BACKEND_WRITE_ZEROES:
        return zero(memory, request->offset, request->length, request->unmap);
    case BACKEND_DISCARD:
    case BACKEND_ERASE:
        return zero(memory, request->offset, request->length, true);
    default:
        return -EOPNOTSUPP;
    }
}

static void memory_submit(struct block_backend *backend, struct backend_request *request)
{
    request->result = operate((struct memory_backend *)backend, request);
    request->done(request);
}

static int memory_resize(struct block_backend *backend, uint64_t bytes, struct cipu_error *error)
{
    return resize_memory((struct memory_backend *)backend, bytes / 512 * 512, error);
}

static int memory_memory(const struct block_backend *backend, int *fd, off_t *offset)
{
    *fd = ((const struct memory_backend *)backend)->fd;
    *offset = 0;
    return 0;
}

const struct backend_ops backend_memory = {
    .scheme = "memory:",
    .open = memory_open,
    .close = memory_close,
    .info = memory_info,
    .submit = memory_submit,
    .resize = memory_resize,
    .memory = memory_memory,
};
