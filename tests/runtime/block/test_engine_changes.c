/* SPDX-License-Identifier: Apache-2.0 */
/* A volume that changes under its commands: they are drained, aborted or fenced; it grows, its limits are set. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "hls/include/nvme.h"
#include "tests/runtime/block/engine_traffic.h"

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
        assert_int_equal(block_volume_resize(fixture->volume, TRAFFIC_BYTES + i * MEGABYTE, NULL), 0);
        usleep(2000);
    }
    return NULL;
}

static void test_resize_under_load(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_volume("", TRAFFIC_BYTES);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_stalled),
        cmocka_unit_test(test_abort_stalled),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_fence),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_resize_under_load),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
