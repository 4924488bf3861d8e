/* SPDX-License-Identifier: Apache-2.0 */
/* timer: a tick when a request is due and not before, one for each, a later request instead of an earlier one; requests
 * go by the time of the last tick, however long ago that is. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/block.h"
#include "tests/hw/bench.h"

extern const struct rtl_model rtl_model_timer;

struct timers {
    struct bench bench;
    struct bench_end requests[2], ticks[2];
    struct rtl_pin time, idle;
    uint32_t now;
};

static void open_timers(struct timers *timers, uint64_t seed, uint32_t now)
{
    bench_open(&timers->bench, &rtl_model_timer, seed);
    for (unsigned i = 0; i < 2; i++) {
        bench_source(&timers->bench, &timers->requests[i], "request", i, sizeof(struct timer_request));
        bench_sink(&timers->bench, &timers->ticks[i], "tick", i, sizeof(struct timer_tick));
        timers->requests[i].full_speed = timers->ticks[i].full_speed = true;
    }
    timers->time = rtl_pin(&timers->bench.rtl, "time_tick", 32);
    timers->idle = rtl_pin(&timers->bench.rtl, "idle", 1);
    timers->now = now;
}

/* A cycle; time goes on by `ticks`. */
static void cycle(struct timers *timers, uint32_t ticks)
{
    timers->now += ticks;
    rtl_put(&timers->time, 0, 32, timers->now);
    bench_cycle(&timers->bench);
}

static void ask(struct timers *timers, unsigned timer, uint32_t at)
{
    struct timer_request request = {.at = at};
    bench_push(&timers->requests[timer], &request);
}

/* Asks for what has come, and takes the tick: from then on the time is known. */
static void learn_time(struct timers *timers, unsigned timer, uint32_t at)
{
    const struct timer_tick *tick = NULL;
    ask(timers, timer, at);
    for (unsigned n = 0; n < 8 && !(tick = bench_next(&timers->ticks[timer])); n++)
        cycle(timers, 0);
    assert_non_null(tick);
    assert_int_equal(tick->now, timers->now);
}

/* Across the end of the counter, too. */
static void test_due(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 1000, UINT32_MAX - 50};
    for (unsigned i = 0; i < 3; i++) {
        struct timers timers = {0};
        open_timers(&timers, 1, starts[i]);
        learn_time(&timers, 1, 0);
        uint32_t at = starts[i] + 100;
        ask(&timers, 1, at);
        const struct timer_tick *tick = NULL;
        for (unsigned n = 0; n < 200 && !(tick = bench_next(&timers.ticks[1])); n++) {
            cycle(&timers, 1);
            if ((int32_t)(timers.now - at) < 0)
                assert_int_equal(timers.ticks[1].count, 1); /* the one before */
        }
        assert_non_null(tick);
        assert_in_range(tick->now - at, 0, 4);
        for (unsigned n = 0; n < 300; n++)
            cycle(&timers, 1);
        assert_null(bench_next(&timers.ticks[1]));
        assert_null(bench_next(&timers.ticks[0]));
        assert_int_equal(rtl_get(&timers.idle, 0, 1), 1);
        bench_close(&timers.bench);
    }
}

static void test_later_request_replaces(void **state)
{
    (void)state;
    struct timers timers = {0};
    open_timers(&timers, 1, 5000);
    ask(&timers, 0, 5050);
    for (unsigned n = 0; n < 10; n++)
        cycle(&timers, 1);
    assert_int_equal(rtl_get(&timers.idle, 0, 1), 0);
    ask(&timers, 0, 5200);
    const struct timer_tick *tick = NULL;
    while (!(tick = bench_next(&timers.ticks[0])) && timers.now < 6000)
        cycle(&timers, 1);
    assert_non_null(tick);
    assert_in_range(tick->now, 5200, 5204);
    ask(&timers, 0, 4000); /* past: at once */
    for (unsigned n = 0; n < 8; n++)
        cycle(&timers, 0);
    assert_non_null(bench_next(&timers.ticks[0]));
    bench_close(&timers.bench);
}

static void test_asks_after_long(void **state)
{
    (void)state;
    static const uint32_t pauses[] = {0x7fffffff, 0x80000001, 0xfffffff0};
    struct timers timers = {0};
    open_timers(&timers, 1, 0x90000000);
    learn_time(&timers, 0, 0);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t known = timers.now;
        timers.now += pauses[i];
        learn_time(&timers, 0, known);
    }
    bench_close(&timers.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_due), cmocka_unit_test(test_asks_after_long),
                                       cmocka_unit_test(test_later_request_replaces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
