/* SPDX-License-Identifier: Apache-2.0 */
/* The ring that loses nothing: what is written and announced, in how many writes, and what waits for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/ring_append/ring_append.c"
#include "tests/hls/stream.h"

#define BUS     UINT64_C(0x7f0000000000)
#define ENTRIES 4096u
#define INDEX   64u
#define MEMORY  65536u

struct appender {
    struct ring_append_state state;
    struct stream host, entry, done, request, data, told;
    uint8_t memory[MEMORY];
    uint64_t random;
    uint32_t writes, index_writes; /* that the host has seen */
    struct dma_done answer;        /* of an index write that is not over, when `owed` */
    bool owed;
};

static struct appender card;

static void open_card(uint64_t seed)
{
    memset(&card, 0, sizeof card);
    card.random = seed;
    stream_open(&card.host, 8, sizeof(struct ring_work));
    stream_open(&card.entry, 64, sizeof(struct ring_work));
    stream_open(&card.done, 4, sizeof(struct dma_done));
    stream_open(&card.request, 64, sizeof(struct dma_request));
    stream_open(&card.data, 64, sizeof(struct beat));
    stream_open(&card.told, 64, sizeof(struct dma_done));
}

static int close_card(void **context)
{
    (void)context;
    struct stream *all[] = {&card.host, &card.entry, &card.done, &card.request, &card.data, &card.told};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stream_close(all[i]);
    return 0;
}

static bool step(void)
{
    struct stream *host = &card.host, *entry = &card.entry, *done = &card.done, *request = &card.request;
    struct stream *data = &card.data, *told = &card.told;
    STREAM_TEST_IN(host);
    STREAM_TEST_IN(entry);
    STREAM_TEST_IN(done);
    STREAM_TEST_OUT(request);
    STREAM_TEST_OUT(data);
    STREAM_TEST_OUT(told);
    bool ran = ring_append(&card.state, &host_port, &entry_port, &done_port, &request_port, &data_port, &told_port);
    STREAM_TEST_IN_END(host);
    STREAM_TEST_IN_END(entry);
    STREAM_TEST_IN_END(done);
    STREAM_TEST_OUT_END(request);
    STREAM_TEST_OUT_END(data);
    STREAM_TEST_OUT_END(told);
    return ran;
}

static void settle(void)
{
    while (step())
        ;
}

/* The writes that were asked for reach memory; an index write's answer is owed until `answer`. */
static void land(void)
{
    struct dma_request request;
    while (!card.owed && stream_get(&card.request, &request)) {
        assert_true(request.flags & DMA_BUS);
        assert_true(request.address >= BUS && request.address + request.length <= BUS + MEMORY);
        for (uint64_t at = 0; at < request.length; at += BEAT_BYTES) {
            struct beat beat;
            assert_true(stream_get(&card.data, &beat));
            uint64_t bytes = request.length - at < BEAT_BYTES ? request.length - at : BEAT_BYTES;
            memcpy(card.memory + (request.address - BUS) + at, beat.data, bytes);
        }
        if (request.flags & DMA_LAST) {
            assert_int_equal(request.address, BUS + INDEX);
            assert_int_equal(request.length, 8);
            card.answer = (struct dma_done){.tag = request.tag, .function = request.function};
            card.owed = true;
            card.index_writes++;
        } else {
            assert_int_equal(request.length % RING_ENTRY_BYTES, 0);
            assert_true(request.address % 512 + request.length <= 512);
            card.writes++;
        }
    }
}

static void answer(void)
{
    if (card.owed && stream_put(&card.done, &card.answer))
        card.owed = false;
}

static void set(uint32_t log2)
{
    struct ring_setting setting = {
        .entries = BUS + ENTRIES, .index = BUS + INDEX, .entries_log2 = log2, .ring = RING_BACKEND, .enabled = 1};
    struct ring_work work = {.kind = RING_WORK_SETTING};
    memcpy(work.data, &setting, sizeof setting);
    assert_true(stream_put(&card.host, &work));
    settle();
}

static bool append(uint32_t number, bool last)
{
    struct ring_work work = {.kind = RING_WORK_ENTRY, .last = last};
    memcpy(work.data, &number, sizeof number);
    memset(work.data + 4, (int)number, 60);
    return stream_put(&card.entry, &work);
}

static uint32_t index_now(void)
{
    uint32_t index;
    memcpy(&index, card.memory + INDEX, sizeof index);
    return index;
}

static void expect_entry(uint32_t place, uint32_t number)
{
    uint32_t found;
    memcpy(&found, card.memory + ENTRIES + (size_t)place * 64, sizeof found);
    assert_int_equal(found, number);
    assert_int_equal(card.memory[ENTRIES + (size_t)place * 64 + 63], number & 0xff);
}

/* An entry that comes alone waits for nothing. */
static void test_alone(void **context)
{
    (void)context;
    open_card(1);
    set(6);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(append(i, true));
        settle();
        land();
        assert_int_equal(index_now(), i + 1);
        expect_entry(i, i);
        answer();
        settle();
    }
    struct dma_done told = {0};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(stream_get(&card.told, &told));
        assert_int_equal(told.tag, VECTOR_CONTROL + RING_BACKEND);
    }
    assert_false(stream_get(&card.told, &told));
}

/* While the host is told of one, others gather: few writes, and one index write for all. */
static void test_gathers(void **context)
{
    (void)context;
    open_card(2);
    set(6);
    for (uint32_t i = 0; i < 30; i++) {
        assert_true(append(i, true));
        settle();
        land();
    }
    assert_int_equal(card.index_writes, 1);
    assert_int_equal(index_now(), 1);
    answer();
    settle();
    land();
    assert_int_equal(card.index_writes, 2);
    assert_int_equal(index_now(), 30);
    assert_int_equal(card.writes, 1 + 4); /* 0; 1 to 7, 8 to 15, 16 to 23, 24 to 29 */
    for (uint32_t i = 0; i < 30; i++)
        expect_entry(i, i);
}

/* Of a record of two entries the first alone is not announced. */
static void test_whole_records(void **context)
{
    (void)context;
    open_card(3);
    set(6);
    assert_true(append(7, false));
    settle();
    land();
    assert_int_equal(card.index_writes, 0);
    assert_true(append(8, true));
    settle();
    land();
    assert_int_equal(index_now(), 2);
    expect_entry(0, 7);
    expect_entry(1, 8);
}

/* A setting finds nothing half written: what has gathered goes to the ring that it was for. */
static void test_setting_between(void **context)
{
    (void)context;
    open_card(4);
    set(6);
    assert_true(append(1, true));
    settle();
    for (uint32_t i = 2; i < 5; i++)
        assert_true(append(i, true));
    settle();
    set(6);
    land();
    answer();
    settle();
    land();
    assert_int_equal(card.writes, 2);
    expect_entry(3, 4);
    assert_true(append(9, true));
    settle();
    answer();
    settle();
    land();
    assert_int_equal(index_now(), 1);
    expect_entry(0, 9);
}

static void consumed(uint32_t index)
{
    struct ring_work work = {.kind = RING_WORK_DOORBELL, .value = index};
    assert_true(stream_put(&card.host, &work));
}

/* All sizes of rings, hosts that read late: nothing is lost, nothing overwritten, records whole. */
static void at_random(uint32_t log2)
{
    open_card(100 + log2);
    set(log2);
    uint32_t sent = 0, seen = 0, ends = 0, size = 1u << log2;
    bool whole[64] = {false};
    struct dma_done told = {0};
    for (uint32_t i = 0; i < 60000; i++) {
        switch (random_below(&card.random, 6)) {
        case 0:
            whole[sent % 64] = size < 2 || random_below(&card.random, 3) != 0 || (sent != 0 && !whole[(sent - 1) % 64]);
            if (sent - seen < 60 && append(sent, whole[sent % 64]))
                ends = whole[sent++ % 64] ? sent : ends;
            break;
        case 1:
            land();
            break;
        case 2:
            answer();
            stream_get(&card.told, &told);
            break;
        case 3:
            if (random_below(&card.random, 4) == 0 && seen != index_now()) {
                assert_true(index_now() - seen <= size && whole[(index_now() - 1) % 64]);
                for (; seen != index_now(); seen++)
                    expect_entry(seen & (size - 1), seen);
                consumed(seen);
            }
            break;
        default:
            step();
        }
    }
    for (uint32_t i = 0; i < 200; i++) {
        settle();
        land();
        answer();
        stream_get(&card.told, &told);
        for (; seen != index_now(); seen++)
            expect_entry(seen & (size - 1), seen);
        consumed(seen);
    }
    assert_int_equal(seen, ends);
    assert_true(seen > 1000);
    close_card(NULL);
}

static void test_random(void **context)
{
    (void)context;
    for (uint32_t log2 = 1; log2 <= 7; log2++)
        at_random(log2);
    open_card(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_alone, close_card),
        cmocka_unit_test_teardown(test_gathers, close_card),
        cmocka_unit_test_teardown(test_whole_records, close_card),
        cmocka_unit_test_teardown(test_setting_between, close_card),
        cmocka_unit_test_teardown(test_random, close_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
