/* SPDX-License-Identifier: Apache-2.0 */
/* reset_control, watchdog and stream_monitor, cycle by cycle. */
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/registers.h"
#include "hw/platform/sim/model.h"

extern const struct rtl_model rtl_model_reset_control_100, rtl_model_watchdog, rtl_model_stream_monitors,
    rtl_model_stream_monitor;

static void put(struct rtl *rtl, const char *name, uint64_t value)
{
    struct rtl_pin pin = rtl_pin(rtl, name, 0);
    rtl_put(&pin, 0, pin.bits, value);
}

static uint64_t get(struct rtl *rtl, const char *name)
{
    struct rtl_pin pin = rtl_pin(rtl, name, 0);
    rtl_settle(rtl);
    return rtl_get(&pin, 0, pin.bits);
}

static void cycle(struct rtl *rtl)
{
    rtl_settle(rtl);
    rtl_tick(rtl);
}

/* Cycles until a pin has the value. */
static unsigned wait_for(struct rtl *rtl, const char *name, uint64_t value)
{
    unsigned cycles = 0;
    for (; get(rtl, name) != value; cycles++) {
        assert_true(cycles < 100000);
        cycle(rtl);
    }
    return cycles;
}

/* PATIENCE 100, CYCLES 16 */
static void test_reset_waits_for_the_bus(void **state)
{
    (void)state;
    struct rtl rtl;
    assert_int_equal(rtl_open(&rtl, &rtl_model_reset_control_100), 0);
    assert_int_equal(get(&rtl, "core_rst"), 1); /* after the platform's reset */
    assert_in_range(wait_for(&rtl, "busy", 0), 1, 16);
    put(&rtl, "bus_idle", 0);
    put(&rtl, "request", 1);
    assert_int_equal(get(&rtl, "busy"), 1);
    cycle(&rtl);
    put(&rtl, "request", 0);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(get(&rtl, "quiesce"), 1);
        assert_int_equal(get(&rtl, "core_rst"), 0);
        cycle(&rtl);
    }
    put(&rtl, "bus_idle", 1);
    cycle(&rtl);
    assert_int_equal(get(&rtl, "core_rst"), 1);
    assert_int_equal(wait_for(&rtl, "core_rst", 0), 16);
    assert_int_equal(get(&rtl, "busy"), 0);
    /* A bus that never answers. */
    put(&rtl, "bus_idle", 0);
    put(&rtl, "request", 1);
    cycle(&rtl);
    put(&rtl, "request", 0);
    assert_in_range(wait_for(&rtl, "core_rst", 1), 100, 102);
    wait_for(&rtl, "busy", 0);
    rtl_close(&rtl);
}

/* STREAMS 2, LIMIT 50 */
static void test_watchdog(void **state)
{
    (void)state;
    struct rtl rtl;
    assert_int_equal(rtl_open(&rtl, &rtl_model_watchdog), 0);
    put(&rtl, "valid", 3);
    put(&rtl, "ready", 2);
    unsigned cycles = 0;
    for (; !get(&rtl, "stuck"); cycles++)
        cycle(&rtl);
    assert_in_range(cycles, 50, 100);
    assert_int_equal(get(&rtl, "stuck"), 1);
    put(&rtl, "ready", 3);
    cycle(&rtl);
    assert_int_equal(get(&rtl, "stuck"), 0);
    /* A record every 40 cycles is slow, not stuck. */
    for (unsigned i = 0; i < 1000; i++) {
        put(&rtl, "ready", i % 40 == 0 ? 3 : 2);
        cycle(&rtl);
        assert_int_equal(get(&rtl, "stuck"), 0);
    }
    rtl_close(&rtl);
}

static void test_monitor(void **state)
{
    (void)state;
    struct rtl rtl;
    assert_int_equal(rtl_open(&rtl, &rtl_model_stream_monitor), 0);
    uint64_t packets = 0, bytes = 0, stalls = 0;
    for (unsigned i = 0; i < 1000; i++) {
        bool valid = i % 3, ready = i % 7 < 4, last = i % 5 == 0;
        put(&rtl, "valid", valid);
        put(&rtl, "ready", ready);
        put(&rtl, "last", last);
        put(&rtl, "bytes", i % 65);
        packets += valid && ready && last;
        bytes += valid && ready ? i % 65 : 0;
        stalls += valid && !ready;
        cycle(&rtl);
    }
    assert_int_equal(get(&rtl, "packets"), packets);
    assert_int_equal(get(&rtl, "total"), bytes);
    assert_int_equal(get(&rtl, "stalls"), stalls);
    rtl_close(&rtl);
}

/* All of a card's: words of the counters where the register file looks for them. */
static void test_monitors(void **state)
{
    (void)state;
    struct rtl rtl;
    uint64_t counters[MONITOR_STREAMS][4] = {{0}};
    assert_int_equal(rtl_open(&rtl, &rtl_model_stream_monitors), 0);
    assert_int_equal(get(&rtl, "idle"), 1);
    struct rtl_pin bytes = rtl_pin(&rtl, "bytes", MONITOR_STREAMS * 7);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t valid = 0, ready = 0, last = 0;
        for (unsigned s = 0; s < MONITOR_STREAMS; s++) {
            bool offers = (i + s) % 3, takes = (i + s) % 7 < 4, ends = (i * s) % 5 == 0;
            valid |= (uint64_t)offers << s;
            ready |= (uint64_t)takes << s;
            last |= (uint64_t)ends << s;
            rtl_put(&bytes, s * 7, 7, (i + s) % 65);
            counters[s][0] += offers && takes && ends;
            counters[s][1] += offers && takes ? (i + s) % 65 : 0;
            counters[s][2] += offers && !takes;
        }
        put(&rtl, "valid", valid);
        put(&rtl, "ready", ready);
        put(&rtl, "last", last);
        cycle(&rtl);
    }
    put(&rtl, "valid", 0);
    for (unsigned word = 0; word < MONITOR_STREAMS * 8; word++) {
        put(&rtl, "word", word);
        rtl_settle(&rtl);
        uint64_t counter = counters[word / 8][word / 2 % 4];
        assert_int_equal(get(&rtl, "value"), word % 2 ? counter >> 32 : counter & UINT32_MAX);
    }
    cycle(&rtl);
    assert_int_equal(get(&rtl, "idle"), 1);
    rtl_close(&rtl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reset_waits_for_the_bus), cmocka_unit_test(test_watchdog),
                                       cmocka_unit_test(test_monitor), cmocka_unit_test(test_monitors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
