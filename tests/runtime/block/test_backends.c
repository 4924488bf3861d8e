/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of backend against a model in memory, with many operations at a time, and what each refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/block/backend_fault.h"
#include "runtime/block/disk.h"
#include "runtime/block/latency.h"
#include "runtime/block/uuid.h"

#define PIECES      48u
#define PIECE_BYTES (128u << 10)
#define BYTES       ((uint64_t)PIECES * PIECE_BYTES)

struct piece {
    struct backend_request request;
    bool busy;
    uint8_t *buffer;
    uint8_t written[PIECE_BYTES]; /* the buffer before; afterwards it is the backend's business */
    uint8_t model[PIECE_BYTES];
};

struct run {
    struct block_backend *backend;
    struct piece *pieces;
    uint8_t *buffers;
    uint64_t random;
    uint32_t block;
    bool discards_zero;
    unsigned begun, ended;
};

static uint64_t random_below(struct run *run, uint64_t below)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random % below;
}

static void ended(struct backend_request *request)
{
    *(bool *)request->context = false;
}

static void begin(struct run *run, unsigned i)
{
    struct piece *piece = &run->pieces[i];
    uint32_t blocks = PIECE_BYTES / run->block, from = (uint32_t)random_below(run, blocks);
    uint32_t length = run->block * (1 + (uint32_t)random_below(run, blocks - from));
    piece->request = (struct backend_request){
        .operation = (uint8_t)(1 + random_below(run, 6)),
        .durable = random_below(run, 4) == 0,
        .unmap = random_below(run, 2),
        .offset = (uint64_t)i * PIECE_BYTES + from * run->block,
        .length = length,
        .buffer = piece->buffer,
        .done = ended,
        .context = &piece->busy,
    };
    if (piece->request.operation == BACKEND_DISCARD && !run->discards_zero)
        piece->request.operation = BACKEND_WRITE_ZEROES; /* what is left is not the model's to know */
    for (uint32_t k = 0; k < length; k += 8) {
        uint64_t word = run->random * (k + 1);
        memcpy(piece->buffer + k, &word, 8);
    }
    memcpy(piece->written, piece->buffer, length);
    piece->busy = true;
    run->begun++;
    run->backend->ops->submit(run->backend, &piece->request);
}

static void end(struct run *run, struct piece *piece)
{
    const struct backend_request *request = &piece->request;
    uint8_t *model = piece->model + request->offset % PIECE_BYTES;
    run->ended++;
    assert_int_equal(request->result, 0);
    switch (request->operation) {
    case BACKEND_READ:
        assert_memory_equal(piece->buffer, model, request->length);
        break;
    case BACKEND_WRITE:
        memcpy(model, piece->written, request->length);
        break;
    case BACKEND_DISCARD:
        memset(model, 0, request->length);
        break;
    case BACKEND_WRITE_ZEROES:
    case BACKEND_ERASE:
        memset(model, 0, request->length);
        break;
    default:
        break;
    }
    piece->request.operation = 0;
}

static void poll_once(struct block_backend *backend)
{
    if (!backend->ops->poll || backend->ops->poll(backend))
        return;
    struct pollfd event = {backend->ops->fd(backend), POLLIN, 0};
    assert_int_equal(poll(&event, 1, 10000), 1); /* its descriptor says when there is more */
}

static bool any_busy(const struct run *run)
{
    for (unsigned i = 0; i < PIECES; i++)
        if (run->pieces[i].busy)
            return true;
    return false;
}

static void random_operations(struct block_backend *backend, bool use_buffers, unsigned count)
{
    struct backend_info info;
    struct run run = {.backend = backend, .random = 0x9e3779b97f4a7c15u};
    size_t bytes = (size_t)PIECES * PIECE_BYTES;
    backend->ops->info(backend, &info);
    run.block = info.block_bytes;
    run.discards_zero = info.discards_zero;
    assert_true(info.bytes >= BYTES);
    run.pieces = calloc(PIECES, sizeof *run.pieces);
    run.buffers = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (use_buffers && backend->ops->use_buffers)
        backend->ops->use_buffers(backend, run.buffers, bytes);
    for (unsigned i = 0; i < PIECES; i++)
        run.pieces[i].buffer = run.buffers + (size_t)i * PIECE_BYTES;
    while (run.ended < count) {
        for (unsigned k = 0; k < 8 && run.begun < count; k++) {
            unsigned i = (unsigned)random_below(&run, PIECES);
            if (!run.pieces[i].busy && !run.pieces[i].request.operation)
                begin(&run, i);
        }
        if (any_busy(&run))
            poll_once(backend);
        for (unsigned i = 0; i < PIECES; i++)
            if (!run.pieces[i].busy && run.pieces[i].request.operation)
                end(&run, &run.pieces[i]);
    }
    munmap(run.buffers, bytes);
    free(run.pieces);
}

static struct block_backend *open_new(const char *uri, uint64_t bytes)
{
    struct backend_options options = {.bytes = bytes, .create = true};
    struct block_backend *backend;
    struct cipu_error error;
    if (backend_open(uri, &options, &backend, &error))
        fail_msg("%s: %s", uri, error.text);
    return backend;
}

static int open_fails(const char *uri, const struct backend_options *options, const char *text)
{
    struct block_backend *backend;
    struct cipu_error error = {""};
    int result = backend_open(uri, options, &backend, &error);
    assert_true(result < 0);
    if (!strstr(error.text, text))
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
    return result;
}

static void file_uri(const char *folder, char path[128], char uri[160])
{
    snprintf(path, 128, "%s/cipu-test-backend-%d", folder, getpid());
    snprintf(uri, 160, "file:%s", path);
    unlink(path);
}

static int operate(struct block_backend *backend, uint8_t operation, uint64_t offset, uint64_t length, void *buffer)
{
    bool busy = true;
    struct backend_request request = {
        .operation = operation, .offset = offset, .length = length, .buffer = buffer, .done = ended, .context = &busy};
    backend->ops->submit(backend, &request);
    while (busy)
        poll_once(backend);
    return request.result;
}

static void test_memory(void **state)
{
    (void)state;
    struct block_backend *backend = open_new("memory:", BYTES);
    random_operations(backend, true, 5000);
    backend->ops->close(backend);
}

/* Sets how many huge pages the host has, and returns how many it had; -1 when that is not ours to say. */
static long set_huge_pages(long count)
{
    FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "r+");
    long before = -1;
    if (file && (fscanf(file, "%ld", &before) != 1 || fseek(file, 0, SEEK_SET) || fprintf(file, "%ld\n", count) < 0))
        before = -1;
    if (file && fclose(file))
        before = -1;
    return before;
}

/* With huge pages as without; where there are none, it says what is missing. */
static void test_huge_pages(void **state)
{
    (void)state;
    const struct backend_options odd = {.bytes = BYTES + 4096}, whole = {.bytes = BYTES};
    struct block_backend *backend;
    struct cipu_error error = {""};
    assert_int_equal(open_fails("memory:huge", &odd, "multiple of 2 MiB"), -EINVAL);
    assert_int_equal(open_fails("memory:hug", &odd, "memory:huge"), -EINVAL);
    long before = set_huge_pages(8);
    int result = backend_open("memory:huge", &whole, &backend, &error);
    if (result == 0) {
        random_operations(backend, true, 3000);
        backend->ops->close(backend);
    } else {
        assert_int_equal(result, -ENOMEM);
        assert_non_null(strstr(error.text, "huge pages"));
    }
    if (before >= 0)
        set_huge_pages(before);
}

/* On a file system in memory, which has no direct access, and on the one of the working directory. */
static void test_files(void **state)
{
    (void)state;
    static const char *const folders[] = {"/dev/shm", "build"};
    char path[128], uri[160];
    for (unsigned i = 0; i < 4; i++) {
        file_uri(folders[i / 2], path, uri);
        struct block_backend *backend = open_new(uri, BYTES);
        random_operations(backend, i % 2, 3000);
        backend->ops->close(backend);
        unlink(path);
    }
}

static struct disk_set *make_disk(const char *folder, char path[128]);

/* In front of memory, of files with direct access and without, and of a disk. */
static void test_encrypted(void **state)
{
    (void)state;
    static const char *const folders[] = {"/dev/shm", "build"};
    char path[128], uri[160], whole[320], key[64], disk[128];
    snprintf(key, sizeof key, "/dev/shm/cipu-test-backend-key-%d", getpid());
    int fd = open(key, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
    close(fd);
    struct disk_set *set = make_disk("build", disk);
    for (unsigned i = 0; i < 4; i++) {
        struct backend_options options = {.bytes = BYTES, .create = true, .disks = set};
        struct block_backend *backend;
        struct cipu_error error;
        file_uri(folders[i % 2], path, uri);
        snprintf(whole, sizeof whole, "crypt:%s,%s", key, i < 2 ? uri : i == 2 ? "memory:" : "disk:d/secret");
        if (backend_open(whole, &options, &backend, &error))
            fail_msg("%s", error.text);
        assert_int_equal(disk_number(backend), i == 3);
        random_operations(backend, true, 3000);
        backend->ops->close(backend);
        unlink(path);
    }
    disk_set_destroy(set);
    unlink(disk);
    unlink(key);
}

/* What was closed is there again. */
static void test_file_again(void **state)
{
    (void)state;
    char path[128], uri[160], text[4096] __attribute__((aligned(4096))), back[4096] __attribute__((aligned(4096)));
    file_uri("build", path, uri);
    memset(text, 0x77, sizeof text);
    struct block_backend *backend = open_new(uri, BYTES);
    assert_int_equal(operate(backend, BACKEND_WRITE, 8192, 4096, text), 0);
    backend->ops->close(backend);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, BYTES);
    assert_true((uint64_t)status.st_blocks * 512 < BYTES / 4); /* sparse */
    backend = open_new(uri, 0);
    assert_int_equal(operate(backend, BACKEND_READ, 8192, 4096, back), 0);
    assert_memory_equal(text, back, 4096);
    assert_int_equal(backend->ops->resize(backend, 2 * BYTES, NULL), 0);
    assert_int_equal(operate(backend, BACKEND_READ, 2 * BYTES - 4096, 4096, back), 0);
    assert_int_equal(back[0], 0);
    backend->ops->close(backend);
    unlink(path);
}

static void test_file_refusals(void **state)
{
    (void)state;
    char path[128], uri[160];
    uint8_t buffer[4096] __attribute__((aligned(4096)));
    const struct backend_options plain = {0}, create = {.bytes = BYTES, .create = true}, sizeless = {.create = true},
                                 reading = {.read_only = true};
    file_uri("/dev/shm", path, uri);
    assert_int_equal(open_fails(uri, &plain, "No such file"), -ENOENT);
    assert_int_equal(open_fails(uri, &sizeless, "no size"), -EINVAL);
    assert_int_equal(open_fails("file:", &plain, "expected 1 to"), -EINVAL);
    assert_int_equal(open_fails("file:/dev/shm", &reading, "no regular file"), -EINVAL);
    assert_int_equal(open_fails("fiel:/x", &plain, "expected null:"), -EINVAL);
    assert_int_equal(open_fails("null:x", &create, "expected null: alone"), -EINVAL);
    assert_int_equal(open_fails("memory:", &plain, "size"), -EINVAL);
    assert_int_equal(open_fails("disk:a/b", &plain, "no such disk"), -ENOENT);
    struct block_backend *backend = open_new(uri, BYTES), *second;
    assert_int_equal(open_fails(uri, &plain, "in use"), -EBUSY);
    assert_int_equal(open_fails(uri, &reading, "in use"), -EBUSY);
    /* Somebody cuts the file: an error, not zeros. */
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(operate(backend, BACKEND_READ, 4096, 4096, buffer), -EIO);
    assert_int_equal(operate(backend, BACKEND_READ, 0, 4096, buffer), 0);
    assert_int_equal(operate(backend, 77, 0, 4096, buffer), -EOPNOTSUPP);
    backend->ops->close(backend);
    /* Readers share. */
    assert_int_equal(backend_open(uri, &reading, &backend, NULL), 0);
    assert_int_equal(backend_open(uri, &reading, &second, NULL), 0);
    assert_int_equal(operate(backend, BACKEND_WRITE, 0, 4096, buffer), -EROFS);
    assert_int_equal(operate(backend, BACKEND_READ, 0, 4096, buffer), 0);
    backend->ops->close(backend);
    second->ops->close(second);
    unlink(path);
}

/* ---- disks ---- */

static struct disk_set *make_disk(const char *folder, char path[128])
{
    struct disk_set *set = disk_set_create();
    struct disk_settings settings = {.name = "d", .bytes = UINT64_C(64) << 20, .create = true};
    struct cipu_error error;
    snprintf(path, 128, "%s/cipu-test-disk-%d", folder, getpid());
    unlink(path);
    snprintf(settings.path, sizeof settings.path, "%s", path);
    if (disk_set_add(set, &settings, &error))
        fail_msg("%s", error.text);
    return set;
}

/* Volumes that grew by turns: the extents of each lie apart. */
static void test_disk(void **state)
{
    (void)state;
    static const char *const folders[] = {"/dev/shm", "build"};
    for (unsigned i = 0; i < 2; i++) {
        char path[128];
        struct disk_set *set = make_disk(folders[i], path);
        struct backend_options options = {.bytes = 1 << 20, .create = true, .disks = set};
        struct block_backend *first, *second;
        struct backend_info info;
        assert_int_equal(backend_open("disk:d/a", &options, &first, NULL), 0);
        assert_int_equal(backend_open("disk:d/b", &options, &second, NULL), 0);
        assert_int_equal(disk_number(first), 1);
        for (uint64_t megabytes = 4; megabytes <= 24; megabytes += 4) {
            assert_int_equal(first->ops->resize(first, megabytes << 20, NULL), 0);
            assert_int_equal(second->ops->resize(second, megabytes << 20, NULL), 0);
        }
        first->ops->info(first, &info);
        assert_int_equal(info.bytes, 24 << 20);
        random_operations(first, true, 3000);
        random_operations(second, false, 1000);
        struct disk_info disk;
        assert_int_equal(disk_set_info(set, 0, &disk), 0);
        assert_int_equal(disk.volumes, 2);
        assert_int_equal(disk.open_volumes, 2);
        assert_int_equal(disk_volume_delete(set, "d/a", NULL), -EBUSY);
        assert_int_equal(disk_set_remove(set, "d", NULL), -EBUSY);
        assert_int_equal(open_fails("disk:d/a", &options, "in use"), -EBUSY);
        first->ops->close(first);
        second->ops->close(second);
        disk_set_destroy(set);
        unlink(path);
    }
}

static void test_disk_long_operations(void **state)
{
    (void)state;
    char path[128];
    struct disk_set *set = make_disk("/dev/shm", path);
    struct backend_options options = {.bytes = 4 << 20, .create = true, .disks = set};
    struct block_backend *first, *second;
    uint8_t *data = aligned_alloc(4096, 12 << 20), *back = aligned_alloc(4096, 12 << 20);
    for (unsigned i = 0; i < 12 << 20; i++)
        data[i] = (uint8_t)(i * 7 + i / 4096);
    assert_int_equal(backend_open("disk:d/a", &options, &first, NULL), 0);
    assert_int_equal(backend_open("disk:d/b", &options, &second, NULL), 0);
    assert_int_equal(first->ops->resize(first, 12 << 20, NULL), 0); /* its first extent lies apart */
    assert_int_equal(operate(first, BACKEND_WRITE, 0, 12 << 20, data), 0);
    assert_int_equal(operate(first, BACKEND_FLUSH, 0, 0, NULL), 0);
    assert_int_equal(operate(second, BACKEND_READ, 0, 4 << 20, back), 0);
    assert_true(back[0] == 0 && memcmp(back, back + 1, (4 << 20) - 1) == 0);
    first->ops->close(first);
    assert_int_equal(backend_open("disk:d/a", &options, &first, NULL), 0);
    assert_int_equal(operate(first, BACKEND_READ, 4096, (12 << 20) - 4096, back), 0);
    assert_memory_equal(back, data + 4096, (12 << 20) - 4096);
    assert_int_equal(operate(first, BACKEND_READ, 12 << 20, 4096, back), -EINVAL);
    assert_int_equal(operate(first, BACKEND_WRITE_ZEROES, 4096, (8 << 20), NULL), 0);
    assert_int_equal(operate(first, BACKEND_READ, 0, 12 << 20, back), 0);
    memset(data + 4096, 0, 8 << 20);
    assert_memory_equal(back, data, 12 << 20);
    assert_int_equal(first->ops->erase(first, NULL), 0);
    assert_int_equal(operate(first, BACKEND_READ, 0, 12 << 20, back), 0);
    assert_true(back[0] == 0 && memcmp(back, back + 1, (12 << 20) - 1) == 0);
    first->ops->close(first);
    second->ops->close(second);
    free(data);
    free(back);
    disk_set_destroy(set);
    unlink(path);
}

/* A block device on a file, with sectors of so many bytes; false where there are none to be had. */
static bool make_device(const char *file, unsigned sector, char device[64])
{
    char command[256];
    snprintf(command, sizeof command, "losetup -b %u -f --show %s 2>/dev/null", sector, file);
    FILE *output = popen(command, "r");
    bool made = output && fgets(device, 64, output);
    if (output)
        made &= pclose(output) == 0;
    device[strcspn(device, "\n")] = 0;
    return made;
}

static void remove_device(const char *device)
{
    char command[128];
    snprintf(command, sizeof command, "losetup -d %s", device);
    assert_int_equal(system(command), 0);
}

static void test_devices(void **state)
{
    (void)state;
    for (unsigned sector = 512; sector <= 4096; sector *= 8) {
        char path[128], uri[160], device[64];
        struct backend_info info;
        file_uri("build", path, uri);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && ftruncate(fd, 48 << 20) == 0);
        close(fd);
        if (!make_device(path, sector, device)) {
            unlink(path);
            skip();
        }
        snprintf(uri, sizeof uri, "file:%s", device);
        struct backend_options options = {0};
        struct block_backend *backend;
        assert_int_equal(backend_open(uri, &options, &backend, NULL), 0);
        backend->ops->info(backend, &info);
        assert_int_equal(info.bytes, 48 << 20);
        assert_int_equal(info.block_bytes, sector);
        random_operations(backend, true, 2000);
        assert_int_equal(operate(backend, BACKEND_WRITE_ZEROES, 0, 48 << 20, NULL), 0);
        backend->ops->close(backend);
        struct disk_set *set = disk_set_create();
        struct disk_settings settings = {.name = "d", .create = true};
        snprintf(settings.path, sizeof settings.path, "%s", device);
        assert_int_equal(disk_set_add(set, &settings, NULL), 0);
        options = (struct backend_options){.bytes = 24 << 20, .create = true, .disks = set};
        assert_int_equal(backend_open("disk:d/a", &options, &backend, NULL), 0);
        random_operations(backend, true, 1000);
        assert_int_equal(backend->ops->erase(backend, NULL), 0);
        backend->ops->close(backend);
        assert_int_equal(disk_volume_delete(set, "d/a", NULL), 0);
        disk_set_destroy(set);
        remove_device(device);
        unlink(path);
    }
}

/* The bytes of a volume that was deleted are not on the disk any more. */
static void test_disk_delete(void **state)
{
    (void)state;
    char path[128];
    struct disk_set *set = make_disk("/dev/shm", path);
    struct backend_options options = {.bytes = 8 << 20, .create = true, .disks = set};
    struct block_backend *backend;
    uint8_t *data = aligned_alloc(4096, 8 << 20), *whole = malloc(64 << 20);
    memset(data, 0xd7, 8 << 20);
    assert_int_equal(backend_open("disk:d/secret", &options, &backend, NULL), 0);
    assert_int_equal(operate(backend, BACKEND_WRITE, 0, 8 << 20, data), 0);
    backend->ops->close(backend);
    assert_int_equal(disk_volume_delete(set, "d/secret", NULL), 0);
    assert_int_equal(disk_volume_delete(set, "d/secret", NULL), -ENOENT);
    assert_int_equal(disk_volume_delete(set, "x/secret", NULL), -ENOENT);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, whole, 64 << 20), 64 << 20);
    close(fd);
    assert_null(memmem(whole, 64 << 20, data, 64));
    disk_set_destroy(set);
    free(data);
    free(whole);
    unlink(path);
}

static void test_disk_refusals(void **state)
{
    (void)state;
    char path[128];
    struct cipu_error error;
    struct disk_set *set = make_disk("/dev/shm", path);
    struct backend_options plain = {.disks = set}, create = {.bytes = 1 << 20, .create = true, .disks = set},
                           large = {.bytes = UINT64_C(1) << 40, .create = true, .disks = set};
    struct disk_settings settings = {.name = "d"}, other = {.name = "e"};
    snprintf(settings.path, sizeof settings.path, "%s", path);
    snprintf(other.path, sizeof other.path, "%s", path);
    assert_int_equal(disk_set_add(set, &settings, &error), -EEXIST);
    assert_int_equal(disk_set_add(set, &other, &error), -EBUSY);
    assert_int_equal(open_fails("disk:d", &plain, "expected disk:NAME/VOLUME"), -EINVAL);
    assert_int_equal(open_fails("disk:d/", &plain, "expected disk:NAME/VOLUME"), -EINVAL);
    assert_int_equal(open_fails("disk:d/a", &plain, "create is not set"), -ENOENT);
    assert_int_equal(open_fails("disk:x/a", &create, "no such disk"), -ENOENT);
    assert_int_equal(open_fails("disk:d/a/b", &create, "volume's name"), -EINVAL);
    assert_int_equal(open_fails("disk:d/a", &large, "what is free"), -ENOSPC);
    assert_int_equal(disk_set_remove(set, "d", &error), 0);
    assert_int_equal(disk_set_remove(set, "d", &error), -ENOENT);
    /* Other data is not laid out. */
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "something", 9, 100), 9);
    close(fd);
    settings.create = true;
    assert_int_equal(disk_set_add(set, &settings, &error), -EINVAL);
    assert_non_null(strstr(error.text, "other data"));
    disk_set_destroy(set);
    unlink(path);
}

/* ---- faults ---- */

static uint64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_faults(void **state)
{
    (void)state;
    uint8_t buffer[4096] = {0};
    struct block_backend *backend = open_new(
        "fault:read-error=0x1000-0x2000*2;write-nospace=0-512;flush-error;read-delay=8192-16384@30000,memory:", BYTES);
    assert_int_equal(operate(backend, BACKEND_READ, 0, 4096, buffer), 0);
    assert_int_equal(operate(backend, BACKEND_READ, 4096 - 512, 1024, buffer), -EIO);
    assert_int_equal(operate(backend, BACKEND_READ, 4096, 512, buffer), -EIO);
    assert_int_equal(operate(backend, BACKEND_READ, 4096, 512, buffer), 0); /* twice and no more */
    assert_int_equal(operate(backend, BACKEND_WRITE, 512, 512, buffer), 0);
    assert_int_equal(operate(backend, BACKEND_WRITE, 0, 1024, buffer), -ENOSPC);
    assert_int_equal(operate(backend, BACKEND_FLUSH, 0, 0, NULL), -EIO);
    uint64_t before = milliseconds();
    assert_int_equal(operate(backend, BACKEND_READ, 8192, 512, buffer), 0);
    assert_true(milliseconds() - before >= 29);
    backend->ops->close(backend);
}

static void test_stall(void **state)
{
    (void)state;
    uint8_t buffer[512];
    bool busy = true;
    struct fault_rules rules;
    struct block_backend *backend = open_new("fault:any-stall,memory:", BYTES);
    struct backend_request request = {
        .operation = BACKEND_READ, .length = 512, .buffer = buffer, .done = ended, .context = &busy};
    backend->ops->submit(backend, &request);
    backend->ops->poll(backend);
    usleep(2000);
    backend->ops->poll(backend);
    assert_true(busy);
    assert_int_equal(fault_rules_parse("write-error", 11, &rules, NULL), 0);
    assert_int_equal(fault_rules_set(backend, &rules), 0);
    assert_false(busy);
    assert_int_equal(request.result, 0);
    backend->ops->close(backend);
    backend = open_new("memory:", BYTES);
    assert_int_equal(fault_rules_set(backend, &rules), -EINVAL);
    backend->ops->close(backend);
}

static void test_fault_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "read",       "read-",        "read-explode", "reads-error", "read-error=5", "read-error=5-5", "read-error=9-",
        "read-delay", "read-error@5", "read-error*",  ";",           "read-error x", "-error"};
    struct fault_rules rules;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fault_rules_parse(bad[i], strlen(bad[i]), &rules, NULL), -EINVAL);
    assert_int_equal(fault_rules_parse("", 0, &rules, NULL), 0);
    assert_int_equal(rules.count, 0);
    static const char good[] = "zeroes-stall=0x10-32*7;any-delay@9";
    assert_int_equal(fault_rules_parse(good, strlen(good), &rules, NULL), 0);
    assert_int_equal(rules.count, 2);
    assert_int_equal(rules.rule[0].operation, BACKEND_WRITE_ZEROES);
    assert_int_equal(rules.rule[0].begin, 16);
    assert_int_equal(rules.rule[0].end, 32);
    assert_int_equal(rules.rule[0].count, 7);
    assert_int_equal(rules.rule[1].operation, 0);
    assert_int_equal(rules.rule[1].delay, 9000);
}

/* ---- small parts ---- */

static void test_latency_buckets(void **state)
{
    (void)state;
    for (uint64_t value = 2; value < UINT64_C(1) << 39; value += value / 7 + 1) {
        unsigned bucket = latency_bucket(value);
        assert_true((double)value >= latency_bucket_begin(bucket) * 0.999999);
        assert_true((double)value <= latency_bucket_begin(bucket + 1) * 1.000001);
    }
    assert_int_equal(latency_bucket(0), 0);
    assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

/* FIPS 180-4's examples, and a name's identity that must never change. */
static void test_uuid(void **state)
{
    (void)state;
    static const uint8_t abc[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                    0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const uint8_t two_blocks[20] = {0x84, 0x98, 0x3e, 0x44, 0x1c, 0x3b, 0xd2, 0x6e, 0xba, 0xae,
                                           0x4a, 0xa1, 0xf9, 0x51, 0x29, 0xe5, 0xe5, 0x46, 0x70, 0xf1};
    uint8_t digest[20], uuid[16], other[16];
    sha1("abc", 3, digest);
    assert_memory_equal(digest, abc, 20);
    sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
    assert_memory_equal(digest, two_blocks, 20);
    volume_uuid("one", uuid);
    volume_uuid("two", other);
    assert_memory_not_equal(uuid, other, 16);
    assert_int_equal(uuid[6] >> 4, 5);
    assert_int_equal(uuid[8] >> 6, 2);
    volume_uuid("one", other);
    assert_memory_equal(uuid, other, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_huge_pages),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_encrypted),
        cmocka_unit_test(test_file_again),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_fault_rules),
        cmocka_unit_test(test_latency_buckets),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_disk_long_operations),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_disk_delete),
        cmocka_unit_test(test_disk_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
