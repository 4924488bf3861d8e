/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dma_write against the native card's write channels: the same requests and beats leave the same memory and give the
 * same done records. And what only hardware has: rate, a channel that stops alone, done only after the bus has
 * answered.
 */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/hw/dma_bench.h"

extern const struct rtl_model rtl_model_dma_write_4, rtl_model_dma_write;

#define CHANNELS_MAX 24u
#define MOVE_CHANNEL 16u                    /* the card's channel whose data comes from memory */
#define SLICE        (DMA_MEMORY_BYTES / 4) /* a channel's own memory: channels are not ordered among each other */

struct writer {
    struct bench bench;
    struct bus bus;
    struct native_shell shell, oracle; /* the model's memory and the native channels'; equal at first */
    struct bench_end requests[CHANNELS_MAX], beats[CHANNELS_MAX], done[CHANNELS_MAX];
    size_t nodes[CHANNELS_MAX];
    unsigned channels;
    uint8_t *memory, *expected;
};

static void writer_open(struct writer *writer, const struct rtl_model *model, unsigned channels,
                        const struct bus_settings *settings, uint64_t seed)
{
    static const char *const ports[] = {"request", "data", "done"};
    static const uint32_t bytes[] = {sizeof(struct dma_request), sizeof(struct beat), sizeof(struct dma_done)};
    writer->channels = channels;
    bench_open(&writer->bench, model, seed);
    uint64_t random = writer->bench.random;
    native_shell_open(&writer->shell);
    native_shell_open(&writer->oracle);
    writer->memory = dma_map_all(&writer->shell, &writer->bench);
    writer->bench.random = random;
    writer->expected = dma_map_all(&writer->oracle, &writer->bench);
    struct bus_memory memory = native_shell_memory(&writer->shell);
    assert_int_equal(bus_open(&writer->bus, &writer->bench.rtl, "bus", settings, &memory), 0);
    writer->bench.before = dma_bus_before;
    writer->bench.after = dma_bus_after;
    writer->bench.context = &writer->bus;
    for (unsigned i = 0; i < channels; i++) {
        bench_source(&writer->bench, &writer->requests[i], "request", i, sizeof(struct dma_request));
        bench_source(&writer->bench, &writer->beats[i], "data", i, sizeof(struct beat));
        bench_sink(&writer->bench, &writer->done[i], "done", i, sizeof(struct dma_done));
        writer->nodes[i] = native_shell_add(&writer->oracle, native_dma_write_create, ports, bytes, 3);
    }
}

static void writer_close(struct writer *writer)
{
    bus_close(&writer->bus);
    native_shell_close(&writer->shell);
    native_shell_close(&writer->oracle);
    bench_close(&writer->bench);
}

static void request(struct writer *writer, unsigned channel, const struct dma_request *request)
{
    bench_push(&writer->requests[channel], request);
    native_shell_push(&writer->oracle, writer->nodes[channel], "request", request);
}

/* Sidebands are noise: a write channel counts by its requests. */
static void send_beats(struct writer *writer, unsigned channel, uint64_t bytes)
{
    for (; bytes; bytes -= bytes < BEAT_BYTES ? bytes : BEAT_BYTES) {
        uint32_t words[sizeof(struct beat) / 4];
        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
            words[i] = bench_random(&writer->bench, UINT32_MAX);
        bench_push(&writer->beats[channel], words);
        native_shell_push(&writer->oracle, writer->nodes[channel], "data", words);
    }
}

/* Into the channel's own memory, or to where nothing is written. */
static void confine(struct dma_request *request, unsigned channel)
{
    uint64_t address = request->address, length = request->length;
    bool low = address < DMA_MEMORY_BYTES, good = length >= 1 && length <= 65536;
    if (low && good && address + length <= DMA_MEMORY_BYTES)
        request->address = channel * SLICE + address % (SLICE - 65536);
    else if (channel != (low ? 3u : 0u))
        request->flags |= DMA_REFUSED;
}

static void write_packets(struct writer *writer, unsigned channel, unsigned packets)
{
    struct bench *bench = &writer->bench;
    for (unsigned i = 0; i < packets; i++) {
        unsigned segments = bench_random(bench, 3) ? 1 : 1 + bench_random(bench, 30);
        uint64_t bytes = 0;
        for (; segments; segments--) {
            struct dma_request record = dma_random_request(bench, segments);
            confine(&record, channel);
            request(writer, channel, &record);
            bytes += record.length <= 65536 ? record.length : 0;
            if (bench_random(bench, 20) == 0) {
                record.flags |= DMA_WINDOW;
                request(writer, channel, &record);
            }
        }
        send_beats(writer, channel, bytes);
    }
}

static void expect_channel(struct writer *writer, unsigned channel)
{
    native_shell_run(&writer->oracle, writer->nodes[channel]);
    const struct dma_done *expected;
    for (unsigned n = 0; (expected = native_shell_next(&writer->oracle, writer->nodes[channel], "done")) != NULL; n++) {
        const struct dma_done *done;
        uint64_t start = writer->bench.rtl.cycles;
        while (!(done = bench_next(&writer->done[channel]))) {
            bench_cycle(&writer->bench);
            if (writer->bench.rtl.cycles - start > 200000)
                fail_msg("channel %u: done %u does not come", channel, n);
        }
        if (memcmp(done, expected, sizeof *done) != 0)
            fail_msg(
                "channel %u: done %u differs: tag %u, function %u, error %u; expected tag %u, function %u, error %u",
                channel, n, done->tag, done->function, done->error, expected->tag, expected->function, expected->error);
    }
}

static void compare_memory(const struct writer *writer)
{
    for (unsigned i = 0; i < DMA_MEMORY_BYTES; i++)
        if (writer->memory[i] != writer->expected[i])
            fail_msg("byte 0x%x is 0x%02x, expected 0x%02x", i, writer->memory[i], writer->expected[i]);
}

static void expect_idle(struct writer *writer)
{
    for (unsigned i = 0; i < 1000; i++)
        bench_cycle(&writer->bench);
    for (unsigned i = 0; i < writer->channels; i++)
        assert_null(bench_next(&writer->done[i]));
    struct rtl_pin idle = rtl_pin(&writer->bench.rtl, "idle", 1);
    assert_int_equal(rtl_get(&idle, 0, 1), 1);
    assert_true(bus_idle(&writer->bus));
}

static void test_equals_native(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 9; seed++) {
        struct writer writer;
        writer_open(&writer, &rtl_model_dma_write_4, 4, &dma_buses[seed % dma_bus_count], seed);
        for (unsigned i = 0; i < 4; i++)
            write_packets(&writer, i, 50);
        for (unsigned i = 0; i < 4; i++)
            expect_channel(&writer, i);
        compare_memory(&writer);
        expect_idle(&writer);
        writer_close(&writer);
    }
}

/* In the cycle in which a done record moves, the packet is in memory. */
static void test_visible_before_done(void **state)
{
    (void)state;
    struct writer writer;
    writer_open(&writer, &rtl_model_dma_write_4, 4, &dma_buses[1], 11);
    for (unsigned i = 0; i < 100; i++) {
        write_packets(&writer, i % 4, 1);
        expect_channel(&writer, i % 4);
        compare_memory(&writer);
    }
    writer_close(&writer);
}

/* Channel 0 has requests and no data, channel 1 a done stream that nobody reads: all others go on. */
static void test_stops_alone(void **state)
{
    (void)state;
    struct writer writer;
    writer_open(&writer, &rtl_model_dma_write, 16, &dma_buses[1], 5);
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned n = 0; n < 60; n++) {
            struct dma_request record = {.address = i * 32768 + n * 500, .length = 500, .flags = DMA_LAST};
            request(&writer, i, &record);
            send_beats(&writer, i, 500);
        }
    }
    writer.beats[0].stopped = writer.done[1].stopped = true;
    for (unsigned i = 2; i < 16; i++)
        expect_channel(&writer, i);
    assert_int_equal(writer.done[0].count + writer.done[1].count, 0);
    assert_memory_equal(writer.memory + 2 * 32768, writer.expected + 2 * 32768, 14 * 32768);
    writer_close(&writer);
}

static void test_rate(void **state)
{
    (void)state;
    const struct bus_settings settings = {
        .read_latency = 220, .write_latency = 100, .rate = 64, .reads_max = 32, .seed = 1};
    enum { PACKETS = 10, BYTES = 4096 };
    struct writer writer;
    writer_open(&writer, &rtl_model_dma_write, 16, &settings, 1);
    for (unsigned i = 0; i < 16; i++) {
        writer.requests[i].full_speed = writer.beats[i].full_speed = writer.done[i].full_speed = true;
        for (unsigned n = 0; n < PACKETS; n++) {
            struct dma_request record = {.address = (i * PACKETS + n) * BYTES, .length = BYTES, .flags = DMA_LAST};
            request(&writer, i, &record);
            send_beats(&writer, i, BYTES);
        }
    }
    for (unsigned i = 0; i < 16; i++)
        expect_channel(&writer, i);
    compare_memory(&writer);
    uint64_t lines = writer.bus.counters.write_bytes / 64;
    print_message("%llu lines in %llu cycles, %llu PCIe writes\n", (unsigned long long)lines,
                  (unsigned long long)writer.bench.rtl.cycles, (unsigned long long)writer.bus.counters.write_packets);
    assert_int_equal(lines, 16 * PACKETS * BYTES / 64);
    assert_true(writer.bench.rtl.cycles < lines * 11 / 10);
    writer_close(&writer);
}

/* One channel alone writes a line in each cycle: the next burst's beats come in while one leaves. */
static void test_one_channel_rate(void **state)
{
    (void)state;
    const struct bus_settings settings = {
        .read_latency = 220, .write_latency = 60, .rate = 64, .reads_max = 32, .seed = 1};
    enum { PACKETS = 150, BYTES = 4096 };
    struct writer writer;
    writer_open(&writer, &rtl_model_dma_write, 16, &settings, 1);
    writer.requests[5].full_speed = writer.beats[5].full_speed = writer.done[5].full_speed = true;
    for (unsigned n = 0; n < PACKETS; n++) {
        struct dma_request record = {.address = n * BYTES, .length = BYTES, .flags = DMA_LAST};
        request(&writer, 5, &record);
        send_beats(&writer, 5, BYTES);
    }
    expect_channel(&writer, 5);
    compare_memory(&writer);
    uint64_t lines = PACKETS * BYTES / 64;
    print_message("%llu lines in %llu cycles\n", (unsigned long long)lines,
                  (unsigned long long)writer.bench.rtl.cycles);
    assert_in_range(writer.bench.rtl.cycles, lines, lines + 200);
    writer_close(&writer);
}

/* An error of what was read becomes one of what was written, packet by packet, on the channel of moves alone. */
static void test_error_of_data(void **state)
{
    (void)state;
    enum { PACKETS = 300, CHANNELS = MOVE_CHANNEL + 1 };
    struct writer writer;
    writer_open(&writer, &rtl_model_dma_write, CHANNELS, &dma_buses[1], 3);
    bool errors[PACKETS];
    for (unsigned n = 0; n < PACKETS; n++) {
        uint32_t length = 1 + bench_random(&writer.bench, 200);
        errors[n] = bench_random(&writer.bench, 3) == 0;
        for (unsigned channel = MOVE_CHANNEL - 1; channel < CHANNELS; channel++) {
            struct dma_request record = {.address = n * 256, .length = length, .flags = DMA_LAST, .tag = (uint16_t)n};
            bench_push(&writer.requests[channel], &record);
            for (uint32_t at = 0; at < length; at += BEAT_BYTES) {
                bool last = at + BEAT_BYTES >= length;
                struct beat beat = {.meta = {.bytes = BEAT_BYTES, .last = last, .error = last && errors[n]}};
                bench_push(&writer.beats[channel], &beat);
            }
        }
    }
    for (unsigned channel = MOVE_CHANNEL - 1; channel < CHANNELS; channel++) {
        for (unsigned n = 0; n < PACKETS; n++) {
            const struct dma_done *done;
            while (!(done = bench_next(&writer.done[channel])))
                bench_cycle(&writer.bench);
            assert_int_equal(done->tag, n);
            assert_int_equal(done->error, channel == MOVE_CHANNEL && errors[n]);
        }
    }
    expect_idle(&writer);
    writer_close(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_native),    cmocka_unit_test(test_visible_before_done),
        cmocka_unit_test(test_stops_alone),      cmocka_unit_test(test_rate),
        cmocka_unit_test(test_one_channel_rate), cmocka_unit_test(test_error_of_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
