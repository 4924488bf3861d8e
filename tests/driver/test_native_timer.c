/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of the native card by a clock that the test sets: whatever the time when the card begins, and however long
 * nobody asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "driver/native.h"
#include "hls/include/block.h"

#define PATIENCE_SECONDS 30

static _Atomic uint64_t clock_ticks;

static uint64_t clock_nanoseconds(struct native_card *card)
{
    (void)card;
    return atomic_load(&clock_ticks) * BLOCK_TICK_NANOSECONDS;
}

extern const struct card_ops card_ops_native;
static const struct native_engine engine = {.ops = &card_ops_native, .sweep = native_sweep, .time = clock_nanoseconds};

static const struct native_stream streams[] = {
    {"open.request:timer_0.request", HLS_SLOT_BYTES(struct timer_request), 4, 0, 1, "timer_request"},
    {"timer_0.tick:open.tick", HLS_SLOT_BYTES(struct timer_tick), 4, 1, 0, "timer_tick"},
    {0}};
static const struct native_node nodes[] = {{"open", NULL, NULL}, {"timer_0", NULL, NULL}, {0}};
static const struct native_shell_stream shell[] = {{"request", 1, 0}, {"tick", 1, 1}, {0}};
static const struct native_graph graph = {"timer", 2 * sizeof(struct hls_fifo), streams, 2, nodes, 2, shell, 2};

static struct native_card *open_card(uint64_t ticks)
{
    struct cipu_error error;
    struct cipu_card *card;
    atomic_store(&clock_ticks, ticks);
    if (native_engine_open(&engine, NULL, &graph, "timer", &card, &error) != 0)
        fail_msg("%s", error.text);
    return (struct native_card *)card;
}

static void ask(struct native_card *card, uint32_t at)
{
    native_pause(card);
    struct hls_port port = hls_write_begin(&card->fifo[0]);
    struct timer_request *request = hls_slot(&port, HLS_SLOT_BYTES(struct timer_request));
    *request = (struct timer_request){.at = at};
    port.index++;
    hls_write_end(&card->fifo[0], &port);
    native_make_ready(card, 1);
    native_resume(card);
}

static bool ticked(struct native_card *card)
{
    return hls_fifo_used(&card->fifo[1]) != 0;
}

/* The tick, which has to come. */
static uint32_t take_tick(struct native_card *card)
{
    time_t since = time(NULL);
    native_wake(card);
    while (!ticked(card))
        if (time(NULL) - since > PATIENCE_SECONDS)
            fail_msg("no tick at %llu", (unsigned long long)atomic_load(&clock_ticks));
    struct hls_port port = hls_read_begin(&card->fifo[1]);
    uint32_t now = ((const struct timer_tick *)hls_slot(&port, HLS_SLOT_BYTES(struct timer_tick)))->now;
    port.index++;
    hls_read_end(&card->fifo[1], &port);
    return now;
}

/* A kernel that knows no time asks for 0; half a range after the clock's beginning that is no time to come. */
static void test_begins_late(void **state)
{
    static const uint64_t begins[] = {5, 0x7fffffff, 0x80000001, 0xffffff00, 0x123456789a};
    (void)state;
    for (unsigned i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        struct native_card *card = open_card(begins[i]);
        ask(card, 0);
        assert_int_equal(take_tick(card), (uint32_t)begins[i]);
        cipu_card_close(&card->base);
    }
}

/* The time that a kernel knows is that of its last tick. */
static void test_asks_after_long(void **state)
{
    static const uint64_t pauses[] = {0x7fffffff, 0x80000001, 0xfffffff0, 0x180000000};
    (void)state;
    struct native_card *card = open_card(1000);
    ask(card, 0);
    uint32_t known = take_tick(card);
    for (unsigned i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        atomic_fetch_add(&clock_ticks, pauses[i]);
        ask(card, known);
        known = take_tick(card);
        assert_int_equal(known, (uint32_t)atomic_load(&clock_ticks));
    }
    cipu_card_close(&card->base);
}

static void test_not_before(void **state)
{
    (void)state;
    struct native_card *card = open_card(0xfffffff0);
    ask(card, 0);
    uint32_t known = take_tick(card);
    ask(card, known + 0x20);
    for (unsigned i = 0; i < 0x1f; i++) {
        atomic_fetch_add(&clock_ticks, 1);
        native_pause(card); /* a round is over */
        native_resume(card);
        assert_false(ticked(card));
    }
    atomic_fetch_add(&clock_ticks, 1);
    assert_int_equal(take_tick(card), known + 0x20);
    cipu_card_close(&card->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_begins_late), cmocka_unit_test(test_asks_after_long),
                                       cmocka_unit_test(test_not_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
