/* SPDX-License-Identifier: Apache-2.0 */
/* The block engine against a model: what guests read is what they wrote, and each wrong command has its own status. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "hls/include/nvme.h"
#include "runtime/block/disk.h"
#include "tests/runtime/block/engine_fixture.h"

#define DNR NVME_DO_NOT_RETRY

/* ---- random traffic ---- */

#define PIECES      64u /* the volume is cut so that commands in flight do not overlap */
#define PIECE_BYTES (64u << 10)
#define VOLUME_SIZE (PIECES * PIECE_BYTES)

struct piece {
    bool busy;
    struct block_command command;
    uint8_t guest[PIECE_BYTES], model[PIECE_BYTES];
};

static void begin_piece(struct fixture *fixture, struct piece *pieces, unsigned i)
{
    struct cipu_host *host = fixture->host;
    struct piece *piece = &pieces[i];
    static const uint8_t opcodes[] = {BLOCK_READ,  BLOCK_READ,  BLOCK_WRITE,
                                      BLOCK_WRITE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES};
    uint8_t opcode = opcodes[fake_random(host, sizeof opcodes)];
    uint32_t blocks = PIECE_BYTES / 512, from = (uint32_t)fake_random(host, blocks);
    uint32_t length = 512 * (1 + (uint32_t)fake_random(host, blocks - from));
    piece->command = command_at(fixture, i, opcode, (uint64_t)i * PIECE_BYTES + from * 512, length);
    piece->command.flags = fake_random(host, 2) ? BLOCK_VIRTIO : 0;
    if (fake_random(host, 4) == 0)
        piece->command.flags |= BLOCK_FUA;
    if (fake_random(host, 2))
        piece->command.flags |= BLOCK_UNMAP;
    for (uint32_t k = 0; k < length; k++)
        piece->guest[k] = (uint8_t)(opcode == BLOCK_READ ? 0xee : fake_random(host, 256));
    piece->busy = true;
    fake_command(host, piece->command, piece->guest);
}

static void end_piece(struct fixture *fixture, struct piece *piece)
{
    const struct block_command *command = &piece->command;
    const struct fake_tag *tag = &fixture->host->tags[command->tag];
    uint8_t *model = piece->model + command->offset % PIECE_BYTES;
    assert_int_equal(tag->status, 0);
    assert_false(tag->silent);
    if (command->opcode == BLOCK_READ)
        assert_memory_equal(piece->guest, model, command->length);
    else if (command->opcode == BLOCK_WRITE)
        memcpy(model, piece->guest, command->length);
    else if (command->opcode == BLOCK_WRITE_ZEROES)
        memset(model, 0, command->length);
    uint32_t data = command->opcode == BLOCK_READ ? command->length : 0;
    assert_int_equal(tag->written, command->flags & BLOCK_VIRTIO ? data + 1 : 0);
    piece->busy = false;
}

static void traffic(struct fixture *fixture, unsigned commands)
{
    struct piece *pieces = calloc(PIECES, sizeof *pieces);
    struct cipu_host *host = fixture->host;
    unsigned begun = 0, ended = 0;
    while (ended < commands) {
        unsigned i = (unsigned)fake_random(host, PIECES);
        if (!pieces[i].busy && begun < commands)
            begin_piece(fixture, pieces, i), begun++;
        if (fake_random(host, 16) == 0)
            host->hold_moves = !host->hold_moves;
        if (fake_random(host, 16) == 0)
            host->hold_tells = !host->hold_tells;
        if (begun == commands)
            host->hold_moves = host->hold_tells = false;
        fake_step(host);
        for (unsigned k = 0; k < PIECES; k++)
            if (pieces[k].busy && host->tags[pieces[k].command.tag].completed)
                end_piece(fixture, &pieces[k]), ended++;
    }
    host->hold_moves = host->hold_tells = false;
    while (host->held)
        fake_step(host);
    free(pieces);
}

static void check_counters(struct fixture *fixture, unsigned commands)
{
    struct volume_statistics statistics;
    struct volume_latency latency;
    uint64_t operations = 0;
    /* A call is behind all notices that the card gave before. */
    block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ | VOLUME_WRITE, 0);
    usleep(10000);
    block_volume_statistics(fixture->volume, &statistics);
    for (unsigned i = 0; i < VOLUME_OPERATIONS; i++) {
        operations += statistics.operations[i];
        assert_int_equal(statistics.errors[i], 0);
    }
    assert_int_equal(operations, commands);
    for (unsigned kind = BACKEND_READ; kind <= BACKEND_WRITE; kind++) {
        block_volume_latency(fixture->volume, (uint8_t)kind, &latency);
        assert_int_equal(latency.count, statistics.operations[kind]);
        assert_int_equal(latency.bytes, statistics.bytes[kind]);
        for (unsigned stage = 0; stage < LATENCY_STAGES; stage++) {
            uint64_t count = 0;
            for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
                count += latency.buckets[stage][i];
            assert_int_equal(count, latency.count);
        }
    }
}

static void test_memory(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", VOLUME_SIZE, 0, false);
    traffic(fixture, 20000);
    check_counters(fixture, 20000);
    close_volume(fixture);
}

static void test_file(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_volume("", VOLUME_SIZE);
    traffic(fixture, 10000);
    check_counters(fixture, 10000);
    close_volume(fixture);
}

/* Within the card's thread: it sleeps when there is nothing to do, and never while there is. */
static void test_attended(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_on(fake_open(true), "fault:read-delay*200@1000,", VOLUME_SIZE);
    traffic(fixture, 5000);
    for (unsigned i = 0; i < 30; i++) {
        uint8_t guest[512];
        usleep(5000);
        assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), 0);
        assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_READ, 0, 512, guest, false), 0);
    }
    assert_true(fixture->host->sleeps >= 30);
    unsigned sleeps = fixture->host->sleeps;
    usleep(700000);
    assert_true(fixture->host->sleeps - sleeps < 30); /* nothing keeps it awake */
    assert_int_equal(fixture->host->missed, 0);
    close_volume(fixture);
}

static void test_bounced_memory(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:read-delay*20@300,memory:", VOLUME_SIZE, 0, false);
    traffic(fixture, 10000);
    check_counters(fixture, 10000);
    close_volume(fixture);
}

static void test_null(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("null:", MEGABYTE, 0, false);
    uint8_t guest[512];
    memset(guest, 7, sizeof guest);
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 512, guest), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), 0);
    assert_int_equal(guest[0], 7);
    assert_int_equal(run_at(fixture, BLOCK_FLUSH, 0, 0, guest), 0);
    close_volume(fixture);
}

static void test_disk(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("null:", MEGABYTE, 0, false);
    struct disk_settings disk = {.name = "d", .bytes = 64 * MEGABYTE, .create = true};
    struct volume_settings settings = {.name = "on-disk", .backend = "disk:d/v", .bytes = VOLUME_SIZE, .create = true};
    struct block_volume *null = fixture->volume, *second;
    struct volume_info info;
    struct cipu_error error;
    snprintf(disk.path, sizeof disk.path, "/dev/shm/cipu-test-disk-engine-%d", getpid());
    unlink(disk.path);
    block_volume_detach(null, FUNCTION);
    assert_int_equal(block_volume_close(null), 0);
    assert_int_equal(disk_set_add(block_engine_disks(fixture->engine), &disk, &error), 0);
    assert_int_equal(block_volume_open(fixture->engine, &settings, &fixture->volume, &error), 0);
    assert_int_equal(block_volume_open(fixture->engine, &settings, &second, &error), -EBUSY);
    assert_int_equal(fixture->host->setting.disk, 1); /* shares the disk by weight */
    assert_true(fixture->host->setting.disk_limit > 0);
    block_volume_info(fixture->volume, &info);
    fixture->number = info.number;
    assert_int_equal(block_volume_attach(fixture->volume, FUNCTION, &error), 0);
    traffic(fixture, 5000);
    check_counters(fixture, 5000);
    assert_int_equal(block_volume_erase(fixture->volume, &error), -EBUSY);
    block_volume_detach(fixture->volume, FUNCTION);
    assert_int_equal(block_volume_erase(fixture->volume, &error), 0);
    uint8_t data[4096];
    for (uint64_t at = 0; at < VOLUME_SIZE; at += 64 * sizeof data) {
        assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_READ, at, 4096, data, false), 0);
        assert_true(data[0] == 0 && memcmp(data, data + 1, sizeof data - 1) == 0);
    }
    assert_int_equal(block_volume_attach(fixture->volume, FUNCTION, &error), 0);
    unlink(disk.path);
    close_volume(fixture);
}

/* An encrypted volume, whose key is destroyed while it is in use; not while its backend hangs. */
static void test_encrypted(void **state)
{
    (void)state;
    char key[64], before[128];
    uint8_t guest[4096], back[4096];
    struct cipu_error error = {""};
    struct volume_info info;
    snprintf(key, sizeof key, "/dev/shm/cipu-test-engine-key-%d", getpid());
    int fd = open(key, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
    close(fd);
    snprintf(before, sizeof before, "crypt:%s,fault:,", key);
    struct fixture *fixture = open_file_volume(before, VOLUME_SIZE);
    struct cipu_host *host = fixture->host;
    block_volume_info(fixture->volume, &info);
    assert_true(info.backend.encrypted);
    traffic(fixture, 5000);
    check_counters(fixture, 5000);
    memset(guest, 5, sizeof guest);
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 4096, guest), 0);
    assert_int_equal(block_volume_set_faults(fixture->volume, "write-stall=65536-131072", NULL), 0);
    fake_command(host, command_at(fixture, 1, BLOCK_WRITE, 4096, 4096), guest);
    fake_run(host, 20);
    assert_int_equal(block_volume_destroy_key(fixture->volume, FUNCTION, &error), -EBUSY);
    assert_non_null(strstr(error.text, "does not end"));
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    assert_int_equal(fake_wait(host, tag_at(fixture, 1)), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 4096, back), 0);
    assert_memory_equal(guest, back, 4096);
    assert_int_equal(block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ, 0x083), 0);
    assert_int_equal(block_volume_destroy_key(fixture->volume, FUNCTION, &error), -EACCES);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 4096, back), 0);
    assert_memory_equal(guest, back, 4096);
    assert_int_equal(block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ | VOLUME_WRITE, 0), 0);
    assert_int_equal(block_volume_destroy_key(fixture->volume, FUNCTION, &error), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 4096, back), 0);
    assert_memory_not_equal(guest, back, 512);
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 4096, guest), 0);
    block_volume_detach(fixture->volume, FUNCTION);
    assert_int_equal(block_volume_erase(fixture->volume, &error), 0);
    assert_int_equal(block_volume_attach(fixture->volume, FUNCTION, &error), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 4096, back), 0);
    assert_memory_not_equal(guest, back, 512);
    close_volume(fixture);
    unlink(key);
    fixture = open_volume("memory:", MEGABYTE, 0, false);
    assert_int_equal(block_volume_destroy_key(fixture->volume, FUNCTION_HOST, &error), -EOPNOTSUPP);
    close_volume(fixture);
}

/* ---- statuses ---- */

static void test_statuses(void **state)
{
    (void)state;
    struct fixture *fixture =
        open_volume("fault:read-error=0-512;write-error=0-512;write-nospace=512-1024,memory:", MEGABYTE, 0, false);
    uint8_t *guest = calloc(1, 2 * MEGABYTE);
    struct block_command command;
    assert_int_equal(run_at(fixture, BLOCK_READ, MEGABYTE, 512, guest), 0x080 | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, MEGABYTE - 512, 1024, guest), 0x080 | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, UINT64_MAX - 511, 1024, guest), 0x080 | DNR);
    assert_int_equal(run_at(fixture, BLOCK_WRITE_ZEROES, 512, MEGABYTE, guest), 0x080 | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, 5000, 512, guest), NVME_INVALID_FIELD | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, 512, 500, guest), NVME_INVALID_FIELD | DNR);
    assert_int_equal(run_at(fixture, 9, 512, 512, guest), NVME_INVALID_FIELD | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), 0x281);
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 512, guest), 0x280);
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 512, 512, guest), 0x081);
    command = command_at(fixture, 0, BLOCK_READ, 0, 512);
    command.flags = BLOCK_VIRTIO;
    assert_int_equal(run(fixture, command, guest), 1);
    assert_int_equal(fixture->host->tags[command.tag].written, 1);
    command = command_at(fixture, 0, BLOCK_READ, 4096, 512);
    command.volume = BLOCK_VOLUMES + 1;
    assert_int_equal(run(fixture, command, guest), NVME_INVALID_NAMESPACE | DNR);
    command.volume = 0;
    assert_int_equal(run(fixture, command, guest), NVME_INVALID_NAMESPACE | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, 4096, 0, guest), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 4096, 512, guest), 0);
    free(guest);
    close_volume(fixture);
}

/* The card contradicts itself: nothing else suffers. */
static void test_unexpected(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", MEGABYTE, 0, false);
    uint8_t guest[512];
    struct block_command command = command_at(fixture, 0, BLOCK_READ, 0, 512);
    command.function = FUNCTION + 1;
    assert_int_equal(run(fixture, command, guest), NVME_INTERNAL_ERROR);
    command = command_at(fixture, 0, BLOCK_READ, 0, 512);
    command.tag = (uint16_t)((fixture->queue + 3) * BLOCK_SLOTS); /* not given out */
    assert_int_equal(run(fixture, command, guest), NVME_INTERNAL_ERROR);
    assert_int_equal(block_engine_unexpected(fixture->engine), 2);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), 0);
    block_volume_detach(fixture->volume, FUNCTION);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), NVME_INVALID_NAMESPACE | DNR);
    assert_int_equal(run_at(fixture, BLOCK_FLUSH, 0, 0, guest), NVME_INVALID_NAMESPACE | DNR);
    assert_int_equal(block_volume_close(fixture->volume), 0);
    block_engine_close(fixture->engine);
    fake_close(fixture->host);
    free(fixture);
}

static void test_read_only(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", MEGABYTE, 4096, true);
    uint8_t guest[4096];
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 4096, guest), 0x182 | DNR);
    assert_int_equal(run_at(fixture, BLOCK_WRITE_ZEROES, 0, 4096, guest), 0x182 | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), NVME_INVALID_FIELD | DNR);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 4096, guest), 0);
    assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_DISCARD, 0, 4096, NULL, false),
                     -EROFS);
    close_volume(fixture);
}

/* A move that fails ends a write before its backend sees anything. */
static void test_failed_move(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:,memory:", MEGABYTE, 0, false);
    uint8_t guest[512], back[512];
    memset(guest, 9, sizeof guest);
    fixture->host->fail_tag = tag_at(fixture, 3);
    assert_int_equal(run(fixture, command_at(fixture, 3, BLOCK_WRITE, 0, 512), guest), 0x004);
    assert_int_equal(run(fixture, command_at(fixture, 3, BLOCK_READ, 0, 512), back), 0x004);
    fixture->host->fail_tag = 0xffff;
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, back), 0);
    assert_int_equal(back[0], 0);
    close_volume(fixture);
}

/* ---- buffers ---- */

/* More commands than there are large buffers: they wait, all end, and small ones pass meanwhile. */
static void test_buffers_run_out(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:,memory:", 4 * MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    uint8_t *guest = malloc(MEGABYTE);
    memset(guest, 3, MEGABYTE);
    host->hold_moves = true;
    for (unsigned i = 0; i < 100; i++)
        fake_command(host, command_at(fixture, i, i % 2 ? BLOCK_WRITE : BLOCK_READ, 0, MEGABYTE), guest);
    for (unsigned i = 0; i < 1000 && host->held < 9; i++)
        fake_run(host, 10);
    fake_run(host, 20);
    assert_int_equal(host->busy, 100);
    assert_int_equal(host->held, 9);
    host->hold_moves = false;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(fake_wait(host, tag_at(fixture, i)), 0);
    free(guest);
    close_volume(fixture);
}

/* The card may be behind with answers. */
static void test_answers_wait(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", VOLUME_SIZE, 0, false);
    fixture->host->answer_room = 3;
    traffic(fixture, 3000);
    close_volume(fixture);
}

/* ---- ending early ---- */

static void test_drain(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:read-delay@200000,memory:", 4 * MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    uint8_t *guest = calloc(1, MEGABYTE);
    host->hold_moves = true;
    for (unsigned i = 0; i < 40; i++) /* of which 9 have a buffer, and those writes are in the card's hands */
        fake_command(host, command_at(fixture, i, i % 2 ? BLOCK_WRITE : BLOCK_READ, 0, MEGABYTE), guest);
    for (unsigned i = 0; i < 1000 && host->held < 4; i++)
        fake_run(host, 10);
    fake_run(host, 20);
    assert_int_equal(block_queue_drain(fixture->engine, fixture->queue, NVME_ABORT_SQ_DELETED, false), 0);
    host->hold_moves = false;
    for (unsigned i = 0; i < 40; i++) {
        uint16_t status = fake_wait(host, tag_at(fixture, i));
        assert_int_equal(status, i % 2 == 0 && i < 9 ? 0 : NVME_ABORT_SQ_DELETED);
    }
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 512, guest), 0);
    free(guest);
    close_volume(fixture);
}

/* A backend that hangs does not keep a reset: what it has is left to it, and nobody hears when it comes back. */
static void test_drain_stalled(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:read-stall,memory:", MEGABYTE, 0, false);
    uint8_t guest[512];
    memset(guest, 5, sizeof guest);
    fake_command(fixture->host, command_at(fixture, 0, BLOCK_READ, 0, 512), guest);
    fake_run(fixture->host, 20);
    assert_int_equal(block_queue_drain(fixture->engine, fixture->queue, NVME_ABORT_SQ_DELETED, true), 0);
    assert_int_equal(block_command_abort(fixture->engine, fixture->queue, 1000, 7), -ENOENT);
    assert_int_equal(fake_wait(fixture->host, tag_at(fixture, 0)), NVME_ABORT_SQ_DELETED);
    assert_true(fixture->host->tags[tag_at(fixture, 0)].silent);
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), 0);
    assert_int_equal(guest[0], 0);
    close_volume(fixture);
}

/* A write that was aborted at its backend lands late, but not on top of what was written since. */
static void test_abort_stalled(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:write-stall*1,memory:", MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    uint8_t first[1024], second[512], back[1024];
    memset(first, 1, sizeof first);
    memset(second, 2, sizeof second);
    fake_command(host, command_at(fixture, 0, BLOCK_WRITE, 512, 1024), first);
    fake_run(host, 20);
    assert_int_equal(block_command_abort(fixture->engine, fixture->queue, 1000, NVME_ABORT_REQUESTED), 0);
    assert_int_equal(fake_wait(host, tag_at(fixture, 0)), NVME_ABORT_REQUESTED);
    assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 512, second), 0); /* beside it */
    fake_command(host, command_at(fixture, 1, BLOCK_WRITE, 1024, 512), second);
    fake_command(host, command_at(fixture, 2, BLOCK_READ, 512, 512), back);
    fake_run(host, 50);
    assert_false(host->tags[tag_at(fixture, 1)].completed || host->tags[tag_at(fixture, 2)].completed);
    assert_int_equal(block_command_abort(fixture->engine, fixture->queue, 1002, NVME_ABORT_REQUESTED), 0);
    assert_int_equal(fake_wait(host, tag_at(fixture, 2)), NVME_ABORT_REQUESTED);
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    assert_int_equal(fake_wait(host, tag_at(fixture, 1)), 0);
    assert_int_equal(run_at(fixture, BLOCK_READ, 512, 1024, back), 0);
    assert_int_equal(back[0], 1);
    assert_int_equal(back[512], 2);
    close_volume(fixture);
}

static void test_abort(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:,memory:", MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    uint8_t guest[512] = {1}, back[512];
    host->hold_moves = true;
    fake_command(host, command_at(fixture, 4, BLOCK_WRITE, 0, 512), guest);
    fake_run(host, 20);
    assert_int_equal(block_command_abort(fixture->engine, fixture->queue, 1004, NVME_ABORT_REQUESTED), 0);
    assert_int_equal(block_command_abort(fixture->engine, fixture->queue, 1004, NVME_ABORT_REQUESTED), -EBUSY);
    assert_int_equal(block_command_abort(fixture->engine, fixture->queue, 4, NVME_ABORT_REQUESTED), -ENOENT);
    host->hold_moves = false;
    assert_int_equal(fake_wait(host, tag_at(fixture, 4)), NVME_ABORT_REQUESTED);
    assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, back), 0);
    assert_int_equal(back[0], 0);
    close_volume(fixture);
}

/* ---- access ---- */

struct fence {
    struct fixture *fixture;
    _Atomic bool over;
};

static void *take_access(void *context)
{
    struct fence *fence = context;
    block_volume_set_access(fence->fixture->volume, FUNCTION, VOLUME_READ, 0x083);
    fence->over = true;
    return NULL;
}

/* Access is gone when the writes of before are over, and not sooner. */
static void test_fence(void **state)
{
    (void)state;
    static const char *const backends[] = {"memory:", "fault:write-delay@50000,memory:"};
    for (unsigned i = 0; i < 2; i++) {
        struct fixture *fixture = open_volume(backends[i], MEGABYTE, 0, false);
        struct cipu_host *host = fixture->host;
        struct fence fence = {fixture, false};
        pthread_t thread;
        uint8_t guest[512] = {1};
        host->hold_moves = i == 0;
        fake_command(host, command_at(fixture, 0, BLOCK_WRITE, 0, 512), guest);
        fake_run(host, 20);
        pthread_create(&thread, NULL, take_access, &fence);
        fake_run(host, 10);
        assert_false(fence.over);
        host->hold_moves = false;
        assert_int_equal(fake_wait(host, tag_at(fixture, 0)), 0);
        pthread_join(thread, NULL);
        assert_int_equal(run_at(fixture, BLOCK_WRITE, 0, 512, guest), 0x083);
        assert_int_equal(run_at(fixture, BLOCK_FLUSH, 0, 512, guest), 0x083);
        assert_int_equal(run_at(fixture, BLOCK_READ, 0, 512, guest), 0);
        assert_int_equal(guest[0], 1);
        close_volume(fixture);
    }
}

/* ---- changes under load ---- */

static void resized(void *context, struct block_volume *volume)
{
    struct volume_info info;
    block_volume_info(volume, &info);
    *(uint64_t *)context = info.settings.bytes;
}

static void test_resize(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        struct fixture *fixture = kind ? open_file_volume("", MEGABYTE) : open_volume("memory:", MEGABYTE, 0, false);
        uint64_t heard = 0;
        struct cipu_error error;
        struct volume_listener listener = {resized, &heard, NULL};
        uint8_t guest[512] = {1}, back[512];
        block_volume_listen(fixture->volume, &listener);
        assert_int_equal(run_at(fixture, BLOCK_WRITE, 4096, 512, guest), 0);
        assert_int_equal(block_volume_resize(fixture->volume, MEGABYTE / 2, &error), -EINVAL);
        assert_non_null(strstr(error.text, "shrinking"));
        for (unsigned i = 2; i < 12; i++) {
            assert_int_equal(block_volume_resize(fixture->volume, (uint64_t)i * MEGABYTE, &error), 0);
            assert_int_equal(heard, (uint64_t)i * MEGABYTE);
            assert_int_equal(run_at(fixture, BLOCK_WRITE, (uint64_t)i * MEGABYTE - 512, 512, guest), 0);
            assert_int_equal(run_at(fixture, BLOCK_READ, 4096, 512, back), 0);
            assert_memory_equal(guest, back, 512);
        }
        block_volume_unlisten(fixture->volume, &listener);
        close_volume(fixture);
    }
}

/* A volume that is held back while it changes loses nothing. */
static void *resize_again(void *context)
{
    struct fixture *fixture = context;
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(block_volume_resize(fixture->volume, VOLUME_SIZE + i * MEGABYTE, NULL), 0);
        usleep(2000);
    }
    return NULL;
}

static void test_resize_under_load(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_volume("", VOLUME_SIZE);
    pthread_t thread;
    pthread_create(&thread, NULL, resize_again, fixture);
    traffic(fixture, 10000);
    pthread_join(thread, NULL);
    close_volume(fixture);
}

static void test_limits(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", MEGABYTE, 0, false);
    const struct volume_setting *setting = &fixture->host->setting;
    assert_int_equal(setting->operations, 0);
    assert_int_equal(setting->weight, 100);
    struct volume_limits limits = {.operations = 5000, .bytes = 100 * MEGABYTE, .weight = 7};
    assert_int_equal(block_volume_set_limits(fixture->volume, &limits, NULL), 0);
    assert_int_equal(setting->operations, 5000);
    assert_int_equal(setting->operations_burst, 500);
    assert_int_equal(setting->bytes, 100 * MEGABYTE);
    assert_int_equal(setting->bytes_burst, 10 * MEGABYTE);
    assert_int_equal(setting->weight, 7);
    limits.weight = 1001;
    assert_int_equal(block_volume_set_limits(fixture->volume, &limits, NULL), -EINVAL);
    close_volume(fixture);
}

/* ---- raw commands ---- */

static void *serve_raw(void *context)
{
    struct fixture *fixture = context;
    uint8_t data[8192];
    uint16_t status, tag = fixture->raw.command.tag;
    assert_int_equal(block_raw_from_guest(fixture->engine, tag, data, 100, sizeof data, &status), 0);
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] ^= 0xff;
    assert_int_equal(block_raw_to_guest(fixture->engine, tag, data, 100, sizeof data, &status), 0);
    assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_WRITE, 0, 8192, data, true), 0);
    memset(data, 0, sizeof data);
    assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_READ, 512, 4096, data, false), 0);
    assert_int_equal(data[0], 0x5a ^ 0xff);
    assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_DISCARD, 0, 8192, NULL, false), 0);
    assert_int_equal(block_volume_operate(fixture->volume, FUNCTION_HOST, BACKEND_READ, MEGABYTE, 512, data, false),
                     -EINVAL);
    block_raw_complete(fixture->engine, tag, 0x33, 0x123456789u, 77, false);
    return NULL;
}

static void begin_raw(struct fixture *fixture, uint8_t *guest, uint32_t bytes)
{
    uint8_t second[RING_ENTRY_BYTES];
    unsigned before = fixture->raws;
    memset(second, 0xab, sizeof second);
    fake_raw(fixture->host, command_at(fixture, 9, 0, 0, 0), second, guest, bytes);
    while (fixture->raws == before)
        fake_step(fixture->host);
    assert_memory_equal(fixture->raw.bytes, second, sizeof second);
}

static void test_raw(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_volume("", MEGABYTE);
    pthread_t thread;
    uint8_t guest[9000];
    memset(guest, 0x5a, sizeof guest);
    begin_raw(fixture, guest, sizeof guest);
    pthread_create(&thread, NULL, serve_raw, fixture);
    assert_int_equal(fake_wait(fixture->host, tag_at(fixture, 9)), 0x33);
    pthread_join(thread, NULL);
    assert_int_equal(guest[99], 0x5a);
    assert_int_equal(guest[100], 0x5a ^ 0xff);
    assert_int_equal(guest[100 + 8191], 0x5a ^ 0xff);
    assert_int_equal(guest[100 + 8192], 0x5a);
    assert_int_equal(fixture->host->tags[tag_at(fixture, 9)].result, 0x123456789u);
    assert_int_equal(fixture->host->tags[tag_at(fixture, 9)].written, 77);
    close_volume(fixture);
}

/* A card that does not move: the device gives up, its completion waits for the move all the same. */
static void test_raw_timeout(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", MEGABYTE, 0, false);
    uint8_t guest[512], data[512];
    uint16_t status;
    begin_raw(fixture, guest, sizeof guest);
    fixture->host->hold_moves = true;
    assert_int_equal(block_raw_from_guest(fixture->engine, tag_at(fixture, 9), data, 0, 512, &status), -ETIMEDOUT);
    block_raw_complete(fixture->engine, tag_at(fixture, 9), 0x44, 0, 0, true);
    fake_run(fixture->host, 20);
    assert_true(fixture->host->tags[tag_at(fixture, 9)].busy);
    fixture->host->hold_moves = false;
    assert_int_equal(fake_wait(fixture->host, tag_at(fixture, 9)), 0x44);
    assert_true(fixture->host->tags[tag_at(fixture, 9)].silent);
    close_volume(fixture);
}

static void *move_badly(void *context)
{
    struct fixture *fixture = context;
    uint8_t data[512] = {0};
    uint16_t status, tag = tag_at(fixture, 9);
    assert_int_equal(block_raw_to_guest(fixture->engine, tag, data, 0, 0, &status), -EINVAL);
    assert_int_equal(block_raw_to_guest(fixture->engine, tag, data, 0, 512, &status), -EIO);
    block_raw_complete(fixture->engine, tag, status, 0, 0, false);
    return NULL;
}

static void test_raw_failed_move(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", MEGABYTE, 0, false);
    uint8_t guest[512];
    pthread_t thread;
    begin_raw(fixture, guest, sizeof guest);
    fixture->host->fail_tag = tag_at(fixture, 9);
    pthread_create(&thread, NULL, move_badly, fixture);
    assert_int_equal(fake_wait(fixture->host, tag_at(fixture, 9)), 0x004);
    pthread_join(thread, NULL);
    close_volume(fixture);
}

static void test_queues(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("null:", MEGABYTE, 0, false);
    int first = block_queues_alloc(fixture->engine, 1, 100, &device_ops, fixture);
    assert_int_equal(first, 2);
    assert_int_equal(block_queues_alloc(fixture->engine, 1, 100, &device_ops, fixture), -ENOSPC);
    assert_int_equal(block_queues_alloc(fixture->engine, FUNCTION_HOST, 1, &device_ops, fixture), -EINVAL);
    block_queues_free(fixture->engine, 2, 100);
    assert_int_equal(block_queues_alloc(fixture->engine, 1, 100, &device_ops, fixture), 2);
    close_volume(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_file),
        cmocka_unit_test(test_attended),      cmocka_unit_test(test_disk),
        cmocka_unit_test(test_encrypted),     cmocka_unit_test(test_bounced_memory),
        cmocka_unit_test(test_null),          cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_unexpected),    cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_failed_move),   cmocka_unit_test(test_buffers_run_out),
        cmocka_unit_test(test_answers_wait),  cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_stalled), cmocka_unit_test(test_abort),
        cmocka_unit_test(test_abort_stalled), cmocka_unit_test(test_fence),
        cmocka_unit_test(test_resize),        cmocka_unit_test(test_resize_under_load),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_raw_timeout),   cmocka_unit_test(test_raw_failed_move),
        cmocka_unit_test(test_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
