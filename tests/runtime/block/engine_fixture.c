/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/block/engine_fixture.h"

#include <errno.h>
#include <unistd.h>

static void take_raw(void *device, const struct block_raw *raw)
{
    struct fixture *fixture = device;
    fixture->raw = *raw;
    fixture->raws++;
}

const struct block_device_ops device_ops = {take_raw};

struct fixture *open_on(struct cipu_host *host, const char *backend, uint64_t bytes, uint32_t block_bytes,
                        bool read_only)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct cipu_error error = {""};
    struct volume_settings settings = {
        .name = "v", .bytes = bytes, .block_bytes = block_bytes, .create = true, .read_only = read_only};
    struct volume_info info;
    snprintf(settings.backend, sizeof settings.backend, "%s", backend);
    fixture->host = host;
    assert_int_equal(block_engine_open((struct cipu_card *)fixture->host, fixture->host, &fixture->engine, &error), 0);
    int result = block_volume_open(fixture->engine, &settings, &fixture->volume, &error);
    if (result)
        fail_msg("%s", error.text);
    block_volume_info(fixture->volume, &info);
    fixture->number = info.number;
    assert_int_equal(block_volume_attach(fixture->volume, FUNCTION, &error), 0);
    int queue = block_queues_alloc(fixture->engine, FUNCTION, 2, &device_ops, fixture);
    assert_true(queue >= 0);
    fixture->queue = (unsigned)queue;
    return fixture;
}

struct fixture *open_volume(const char *backend, uint64_t bytes, uint32_t block_bytes, bool read_only)
{
    return open_on(fake_open(false), backend, bytes, block_bytes, read_only);
}

struct fixture *open_file_on(struct cipu_host *host, const char *before, uint64_t bytes)
{
    char path[64], uri[160];
    snprintf(path, sizeof path, "/dev/shm/cipu-test-engine-%d", getpid());
    unlink(path);
    snprintf(uri, sizeof uri, "%sfile:%s", before, path);
    struct fixture *fixture = open_on(host, uri, bytes, 0, false);
    snprintf(fixture->path, sizeof fixture->path, "%s", path);
    return fixture;
}

struct fixture *open_file_volume(const char *before, uint64_t bytes)
{
    return open_file_on(fake_open(false), before, bytes);
}

void close_volume(struct fixture *fixture)
{
    assert_int_equal(block_volume_close(fixture->volume), -EBUSY);
    block_volume_detach(fixture->volume, FUNCTION);
    assert_int_equal(block_volume_close(fixture->volume), 0);
    block_queues_free(fixture->engine, fixture->queue, 2);
    assert_int_equal(block_engine_unexpected(fixture->engine), 0);
    block_engine_close(fixture->engine);
    if (fixture->path[0])
        unlink(fixture->path);
    fake_close(fixture->host);
    free(fixture);
}

uint16_t tag_at(const struct fixture *fixture, unsigned slot)
{
    return (uint16_t)(fixture->queue * BLOCK_SLOTS + slot);
}

struct block_command command_at(const struct fixture *fixture, unsigned slot, uint8_t opcode, uint64_t offset,
                                uint32_t length)
{
    return (struct block_command){
        .opcode = opcode,
        .tag = tag_at(fixture, slot),
        .function = FUNCTION,
        .volume = fixture->number,
        .offset = offset,
        .length = length,
        .identifier = (uint16_t)(1000 + slot),
    };
}

uint16_t run(struct fixture *fixture, struct block_command command, void *guest)
{
    fake_command(fixture->host, command, guest);
    return fake_wait(fixture->host, command.tag);
}

uint16_t run_at(struct fixture *fixture, uint8_t opcode, uint64_t offset, uint32_t length, void *guest)
{
    return run(fixture, command_at(fixture, 0, opcode, offset, length), guest);
}
