/* SPDX-License-Identifier: Apache-2.0 */
/* doorbells: no ring is lost, none comes from nowhere, the last value of each page comes last, each in its stream. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/dma.h"
#include "tests/hw/bench.h"

extern const struct rtl_model rtl_model_doorbells;

struct doorbells {
    struct bench bench;
    struct bench_end streams[3];
    struct rtl_pin valid, page, value, hold, idle;
    uint32_t written[DOORBELL_PAGES], passed[DOORBELL_PAGES]; /* last value; 0 = none */
    bool waiting[DOORBELL_PAGES];                             /* written since it was passed on */
    uint32_t next_value;
};

static void open_doorbells(struct doorbells *doorbells, uint64_t seed)
{
    static const char *const names[] = {"receive", "transmit", "host"};
    memset(doorbells, 0, sizeof *doorbells);
    bench_open(&doorbells->bench, &rtl_model_doorbells, seed);
    for (unsigned i = 0; i < 3; i++)
        bench_sink(&doorbells->bench, &doorbells->streams[i], names[i], 0, sizeof(struct doorbell));
    const struct rtl *rtl = &doorbells->bench.rtl;
    doorbells->valid = rtl_pin(rtl, "write_valid", 1);
    doorbells->page = rtl_pin(rtl, "write_page", 32);
    doorbells->value = rtl_pin(rtl, "write_value", 32);
    doorbells->hold = rtl_pin(rtl, "hold_host", 1);
    doorbells->idle = rtl_pin(rtl, "idle", 1);
}

static unsigned stream_of(uint32_t page)
{
    return page >= DOORBELL_HOST ? 2 : page % 2;
}

/* One cycle, in which `page` is written; UINT32_MAX = none. */
static void cycle(struct doorbells *doorbells, uint32_t page)
{
    rtl_put(&doorbells->valid, 0, 1, page != UINT32_MAX);
    rtl_put(&doorbells->page, 0, 32, page);
    rtl_put(&doorbells->value, 0, 32, ++doorbells->next_value);
    if (page < DOORBELL_PAGES) {
        doorbells->written[page] = doorbells->next_value;
        doorbells->waiting[page] = true;
    }
    bench_cycle(&doorbells->bench);
    for (unsigned i = 0; i < 3; i++) {
        const struct doorbell *ring;
        while ((ring = bench_next(&doorbells->streams[i])) != NULL) {
            assert_true(ring->page < DOORBELL_PAGES);
            assert_int_equal(stream_of(ring->page), i);
            assert_true(ring->value > doorbells->passed[ring->page]);
            assert_true(ring->value <= doorbells->written[ring->page]);
            assert_true(doorbells->waiting[ring->page]);
            doorbells->passed[ring->page] = ring->value;
            doorbells->waiting[ring->page] = ring->value != doorbells->written[ring->page];
        }
    }
}

static void drain(struct doorbells *doorbells)
{
    for (unsigned i = 0; i < 100000 && !rtl_get(&doorbells->idle, 0, 1); i++)
        cycle(doorbells, UINT32_MAX);
    cycle(doorbells, UINT32_MAX);
    for (unsigned page = 0; page < DOORBELL_PAGES; page++)
        assert_int_equal(doorbells->passed[page], doorbells->written[page]);
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

/* Rings of host pages wait while a setting is on its way, others do not. */
static void test_hold(void **state)
{
    (void)state;
    struct doorbells doorbells;
    open_doorbells(&doorbells, 1);
    for (unsigned i = 0; i < 3; i++)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_ring_is_lost), cmocka_unit_test(test_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
