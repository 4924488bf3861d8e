/* SPDX-License-Identifier: Apache-2.0 */
/* The block engine on each kind of backend, under random traffic. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hls/include/nvme.h"
#include "runtime/block/disk.h"
#include "tests/runtime/block/engine_traffic.h"

static void test_memory(void **state)
{
    (void)state;
    struct fixture *fixture = open_volume("memory:", TRAFFIC_BYTES, 0, false);
    traffic(fixture, 20000);
    check_counters(fixture, 20000);
    close_volume(fixture);
}

static void test_file(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_volume("", TRAFFIC_BYTES);
    traffic(fixture, 10000);
    check_counters(fixture, 10000);
    close_volume(fixture);
}

/* Within the card's thread: it sleeps when there is nothing to do, and never while there is. */
static void test_attended(void **state)
{
    (void)state;
    struct fixture *fixture = open_file_on(fake_open(true), "fault:read-delay*200@1000,", TRAFFIC_BYTES);
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
    struct fixture *fixture = open_volume("fault:read-delay*20@300,memory:", TRAFFIC_BYTES, 0, false);
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
    struct volume_settings settings = {
        .name = "on-disk", .backend = "disk:d/v", .bytes = TRAFFIC_BYTES, .create = true};
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
    for (uint64_t at = 0; at < TRAFFIC_BYTES; at += 64 * sizeof data) {
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
    struct fixture *fixture = open_file_volume(before, TRAFFIC_BYTES);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),         cmocka_unit_test(test_file), cmocka_unit_test(test_attended),
        cmocka_unit_test(test_bounced_memory), cmocka_unit_test(test_null), cmocka_unit_test(test_disk),
        cmocka_unit_test(test_encrypted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
