/* SPDX-License-Identifier: Apache-2.0 */
/* Raw commands, which a device executes and the engine moves data for. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "hls/include/nvme.h"
#include "tests/runtime/block/engine_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_raw_timeout),
        cmocka_unit_test(test_raw_failed_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
