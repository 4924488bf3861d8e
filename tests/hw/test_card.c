/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole card, hls/card.cfg in hw/shell/card.sv, as one Verilated model, and the rtl card, which joins the same
 * modules in C: whatever crosses the pins must be the same in the same cycle, and must not depend on what flip-flops
 * and RAMs hold when they are powered on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/rtl/state.h"
#include "tests/hw/card_traffic.h"

extern const struct rtl_model rtl_model_card_whole;

#define TEXT_BYTES 12u

struct event {
    uint64_t cycle;
    uint64_t hash; /* of what crossed the pins */
    char what[TEXT_BYTES];
    uint32_t index;
};

/* What a card did, in order. */
struct record {
    struct rtl_observer observer;
    const _Atomic uint64_t *now;
    bool over;
    struct event *events;
    size_t count, capacity;
    struct traffic_results results;
    uint8_t *memory;
    double seconds;
    uint64_t cycles;
};

static uint64_t hash_bytes(const uint8_t *bytes, size_t count)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* A line on its way to memory: what its enables leave out means nothing. */
static uint64_t hash_line(const uint8_t *bytes)
{
    uint8_t line[BUS_LINE_BYTES + 9];
    memcpy(line, bytes, sizeof line);
    for (unsigned i = 0; i < BUS_LINE_BYTES; i++)
        if (!(line[BUS_LINE_BYTES + i / 8] >> i % 8 & 1))
            line[i] = 0;
    return hash_bytes(line, sizeof line);
}

static void saw(void *context, const char *what, unsigned index, const void *bytes, size_t count)
{
    struct record *record = context;
    if (record->over)
        return;
    if (record->count == record->capacity) {
        record->capacity = record->capacity ? 2 * record->capacity : 1024;
        struct event *larger = realloc(record->events, record->capacity * sizeof *larger);
        assert_non_null(larger);
        record->events = larger;
    }
    struct event *event = &record->events[record->count++];
    *event = (struct event){.cycle = record->now ? *record->now : 0, .index = index};
    snprintf(event->what, sizeof event->what, "%s", what);
    event->hash =
        strcmp(strchr(what, ' ') ? strchr(what, ' ') : "", " w") == 0 ? hash_line(bytes) : hash_bytes(bytes, count);
}

/* The same life for every card: traffic, a reset in the middle of it, traffic again, the end of it. */
static void live(struct record *record, const struct rtl_model *whole, const char *uri, uint64_t seed, unsigned cycles)
{
    struct traffic traffic;
    struct timespec start, end;
    *record = (struct record){.observer = {saw, record}};
    traffic_open(&traffic, &(struct rtl_card_how){.whole = whole, .observer = &record->observer}, uri, seed);
    const struct rtl_state *state = ((struct native_card *)traffic.card)->engine_state;
    record->now = &state->cycles;
    clock_gettime(CLOCK_MONOTONIC, &start);
    traffic_rest(&traffic, TRAFFIC_CLEARING);
    traffic_start(&traffic);
    traffic_run(&traffic, cycles);
    traffic_reset(&traffic);
    traffic_start(&traffic);
    traffic_run(&traffic, cycles);
    traffic_rest(&traffic, 6000);
    clock_gettime(CLOCK_MONOTONIC, &end);
    record->seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    record->cycles = state->cycles;
    record->results = traffic_results(&traffic);
    record->memory = malloc(TRAFFIC_MEMORY);
    memcpy(record->memory, traffic.memory, TRAFFIC_MEMORY);
    record->over = true;
    traffic_close(&traffic);
}

static void forget(struct record *record)
{
    free(record->events);
    free(record->memory);
}

static void assert_something_happened(const struct record *record)
{
    const struct traffic_results *results = &record->results;
    assert_int_equal(results->failed_commands, 0);
    assert_true(results->completions > 15);
    assert_true(results->punts > 10);
    assert_true(results->transmitted > 5);
    assert_true(results->delivered > 5);
    assert_true(results->sent[0] > 5 && results->sent[1] > 5);
}

static void assert_same(const struct record *one, const struct record *other)
{
    size_t count = one->count < other->count ? one->count : other->count;
    for (size_t i = 0; i < count; i++) {
        const struct event *a = &one->events[i], *b = &other->events[i];
        if (memcmp(a, b, sizeof *a) != 0)
            fail_msg("event %zu: '%s' %u in cycle %llu (%llx), and '%s' %u in cycle %llu (%llx)", i, a->what, a->index,
                     (unsigned long long)a->cycle, (unsigned long long)a->hash, b->what, b->index,
                     (unsigned long long)b->cycle, (unsigned long long)b->hash);
    }
    assert_int_equal(one->count, other->count);
    assert_memory_equal(one->memory, other->memory, TRAFFIC_MEMORY);
    assert_memory_equal(&one->results, &other->results, sizeof one->results);
}

static void print_speed(const char *name, const struct record *record)
{
    print_message("%s: %llu cycles, %zu events at the pins, %.0f cycles per second\n", name,
                  (unsigned long long)record->cycles, record->count, (double)record->cycles / record->seconds);
}

static void compare(const char *uri, uint64_t seed, unsigned cycles, bool all_moves)
{
    struct record joined, whole;
    live(&joined, NULL, uri, seed, cycles);
    print_speed("joined", &joined);
    if (all_moves)
        assert_something_happened(&joined);
    else
        assert_true(joined.count > 10);
    live(&whole, &rtl_model_card_whole, uri, seed, cycles);
    print_speed("whole", &whole);
    assert_same(&joined, &whole);
    forget(&joined);
    forget(&whole);
}

static void test_joined_equals_whole(void **state)
{
    (void)state;
    compare("", 1, 6000, true);
    compare("?read_latency=100&write_latency=40&spread=200&rate=24&seed=9&moderation=900", 2, 6000, true);
}

/* A reset does not wait for ever for a bus that does not answer. */
static void test_reset_without_bus(void **state)
{
    (void)state;
    compare("?read_latency=20000", 4, 1000, false);
}

/* Zeros, and three kinds of noise: before the first reset that has written to the RAMs, so they are cleared first. */
static void test_power_on(void **state)
{
    (void)state;
    struct record zeros;
    live(&zeros, &rtl_model_card_whole, "", 3, 3000);
    assert_something_happened(&zeros);
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct record noise;
        rtl_power_on_seed = seed * 4711;
        live(&noise, seed < 3 ? &rtl_model_card_whole : NULL, "", 3, 3000);
        rtl_power_on_seed = 0;
        assert_same(&zeros, &noise);
        forget(&noise);
    }
    forget(&zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_joined_equals_whole),
                                       cmocka_unit_test(test_reset_without_bus), cmocka_unit_test(test_power_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
