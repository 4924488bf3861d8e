/* SPDX-License-Identifier: Apache-2.0 */
/* I/O commands that the card does not decide: what is wrong with them, and what those do that are right. */
#include <errno.h>

#include "tests/runtime/device/nvme_bench.h"

#define BLOCKS ((uint32_t)(BENCH_VOLUME_BYTES / 512))

static uint8_t buffer[1 << 20];

static int io_setup(void **state)
{
    int result = bench_setup(state);
    struct bench *bench = *state;
    for (unsigned i = 0; i < BENCH_VOLUME_BYTES; i++)
        bench->volumes[0].bytes[i] = (uint8_t)(i * 7 + (i >> 9));
    bench_enable(bench->controllers[0]);
    bench_create_pair(bench->controllers[0], 1);
    return result;
}

static uint16_t io(void **state, const struct nvme_command *command, void *data, size_t bytes)
{
    return bench_status(((struct bench *)*state)->controllers[0], 1, command, data, bytes);
}

static void test_errors(void **state)
{
    static const struct {
        struct nvme_command command;
        uint16_t status;
    } cases[] = {
        {{.opcode = 0x7f, .namespace_id = 1}, NVME_INVALID_OPCODE},
        {{.opcode = NVME_WRITE_UNCORRECTABLE, .namespace_id = 1}, NVME_INVALID_OPCODE},
        {{.opcode = NVME_READ, .namespace_id = 1, .flags = 1}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .flags = 2}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .flags = 0x10}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .flags = NVME_PSDT_SGL_SEGMENT}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .flags = 0xc0}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 0}, NVME_INVALID_NAMESPACE},
        {{.opcode = NVME_READ, .namespace_id = 65}, NVME_INVALID_NAMESPACE},
        {{.opcode = NVME_READ, .namespace_id = NVME_BROADCAST}, NVME_INVALID_NAMESPACE},
        {{.opcode = NVME_READ, .namespace_id = 3}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword10 = BLOCKS}, NVME_LBA_RANGE},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword10 = BLOCKS - 1, .dword12 = 1}, NVME_LBA_RANGE},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword10 = ~0u, .dword11 = ~0u, .dword12 = 7}, NVME_LBA_RANGE},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword11 = 1}, NVME_LBA_RANGE},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword12 = 2048}, NVME_INVALID_FIELD}, /* beyond MDTS */
        {{.opcode = NVME_READ, .namespace_id = 1, .dword12 = 1u << 26}, NVME_INVALID_PROTECTION},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword12 = 1u << 24}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword12 = 1u << 20}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword12 = 1u << 16}, NVME_INVALID_FIELD},
        {{.opcode = NVME_READ, .namespace_id = 1, .dword12 = NVME_DEALLOCATE}, NVME_INVALID_FIELD},
        {{.opcode = NVME_WRITE, .namespace_id = 1, .dword10 = BLOCKS}, NVME_LBA_RANGE},
        {{.opcode = NVME_WRITE, .namespace_id = 1, .dword12 = 2048}, NVME_INVALID_FIELD},
        {{.opcode = NVME_WRITE, .namespace_id = 1, .dword12 = NVME_DEALLOCATE}, NVME_INVALID_FIELD},
        {{.opcode = NVME_WRITE_ZEROES, .namespace_id = 1, .dword10 = BLOCKS}, NVME_LBA_RANGE},
        {{.opcode = NVME_COMPARE, .namespace_id = 1, .dword12 = 2048}, NVME_INVALID_FIELD},
        {{.opcode = NVME_COMPARE, .namespace_id = 1, .dword10 = BLOCKS}, NVME_LBA_RANGE},
        {{.opcode = NVME_VERIFY, .namespace_id = 1, .dword10 = BLOCKS}, NVME_LBA_RANGE},
        {{.opcode = NVME_DATASET_MANAGEMENT, .namespace_id = 1, .dword10 = 0x100}, NVME_INVALID_FIELD},
        {{.opcode = NVME_DATASET_MANAGEMENT, .namespace_id = 1, .dword11 = 8}, NVME_INVALID_FIELD},
        {{.opcode = NVME_COPY, .namespace_id = 1, .dword12 = 1u << 8}, NVME_INVALID_FIELD},
        {{.opcode = NVME_COPY, .namespace_id = 1, .dword12 = 128}, NVME_COMMAND_SIZE_LIMIT},
        {{.opcode = NVME_RESERVATION_REGISTER, .namespace_id = 3}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_REGISTER, .namespace_id = 1, .dword10 = 3}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_REGISTER, .namespace_id = 1, .dword10 = 0x10}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_REGISTER, .namespace_id = 1, .dword10 = 1u << 30}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_REGISTER, .namespace_id = 1, .dword10 = 3u << 30}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_ACQUIRE, .namespace_id = 1, .dword10 = 8 | 1u << 8}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_ACQUIRE, .namespace_id = 1, .dword10 = 0}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_ACQUIRE, .namespace_id = 1, .dword10 = 7u << 8}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_ACQUIRE, .namespace_id = 1, .dword10 = 1u << 8}, NVME_RESERVATION_CONFLICT},
        {{.opcode = NVME_RESERVATION_RELEASE, .namespace_id = 1, .dword10 = 2}, NVME_INVALID_FIELD},
        {{.opcode = NVME_RESERVATION_RELEASE, .namespace_id = 1, .dword10 = 0}, NVME_RESERVATION_CONFLICT},
        {{.opcode = NVME_RESERVATION_REPORT, .namespace_id = 65}, NVME_INVALID_NAMESPACE},
        {{.opcode = NVME_RESERVATION_REPORT, .namespace_id = 1, .dword10 = 1u << 20}, NVME_INVALID_FIELD},
    };
    memset(buffer, 0, sizeof buffer);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (io(state, &cases[i].command, buffer, sizeof buffer) != cases[i].status)
            fail_msg("case %u", i);
    /* Nothing of it reached the volume. */
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(((struct bench *)*state)->volumes[0].operations[i], 0);
}

/* Each error says whether trying again is of use, and its entry in the log names the field. */
static void test_do_not_retry(void **state)
{
    struct bench *bench = *state;
    struct nvme_command command = {.opcode = NVME_READ, .namespace_id = 1, .dword10 = BLOCKS};
    assert_int_equal(bench_run(bench->controllers[0], 1, &command, buffer, 512).status,
                     NVME_LBA_RANGE | NVME_DO_NOT_RETRY);
    const struct nvme_command log = {
        .opcode = NVME_ADMIN_GET_LOG_PAGE, .namespace_id = NVME_BROADCAST, .dword10 = NVME_LOG_ERROR | 15u << 16};
    assert_int_equal(bench_status(bench->controllers[0], 0, &log, buffer, 64), NVME_SUCCESS);
    struct nvme_error_entry entry;
    memcpy(&entry, buffer, sizeof entry);
    assert_int_equal(entry.lba, BLOCKS);
    assert_int_equal(entry.sq_id, 1);
    assert_int_equal(entry.location, 40);
    command.dword10 = 0;
    bench->volumes[0].fail = -EIO;
    assert_int_equal(bench_run(bench->controllers[0], 1, &command, buffer, 512).status, NVME_UNRECOVERED_READ);
    command.opcode = NVME_FLUSH; /* what it was to save may be lost, though a second one succeeds */
    assert_int_equal(bench_run(bench->controllers[0], 1, &command, buffer, 512).status,
                     NVME_WRITE_FAULT | NVME_DO_NOT_RETRY);
}

static void test_failures_of_the_volume(void **state)
{
    static const struct {
        int result;
        uint8_t opcode;
        uint16_t status;
    } cases[] = {
        {-EIO, NVME_READ, NVME_UNRECOVERED_READ},          {-EIO, NVME_WRITE, NVME_WRITE_FAULT},
        {-EIO, NVME_WRITE_ZEROES, NVME_WRITE_FAULT},       {-EIO, NVME_FLUSH, NVME_WRITE_FAULT},
        {-EIO, NVME_COMPARE, NVME_UNRECOVERED_READ},       {-EIO, NVME_VERIFY, NVME_UNRECOVERED_READ},
        {-ENOSPC, NVME_WRITE, NVME_CAPACITY_EXCEEDED},     {-EROFS, NVME_WRITE, NVME_NAMESPACE_WRITE_PROTECTED},
        {-ETIMEDOUT, NVME_READ, NVME_INTERNAL_ERROR},      {-ENOSPC, NVME_DATASET_MANAGEMENT, NVME_CAPACITY_EXCEEDED},
        {-EIO, NVME_DATASET_MANAGEMENT, NVME_WRITE_FAULT},
    };
    struct bench *bench = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct nvme_command command = {.opcode = cases[i].opcode, .namespace_id = 1, .dword11 = 0};
        struct nvme_command discard = command;
        discard.dword11 = 4;
        const struct nvme_dataset_range range = {.blocks = 8};
        memcpy(buffer, &range, sizeof range);
        bench->volumes[0].fail = cases[i].result;
        assert_int_equal(io(state, cases[i].opcode == NVME_DATASET_MANAGEMENT ? &discard : &command, buffer, 512),
                         cases[i].status);
    }
    /* Data that does not come, or go. */
    bench->volumes[0].fail = 0;
    const struct nvme_command read = {.opcode = NVME_READ, .namespace_id = 1};
    assert_int_equal(io(state, &read, NULL, 0), NVME_DATA_TRANSFER_ERROR);
    const struct nvme_command write = {.opcode = NVME_WRITE, .namespace_id = 1};
    assert_int_equal(io(state, &write, NULL, 0), NVME_DATA_TRANSFER_ERROR);
    assert_int_equal(bench->volumes[0].operations[BACKEND_WRITE], 7 - 4);
}

static void test_read_write(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command read = {.opcode = NVME_READ, .namespace_id = 1, .dword10 = 100, .dword12 = 2047};
    assert_int_equal(io(state, &read, buffer, sizeof buffer), NVME_SUCCESS);
    assert_memory_equal(buffer, bench->volumes[0].bytes + 51200, sizeof buffer);
    memset(buffer, 0x5a, 4096);
    const struct nvme_command write = {.opcode = NVME_WRITE, .namespace_id = 1, .dword10 = 8, .dword12 = 7};
    assert_int_equal(io(state, &write, buffer, 4096), NVME_SUCCESS);
    assert_memory_equal(buffer, bench->volumes[0].bytes + 4096, 4096);
    assert_int_equal(bench->volumes[0].bytes[8192], (uint8_t)(8192 * 7 + 16));
    const struct nvme_command last = {.opcode = NVME_READ, .namespace_id = 1, .dword10 = BLOCKS - 1};
    assert_int_equal(io(state, &last, buffer, 512), NVME_SUCCESS);
}

static void test_flush(void **state)
{
    struct bench *bench = *state;
    struct nvme_command flush = {.opcode = NVME_FLUSH, .namespace_id = 2};
    assert_int_equal(io(state, &flush, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_FLUSH], 0);
    flush.namespace_id = NVME_BROADCAST;
    assert_int_equal(io(state, &flush, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_FLUSH], 1);
    assert_int_equal(bench->volumes[1].operations[BACKEND_FLUSH], 2);
}

static void test_write_zeroes(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command zero = {.opcode = NVME_WRITE_ZEROES, .namespace_id = 1, .dword10 = 1, .dword12 = 4095};
    assert_int_equal(io(state, &zero, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_WRITE_ZEROES], 2);
    assert_int_equal(bench->volumes[0].bytes[511], (uint8_t)(511 * 7));
    for (unsigned i = 512; i < 512 + 4096 * 512; i++)
        assert_int_equal(bench->volumes[0].bytes[i], 0);
    assert_int_equal(bench->volumes[0].bytes[512 + 4096 * 512], (uint8_t)((512 + 4096 * 512) * 7 + 4097));
}

static void test_compare(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command compare = {.opcode = NVME_COMPARE, .namespace_id = 1, .dword10 = 3, .dword12 = 3};
    memcpy(buffer, bench->volumes[0].bytes + 1536, 2048);
    assert_int_equal(io(state, &compare, buffer, 2048), NVME_SUCCESS);
    buffer[2047] ^= 1;
    assert_int_equal(io(state, &compare, buffer, 2048), NVME_COMPARE_FAILURE);
}

static void test_verify(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command verify = {.opcode = NVME_VERIFY, .namespace_id = 1, .dword12 = 4095};
    assert_int_equal(io(state, &verify, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_READ], 2);
}

static void test_dataset_management(void **state)
{
    struct bench *bench = *state;
    struct nvme_dataset_range ranges[256];
    struct nvme_command command = {.opcode = NVME_DATASET_MANAGEMENT, .namespace_id = 1, .dword10 = 255, .dword11 = 4};
    for (uint32_t i = 0; i < 256; i++)
        ranges[i] = (struct nvme_dataset_range){.blocks = 1, .lba = 2 * i};
    assert_int_equal(io(state, &command, ranges, sizeof ranges), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_DISCARD], 256);
    assert_int_equal(bench->volumes[0].bytes[510 * 512 + 5], 0);
    assert_int_equal(bench->volumes[0].bytes[511 * 512 + 5], (uint8_t)((511 * 512 + 5) * 7 + 511));
    /* One that is wrong spares the others. */
    bench->volumes[0].operations[BACKEND_DISCARD] = 0;
    ranges[255].lba = BLOCKS;
    assert_int_equal(io(state, &command, ranges, sizeof ranges), NVME_LBA_RANGE);
    ranges[255] = (struct nvme_dataset_range){.blocks = ~0u, .lba = UINT64_MAX};
    assert_int_equal(io(state, &command, ranges, sizeof ranges), NVME_LBA_RANGE);
    /* Mere hints. */
    command.dword11 = 3;
    assert_int_equal(io(state, &command, ranges, sizeof ranges), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_DISCARD], 0);
    /* Whole blocks of the backend only. */
    bench->volumes[0].info.backend.block_bytes = 4096;
    for (struct volume_listener *listener = bench->volumes[0].listeners; listener; listener = listener->next)
        listener->resized(listener->context, &bench->volumes[0]);
    command.dword10 = 0;
    command.dword11 = 4;
    ranges[0] = (struct nvme_dataset_range){.lba = 9, .blocks = 20};
    assert_int_equal(io(state, &command, ranges, sizeof ranges), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].last_offset, 8192);
    assert_int_equal(bench->volumes[0].last_length, 4096);
    ranges[0] = (struct nvme_dataset_range){.lba = 9, .blocks = 10};
    assert_int_equal(io(state, &command, ranges, sizeof ranges), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_DISCARD], 1);
}

static void test_copy(void **state)
{
    struct bench *bench = *state;
    uint8_t *bytes = bench->volumes[0].bytes;
    struct nvme_copy_range ranges[2] = {{.lba = 10, .blocks = 3}, {.lba = 100, .blocks = 0}};
    struct nvme_command copy = {.opcode = NVME_COPY, .namespace_id = 1, .dword10 = 1000, .dword12 = 1};
    assert_int_equal(io(state, &copy, ranges, sizeof ranges), NVME_SUCCESS);
    assert_memory_equal(bytes + 512000, bytes + 5120, 2048);
    assert_memory_equal(bytes + 512000 + 2048, bytes + 51200, 512);
    ranges[1].lba = BLOCKS;
    assert_int_equal(io(state, &copy, ranges, sizeof ranges), NVME_LBA_RANGE);
    ranges[1].lba = 0;
    ranges[1].blocks = 2048; /* beyond MSSRL */
    assert_int_equal(io(state, &copy, ranges, sizeof ranges), NVME_COMMAND_SIZE_LIMIT);
    ranges[1].blocks = 0;
    copy.dword10 = BLOCKS - 4;
    assert_int_equal(io(state, &copy, ranges, sizeof ranges), NVME_LBA_RANGE);
}

static void test_read_only(void **state)
{
    struct bench *bench = *state;
    static const uint8_t writes[] = {NVME_WRITE, NVME_WRITE_ZEROES, NVME_COPY, NVME_DATASET_MANAGEMENT};
    bench->volumes[0].info.settings.read_only = true;
    for (struct volume_listener *listener = bench->volumes[0].listeners; listener; listener = listener->next)
        listener->resized(listener->context, &bench->volumes[0]);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES].read_only, 1);
    memset(buffer, 0, sizeof buffer);
    for (unsigned i = 0; i < sizeof writes; i++) {
        const struct nvme_command command = {.opcode = writes[i], .namespace_id = 1, .dword11 = writes[i] == 9 ? 4 : 0};
        assert_int_equal(io(state, &command, buffer, 4096), NVME_NAMESPACE_WRITE_PROTECTED);
    }
    const struct nvme_command format = {.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1};
    assert_int_equal(bench_status(bench->controllers[0], 0, &format, NULL, 0), NVME_NAMESPACE_WRITE_PROTECTED);
    const struct nvme_command read = {.opcode = NVME_READ, .namespace_id = 1};
    assert_int_equal(io(state, &read, buffer, 512), NVME_SUCCESS);
}

/* Namespaces beyond those that the card knows are served here alone. */
static void test_high_namespace(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(nvme_namespace_add(bench->subsystem, 40, &bench->volumes[2], 16, NULL), 0);
    assert_int_equal(nvme_namespace_attach(bench->controllers[0], 40, NULL), 0);
    memset(buffer, 0x33, 512);
    const struct nvme_command write = {.opcode = NVME_WRITE, .namespace_id = 40, .dword10 = 5};
    assert_int_equal(io(state, &write, buffer, 512), NVME_SUCCESS);
    assert_int_equal(bench->volumes[2].bytes[5 * 512], 0x33);
}

#define BENCHED(name) cmocka_unit_test_setup_teardown(name, io_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCHED(test_errors),
        BENCHED(test_do_not_retry),
        BENCHED(test_read_write),
        BENCHED(test_failures_of_the_volume),
        BENCHED(test_flush),
        BENCHED(test_write_zeroes),
        BENCHED(test_compare),
        BENCHED(test_verify),
        BENCHED(test_dataset_management),
        BENCHED(test_copy),
        BENCHED(test_read_only),
        BENCHED(test_high_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
