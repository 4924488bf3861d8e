/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that the block engine answers one by one: each wrong one has its own status; moves that fail, buffers that
 * run out. */
#include <errno.h>

#include "hls/include/nvme.h"
#include "tests/runtime/block/engine_traffic.h"

#define DNR NVME_DO_NOT_RETRY

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
    struct fixture *fixture = open_volume("memory:", TRAFFIC_BYTES, 0, false);
    fixture->host->answer_room = 3;
    traffic(fixture, 3000);
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
        cmocka_unit_test(test_statuses),    cmocka_unit_test(test_unexpected),      cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_failed_move), cmocka_unit_test(test_buffers_run_out), cmocka_unit_test(test_answers_wait),
        cmocka_unit_test(test_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
