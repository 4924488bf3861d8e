/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted volumes: what is on the disk against an oracle, keys, headers that are damaged, torn or another one's, and
 * power that fails while the key changes. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/block/backend_fault.h"
#include "runtime/block/crypt_header.h"
#include "tests/runtime/block/crypt_oracle.h"
#include "tests/runtime/block/disk_image.h"

#define BYTES (1u << 20)

struct fixture {
    char key[64], other[64], file[64];
    char uri[160];
    uint8_t wrapping[32];
    struct block_backend *backend;
    uint8_t *data, *back; /* BYTES each */
};

static void write_file(const char *path, const void *data, size_t bytes, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    assert_true(fd >= 0 && fchmod(fd, mode) == 0);
    assert_int_equal(write(fd, data, bytes), bytes);
    close(fd);
}

static int open_uri(struct fixture *fixture, const char *uri, uint64_t bytes, bool create, struct cipu_error *error)
{
    const struct backend_options options = {.bytes = bytes, .create = create};
    return backend_open(uri, &options, &fixture->backend, error);
}

static void open_well(struct fixture *fixture, const char *uri, uint64_t bytes, bool create)
{
    struct cipu_error error = {""};
    if (open_uri(fixture, uri, bytes, create, &error) == 0 && fixture->backend)
        return;
    fail_msg("%s", error.text);
    abort();
}

static void open_again(struct fixture *fixture)
{
    open_well(fixture, fixture->uri, 0, false);
}

static void close_it(struct fixture *fixture)
{
    fixture->backend->ops->close(fixture->backend);
    fixture->backend = NULL;
}

static int setup(void **state)
{
    struct fixture *fixture = *state = calloc(1, sizeof *fixture);
    uint8_t other[32] = {9};
    snprintf(fixture->key, sizeof fixture->key, "/dev/shm/cipu-test-key-%d", getpid());
    snprintf(fixture->other, sizeof fixture->other, "/dev/shm/cipu-test-other-%d", getpid());
    snprintf(fixture->file, sizeof fixture->file, "/dev/shm/cipu-test-crypt-%d", getpid());
    snprintf(fixture->uri, sizeof fixture->uri, "crypt:%s,file:%s", fixture->key, fixture->file);
    for (unsigned i = 0; i < 32; i++)
        fixture->wrapping[i] = (uint8_t)(7 * i + 1);
    write_file(fixture->key, fixture->wrapping, 32, 0600);
    write_file(fixture->other, other, 32, 0400);
    unlink(fixture->file);
    fixture->data = aligned_alloc(4096, BYTES);
    fixture->back = aligned_alloc(4096, BYTES);
    open_well(fixture, fixture->uri, BYTES, true);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->backend)
        close_it(fixture);
    unlink(fixture->key);
    unlink(fixture->other);
    unlink(fixture->file);
    free(fixture->data);
    free(fixture->back);
    free(fixture);
    return 0;
}

static void ended(struct backend_request *request)
{
    *(bool *)request->context = true;
}

static int operate(struct block_backend *backend, uint8_t operation, bool unmap, uint64_t offset, uint64_t length,
                   void *buffer)
{
    bool done = false;
    struct backend_request request = {.operation = operation,
                                      .unmap = unmap,
                                      .offset = offset,
                                      .length = length,
                                      .buffer = buffer,
                                      .done = ended,
                                      .context = &done};
    backend->ops->submit(backend, &request);
    while (!done) {
        struct pollfd event = {backend->ops->fd ? backend->ops->fd(backend) : -1, POLLIN, 0};
        if (backend->ops->poll && !backend->ops->poll(backend) && !done)
            assert_int_equal(poll(&event, 1, 10000), 1);
    }
    return request.result;
}

/* Writes a pattern; what is in the buffer afterwards is not the test's to know. */
static void write_pattern(struct fixture *fixture, uint64_t offset, uint64_t length, uint8_t seed)
{
    for (uint64_t i = 0; i < length; i++)
        fixture->data[i] = fixture->back[i] = (uint8_t)(seed + i * 5 + i / 509);
    assert_int_equal(operate(fixture->backend, BACKEND_WRITE, false, offset, length, fixture->back), 0);
}

static void read_raw(const struct fixture *fixture, uint64_t offset, void *to, size_t bytes)
{
    int fd = open(fixture->file, O_RDONLY);
    assert_int_equal(pread(fd, to, bytes, (off_t)offset), bytes);
    close(fd);
}

static void write_raw(const struct fixture *fixture, uint64_t offset, const void *from, size_t bytes)
{
    int fd = open(fixture->file, O_WRONLY);
    assert_int_equal(pwrite(fd, from, bytes, (off_t)offset), bytes);
    close(fd);
}

static void oracle_key_of(const struct fixture *fixture, uint8_t key[ORACLE_KEY_BYTES])
{
    uint8_t header[512];
    for (unsigned copy = 0; copy < ORACLE_COPIES; copy++) {
        read_raw(fixture, copy * ORACLE_COPY_BYTES, header, sizeof header);
        assert_true(oracle_key(header, fixture->wrapping, key));
    }
}

static int new_key(const struct fixture *fixture, struct cipu_error *error)
{
    return fixture->backend ? fixture->backend->ops->new_key(fixture->backend, NULL, error) : -ENOENT;
}

static bool is(const uint8_t *data, uint8_t value, size_t bytes)
{
    return data[0] == value && memcmp(data, data + 1, bytes - 1) == 0;
}

/* ---- what is on the disk ---- */

static void test_oracle_reads(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[ORACLE_KEY_BYTES];
    oracle_key_of(fixture, key);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t sector = round * 37 % 1900, sectors = 1 + round * 13 % 100;
        write_pattern(fixture, sector * 512, sectors * 512, (uint8_t)round);
        read_raw(fixture, ORACLE_DATA + sector * 512, fixture->back, sectors * 512);
        assert_memory_not_equal(fixture->back, fixture->data, 512);
        oracle_crypt(key, false, sector, fixture->back, sectors * 512);
        assert_memory_equal(fixture->back, fixture->data, sectors * 512);
    }
}

static void test_oracle_writes(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[ORACLE_KEY_BYTES];
    oracle_key_of(fixture, key);
    for (unsigned i = 0; i < 65536; i++)
        fixture->data[i] = (uint8_t)(i * 3 + i / 511);
    oracle_crypt(key, true, 77, fixture->data, 65536);
    write_raw(fixture, ORACLE_DATA + 77 * 512, fixture->data, 65536);
    oracle_crypt(key, false, 77, fixture->data, 65536);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 77 * 512, 65536, fixture->back), 0);
    assert_memory_equal(fixture->back, fixture->data, 65536);
}

/* Written zeros are encrypted; what may be deallocated is, and reads as zeros, as what was never written. */
static void test_zeros(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[ORACLE_KEY_BYTES];
    oracle_key_of(fixture, key);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, BYTES, fixture->back), 0);
    assert_true(is(fixture->back, 0, BYTES));
    write_pattern(fixture, 0, BYTES, 3);
    assert_int_equal(operate(fixture->backend, BACKEND_WRITE_ZEROES, false, 512, 200 * 1024, NULL), 0);
    assert_int_equal(operate(fixture->backend, BACKEND_WRITE_ZEROES, true, 512 * 1024, 4096, NULL), 0);
    assert_int_equal(operate(fixture->backend, BACKEND_DISCARD, false, 600 * 1024, 4096, NULL), 0);
    assert_int_equal(operate(fixture->backend, BACKEND_ERASE, false, 700 * 1024, 4096, NULL), 0);
    memset(fixture->data + 512, 0, 200 * 1024);
    memset(fixture->data + 512 * 1024, 0, 4096);
    memset(fixture->data + 600 * 1024, 0, 4096);
    memset(fixture->data + 700 * 1024, 0, 4096);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, BYTES, fixture->back), 0);
    assert_memory_equal(fixture->back, fixture->data, BYTES);
    read_raw(fixture, ORACLE_DATA, fixture->back, BYTES);
    for (unsigned i = 1; i <= 400; i++)
        assert_false(is(fixture->back + i * 512, 0, 512));
    assert_true(is(fixture->back + 512 * 1024, 0, 4096));
    assert_true(is(fixture->back + 600 * 1024, 0, 4096));
    assert_true(is(fixture->back + 700 * 1024, 0, 4096));
    oracle_crypt(key, false, 1, fixture->back + 512, 200 * 1024);
    assert_true(is(fixture->back + 512, 0, 200 * 1024));
}

static void test_sizes(void **state)
{
    struct fixture *fixture = *state;
    struct backend_info info;
    struct stat status;
    fixture->backend->ops->info(fixture->backend, &info);
    assert_int_equal(info.bytes, BYTES);
    assert_true(info.encrypted && info.write_cache);
    assert_int_equal(stat(fixture->file, &status), 0);
    assert_int_equal(status.st_size, BYTES + ORACLE_DATA);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, BYTES, 512, fixture->back), -EINVAL);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, UINT64_MAX - 511, 512, fixture->back), -EINVAL);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 100, 512, fixture->back), -EINVAL);
    write_pattern(fixture, 0, 4096, 1);
    assert_int_equal(fixture->backend->ops->resize(fixture->backend, 2 * BYTES, NULL), 0);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 2 * BYTES - 512, 512, fixture->back), 0);
    assert_true(is(fixture->back, 0, 512));
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 4096, fixture->back), 0);
    assert_memory_equal(fixture->back, fixture->data, 4096);
    write_pattern(fixture, 2 * BYTES - 4096, 4096, 2);
    close_it(fixture);
    open_again(fixture);
    fixture->backend->ops->info(fixture->backend, &info);
    assert_int_equal(info.bytes, 2 * BYTES);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 2 * BYTES - 4096, 4096, fixture->back), 0);
    assert_memory_equal(fixture->back, fixture->data, 4096);
}

/* ---- what is refused ---- */

static void refuse(struct fixture *fixture, const char *uri, bool create, int code, const char *text)
{
    struct cipu_error error = {""};
    assert_int_equal(open_uri(fixture, uri, BYTES, create, &error), code);
    if (!strstr(error.text, text))
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
}

static void test_key_files(void **state)
{
    struct fixture *fixture = *state;
    char uri[160], digits[80];
    close_it(fixture);
    snprintf(uri, sizeof uri, "crypt:%s,file:%s", fixture->other, fixture->file);
    refuse(fixture, uri, false, -EACCES, "key file does not open");
    refuse(fixture, uri, true, -EACCES, "key file does not open"); /* and nothing was made anew */
    refuse(fixture, "crypt:/nowhere,file:/x", false, -ENOENT, "/nowhere");
    refuse(fixture, "crypt:", false, -EINVAL, "expected crypt:KEYFILE,BACKEND");
    refuse(fixture, "crypt:/key", false, -EINVAL, "expected crypt:KEYFILE,BACKEND");
    refuse(fixture, "crypt:,memory:", false, -EINVAL, "expected crypt:KEYFILE,BACKEND");
    refuse(fixture, "crypt:/dev/shm,memory:", false, -EPERM, "only its owner");
    snprintf(uri, sizeof uri, "crypt:%s,null:", fixture->key);
    refuse(fixture, uri, true, -EIO, "making its header"); /* it keeps nothing */
    /* Digits are the same key. */
    for (unsigned i = 0; i < 32; i++)
        snprintf(digits + 2 * i, 3, i % 2 ? "%02x" : "%02X", fixture->wrapping[i]);
    digits[64] = '\n';
    write_file(fixture->key, digits, 65, 0600);
    open_again(fixture);
    close_it(fixture);
    write_file(fixture->key, digits, 63, 0600);
    refuse(fixture, fixture->uri, false, -EINVAL, "found no key");
    digits[10] = 'g';
    write_file(fixture->key, digits, 64, 0600);
    refuse(fixture, fixture->uri, false, -EINVAL, "found no key");
    write_file(fixture->key, fixture->wrapping, 31, 0600);
    refuse(fixture, fixture->uri, false, -EINVAL, "found no key");
    write_file(fixture->key, fixture->wrapping, 32, 0640);
    refuse(fixture, fixture->uri, false, -EPERM, "mode 0640");
    write_file(fixture->key, fixture->wrapping, 32, 0600);
    open_again(fixture);
}

static void test_headers(void **state)
{
    struct fixture *fixture = *state;
    uint8_t header[4096], zeros[4096] = {0}, good[2][4096];
    write_pattern(fixture, 0, 4096, 5);
    close_it(fixture);
    for (unsigned copy = 0; copy < 2; copy++)
        read_raw(fixture, copy * ORACLE_COPY_BYTES, good[copy], 4096);
    assert_memory_equal(good[0], good[1], 4096);
    /* Either copy alone will do, and is copied to where the other one was. */
    for (unsigned damage = 0; damage < 4; damage++) {
        uint64_t place = damage % 2 * ORACLE_COPY_BYTES;
        memcpy(header, damage / 2 ? zeros : good[0], 4096);
        header[50] ^= 1;
        write_raw(fixture, place, header, 4096);
        open_again(fixture);
        assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 4096, fixture->back), 0);
        assert_memory_equal(fixture->back, fixture->data, 4096);
        close_it(fixture);
        read_raw(fixture, place, header, 4096);
        assert_memory_equal(header, good[0], 4096);
    }
    /* Neither. */
    memcpy(header, good[0], 4096);
    header[50] ^= 1;
    write_raw(fixture, 0, header, 4096);
    write_raw(fixture, ORACLE_COPY_BYTES, header, 4096);
    refuse(fixture, fixture->uri, true, -EINVAL, "both damaged");
    write_raw(fixture, 0, zeros, 4096);
    write_raw(fixture, ORACLE_COPY_BYTES, zeros, 4096);
    refuse(fixture, fixture->uri, true, -EINVAL, "found other data at 65536");
    unlink(fixture->file);
    write_file(fixture->file, zeros, 4096, 0600);
    assert_int_equal(truncate(fixture->file, BYTES), 0);
    refuse(fixture, fixture->uri, false, -EINVAL, "create is not set");
    assert_int_equal(truncate(fixture->file, ORACLE_DATA), 0);
    refuse(fixture, fixture->uri, true, -EINVAL, "found 65536 bytes");
}

static void test_read_only(void **state)
{
    struct fixture *fixture = *state;
    const struct backend_options options = {.read_only = true};
    uint8_t zeros[4096] = {0};
    write_pattern(fixture, 0, 4096, 5);
    close_it(fixture);
    write_raw(fixture, 0, zeros, 4096); /* is not repaired */
    assert_int_equal(backend_open(fixture->uri, &options, &fixture->backend, NULL), 0);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 4096, fixture->back), 0);
    assert_memory_equal(fixture->back, fixture->data, 4096);
    assert_int_equal(operate(fixture->backend, BACKEND_WRITE, false, 0, 4096, fixture->back), -EROFS);
    assert_int_equal(operate(fixture->backend, BACKEND_WRITE_ZEROES, false, 0, 4096, NULL), -EROFS);
    assert_int_equal(new_key(fixture, NULL), -EROFS);
    read_raw(fixture, 0, fixture->back, 4096);
    assert_true(is(fixture->back, 0, 4096));
}

/* ---- another key ---- */

static void test_new_key(void **state)
{
    struct fixture *fixture = *state;
    uint8_t header[512], key[ORACLE_KEY_BYTES], fresh[ORACLE_KEY_BYTES];
    oracle_key_of(fixture, key);
    read_raw(fixture, 0, header, sizeof header);
    write_pattern(fixture, 0, 65536, 5);
    assert_int_equal(new_key(fixture, NULL), 0);
    assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 65536, fixture->back), 0);
    for (unsigned i = 0; i < 65536; i += 16)
        assert_memory_not_equal(fixture->back + i, fixture->data + i, 16);
    write_pattern(fixture, 0, 4096, 6);
    for (unsigned round = 0; round < 2; round++) {
        oracle_key_of(fixture, fresh);
        assert_memory_not_equal(key, fresh, 32);
        assert_memory_not_equal(key + 32, fresh + 32, 32);
        assert_memory_not_equal(fresh, fresh + 32, 32);
        assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 4096, fixture->back), 0);
        assert_memory_equal(fixture->back, fixture->data, 4096);
        read_raw(fixture, 0, fixture->back, ORACLE_DATA); /* the old one is nowhere */
        assert_null(memmem(fixture->back, ORACLE_DATA, oracle_wrapped(header), 16));
        assert_int_equal(oracle_generation(fixture->back), oracle_generation(header) + 1);
        close_it(fixture);
        open_again(fixture);
    }
}

/* An error while the key changes: nothing is read or written by a key that may be the wrong one. */
static void test_new_key_fails(void **state)
{
    struct fixture *fixture = *state;
    static const char *const rules[] = {"write-error=0-4096*1", "write-error=32768-36864*1", "flush-error*1"};
    char uri[200];
    close_it(fixture);
    snprintf(uri, sizeof uri, "crypt:%s,fault:,file:%s", fixture->key, fixture->file);
    for (unsigned i = 0; i < 3; i++) {
        struct fault_rules parsed;
        struct cipu_error error = {""};
        open_well(fixture, uri, 0, false);
        assert_int_equal(fault_rules_parse(rules[i], strlen(rules[i]), &parsed, NULL), 0);
        write_pattern(fixture, 0, 4096, 5);
        assert_int_equal(fault_rules_set(fixture->backend, &parsed), 0);
        assert_int_equal(new_key(fixture, &error), -EIO);
        assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 4096, fixture->back), -EIO);
        assert_int_equal(operate(fixture->backend, BACKEND_WRITE, false, 0, 4096, fixture->back), -EIO);
        close_it(fixture);
        open_again(fixture);
        assert_int_equal(operate(fixture->backend, BACKEND_READ, false, 0, 4096, fixture->back), 0);
        assert_int_equal(memcmp(fixture->back, fixture->data, 4096) == 0, i == 0);
        close_it(fixture);
    }
}

/* ---- power cuts ---- */

#define IMAGE_BYTES (256u << 10)
#define RENEWALS    12u
#define VARIANTS    5u
#define SECTOR      512u

struct header_image {
    struct image image;
    struct crypt_keys *keys;
    uint8_t *block;
};

static struct crypt_place place_on(struct header_image *on)
{
    return (struct crypt_place){&on->image.store, on->keys, on->block, false};
}

static void header_image_open(struct header_image *on, const char *key_file)
{
    image_open(&on->image, IMAGE_BYTES);
    assert_int_equal(crypt_keys_open(key_file, &on->keys, NULL), 0);
    on->block = aligned_alloc(CRYPT_BLOCK, CRYPT_BLOCK);
}

static void header_image_close(struct header_image *on)
{
    image_close(&on->image);
    crypt_keys_close(on->keys);
    free(on->block);
}

static uint64_t seed = 0x2545f4914f6cdd1du;

static bool coin(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed >> 40 & 1;
}

/* variant 0: all that was written is there; 1: nothing since the last sync; others: a random choice of sectors. */
static void apply_unsynced(uint8_t *bytes, const struct image_entry *entries, size_t count, unsigned variant)
{
    for (size_t i = 0; i < count && variant != 1; i++)
        for (uint64_t at = 0; at < entries[i].bytes; at += SECTOR) {
            struct image_entry sector = {entries[i].kind, entries[i].offset + at, SECTOR,
                                         entries[i].data ? entries[i].data + at : NULL};
            if (variant == 0 || coin())
                image_apply(bytes, &sector);
        }
}

struct renewal {
    size_t begin, end; /* places in the log: it is acknowledged at `end` */
    struct crypt_header before, after;
};

static void check_crash(struct header_image *on, const struct renewal *renewal, bool acknowledged)
{
    const struct crypt_place place = place_on(on);
    struct crypt_header header;
    struct cipu_error error = {""};
    bool creating = renewal->before.generation == 0;
    if (crypt_header_open(&place, creating && !acknowledged, &header, &error))
        fail_msg("%s", error.text);
    bool is_after = memcmp(&header, &renewal->after, sizeof header) == 0;
    bool is_before = !acknowledged && memcmp(&header, &renewal->before, sizeof header) == 0;
    assert_true(is_after || is_before || (creating && !acknowledged));
    const uint8_t *gone = is_after ? renewal->before.key : renewal->after.key;
    if (!creating)
        assert_null(memmem(on->image.bytes, IMAGE_BYTES, gone, 16));
}

static void test_power_cuts(void **state)
{
    struct fixture *fixture = *state;
    struct header_image run, crashed;
    struct renewal renewals[RENEWALS];
    struct crypt_header header = {0};
    header_image_open(&run, fixture->key);
    header_image_open(&crashed, fixture->key);
    const struct crypt_place place = place_on(&run);
    for (unsigned i = 0; i < RENEWALS; i++) {
        renewals[i].begin = run.image.count;
        renewals[i].before = header;
        assert_int_equal(i ? crypt_header_renew(&place, &header, NULL) : crypt_header_open(&place, true, &header, NULL),
                         0);
        renewals[i].after = header;
        renewals[i].end = run.image.count;
    }
    uint8_t *synced = calloc(1, IMAGE_BYTES);
    size_t from = 0;
    unsigned at = 0, crashes = 0;
    for (size_t i = 0; i <= run.image.count; i++) {
        while (at + 1 < RENEWALS && renewals[at + 1].begin <= i && renewals[at].end <= i)
            at++;
        for (unsigned variant = 0; variant < VARIANTS; variant++, crashes++) {
            memcpy(crashed.image.bytes, synced, IMAGE_BYTES);
            apply_unsynced(crashed.image.bytes, run.image.log + from, i - from, variant);
            check_crash(&crashed, &renewals[at], i >= renewals[at].end);
            image_forget(&crashed.image);
        }
        if (i < run.image.count && run.image.log[i].kind == IMAGE_SYNC)
            for (; from <= i; from++)
                image_apply(synced, &run.image.log[from]);
    }
    assert_true(crashes > 200);
    free(synced);
    header_image_close(&run);
    header_image_close(&crashed);
}

/* A store that fails at any instant: an error, and the next opening finds either key and clears the other one away. */
static void test_failing_store(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned fail_in = 1; fail_in < 6; fail_in++) {
        struct header_image on;
        struct crypt_header header, before, after;
        header_image_open(&on, fixture->key);
        const struct crypt_place place = place_on(&on);
        assert_int_equal(crypt_header_open(&place, true, &before, NULL), 0);
        header = before;
        on.image.fail_in = fail_in;
        int result = crypt_header_renew(&place, &header, NULL);
        on.image.fail_in = 0;
        assert_int_equal(result, fail_in < 5 ? -EIO : 0);
        if (result)
            assert_memory_equal(&header, &before, sizeof header);
        assert_int_equal(crypt_header_open(&place, false, &after, NULL), 0);
        assert_int_equal(memcmp(&after, &before, sizeof after) == 0, fail_in == 1);
        assert_memory_equal(on.image.bytes, on.image.bytes + CRYPT_COPY, sizeof after);
        header_image_close(&on);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_oracle_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oracle_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_key_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_power_cuts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failing_store, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
