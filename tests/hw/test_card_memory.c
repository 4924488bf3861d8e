/* SPDX-License-Identifier: Apache-2.0 */
/*
 * card_memory against the native card's memory port: the same requests give the same lines and leave the same memory.
 * The ports work in lines of their own that share sets of the caches. And what only hardware has: ports that work in
 * the same lines agree on one order, a port that stops alone, and rates for hits, misses and counting.
 */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/memory_port.h"
#include "hw/platform/sim/bus.h"
#include "tests/hw/bench.h"

extern const struct rtl_model rtl_model_card_memory_small;

#define PORTS 4u
#define LINES 4096u /* of the small model's memory */
#define TIME  0x12345678u

struct memory {
    struct bench bench;
    struct bus bus;
    struct bench_end requests[PORTS], lines[PORTS];
    uint8_t *real, *expected; /* behind the bus; as the native port leaves it */
    struct memory_line *answers[PORTS];
    size_t answer_count[PORTS];
};

static bool read_line(void *context, uint64_t address, uint8_t *line)
{
    const struct memory *memory = context;
    assert_true(address < LINES * 64u);
    memcpy(line, memory->real + address, 64);
    return true;
}

static bool write_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    struct memory *memory = context;
    assert_true(address < LINES * 64u && enable == UINT64_MAX);
    memcpy(memory->real + address, line, 64);
    return true;
}

static void before(void *context)
{
    bus_drive(context);
}

static void after(void *context)
{
    bus_sample(context);
}

static void memory_open(struct memory *memory, const struct rtl_model *model, const struct bus_settings *settings,
                        uint64_t seed)
{
    memset(memory, 0, sizeof *memory);
    bench_open(&memory->bench, model, seed);
    struct bus_memory behind = {read_line, write_line, memory};
    assert_int_equal(bus_open(&memory->bus, &memory->bench.rtl, "bus", settings, &behind), 0);
    memory->bench.before = before;
    memory->bench.after = after;
    memory->bench.context = &memory->bus;
    memory->real = malloc(LINES * 64u);
    memory->expected = malloc(LINES * 64u);
    for (unsigned i = 0; i < LINES * 64u; i++)
        memory->real[i] = (uint8_t)bench_random(&memory->bench, 256);
    memcpy(memory->expected, memory->real, LINES * 64u);
    struct rtl_pin time = rtl_pin(&memory->bench.rtl, "time_ms", 32);
    rtl_put(&time, 0, 32, TIME);
    for (unsigned i = 0; i < PORTS; i++) {
        bench_source(&memory->bench, &memory->requests[i], "request", i, sizeof(struct memory_request));
        bench_sink(&memory->bench, &memory->lines[i], "line", i, sizeof(struct memory_line));
        memory->answers[i] = malloc(20000 * sizeof(struct memory_line));
    }
}

static void memory_close(struct memory *memory)
{
    for (unsigned i = 0; i < PORTS; i++)
        free(memory->answers[i]);
    free(memory->expected);
    free(memory->real);
    bus_close(&memory->bus);
    bench_close(&memory->bench);
}

/* What the native card does with it. */
static void request(struct memory *memory, unsigned port, const struct memory_request *request)
{
    static const struct memory_line zeros;
    bench_push(&memory->requests[port], request);
    uint8_t *line = memory->expected + (size_t)request->line * 64;
    if (request->operation == MEMORY_READ)
        memory->answers[port][memory->answer_count[port]++] =
            request->line < LINES ? *(struct memory_line *)(void *)line : zeros;
    else if (request->line < LINES)
        memory_change_line(line, request, TIME);
}

/* A port's lines are those whose number is its own modulo PORTS; there are few, so they meet in the cache. */
static void request_random(struct memory *memory, unsigned port, unsigned count)
{
    struct bench *bench = &memory->bench;
    for (unsigned i = 0; i < count; i++) {
        uint32_t range = bench_random(bench, 4) ? 8 : LINES / PORTS;
        struct memory_request record = {.line = bench_random(bench, range) * PORTS + port};
        if (bench_random(bench, 30) == 0)
            record.line = LINES + bench_random(bench, UINT32_MAX - LINES);
        record.operation = (uint8_t)(bench_random(bench, 2) ? MEMORY_READ : bench_random(bench, 4));
        if (bench_random(bench, 50) == 0)
            record.operation = (uint8_t)(4 + bench_random(bench, 252));
        if (record.operation == MEMORY_COUNT) {
            record.amount = bench_random(bench, 10000);
        } else if (record.operation != MEMORY_READ) {
            record.word = (uint8_t)bench_random(bench, 8);
            for (unsigned n = 0; n < MEMORY_WRITE_BYTES; n++)
                record.data[n] = (uint8_t)bench_random(bench, 256);
        }
        request(memory, port, &record);
    }
}

static void expect_port(struct memory *memory, unsigned port)
{
    for (size_t i = 0; i < memory->answer_count[port]; i++) {
        const struct memory_line *line;
        uint64_t start = memory->bench.rtl.cycles;
        while (!(line = bench_next(&memory->lines[port]))) {
            bench_cycle(&memory->bench);
            if (memory->bench.rtl.cycles - start > 100000)
                fail_msg("port %u: line %zu does not come", port, i);
        }
        if (memcmp(line, &memory->answers[port][i], sizeof *line) != 0)
            fail_msg("port %u: line %zu differs", port, i);
    }
}

/* Until every change has reached memory. */
static void expect_rest(struct memory *memory)
{
    struct rtl_pin idle = rtl_pin(&memory->bench.rtl, "idle", 1);
    bool sent;
    do {
        sent = true;
        for (unsigned i = 0; i < PORTS; i++)
            sent &= bench_sent(&memory->requests[i]);
        bench_cycle(&memory->bench);
        assert_true(memory->bench.rtl.cycles < 10000000);
    } while (!sent || !rtl_get(&idle, 0, 1) || !bus_idle(&memory->bus));
    for (unsigned i = 0; i < PORTS; i++)
        assert_null(bench_next(&memory->lines[i]));
    assert_memory_equal(memory->real, memory->expected, LINES * 64u);
}

static const struct bus_settings buses[] = {
    {.read_latency = 1, .write_latency = 1, .rate = 64, .reads_max = 64, .one_read_per_id = true, .seed = 1},
    {.read_latency = 40,
     .write_latency = 60,
     .spread = 80,
     .rate = 64,
     .stalls = 64,
     .reorder = true,
     .reads_max = 64,
     .one_read_per_id = true,
     .seed = 2},
    {.read_latency = 10,
     .write_latency = 5,
     .spread = 10,
     .rate = 17,
     .stalls = 200,
     .reorder = true,
     .reads_max = 4,
     .one_read_per_id = true,
     .seed = 3},
};

static void test_equals_native(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct memory memory;
        memory_open(&memory, &rtl_model_card_memory_small, &buses[seed % 3], seed);
        for (unsigned i = 0; i < PORTS; i++)
            request_random(&memory, i, 3000);
        for (unsigned i = 0; i < PORTS; i++)
            expect_port(&memory, i);
        expect_rest(&memory);
        memory_close(&memory);
    }
}

/* Nobody takes the answers of port 0. */
static void test_stops_alone(void **state)
{
    (void)state;
    struct memory memory;
    memory_open(&memory, &rtl_model_card_memory_small, &buses[1], 9);
    for (unsigned i = 0; i < PORTS; i++)
        request_random(&memory, i, 2000);
    memory.lines[0].stopped = true;
    for (unsigned i = 1; i < PORTS; i++)
        expect_port(&memory, i);
    assert_int_equal(memory.lines[0].count, 0);
    memory_close(&memory);
}

static void memory_push(struct memory *memory, unsigned port, const struct memory_request *request)
{
    bench_push(&memory->requests[port], request);
}

/* The next line of a port, when it comes. */
static const uint8_t *next_line(struct memory *memory, unsigned port)
{
    const struct memory_line *line;
    while (!(line = bench_next(&memory->lines[port]))) {
        bench_cycle(&memory->bench);
        assert_true(memory->bench.rtl.cycles < 10000000);
    }
    return line->data;
}

static uint64_t word_of(const uint8_t *line)
{
    uint64_t word;
    memcpy(&word, line, sizeof word);
    return word;
}

#define VERSIONS   400u
#define FIRST_LINE 5u
#define LAST_LINE  (FIRST_LINE + 64u) /* in the same set */
#define OTHER_LINE 130u

/* Port `writer` writes versions into one line and then into another; who reads the second one first never finds an
 * older version in the first one, and none goes back. Other lines of the same set come and go meanwhile. */
static void expect_one_order(unsigned writer, const struct bus_settings *settings, uint64_t seed)
{
    struct memory memory;
    memory_open(&memory, &rtl_model_card_memory_small, settings, seed);
    memset(memory.real + (size_t)FIRST_LINE * 64, 0, 64);
    memset(memory.real + (size_t)LAST_LINE * 64, 0, 64);
    uint64_t first[PORTS] = {0}, last[PORTS] = {0};
    for (uint64_t version = 1; version <= VERSIONS; version++) {
        struct memory_request write = {.line = FIRST_LINE, .operation = MEMORY_WRITE};
        memcpy(write.data, &version, sizeof version);
        if (version % 2)
            write.operation = MEMORY_WRITE_WORD;
        memory_push(&memory, writer, &write);
        write.line = LAST_LINE;
        memory_push(&memory, writer, &write);
    }
    for (unsigned port = 0; port < PORTS; port++) {
        for (unsigned i = 0; port != writer && i < VERSIONS; i++) {
            struct memory_request read = {.line = LAST_LINE};
            memory_push(&memory, port, &read);
            read.line = FIRST_LINE;
            memory_push(&memory, port, &read);
            read.line = OTHER_LINE + bench_random(&memory.bench, 4) * 64;
            memory_push(&memory, port, &read);
        }
    }
    for (unsigned i = 0; i < VERSIONS; i++) {
        for (unsigned port = 0; port < PORTS; port++) {
            if (port == writer)
                continue;
            uint64_t newest = word_of(next_line(&memory, port)), before = word_of(next_line(&memory, port));
            next_line(&memory, port);
            if (before < newest || newest < last[port] || before < first[port])
                fail_msg("port %u: read %u: versions %llu, then %llu", port, i, (unsigned long long)newest,
                         (unsigned long long)before);
            last[port] = newest;
            first[port] = before;
        }
    }
    memory_close(&memory);
}

static void test_one_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        expect_one_order((unsigned)seed % PORTS, &buses[seed % 3], seed);
}

/* Who reads a line after another port's own read has found a change finds it as well; so does that port itself. */
static void test_write_then_read(void **state)
{
    (void)state;
    struct memory memory;
    memory_open(&memory, &rtl_model_card_memory_small, &buses[1], 4);
    for (unsigned i = 0; i < 1500; i++) {
        unsigned writer = bench_random(&memory.bench, PORTS), reader = bench_random(&memory.bench, PORTS);
        struct memory_request record = {.line = bench_random(&memory.bench, 6) * 32,
                                        .operation = bench_random(&memory.bench, 2) ? MEMORY_COUNT : MEMORY_WRITE_WORD,
                                        .word = (uint8_t)bench_random(&memory.bench, 8),
                                        .amount = i};
        memset(record.data, record.operation == MEMORY_COUNT ? 0 : (int)(i & 0xff), sizeof record.data);
        request(&memory, writer, &record);
        struct memory_request read = {.line = record.line};
        const uint8_t *expected = memory.expected + (size_t)record.line * 64;
        memory_push(&memory, writer, &read);
        assert_memory_equal(next_line(&memory, writer), expected, 64);
        memory_push(&memory, reader, &read);
        assert_memory_equal(next_line(&memory, reader), expected, 64);
    }
    expect_rest(&memory);
    memory_close(&memory);
}

static const struct bus_settings near_memory = {
    .read_latency = 50, .write_latency = 20, .rate = 64, .reads_max = 64, .one_read_per_id = true, .seed = 1};

/* Nobody waits outside the module. */
static void memory_open_fast(struct memory *memory)
{
    memory_open(memory, &rtl_model_card_memory_small, &near_memory, 1);
    for (unsigned i = 0; i < PORTS; i++)
        memory->requests[i].full_speed = memory->lines[i].full_speed = true;
}

/* Cycles for `count` reads of each port, of lines that the cache has or has not. */
static uint64_t cycles_of_reads(bool hits, unsigned count)
{
    struct memory memory;
    memory_open_fast(&memory);
    for (unsigned i = 0; i < PORTS; i++) {
        for (unsigned n = 0; n < count; n++) {
            struct memory_request record = {.line = hits ? i : (n * PORTS + i) * 7 % LINES};
            request(&memory, i, &record);
        }
    }
    uint64_t start = memory.bench.rtl.cycles;
    for (unsigned i = 0; i < PORTS; i++)
        expect_port(&memory, i);
    uint64_t cycles = memory.bench.rtl.cycles - start;
    memory_close(&memory);
    return cycles;
}

/* Port 3 counts in `lines` lines, and the others read them in every cycle. */
static uint64_t cycles_of_counting(uint32_t lines, unsigned count)
{
    struct memory memory;
    memory_open_fast(&memory);
    for (unsigned n = 0; n < count; n++) {
        struct memory_request record = {.line = n % lines};
        for (unsigned i = 0; i < PORTS - 1; i++)
            memory_push(&memory, i, &record);
        record.operation = MEMORY_COUNT;
        record.amount = n;
        request(&memory, PORTS - 1, &record);
    }
    uint64_t start = memory.bench.rtl.cycles;
    for (unsigned n = 0; n < count; n++)
        for (unsigned i = 0; i < PORTS - 1; i++)
            next_line(&memory, i);
    while (!bench_sent(&memory.requests[PORTS - 1]))
        bench_cycle(&memory.bench);
    uint64_t cycles = memory.bench.rtl.cycles - start;
    expect_rest(&memory);
    memory_close(&memory);
    return cycles;
}

static void test_rate(void **state)
{
    (void)state;
    uint64_t hits = cycles_of_reads(true, 500), misses = cycles_of_reads(false, 500);
    print_message(
        "2000 reads: %llu cycles when the caches have them, %llu when they have not (latency 50, 32 in flight)\n",
        (unsigned long long)hits, (unsigned long long)misses);
    assert_true(hits < 500 + 150);
    assert_true(misses < 2000 * 60 / 32 + 200);
    uint64_t one = cycles_of_counting(1, 1000), some = cycles_of_counting(16, 1000);
    print_message("1000 changes, and 3000 reads of the same lines: %llu cycles for one line, %llu for 16\n",
                  (unsigned long long)one, (unsigned long long)some);
    assert_true(one < 1000 + 300 && some < 1000 + 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_native), cmocka_unit_test(test_one_order),
                                       cmocka_unit_test(test_write_then_read), cmocka_unit_test(test_stops_alone),
                                       cmocka_unit_test(test_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
