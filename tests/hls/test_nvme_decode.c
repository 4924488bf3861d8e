/* SPDX-License-Identifier: Apache-2.0 */
/* nvme_decode alone: which entries become block commands, and which the host is to look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/nvme_decode/nvme_decode.c"
#include "tests/hls/stream.h"

#define FUNCTION 77u
#define SMALL    1u /* namespace ids: blocks of 512 bytes */
#define LARGE    2u /* of 4096 */
#define LOCKED   3u /* read only */
#define HUGE     16u
#define ABSENT   5u
#define BLOCKS   1000u

struct bench {
    struct nvme_decode_state state;
    struct stream fetched, submit, completion;
};

static struct bench *bench;

static void run(const struct nvme_fetched *record)
{
    assert_true(stream_put(&bench->fetched, record));
    struct hls_port fetched = hls_read_begin(&bench->fetched.fifo);
    struct hls_port submit = hls_write_begin(&bench->submit.fifo);
    struct hls_port completion = hls_write_begin(&bench->completion.fifo);
    assert_int_equal(nvme_decode(&bench->state, &fetched, &submit, &completion), 1);
    hls_read_end(&bench->fetched.fifo, &fetched);
    hls_write_end(&bench->submit.fifo, &submit);
    hls_write_end(&bench->completion.fifo, &completion);
}

static uint8_t command(struct command_entry *entry, uint8_t kind)
{
    struct nvme_fetched record = {.kind = kind};
    struct command_entry answer = {0};
    struct block_submit submit;
    memcpy(record.data, entry, sizeof *entry);
    run(&record);
    assert_true(stream_get(&bench->completion, &answer));
    assert_false(stream_get(&bench->submit, &submit));
    uint8_t status = answer.status;
    answer.status = entry->status;
    assert_memory_equal(&answer, entry, sizeof answer);
    return status;
}

static uint8_t set(uint32_t index, uint64_t blocks, uint8_t shift, uint32_t volume, uint8_t read_only)
{
    struct command_entry entry = {.opcode = COMMAND_NAMESPACE_SET, .target = TARGET_NVME_SQ, .tag = 9, .index = index};
    struct namespace_setting setting = {.blocks = blocks, .volume = volume, .shift = shift, .read_only = read_only};
    memcpy(entry.data, &setting, sizeof setting);
    return command(&entry, NVME_FETCHED_NAMESPACE);
}

static int setup(void **context)
{
    (void)context;
    bench = calloc(1, sizeof *bench);
    stream_open(&bench->fetched, 4, sizeof(struct nvme_fetched));
    stream_open(&bench->submit, 4, sizeof(struct block_submit));
    stream_open(&bench->completion, 4, sizeof(struct command_entry));
    uint32_t first = FUNCTION * BLOCK_NAMESPACES - 1;
    assert_int_equal(set(first + SMALL, BLOCKS, 9, 501, 0), STATUS_OK);
    assert_int_equal(set(first + LARGE, BLOCKS, 12, 502, 0), STATUS_OK);
    assert_int_equal(set(first + LOCKED, BLOCKS, 9, 503, 1), STATUS_OK);
    assert_int_equal(set(first + HUGE, UINT64_MAX >> 12, 12, 504, 0), STATUS_OK);
    return 0;
}

static int teardown(void **context)
{
    (void)context;
    stream_close(&bench->fetched);
    stream_close(&bench->submit);
    stream_close(&bench->completion);
    free(bench);
    return 0;
}

static struct nvme_fetched record_of(const struct nvme_command *entry)
{
    struct nvme_fetched record = {.sequence = 0x12345678, .stamp = 0x9abcdef0, .tag = 30 * BLOCK_SLOTS + 5};
    memcpy(record.data, entry, sizeof *entry);
    record.function = FUNCTION;
    record.queue = 30;
    record.completion = 31;
    record.sq_head = 17;
    record.sq_id = 3;
    record.kind = NVME_FETCHED_ENTRY;
    record.generation = 99;
    return record;
}

/* What is the same for all entries. */
static struct block_submit decoded(const struct nvme_command *entry, bool admin)
{
    struct nvme_fetched record = record_of(entry);
    struct block_submit submit = {0};
    record.admin = admin;
    run(&record);
    assert_true(stream_get(&bench->submit, &submit));
    const struct block_context *context = &submit.context;
    assert_int_equal(context->pointer0, entry->prp1);
    assert_int_equal(context->pointer1, entry->prp2);
    assert_int_equal(context->tag, record.tag);
    assert_int_equal(context->function, FUNCTION);
    assert_int_equal(context->queue, 30);
    assert_int_equal(context->completion, 31);
    assert_int_equal(context->identifier, entry->identifier);
    assert_int_equal(context->sq_head, 17);
    assert_int_equal(context->sq_id, 3);
    assert_int_equal(context->sequence, record.sequence);
    assert_int_equal(context->generation, 99);
    assert_int_equal(context->format, entry->flags & NVME_PSDT_MASK ? BLOCK_SGL : BLOCK_PRP);
    assert_int_equal(submit.command.tag, record.tag);
    assert_int_equal(submit.command.function, FUNCTION);
    assert_int_equal(submit.command.queue, 30);
    assert_int_equal(submit.command.stamp, record.stamp);
    assert_int_equal(submit.command.identifier, entry->identifier);
    assert_int_equal(submit.command.namespace_id, entry->namespace_id);
    return submit;
}

static void expect_raw(const struct nvme_command *entry, bool admin)
{
    struct block_submit submit = decoded(entry, admin);
    assert_int_equal(submit.command.kind, BACKEND_RAW);
    assert_int_equal(submit.command.flags, admin ? BLOCK_ADMIN : 0);
    assert_memory_equal(submit.raw, entry, sizeof *entry);
}

static struct block_command expect_fast(const struct nvme_command *entry)
{
    static const uint8_t none[RING_ENTRY_BYTES];
    struct block_submit submit = decoded(entry, false);
    assert_int_equal(submit.command.kind, BACKEND_COMMAND);
    assert_memory_equal(submit.raw, none, sizeof none);
    return submit.command;
}

static struct nvme_command io(uint8_t opcode, uint32_t space, uint64_t first, uint32_t count)
{
    struct nvme_command entry = {.opcode = opcode, .identifier = 0x4321, .namespace_id = space};
    entry.metadata = 0x1111; /* there is none: the field is not looked at */
    entry.prp1 = 0x123456789abcdef0;
    entry.prp2 = 0xfedcba9876543210;
    entry.dword10 = (uint32_t)first;
    entry.dword11 = (uint32_t)(first >> 32);
    entry.dword12 = count - 1;
    return entry;
}

static void expect_place(const struct nvme_command *entry, uint8_t opcode, uint32_t volume, uint64_t offset,
                         uint32_t length, uint32_t flags)
{
    struct block_command made = expect_fast(entry);
    assert_int_equal(made.opcode, opcode);
    assert_int_equal(made.volume, volume);
    assert_int_equal(made.offset, offset);
    assert_int_equal(made.length, length);
    assert_int_equal(made.flags, flags);
}

static void test_fast(void **context)
{
    (void)context;
    struct nvme_command entry = io(NVME_READ, SMALL, 5, 8);
    expect_place(&entry, BLOCK_READ, 501, 5 * 512, 8 * 512, 0);
    entry = io(NVME_WRITE, LARGE, 7, 256);
    expect_place(&entry, BLOCK_WRITE, 502, 7 * 4096, BLOCK_DATA_MAX, 0);
    entry.flags = NVME_PSDT_SGL;
    entry.dword12 |= NVME_FUA | NVME_LIMITED;
    expect_place(&entry, BLOCK_WRITE, 502, 7 * 4096, BLOCK_DATA_MAX, BLOCK_FUA);
    entry = io(NVME_READ, LOCKED, 999, 1);
    expect_place(&entry, BLOCK_READ, 503, 999 * 512, 512, 0);
    entry = io(NVME_WRITE_ZEROES, SMALL, 0, 1000);
    entry.dword12 |= NVME_DEALLOCATE | NVME_FUA;
    expect_place(&entry, BLOCK_WRITE_ZEROES, 501, 0, 512000, BLOCK_UNMAP | BLOCK_FUA);
    entry = io(NVME_READ, HUGE, (UINT64_MAX >> 12) - 1, 1);
    expect_place(&entry, BLOCK_READ, 504, ((UINT64_MAX >> 12) - 1) << 12, 4096, 0);
    entry = io(NVME_FLUSH, LOCKED, 12345, 77); /* NVM 3.2.1: no dwords of its own */
    entry.dword12 = UINT32_MAX;
    expect_place(&entry, BLOCK_FLUSH, 503, 0, 0, 0);
    entry = io(NVME_READ, SMALL, 1, 1);
    entry.dword2 = entry.dword3 = entry.dword13 = entry.dword14 = entry.dword15 = 0xffffffff;
    expect_place(&entry, BLOCK_READ, 501, 512, 512, 0);
}

/* Right but for one thing. */
static void test_raw(void **context)
{
    (void)context;
    const struct nvme_command good = io(NVME_WRITE, SMALL, 100, 8);
    struct nvme_command entry = good;
    expect_fast(&entry);
    expect_raw(&entry, true);
    for (uint32_t bit = 0; bit < 8; bit++) { /* of flags: all but an SGL */
        entry = good;
        entry.flags = (uint8_t)(1u << bit);
        if (entry.flags != NVME_PSDT_SGL)
            expect_raw(&entry, false);
    }
    entry.flags = NVME_PSDT_MASK;
    expect_raw(&entry, false);
    const uint32_t absent[] = {0, ABSENT, 17, 0x10001, 0xfffffffe, 0xffffffff};
    for (uint32_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        entry = good;
        entry.namespace_id = absent[i];
        expect_raw(&entry, false);
        entry = io(NVME_FLUSH, absent[i], 0, 1);
        expect_raw(&entry, false);
    }
    for (uint32_t bit = 16; bit < 32; bit++) { /* of dword 12 */
        uint32_t known = NVME_FUA | NVME_LIMITED;
        entry = good;
        entry.dword12 |= 1u << bit;
        if (!(known & 1u << bit))
            expect_raw(&entry, false);
        entry.opcode = NVME_WRITE_ZEROES;
        if (!((known | NVME_DEALLOCATE) & 1u << bit))
            expect_raw(&entry, false);
    }
    for (uint32_t opcode = 0; opcode < 256; opcode++) {
        bool fast = opcode == NVME_FLUSH || opcode == NVME_WRITE || opcode == NVME_READ || opcode == NVME_WRITE_ZEROES;
        entry = good;
        entry.opcode = (uint8_t)opcode;
        if (fast)
            expect_fast(&entry);
        else
            expect_raw(&entry, false);
    }
    entry = good;
    entry.namespace_id = LOCKED;
    expect_raw(&entry, false);
    entry.opcode = NVME_WRITE_ZEROES;
    expect_raw(&entry, false);
}

/* The last block that is there, and the first that is not; what one answer moves at most. */
static void test_range(void **context)
{
    (void)context;
    const uint64_t beyond[] = {BLOCKS, BLOCKS + 1, UINT32_MAX, (uint64_t)1 << 32, UINT64_MAX, UINT64_MAX - 7};
    struct nvme_command entry = io(NVME_READ, SMALL, BLOCKS - 8, 8);
    expect_fast(&entry);
    entry = io(NVME_READ, SMALL, BLOCKS - 7, 8);
    expect_raw(&entry, false);
    for (uint32_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        entry = io(NVME_READ, SMALL, beyond[i], 1);
        expect_raw(&entry, false);
        entry = io(NVME_READ, SMALL, beyond[i], 8);
        expect_raw(&entry, false);
    }
    entry = io(NVME_WRITE, LARGE, 0, 257);
    expect_raw(&entry, false);
    entry = io(NVME_WRITE, HUGE, 0, 65536);
    expect_raw(&entry, false);
    entry = io(NVME_READ, HUGE, (UINT64_MAX >> 12) - 1, 2);
    expect_raw(&entry, false);
}

static void test_settings(void **context)
{
    (void)context;
    struct nvme_command entry = io(NVME_READ, SMALL, 5, 8);
    uint32_t index = FUNCTION * BLOCK_NAMESPACES + SMALL - 1;
    assert_int_equal(set(index, BLOCKS, 10, 1, 0), STATUS_BAD_DATA);
    assert_int_equal(set(index, (UINT64_MAX >> 9) + 1, 9, 1, 0), STATUS_BAD_DATA);
    assert_int_equal(set(index, (UINT64_MAX >> 12) + 1, 12, 1, 0), STATUS_BAD_DATA);
    assert_int_equal(set(index, BLOCKS, 9, BLOCK_VOLUMES, 0), STATUS_BAD_DATA);
    assert_int_equal(set(index - BLOCK_NAMESPACES, BLOCKS, 12, 7, 1), STATUS_OK); /* another function's */
    expect_place(&entry, BLOCK_READ, 501, 5 * 512, 8 * 512, 0);
    assert_int_equal(set(index, 0, 0, 0, 0), STATUS_OK);
    expect_raw(&entry, false);
    assert_int_equal(set(index, 13, 12, 6, 0), STATUS_OK);
    expect_place(&entry, BLOCK_READ, 6, 5 * 4096, 8 * 4096, 0);
}

/* Commands pass in order with entries; a window goes on to the kernels behind. */
static void test_commands(void **context)
{
    (void)context;
    struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .status = STATUS_BUSY, .tag = 5, .index = 3};
    assert_int_equal(command(&entry, NVME_FETCHED_COMMAND), STATUS_BUSY);
    struct window_setting window = {0x123450000, 0x7000};
    struct nvme_fetched record = {.kind = NVME_FETCHED_WINDOW};
    struct block_submit submit = {0};
    entry.opcode = COMMAND_WINDOW_SET;
    entry.index = 100;
    memcpy(entry.data, &window, sizeof window);
    memcpy(record.data, &entry, sizeof entry);
    run(&record);
    assert_true(stream_get(&bench->submit, &submit));
    assert_int_equal(submit.context.format, BLOCK_WINDOW);
    assert_int_equal(submit.context.function, 100);
    assert_int_equal(submit.context.pointer0, window.bus_base);
    assert_int_equal(submit.context.pointer1, window.length);
    assert_memory_equal(submit.raw, &entry, sizeof entry);
    assert_false(stream_get(&bench->completion, &entry));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fast, setup, teardown),
        cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
