/* SPDX-License-Identifier: Apache-2.0 */
/* doorbells: no ring is lost, none comes from nowhere, the last value of each page comes last, each in its stream. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/dma.h"
#include "tests/hw/bench.h"

#define STREAMS   5u
#define WORDS_MAX 20000u

extern const struct rtl_model rtl_model_doorbells;

struct doorbells {
    struct bench bench;
    struct bench_end streams[STREAMS];
    struct rtl_pin valid, ready, page, index, value, hold, idle;
    uint32_t written[DOORBELL_NVME], passed[DOORBELL_NVME]; /* last value; 0 = none */
    bool waiting[DOORBELL_NVME];                            /* written since it was passed on */
    struct doorbell words[WORDS_MAX];                       /* of NVMe controllers' pages, in order */
    size_t words_written, words_passed;
    uint32_t next_value;
};

static void open_doorbells(struct doorbells *doorbells, uint64_t seed)
{
    static const char *const names[] = {"receive", "transmit", "host", "block", "nvme"};
    memset(doorbells, 0, sizeof *doorbells);
    bench_open(&doorbells->bench, &rtl_model_doorbells, seed);
    for (unsigned i = 0; i < STREAMS; i++)
        bench_sink(&doorbells->bench, &doorbells->streams[i], names[i], 0, sizeof(struct doorbell));
    const struct rtl *rtl = &doorbells->bench.rtl;
    doorbells->valid = rtl_pin(rtl, "write_valid", 1);
    doorbells->ready = rtl_pin(rtl, "write_ready", 1);
    doorbells->page = rtl_pin(rtl, "write_page", 32);
    doorbells->index = rtl_pin(rtl, "write_index", 32);
    doorbells->value = rtl_pin(rtl, "write_value", 32);
    doorbells->hold = rtl_pin(rtl, "hold_host", 1);
    doorbells->idle = rtl_pin(rtl, "idle", 1);
}

static unsigned stream_of(uint32_t page)
{
    if (page >= DOORBELL_BLOCK)
        return 3;
    return page >= DOORBELL_HOST ? 2 : page % 2;
}

/* Pages between the host rings' and the next ones are nobody's. */
static bool has_one_doorbell(uint32_t page)
{
    return page < DOORBELL_HOST + 8 || (page >= DOORBELL_BLOCK && page < DOORBELL_NVME);
}

static void check_words(struct doorbells *doorbells)
{
    const struct doorbell *word;
    while ((word = bench_next(&doorbells->streams[4])) != NULL) {
        assert_true(doorbells->words_passed < doorbells->words_written);
        const struct doorbell *written = &doorbells->words[doorbells->words_passed++];
        assert_int_equal(word->page, written->page);
        assert_int_equal(word->index, written->index);
        assert_int_equal(word->value, written->value);
    }
}

/* One cycle, in which a word of `page` is written; UINT32_MAX = none. Returns whether it was taken. */
static bool cycle_word(struct doorbells *doorbells, uint32_t page, uint32_t index)
{
    rtl_put(&doorbells->valid, 0, 1, page != UINT32_MAX);
    rtl_put(&doorbells->page, 0, 32, page);
    rtl_put(&doorbells->index, 0, 32, index);
    rtl_put(&doorbells->value, 0, 32, ++doorbells->next_value);
    bool is_word = page >= DOORBELL_NVME && page < DOORBELL_PAGES && index < DOORBELL_NVME_WORDS;
    rtl_settle(&doorbells->bench.rtl);
    bool taken = rtl_get(&doorbells->ready, 0, 1);
    assert_true(taken || is_word);
    if (is_word && taken && page != UINT32_MAX) {
        assert_true(doorbells->words_written < WORDS_MAX);
        doorbells->words[doorbells->words_written++] =
            (struct doorbell){.page = page, .index = index, .value = doorbells->next_value};
    } else if (has_one_doorbell(page)) {
        doorbells->written[page] = doorbells->next_value;
        doorbells->waiting[page] = true;
    }
    bench_cycle(&doorbells->bench);
    check_words(doorbells);
    for (unsigned i = 0; i < 4; i++) {
        const struct doorbell *ring;
        while ((ring = bench_next(&doorbells->streams[i])) != NULL) {
            assert_true(has_one_doorbell(ring->page));
            assert_int_equal(stream_of(ring->page), i);
            assert_true(ring->value > doorbells->passed[ring->page]);
            assert_true(ring->value <= doorbells->written[ring->page]);
            assert_true(doorbells->waiting[ring->page]);
            doorbells->passed[ring->page] = ring->value;
            doorbells->waiting[ring->page] = ring->value != doorbells->written[ring->page];
        }
    }
    return taken;
}

static void cycle(struct doorbells *doorbells, uint32_t page)
{
    cycle_word(doorbells, page, 0);
}

static void drain(struct doorbells *doorbells)
{
    for (unsigned i = 0; i < 100000 && !rtl_get(&doorbells->idle, 0, 1); i++)
        cycle(doorbells, UINT32_MAX);
    cycle(doorbells, UINT32_MAX);
    for (unsigned page = 0; page < DOORBELL_NVME; page++)
        assert_int_equal(doorbells->passed[page], doorbells->written[page]);
    assert_int_equal(doorbells->words_passed, doorbells->words_written);
}

static void test_no_ring_is_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct doorbells doorbells;
        open_doorbells(&doorbells, seed);
        struct bench *bench = &doorbells.bench;
        for (unsigned i = 0; i < 5000; i++) {
            uint32_t range = i % 1000 < 500 ? 4 : DOORBELL_PAGES + 20; /* beyond the last page: ignored */
            bool write = bench_random(bench, 3) == 0;
            cycle(&doorbells, write ? bench_random(bench, range) + (i % 2000 < 500 ? DOORBELL_HOST : 0) : UINT32_MAX);
        }
        drain(&doorbells);
        bench_close(bench);
    }
}

/* Each write of an NVMe controller's page is passed on, in order; with a slow reader writes wait. */
static void test_words(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct doorbells doorbells;
        open_doorbells(&doorbells, seed);
        unsigned waited = 0;
        for (unsigned i = 0; i < 8000; i++) {
            uint32_t page = DOORBELL_NVME + bench_random(&doorbells.bench, 140);
            waited += !cycle_word(&doorbells, page, bench_random(&doorbells.bench, DOORBELL_NVME_WORDS + 4));
        }
        assert_true(waited > 0);
        drain(&doorbells);
        bench_close(&doorbells.bench);
    }
}

/* Rings of host pages wait while a setting is on its way, others do not. */
static void test_hold(void **state)
{
    (void)state;
    struct doorbells doorbells;
    open_doorbells(&doorbells, 1);
    for (unsigned i = 0; i < STREAMS; i++)
        doorbells.streams[i].full_speed = true;
    rtl_put(&doorbells.hold, 0, 1, 1);
    cycle(&doorbells, DOORBELL_HOST + 1);
    for (uint32_t page = 0; page < DOORBELL_HOST; page++)
        cycle(&doorbells, page);
    for (unsigned i = 0; i < 300; i++)
        cycle(&doorbells, UINT32_MAX);
    assert_int_equal(doorbells.passed[DOORBELL_HOST + 1], 0);
    for (uint32_t page = 0; page < DOORBELL_HOST; page++)
        assert_int_equal(doorbells.passed[page], doorbells.written[page]);
    rtl_put(&doorbells.hold, 0, 1, 0);
    for (unsigned i = 0; i < 8; i++)
        cycle(&doorbells, UINT32_MAX);
    assert_int_not_equal(doorbells.passed[DOORBELL_HOST + 1], 0);
    bench_close(&doorbells.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_ring_is_lost), cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
