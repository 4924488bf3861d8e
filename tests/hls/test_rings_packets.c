/* SPDX-License-Identifier: Apache-2.0 */
/* inject with its gate, and punt: packets to records and back, with records that make no sense in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/inject/inject.c"
#include "hls/packet_gate/packet_gate.c"
#include "hls/punt/punt.c"
#include "tests/hls/stream.h"

static struct inject_state inject_state;
static struct packet_gate_state gate_state;
static struct punt_state punt_state;
static struct stream entry_stream, packet_stream, verdict_stream, out_stream, punted_stream;
static uint64_t seed = 1;

static int setup(void **context)
{
    (void)context;
    memset(&inject_state, 0, sizeof inject_state);
    memset(&gate_state, 0, sizeof gate_state);
    memset(&punt_state, 0, sizeof punt_state);
    stream_open(&entry_stream, 8, sizeof(struct ring_work));
    stream_open(&packet_stream, 512, sizeof(struct beat));
    stream_open(&verdict_stream, 64, sizeof(struct packet_verdict));
    stream_open(&out_stream, 256, sizeof(struct beat));
    stream_open(&punted_stream, 256, sizeof(struct ring_work));
    return 0;
}

static int teardown(void **context)
{
    (void)context;
    stream_close(&entry_stream);
    stream_close(&packet_stream);
    stream_close(&verdict_stream);
    stream_close(&out_stream);
    stream_close(&punted_stream);
    return 0;
}

static void run_inject(void)
{
    struct stream *in = &entry_stream, *packet = &packet_stream, *verdict = &verdict_stream, *out = &out_stream;
    {
        STREAM_TEST_IN(in);
        STREAM_TEST_OUT(packet);
        STREAM_TEST_OUT(verdict);
        while (inject(&inject_state, &in_port, &packet_port, &verdict_port))
            ;
        STREAM_TEST_IN_END(in);
        STREAM_TEST_OUT_END(packet);
        STREAM_TEST_OUT_END(verdict);
    }
    STREAM_TEST_IN(packet);
    STREAM_TEST_IN(verdict);
    STREAM_TEST_OUT(out);
    while (packet_gate(&gate_state, &packet_port, &verdict_port, &out_port))
        ;
    STREAM_TEST_IN_END(packet);
    STREAM_TEST_IN_END(verdict);
    STREAM_TEST_OUT_END(out);
}

static void put_entry(const void *data)
{
    struct ring_work work = {.kind = RING_WORK_ENTRY};
    memcpy(work.data, data, 64);
    assert_true(stream_put(&entry_stream, &work));
    run_inject();
}

static void put_record(const struct packet_entry *header, const uint8_t *data, uint32_t data_entries)
{
    put_entry(header);
    for (uint32_t i = 0; i < data_entries; i++)
        put_entry(data + (size_t)i * 64);
}

static void restart_ring(void)
{
    struct ring_work work = {.kind = RING_WORK_SETTING};
    assert_true(stream_put(&entry_stream, &work));
    run_inject();
}

/* The data's bytes beyond the packet's end are garbage on purpose. */
static void assert_packet(const struct packet_entry *header, const uint8_t *data)
{
    for (uint32_t at = 0; at < header->length; at += 64) {
        uint32_t bytes = header->length - at < 64 ? header->length - at : 64;
        struct beat expected, beat;
        memset(&expected, 0, sizeof expected);
        memcpy(expected.data, data + at, bytes);
        if (at == 0) {
            bool action = header->action != INJECT_LOOKUP;
            expected.meta.length = header->length;
            expected.meta.source = header->source;
            expected.meta.source_id = header->source_id;
            expected.meta.flags = action ? BEAT_ACTION : 0;
            expected.meta.checksum_start = action ? (uint16_t)(header->action & 0xffff) : 0;
            expected.meta.checksum_offset = action ? (uint16_t)(header->action >> 16) : 0;
        }
        expected.meta.bytes = (uint8_t)bytes;
        expected.meta.last = at + 64 >= header->length;
        assert_true(stream_get(&out_stream, &beat));
        assert_memory_equal(&beat, &expected, sizeof beat);
    }
}

static void assert_nothing(void)
{
    struct beat beat;
    assert_false(stream_get(&out_stream, &beat));
}

static uint32_t entries_of(uint32_t length)
{
    return (length + 63) / 64;
}

static uint8_t data[1024 * 64 + 64];

static struct packet_entry some_header(uint16_t length)
{
    struct packet_entry header = {.length = length, .source = ENDPOINT_FUNCTION, .source_id = 9, .action = 0x12345};
    memset(header.reserved2, 0xee, sizeof header.reserved2);
    if (random_below(&seed, 2))
        header.action = INJECT_LOOKUP;
    return header;
}

static void test_inject_lengths(void **context)
{
    (void)context;
    random_fill(&seed, data, sizeof data);
    for (uint32_t length = PACKET_BYTES_MIN; length <= PACKET_BYTES_MAX; length += length < 300 ? 1 : 61) {
        struct packet_entry header = some_header((uint16_t)length);
        put_record(&header, data, entries_of(length));
        assert_packet(&header, data);
    }
    struct packet_entry header = some_header(PACKET_BYTES_MAX);
    put_record(&header, data, 144);
    assert_packet(&header, data);
}

static void test_inject_skips_nonsense(void **context)
{
    (void)context;
    static const uint16_t bad[] = {0, 1, 13, 9217, 9280, 10000, 65535};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct packet_entry header = some_header(bad[i]);
        put_record(&header, data, entries_of(bad[i]));
        assert_nothing();
        header = some_header(100);
        put_record(&header, data, 2);
        assert_packet(&header, data);
    }
    static const uint16_t sources[][2] = {{ENDPOINT_NONE, 0},
                                          {ENDPOINT_PORT, CARD_PORTS},
                                          {ENDPOINT_FUNCTION, 128},
                                          {ENDPOINT_FUNCTION, 999},
                                          {4, 0},
                                          {255, 0}};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct packet_entry header = some_header(100);
        header.source = (uint8_t)sources[i][0];
        header.source_id = sources[i][1];
        put_record(&header, data, 2);
        assert_nothing();
        header = some_header(64);
        put_record(&header, data, 1);
        assert_packet(&header, data);
    }
}

/* An unfinished record lets nothing out, and a new start of the ring cuts it off. */
static void test_inject_unfinished(void **context)
{
    (void)context;
    for (uint32_t there = 0; there < 20; there++) {
        struct packet_entry header = some_header(there & 1 ? 20 * 64 : 60000);
        put_record(&header, data, there);
        assert_nothing();
        restart_ring();
        assert_nothing();
        header = some_header(200);
        put_record(&header, data, 4);
        assert_packet(&header, data);
        assert_nothing();
    }
}

static void test_inject_garbage(void **context)
{
    (void)context;
    struct beat beat;
    bool inside = false;
    uint32_t length = 0;
    for (int i = 0; i < 200000; i++) {
        uint8_t garbage[64];
        random_fill(&seed, garbage, sizeof garbage);
        if (random_below(&seed, 2)) /* plausible lengths and sources more often */
            garbage[1] = (uint8_t)random_below(&seed, 4), garbage[3] = (uint8_t)random_below(&seed, 4), garbage[5] = 0;
        if (random_below(&seed, 100) == 0)
            restart_ring();
        else
            put_entry(garbage);
        while (stream_get(&out_stream, &beat)) {
            if (!inside) {
                length = beat.meta.length;
                assert_true(length >= PACKET_BYTES_MIN && length <= PACKET_BYTES_MAX);
                assert_int_not_equal(beat.meta.source, ENDPOINT_NONE);
            }
            assert_int_equal(beat.meta.error, 0);
            assert_int_equal(beat.meta.bytes, length < 64 ? length : 64);
            assert_int_equal(beat.meta.last, length <= 64);
            length -= beat.meta.bytes;
            inside = !beat.meta.last;
        }
    }
}

static void run_punt(void)
{
    struct stream *in = &out_stream, *out = &punted_stream;
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(out);
    while (punt(&punt_state, &in_port, &out_port))
        ;
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(out);
}

static void send_to_punt(uint32_t length, bool error)
{
    for (uint32_t at = 0; at < length; at += 64) {
        uint32_t bytes = length - at < 64 ? length - at : 64;
        struct beat beat;
        memset(&beat, 0, sizeof beat);
        memcpy(beat.data, data + at, bytes);
        beat.meta.bytes = (uint8_t)bytes;
        beat.meta.last = at + 64 >= length;
        beat.meta.error = beat.meta.last && error;
        if (at == 0) {
            beat.meta.length = (uint16_t)length;
            beat.meta.source = ENDPOINT_PORT;
            beat.meta.source_id = 1;
            beat.meta.checksum_start = PUNT_TTL;
        }
        assert_true(stream_put(&out_stream, &beat));
        run_punt();
    }
}

static void assert_punted(uint32_t length, bool error)
{
    struct ring_work work = {.kind = 0};
    struct packet_entry header = {
        .length = (uint16_t)length, .reason = PUNT_TTL, .source = ENDPOINT_PORT, .source_id = 1};
    assert_true(stream_get(&punted_stream, &work));
    assert_memory_equal(work.data, &header, sizeof header);
    assert_int_equal(work.entries, 1 + entries_of(length));
    assert_int_equal(work.last, 0);
    for (uint32_t at = 0; at < length; at += 64) {
        uint8_t expected[64] = {0};
        bool last = at + 64 >= length;
        memcpy(expected, data + at, last ? length - at : 64);
        assert_true(stream_get(&punted_stream, &work));
        assert_memory_equal(work.data, expected, 64);
        assert_int_equal(work.kind, RING_WORK_ENTRY);
        assert_int_equal(work.entries, 0);
        assert_int_equal(work.last, last);
        assert_int_equal(work.error, last && error);
    }
    assert_false(stream_get(&punted_stream, &work));
}

static void test_punt(void **context)
{
    (void)context;
    random_fill(&seed, data, sizeof data);
    for (uint32_t length = PACKET_BYTES_MIN; length <= PACKET_BYTES_MAX; length += length < 300 ? 1 : 61) {
        send_to_punt(length, length % 5 == 0);
        assert_punted(length, length % 5 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_inject_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inject_skips_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inject_unfinished, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inject_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_punt, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
