/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dma_read against the native card's read channels: the same requests give the same beats, bit for bit, whatever the
 * bus and the streams do. And what only hardware has: rate, fairness, and a channel that stops alone.
 */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/hw/dma_bench.h"

extern const struct rtl_model rtl_model_dma_read_4, rtl_model_dma_read_16, rtl_model_dma_read;

#define CHANNELS_MAX 16u
#define SEGMENTS     16u /* of a packet, in the model with four channels */

struct reader {
    struct bench bench;
    struct bus bus;
    struct native_shell shell;
    struct bench_end requests[CHANNELS_MAX], beats[CHANNELS_MAX];
    size_t nodes[CHANNELS_MAX];
    unsigned channels;
    uint8_t *memory;
};

static void reader_open(struct reader *reader, const struct rtl_model *model, unsigned channels,
                        const struct bus_settings *settings, uint64_t seed)
{
    static const char *const ports[] = {"request", "data"};
    static const uint32_t bytes[] = {sizeof(struct dma_request), sizeof(struct beat)};
    reader->channels = channels;
    bench_open(&reader->bench, model, seed);
    native_shell_open(&reader->shell);
    reader->memory = dma_map_all(&reader->shell, &reader->bench);
    struct bus_memory memory = native_shell_memory(&reader->shell);
    assert_int_equal(bus_open(&reader->bus, &reader->bench.rtl, "bus", settings, &memory), 0);
    reader->bench.before = dma_bus_before;
    reader->bench.after = dma_bus_after;
    reader->bench.context = &reader->bus;
    for (unsigned i = 0; i < channels; i++) {
        bench_source(&reader->bench, &reader->requests[i], "request", i, sizeof(struct dma_request));
        bench_sink(&reader->bench, &reader->beats[i], "data", i, sizeof(struct beat));
        reader->nodes[i] = native_shell_add(&reader->shell, native_dma_read_create, ports, bytes, 2);
    }
}

static void reader_close(struct reader *reader)
{
    bus_close(&reader->bus);
    native_shell_close(&reader->shell);
    bench_close(&reader->bench);
}

static void request(struct reader *reader, unsigned channel, const struct dma_request *request)
{
    bench_push(&reader->requests[channel], request);
    native_shell_push(&reader->shell, reader->nodes[channel], "request", request);
}

static void request_packets(struct reader *reader, unsigned channel, unsigned packets)
{
    struct bench *bench = &reader->bench;
    for (unsigned i = 0; i < packets; i++) {
        unsigned segments = bench_random(bench, 3) ? 1 : 1 + bench_random(bench, SEGMENTS);
        for (; segments; segments--) {
            struct dma_request record = dma_random_request(bench, segments);
            request(reader, channel, &record);
            if (bench_random(bench, 20) == 0) {
                record.flags |= DMA_WINDOW;
                request(reader, channel, &record);
            }
        }
    }
}

/* Runs the model until it has given as many beats as the native channel, and compares them. */
static void expect_channel(struct reader *reader, unsigned channel)
{
    native_shell_run(&reader->shell, reader->nodes[channel]);
    const struct beat *expected;
    for (unsigned n = 0; (expected = native_shell_next(&reader->shell, reader->nodes[channel], "data")) != NULL; n++) {
        const struct beat *beat;
        uint64_t start = reader->bench.rtl.cycles;
        while (!(beat = bench_next(&reader->beats[channel]))) {
            bench_cycle(&reader->bench);
            if (reader->bench.rtl.cycles - start > 100000)
                fail_msg("channel %u: beat %u does not come", channel, n);
        }
        if (memcmp(beat, expected, sizeof *beat) != 0)
            fail_msg("channel %u: beat %u differs: %u bytes, last %u, error %u; expected %u bytes, last %u, error %u",
                     channel, n, beat->meta.bytes, beat->meta.last, beat->meta.error, expected->meta.bytes,
                     expected->meta.last, expected->meta.error);
    }
}

static void expect_idle(struct reader *reader)
{
    for (unsigned i = 0; i < 1000; i++)
        bench_cycle(&reader->bench);
    for (unsigned i = 0; i < reader->channels; i++)
        assert_null(bench_next(&reader->beats[i]));
    struct rtl_pin idle = rtl_pin(&reader->bench.rtl, "idle", 1);
    assert_int_equal(rtl_get(&idle, 0, 1), 1);
    assert_true(bus_idle(&reader->bus));
}

static void test_equals_native(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 9; seed++) {
        struct reader reader;
        reader_open(&reader, &rtl_model_dma_read_4, 4, &dma_buses[seed % dma_bus_count], seed);
        for (unsigned i = 0; i < 4; i++)
            request_packets(&reader, i, 60);
        for (unsigned i = 0; i < 4; i++)
            expect_channel(&reader, i);
        expect_idle(&reader);
        reader_close(&reader);
    }
}

/* More segments than the collector holds: the packet has what fits, and is an error; the next one is good. */
static void test_too_many_segments(void **state)
{
    (void)state;
    struct reader reader;
    reader_open(&reader, &rtl_model_dma_read_4, 4, &dma_buses[0], 3);
    struct dma_request record = {.length = 10, .tag = 7};
    for (unsigned i = 0; i < SEGMENTS + 5; i++) {
        record.address = 100 * i;
        record.flags = i == SEGMENTS + 4 ? DMA_LAST : 0;
        bench_push(&reader.requests[1], &record);
    }
    record.flags = DMA_LAST;
    record.tag = 8;
    bench_push(&reader.requests[1], &record);
    while (reader.beats[1].count < 4)
        bench_cycle(&reader.bench);
    const struct beat *beat = bench_next(&reader.beats[1]);
    assert_int_equal(beat->meta.length, 10 * SEGMENTS);
    assert_int_equal(beat->meta.source_id, 7);
    bench_next(&reader.beats[1]);
    beat = bench_next(&reader.beats[1]);
    assert_int_equal(beat->meta.last, 1);
    assert_int_equal(beat->meta.error, 1);
    assert_int_equal(beat->meta.bytes, 10 * SEGMENTS - 128);
    assert_memory_equal(beat->data + beat->meta.bytes - 10, reader.memory + 100 * (SEGMENTS - 1), 10);
    beat = bench_next(&reader.beats[1]);
    assert_int_equal(beat->meta.error, 0);
    assert_int_equal(beat->meta.source_id, 8);
    expect_idle(&reader);
    reader_close(&reader);
}

/* Channel 0 is never read from: all others with a reservation go on for ever. */
static void stop_one(const struct rtl_model *model, unsigned reserved)
{
    struct reader reader;
    reader_open(&reader, model, 16, &dma_buses[1], 5);
    for (unsigned i = 0; i < reserved; i++)
        request_packets(&reader, i, 40);
    reader.beats[0].stopped = true;
    for (unsigned i = 1; i < reserved; i++)
        expect_channel(&reader, i);
    assert_int_equal(reader.beats[0].count, 0);
    reader_close(&reader);
}

/* Both channels that fetch commands of block devices stop: every other one goes on for ever. */
static void test_dependent(void **state)
{
    (void)state;
    enum { NVME = 8, VIRTIO_BLK = 13 };
    struct reader reader;
    reader_open(&reader, &rtl_model_dma_read, 16, &dma_buses[1], 6);
    reader.beats[NVME].stopped = reader.beats[VIRTIO_BLK].stopped = true;
    request_packets(&reader, NVME, 60);
    request_packets(&reader, VIRTIO_BLK, 60);
    for (unsigned i = 0; i < 3000; i++)
        bench_cycle(&reader.bench);
    for (unsigned i = 0; i < 16; i++)
        if (i != NVME && i != VIRTIO_BLK)
            request_packets(&reader, i, 40);
    for (unsigned i = 0; i < 16; i++)
        if (i != NVME && i != VIRTIO_BLK)
            expect_channel(&reader, i);
    reader_close(&reader);
}

static void test_stops_alone(void **state)
{
    (void)state;
    stop_one(&rtl_model_dma_read_16, 16);
    stop_one(&rtl_model_dma_read, 7);
}

/* One channel alone, with small packets: as many reads are under way as others leave it. */
static void test_one_channel(void **state)
{
    (void)state;
    const struct bus_settings settings = {.read_latency = 220,
                                          .write_latency = 100,
                                          .rate = 64,
                                          .reorder = true,
                                          .reads_max = 32,
                                          .one_read_per_id = true,
                                          .seed = 1};
    struct reader reader;
    reader_open(&reader, &rtl_model_dma_read, 16, &settings, 1);
    enum { PACKETS = 1000 };
    reader.requests[0].full_speed = reader.beats[0].full_speed = true;
    for (unsigned n = 0; n < PACKETS; n++) {
        struct dma_request record = {.address = n % 200 * 4096, .length = 64, .flags = DMA_LAST};
        request(&reader, 0, &record);
    }
    expect_channel(&reader, 0);
    print_message("%u packets in %llu cycles\n", PACKETS, (unsigned long long)reader.bench.rtl.cycles);
    assert_in_range(reader.bench.rtl.cycles, PACKETS * 220 / 32, PACKETS * 240 / 25);
    reader_close(&reader);
}

/* A line per cycle, from a bus with the latency of PCIe: one microsecond at 250 MHz. */
static void test_rate(void **state)
{
    (void)state;
    const struct bus_settings settings = {.read_latency = 220,
                                          .write_latency = 100,
                                          .rate = 64,
                                          .reorder = true,
                                          .reads_max = 32,
                                          .one_read_per_id = true,
                                          .seed = 1};
    struct reader reader;
    reader_open(&reader, &rtl_model_dma_read, 16, &settings, 1);
    enum { PACKETS = 20, BYTES = 4096 };
    for (unsigned i = 0; i < 16; i++) {
        reader.requests[i].full_speed = reader.beats[i].full_speed = true;
        for (unsigned n = 0; n < PACKETS; n++) {
            struct dma_request record = {
                .address = (i * PACKETS + n) % 200 * BYTES, .length = BYTES, .flags = DMA_LAST};
            request(&reader, i, &record);
        }
    }
    for (unsigned i = 0; i < 16; i++)
        expect_channel(&reader, i);
    uint64_t lines = reader.bus.counters.read_bytes / 64;
    print_message("%llu lines in %llu cycles, %llu PCIe reads\n", (unsigned long long)lines,
                  (unsigned long long)reader.bench.rtl.cycles, (unsigned long long)reader.bus.counters.read_requests);
    assert_int_equal(lines, 16 * PACKETS * BYTES / 64);
    assert_int_equal(reader.bus.counters.read_requests, lines / 8);
    assert_true(reader.bench.rtl.cycles < lines * 11 / 10);
    reader_close(&reader);
}

/* One channel alone, one of those that keep slots free for others, moves a line in each cycle as well. */
static void test_one_channel_rate(void **state)
{
    (void)state;
    const struct bus_settings settings = {.read_latency = 220,
                                          .write_latency = 100,
                                          .spread = 30,
                                          .rate = 64,
                                          .reads_max = 32,
                                          .one_read_per_id = true,
                                          .seed = 1};
    struct reader reader;
    reader_open(&reader, &rtl_model_dma_read, 16, &settings, 1);
    enum { PACKETS = 200, BYTES = 4096, CHANNEL = 12 };
    reader.requests[CHANNEL].full_speed = reader.beats[CHANNEL].full_speed = true;
    for (unsigned n = 0; n < PACKETS; n++) {
        struct dma_request record = {.address = n * BYTES, .length = BYTES, .flags = DMA_LAST};
        request(&reader, CHANNEL, &record);
    }
    expect_channel(&reader, CHANNEL);
    uint64_t lines = PACKETS * BYTES / 64;
    print_message("%llu lines in %llu cycles\n", (unsigned long long)lines,
                  (unsigned long long)reader.bench.rtl.cycles);
    assert_in_range(reader.bench.rtl.cycles, lines, lines + 500);
    reader_close(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_native),
                                       cmocka_unit_test(test_too_many_segments),
                                       cmocka_unit_test(test_stops_alone),
                                       cmocka_unit_test(test_dependent),
                                       cmocka_unit_test(test_rate),
                                       cmocka_unit_test(test_one_channel),
                                       cmocka_unit_test(test_one_channel_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
