/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that hang: whom it concerns, and how what they have ends. */
#include "tests/runtime/block/engine_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "hls/include/nvme.h"

#define OTHER    6u /* a second function on the same volume */
#define CONFLICT 0x083

static uint16_t tag_in(unsigned queue, unsigned slot)
{
    return (uint16_t)(queue * BLOCK_SLOTS + slot);
}

static struct block_command command_in(unsigned queue, unsigned slot, unsigned function, uint32_t volume,
                                       uint8_t opcode, uint64_t offset, uint32_t length)
{
    return (struct block_command){.opcode = opcode,
                                  .tag = tag_in(queue, slot),
                                  .function = (uint16_t)function,
                                  .volume = volume,
                                  .offset = offset,
                                  .length = length,
                                  .identifier = (uint16_t)slot};
}

static unsigned add_queues(struct fixture *fixture, unsigned function, unsigned count)
{
    int queue = block_queues_alloc(fixture->engine, function, count, &device_ops, fixture);
    assert_true(queue >= 0);
    return (unsigned)queue;
}

/* ---- access ---- */

/* A change of access does not wait for a write that hangs, and nobody sees that it came later. */
static void test_fence(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:write-stall*1,memory:", MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    unsigned queue = add_queues(fixture, OTHER, 1);
    uint8_t first[1024], second[512], back[512], elsewhere[512];
    memset(first, 1, sizeof first);
    memset(second, 2, sizeof second);
    assert_int_equal(block_volume_attach(fixture->volume, OTHER, NULL), 0);
    fake_command(host, command_at(fixture, 0, BLOCK_WRITE, 512, 1024), first);
    fake_run(host, 20);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ, CONFLICT), 0);
    assert_int_equal(run(fixture, command_at(fixture, 1, BLOCK_WRITE, 8192, 512), first), CONFLICT);
    /* The other one: beside it at once, on it when it is over. */
    fake_command(host, command_in(queue, 0, OTHER, fixture->number, BLOCK_WRITE, 1536, 512), second);
    fake_command(host, command_in(queue, 1, OTHER, fixture->number, BLOCK_WRITE, 1024, 512), second);
    fake_command(host, command_in(queue, 2, OTHER, fixture->number, BLOCK_READ, 512, 512), back);
    fake_command(host, command_in(queue, 3, OTHER, fixture->number, BLOCK_READ, 0, 512), elsewhere);
    assert_int_equal(fake_wait(host, tag_in(queue, 0)), 0);
    assert_int_equal(fake_wait(host, tag_in(queue, 3)), 0);
    fake_run(host, 50);
    assert_false(host->tags[tag_in(queue, 1)].completed || host->tags[tag_in(queue, 2)].completed);
    assert_false(host->tags[tag_at(fixture, 0)].completed);
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    assert_int_equal(fake_wait(host, tag_at(fixture, 0)), 0);
    assert_int_equal(fake_wait(host, tag_in(queue, 1)), 0);
    assert_int_equal(fake_wait(host, tag_in(queue, 2)), 0);
    assert_int_equal(back[0], 1);
    assert_int_equal(run_at(fixture, BLOCK_READ, 1024, 512, back), 0);
    assert_int_equal(back[0], 2);
    block_volume_detach(fixture->volume, OTHER);
    block_queues_free(fixture->engine, queue, 1);
    close_volume(fixture);
}

/* More than are gone through one by one: all of them are aborted or end, in any order, and what waited goes on. */
static void test_fence_many(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:zeroes-stall,memory:", MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    unsigned queues = add_queues(fixture, FUNCTION, 20), queue = add_queues(fixture, OTHER, 1);
    uint8_t back[512];
    assert_int_equal(block_volume_attach(fixture->volume, OTHER, NULL), 0);
    for (unsigned i = 0; i < 20 * BLOCK_SLOTS; i++)
        fake_command(host,
                     command_in(queues + i / BLOCK_SLOTS, i % BLOCK_SLOTS, FUNCTION, fixture->number,
                                BLOCK_WRITE_ZEROES, (uint64_t)i % 1024 * 512, 512),
                     NULL);
    while (host->consumed != host->produced)
        fake_run(host, 5);
    assert_int_equal(block_volume_set_access(fixture->volume, FUNCTION, 0, CONFLICT), 0);
    assert_int_equal(block_queue_drain(fixture->engine, queues, NVME_ABORT_SQ_DELETED, true), 0);
    for (unsigned i = 0; i < BLOCK_SLOTS; i++)
        assert_int_equal(fake_wait(host, tag_in(queues, i)), NVME_ABORT_SQ_DELETED);
    fake_command(host, command_in(queue, 0, OTHER, fixture->number, BLOCK_READ, MEGABYTE - 512, 512), back);
    fake_run(host, 20);
    assert_false(host->tags[tag_in(queue, 0)].completed); /* there are too many to look at */
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    for (unsigned i = BLOCK_SLOTS; i < 20 * BLOCK_SLOTS; i++)
        assert_int_equal(fake_wait(host, (uint16_t)(tag_in(queues, 0) + i)), 0);
    assert_int_equal(fake_wait(host, tag_in(queue, 0)), 0);
    block_volume_detach(fixture->volume, OTHER);
    block_queues_free(fixture->engine, queue, 1);
    block_queues_free(fixture->engine, queues, 20);
    close_volume(fixture);
}

/* ---- operations ---- */

struct operation {
    struct fixture *fixture;
    uint8_t kind;
    uint64_t offset;
    int result;
    pthread_t thread;
    uint8_t data[8192];
};

static void *operate(void *context)
{
    struct operation *its = context;
    its->result = block_volume_operate(its->fixture->volume, FUNCTION, its->kind, its->offset, sizeof its->data,
                                       its->data, false);
    return NULL;
}

static void begin(struct operation *its, struct fixture *fixture, uint8_t kind, uint64_t offset)
{
    *its = (struct operation){.fixture = fixture, .kind = kind, .offset = offset, .result = 1};
    memset(its->data, 7, sizeof its->data);
    pthread_create(&its->thread, NULL, operate, its);
    fake_run(fixture->host, 30);
}

/* What a device's thread does itself hangs as well: a change of access does not wait for it, a reset ends it. */
static void test_operations(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {BACKEND_WRITE, BACKEND_DISCARD, BACKEND_WRITE_ZEROES};
    struct fixture *fixture = open_volume("fault:,memory:", MEGABYTE, 0, false);
    for (unsigned i = 0; i < sizeof kinds; i++) {
        struct operation one, two;
        uint8_t back[512];
        assert_int_equal(block_volume_set_faults(fixture->volume, "any-stall=0-8192*1", NULL), 0);
        begin(&one, fixture, kinds[i], 0);
        assert_int_equal(block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ, CONFLICT), 0);
        assert_int_equal(block_volume_operate(fixture->volume, FUNCTION, BACKEND_WRITE, 65536, 8192, one.data, false),
                         -EACCES);
        begin(&two, fixture, BACKEND_READ, 4096); /* behind it */
        block_operations_cancel(fixture->engine, FUNCTION, true);
        pthread_join(one.thread, NULL);
        pthread_join(two.thread, NULL);
        assert_int_equal(one.result, -ECANCELED);
        assert_int_equal(two.result, -ECANCELED);
        assert_int_equal(block_volume_operate(fixture->volume, FUNCTION, BACKEND_READ, 65536, 8192, one.data, false),
                         -ECANCELED);
        block_operations_cancel(fixture->engine, FUNCTION, false);
        fake_command(fixture->host, command_at(fixture, 0, BLOCK_READ, 0, 512), back);
        fake_run(fixture->host, 20);
        assert_false(fixture->host->tags[tag_at(fixture, 0)].completed);
        assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
        assert_int_equal(fake_wait(fixture->host, tag_at(fixture, 0)), 0);
        assert_int_equal(back[0], kinds[i] == BACKEND_WRITE ? 7 : 0);
        assert_int_equal(block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ | VOLUME_WRITE, 0), 0);
    }
    close_volume(fixture);
}

/* A volume that has kept a few operations for good fails the next ones at once. */
static void test_operations_pile_up(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:read-stall,memory:", MEGABYTE, 0, false);
    struct operation one;
    unsigned left = 0;
    do {
        begin(&one, fixture, BACKEND_READ, 0);
        block_operations_cancel(fixture->engine, FUNCTION, true);
        pthread_join(one.thread, NULL);
        block_operations_cancel(fixture->engine, FUNCTION, false);
        left += one.result == -ECANCELED;
        assert_true(left < 10);
    } while (one.result == -ECANCELED);
    assert_int_equal(one.result, -ETIMEDOUT);
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    assert_int_equal(block_volume_operate(fixture->volume, FUNCTION, BACKEND_READ, 0, 512, one.data, false), 0);
    close_volume(fixture);
}

/* ---- buffers ---- */

static const uint32_t sizes[] = {4096, 512, 65536, 32768, MEGABYTE, 131072};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Thousands of commands of volumes that hang, of all sizes: others of all sizes go on. */
static void test_neighbours(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:,memory:", 8 * MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    struct block_volume *hung[4];
    unsigned queues[4];
    uint8_t *guest = calloc(1, MEGABYTE);
    for (unsigned i = 0; i < 4; i++) {
        struct volume_settings settings = {.backend = "fault:any-stall,memory:", .bytes = 8 * MEGABYTE};
        struct volume_info info;
        snprintf(settings.name, sizeof settings.name, "hung-%u", i);
        assert_int_equal(block_volume_open(fixture->engine, &settings, &hung[i], NULL), 0);
        assert_int_equal(block_volume_attach(hung[i], 10 + i, NULL), 0);
        queues[i] = add_queues(fixture, 10 + i, 31);
        block_volume_info(hung[i], &info);
        for (unsigned k = 0; k < 31 * BLOCK_SLOTS; k++) {
            uint8_t opcode = k % 3 ? BLOCK_READ : BLOCK_WRITE;
            fake_command(host,
                         command_in(queues[i] + k / BLOCK_SLOTS, k % BLOCK_SLOTS, 10 + i, info.number, opcode, 0,
                                    sizes[k % SIZES]),
                         guest);
        }
        fake_run(host, 100);
    }
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 32; i++)
            fake_command(host, command_at(fixture, i, (round + i) % 2 ? BLOCK_READ : BLOCK_WRITE, 0, sizes[i % SIZES]),
                         guest);
        for (unsigned i = 0; i < 32; i++)
            assert_int_equal(fake_wait(host, tag_at(fixture, i)), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(block_volume_set_faults(hung[i], "", NULL), 0);
        for (unsigned k = 0; k < 31 * BLOCK_SLOTS; k++)
            assert_int_equal(fake_wait(host, (uint16_t)(queues[i] * BLOCK_SLOTS + k)), 0);
        block_volume_detach(hung[i], 10 + i);
        assert_int_equal(block_volume_close(hung[i]), 0);
        block_queues_free(fixture->engine, queues[i], 31);
    }
    free(guest);
    close_volume(fixture);
}

/* ---- the end ---- */

/* The engine ends with all that a backend has not ended: commands, strays, operations, and what waits behind them. */
static void end_stalled(struct fixture *fixture)
{
    struct cipu_host *host = fixture->host;
    uint8_t *guest = calloc(1, MEGABYTE);
    struct operation one;
    for (unsigned i = 0; i < 40; i++)
        fake_command(host,
                     command_at(fixture, i, i % 2 ? BLOCK_WRITE : BLOCK_READ, (uint64_t)i * 4096, sizes[i % SIZES]),
                     guest);
    fake_run(host, 20);
    assert_int_equal(block_queue_drain(fixture->engine, fixture->queue, NVME_ABORT_SQ_DELETED, true), 0);
    for (unsigned i = 0; i < 40; i++) /* some have ended in time */
        fake_wait(host, tag_at(fixture, i));
    for (unsigned i = 0; i < 40; i++) /* overlap what is left of them, and hang as well */
        fake_command(host, command_at(fixture, i, BLOCK_WRITE, (uint64_t)i * 8192, 4096), guest);
    begin(&one, fixture, BACKEND_READ, 3 * MEGABYTE);
    block_operations_cancel(fixture->engine, FUNCTION, true);
    pthread_join(one.thread, NULL);
    assert_int_equal(one.result, -ECANCELED);
    block_volume_detach(fixture->volume, FUNCTION);
    block_engine_close(fixture->engine);
    if (fixture->path[0])
        unlink(fixture->path);
    fake_close(host);
    free(guest);
    free(fixture);
}

static void test_end(void **state)
{
    (void)state;
    end_stalled(open_volume("fault:any-stall,memory:", 4 * MEGABYTE, 0, false));
    end_stalled(open_file_volume("fault:read-stall;write-stall=0-65536,", 4 * MEGABYTE));
    end_stalled(open_on(fake_open(true), "fault:any-stall,memory:", 4 * MEGABYTE, 0, false));
}

/* A volume that hangs cannot be closed, and can when it does not hang any more. */
static void test_close(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("fault:write-stall*1,memory:", MEGABYTE, 0, false);
    uint8_t guest[512] = {1};
    fake_command(fixture->host, command_at(fixture, 0, BLOCK_WRITE, 0, 512), guest);
    fake_run(fixture->host, 20);
    block_volume_detach(fixture->volume, FUNCTION);
    assert_int_equal(block_volume_close(fixture->volume), -EBUSY);
    assert_int_equal(block_volume_attach(fixture->volume, FUNCTION, NULL), 0);
    assert_int_equal(block_volume_set_faults(fixture->volume, "", NULL), 0);
    assert_int_equal(fake_wait(fixture->host, tag_at(fixture, 0)), 0);
    close_volume(fixture);
}

/* The card has gone in the middle of a raw command's move, whose device has given up. */
static void test_end_of_a_move(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", MEGABYTE, 0, false);
    struct cipu_host *host = fixture->host;
    uint8_t second[RING_ENTRY_BYTES] = {0}, guest[512], data[512];
    uint16_t status;
    host->hold_moves = true;
    fake_raw(host, command_at(fixture, 9, 0, 0, 0), second, guest, sizeof guest);
    while (!fixture->raws)
        fake_step(host);
    assert_int_equal(block_raw_from_guest(fixture->engine, tag_at(fixture, 9), data, 0, 512, &status), -ETIMEDOUT);
    block_raw_complete(fixture->engine, tag_at(fixture, 9), 0, 0, 0, true);
    block_volume_detach(fixture->volume, FUNCTION);
    assert_int_equal(block_volume_close(fixture->volume), 0);
    block_engine_close(fixture->engine);
    fake_close(host);
    free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fence),      cmocka_unit_test(test_fence_many),
        cmocka_unit_test(test_operations), cmocka_unit_test(test_operations_pile_up),
        cmocka_unit_test(test_neighbours), cmocka_unit_test(test_end),
        cmocka_unit_test(test_close),      cmocka_unit_test(test_end_of_a_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
