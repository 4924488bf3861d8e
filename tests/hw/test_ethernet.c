/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ethernet_rx and ethernet_tx: a frame is delivered whole and unchanged, or dropped and counted; which frames must be
 * dropped, and that no others are while there is room.
 */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/beat.h"
#include "tests/hw/bench.h"

extern const struct rtl_model rtl_model_ethernet_rx_0, rtl_model_ethernet_tx;

#define FRAMES    400u
#define FRAME_MAX 12000u

struct frame {
    uint32_t length;
    bool error;
    uint8_t bytes[FRAME_MAX];
};

static struct frame *make_frames(struct bench *bench, bool only_good)
{
    struct frame *frames = calloc(FRAMES, sizeof *frames);
    assert_non_null(frames);
    for (unsigned i = 0; i < FRAMES; i++) {
        static const uint32_t limits[] = {100, 200, 1600, 100};
        frames[i].length = PACKET_BYTES_MIN + bench_random(bench, limits[bench_random(bench, 4)]);
        if (bench_random(bench, 20) == 0)
            frames[i].length = PACKET_BYTES_MAX - bench_random(bench, 100);
        if (!only_good && bench_random(bench, 15) == 0)
            frames[i].length = bench_random(bench, 2) ? 1 + bench_random(bench, PACKET_BYTES_MIN - 1)
                                                      : PACKET_BYTES_MAX + 1 + bench_random(bench, 2000);
        frames[i].error = !only_good && bench_random(bench, 15) == 0;
        for (uint32_t n = 0; n < frames[i].length; n++)
            frames[i].bytes[n] = (uint8_t)bench_random(bench, 256);
    }
    return frames;
}

static bool is_good(const struct frame *frame)
{
    return !frame->error && frame->length >= PACKET_BYTES_MIN && frame->length <= PACKET_BYTES_MAX;
}

static uint32_t word_bytes(const struct frame *frame, uint32_t at)
{
    return frame->length - at < 64 ? frame->length - at : 64;
}

/* ---- receive ---- */

struct receiver {
    struct bench bench;
    struct bench_end beats;
    struct rtl_pin valid, data, bytes, last, error, packets, dropped;
    struct frame *frames;
    unsigned frame; /* on the wire */
    uint32_t at;
    unsigned expected; /* the first frame that may come next */
    uint32_t filled;
    uint8_t packet[PACKET_BYTES_MAX];
    unsigned delivered;
};

static void open_receiver(struct receiver *receiver, bool only_good, uint64_t seed)
{
    memset(receiver, 0, sizeof *receiver);
    bench_open(&receiver->bench, &rtl_model_ethernet_rx_0, seed);
    bench_sink(&receiver->bench, &receiver->beats, "out", 0, sizeof(struct beat));
    const struct rtl *rtl = &receiver->bench.rtl;
    receiver->valid = rtl_pin(rtl, "mac_valid", 1);
    receiver->data = rtl_pin(rtl, "mac_data", 512);
    receiver->bytes = rtl_pin(rtl, "mac_bytes", 7);
    receiver->last = rtl_pin(rtl, "mac_last", 1);
    receiver->error = rtl_pin(rtl, "mac_error", 1);
    receiver->packets = rtl_pin(rtl, "received_packets", 32);
    receiver->dropped = rtl_pin(rtl, "received_dropped", 32);
    receiver->frames = make_frames(&receiver->bench, only_good);
}

/* The wire: a word, or a gap. */
static void drive_wire(struct receiver *receiver, bool willing)
{
    const struct frame *frame = &receiver->frames[receiver->frame];
    bool word = willing && receiver->frame < FRAMES;
    rtl_put(&receiver->valid, 0, 1, word);
    if (!word)
        return;
    uint32_t bytes = word_bytes(frame, receiver->at);
    bool last = receiver->at + bytes == frame->length;
    memset(receiver->data.value, 0xAA, 64); /* what is beyond the frame's end is noise */
    memcpy(receiver->data.value, frame->bytes + receiver->at, bytes);
    rtl_put(&receiver->bytes, 0, 7, bytes);
    rtl_put(&receiver->last, 0, 1, last);
    rtl_put(&receiver->error, 0, 1, last && frame->error);
    receiver->at = last ? 0 : receiver->at + bytes;
    receiver->frame += last;
}

static bool same(const struct receiver *receiver, const struct frame *frame)
{
    return is_good(frame) && frame->length == receiver->filled &&
           memcmp(frame->bytes, receiver->packet, frame->length) == 0;
}

static void take_beat(struct receiver *receiver, const struct beat *beat)
{
    static const struct beat_meta later = {0};
    if (receiver->filled == 0) {
        assert_int_equal(beat->meta.source, ENDPOINT_PORT);
        assert_int_equal(beat->meta.source_id, 0);
        assert_true(beat->meta.length >= PACKET_BYTES_MIN);
    } else {
        struct beat_meta meta = beat->meta;
        meta.bytes = meta.last = 0;
        assert_memory_equal(&meta, &later, sizeof meta);
    }
    memcpy(receiver->packet + receiver->filled, beat->data, beat->meta.bytes);
    for (unsigned i = beat->meta.bytes; i < BEAT_BYTES; i++)
        assert_int_equal(beat->data[i], 0);
    receiver->filled += beat->meta.bytes;
    if (!beat->meta.last)
        return;
    while (receiver->expected < FRAMES && !same(receiver, &receiver->frames[receiver->expected]))
        receiver->expected++;
    assert_true(receiver->expected < FRAMES);
    receiver->expected++;
    receiver->delivered++;
    receiver->filled = 0;
}

static void run_receiver(struct receiver *receiver, bool gaps)
{
    for (unsigned rest = 0; rest < 5000; rest += receiver->frame == FRAMES) {
        drive_wire(receiver, !gaps || bench_random(&receiver->bench, 3));
        bench_cycle(&receiver->bench);
        const struct beat *beat;
        while ((beat = bench_next(&receiver->beats)) != NULL)
            take_beat(receiver, beat);
        if (receiver->frame == FRAMES)
            receiver->beats.full_speed = true;
    }
    assert_int_equal(rtl_get(&receiver->packets, 0, 32), receiver->delivered);
    assert_int_equal(rtl_get(&receiver->dropped, 0, 32), FRAMES - receiver->delivered);
}

static void close_receiver(struct receiver *receiver)
{
    free(receiver->frames);
    bench_close(&receiver->bench);
}

/* A reader that keeps up: exactly the bad frames are missing, at line rate. */
static void test_receive_all(void **state)
{
    (void)state;
    struct receiver receiver;
    open_receiver(&receiver, false, 1);
    receiver.beats.full_speed = true;
    unsigned good = 0;
    for (unsigned i = 0; i < FRAMES; i++)
        good += is_good(&receiver.frames[i]);
    run_receiver(&receiver, false);
    assert_int_equal(receiver.delivered, good);
    assert_true(good > FRAMES / 2 && good < FRAMES);
    close_receiver(&receiver);
}

/* A slow one: frames are lost, whole and counted. */
static void test_receive_overflow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct receiver receiver;
        open_receiver(&receiver, false, seed);
        run_receiver(&receiver, true);
        assert_true(receiver.delivered > 20);
        close_receiver(&receiver);
    }
}

/* Pause is asked for before anything is lost: a wire that obeys after a while loses nothing. */
static void test_receive_pause(void **state)
{
    (void)state;
    struct receiver receiver;
    open_receiver(&receiver, true, 5);
    struct rtl_pin pause = rtl_pin(&receiver.bench.rtl, "mac_pause", 1);
    bool paused = false, ever = false;
    for (unsigned rest = 0; rest < 20000 && receiver.delivered < FRAMES; rest += receiver.frame == FRAMES) {
        /* A frame that has begun is finished. */
        drive_wire(&receiver, receiver.at || !paused);
        bench_cycle(&receiver.bench);
        if (!receiver.at)
            paused = rtl_get(&pause, 0, 1);
        ever |= paused;
        const struct beat *beat;
        while ((beat = bench_next(&receiver.beats)) != NULL)
            take_beat(&receiver, beat);
    }
    assert_true(ever);
    assert_int_equal(receiver.delivered, FRAMES);
    close_receiver(&receiver);
}

/* The card is reset while frames are on the wire, whatever they do: their rest is no frame. */
static void test_receive_reset(void **state)
{
    (void)state;
    struct receiver receiver;
    open_receiver(&receiver, true, 7);
    receiver.beats.full_speed = true;
    struct rtl_pin clear = rtl_pin(&receiver.bench.rtl, "clear", 1);
    unsigned clearing = 0, resets = 0, in_a_frame = 0;
    for (unsigned rest = 0; rest < 1000; rest += receiver.frame == FRAMES) {
        if (!clearing && receiver.frame < FRAMES && bench_random(&receiver.bench, 100) == 0) {
            clearing = 16;
            resets++;
            in_a_frame += receiver.at != 0;
        }
        rtl_put(&clear, 0, 1, clearing != 0);
        drive_wire(&receiver, bench_random(&receiver.bench, 3));
        bench_cycle(&receiver.bench);
        const struct beat *beat;
        while ((beat = bench_next(&receiver.beats)) != NULL)
            take_beat(&receiver, beat);
        if (clearing == 1)
            receiver.filled = 0;
        clearing -= clearing > 0;
    }
    assert_true(resets > 20 && in_a_frame > 10);
    assert_true(receiver.delivered > FRAMES / 4 && receiver.delivered < FRAMES);
    close_receiver(&receiver);
}

/* ---- transmit ---- */

static void push_beats(struct bench_end *beats, const struct frame *frame)
{
    for (uint32_t at = 0; at < frame->length; at += 64) {
        struct beat beat = {.meta = {.bytes = (uint8_t)word_bytes(frame, at)}};
        memcpy(beat.data, frame->bytes + at, beat.meta.bytes);
        beat.meta.last = at + beat.meta.bytes == frame->length;
        beat.meta.error = beat.meta.last && frame->error;
        bench_push(beats, &beat);
    }
}

static void test_transmit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct bench bench;
        struct bench_end beats;
        bench_open(&bench, &rtl_model_ethernet_tx, seed);
        bench_source(&bench, &beats, "in", 0, sizeof(struct beat));
        struct rtl_pin valid = rtl_pin(&bench.rtl, "mac_valid", 1), ready = rtl_pin(&bench.rtl, "mac_ready", 1);
        struct rtl_pin data = rtl_pin(&bench.rtl, "mac_data", 512), bytes = rtl_pin(&bench.rtl, "mac_bytes", 7);
        struct rtl_pin last = rtl_pin(&bench.rtl, "mac_last", 1), pause = rtl_pin(&bench.rtl, "mac_pause", 1);
        struct frame *frames = make_frames(&bench, false);
        unsigned good = 0, next = 0, sent = 0;
        for (unsigned i = 0; i < FRAMES; i++) {
            push_beats(&beats, &frames[i]);
            good += is_good(&frames[i]);
        }
        uint32_t at = 0;
        bool held = false, pausing = false;
        for (unsigned idle = 0; idle < 2000;) {
            /* The edge that bench_cycle ends with is seen by looking before it: pins stand as they settled. */
            bool was_pausing = pausing;
            pausing = bench_random(&bench, 500) < (pausing ? 495u : 3u);
            rtl_put(&pause, 0, 1, pausing);
            rtl_put(&ready, 0, 1, bench_random(&bench, 4) != 0);
            rtl_settle(&bench.rtl);
            bool offers = rtl_get(&valid, 0, 1), moves = offers && rtl_get(&ready, 0, 1);
            if (held)
                assert_true(offers);
            if (at)
                assert_true(offers); /* a frame has no gaps */
            else if (offers && !held)
                assert_false(pausing && was_pausing);
            held = offers && !moves;
            if (moves) {
                if (!at)
                    while (next < FRAMES && !is_good(&frames[next]))
                        next++;
                assert_true(next < FRAMES);
                const struct frame *frame = &frames[next];
                assert_int_equal(rtl_get(&bytes, 0, 7), word_bytes(frame, at));
                assert_memory_equal(data.value, frame->bytes + at, word_bytes(frame, at));
                at += word_bytes(frame, at);
                assert_int_equal(rtl_get(&last, 0, 1), at == frame->length);
                if (at == frame->length) {
                    at = 0;
                    next++;
                    sent++;
                }
            }
            idle = offers || !bench_sent(&beats) || pausing ? 0 : idle + 1;
            bench_cycle(&bench);
        }
        assert_int_equal(sent, good);
        struct rtl_pin packets = rtl_pin(&bench.rtl, "sent_packets", 32);
        struct rtl_pin dropped = rtl_pin(&bench.rtl, "send_dropped", 32);
        assert_int_equal(rtl_get(&packets, 0, 32), good);
        assert_int_equal(rtl_get(&dropped, 0, 32), FRAMES - good);
        free(frames);
        bench_close(&bench);
    }
}

static uint64_t pin_value(const struct bench *bench, const char *name)
{
    struct rtl_pin pin = rtl_pin(&bench->rtl, name, 0);
    return rtl_get(&pin, 0, pin.bits);
}

static void set_pin(const struct bench *bench, const char *name, bool value)
{
    struct rtl_pin pin = rtl_pin(&bench->rtl, name, 1);
    rtl_put(&pin, 0, 1, value);
}

/* Before a reset the frame that is under way comes to its end, and no other begins. */
static void test_transmit_quiesce(void **state)
{
    (void)state;
    enum { LENGTH = 640, COUNT = 3 };
    struct bench bench;
    struct bench_end beats;
    struct frame *frame = calloc(1, sizeof *frame);
    bench_open(&bench, &rtl_model_ethernet_tx, 1);
    bench_source(&bench, &beats, "in", 0, sizeof(struct beat));
    beats.full_speed = true;
    frame->length = LENGTH;
    for (unsigned i = 0; i < COUNT; i++)
        push_beats(&beats, frame);
    set_pin(&bench, "mac_ready", true);
    unsigned words = 0;
    while (words < 3) {
        words += pin_value(&bench, "mac_valid") != 0;
        bench_cycle(&bench);
    }
    set_pin(&bench, "quiesce", true);
    for (unsigned i = 0; i < 100; i++) {
        rtl_settle(&bench.rtl);
        assert_int_equal(pin_value(&bench, "between"), words == LENGTH / 64);
        words += pin_value(&bench, "mac_valid") != 0;
        bench_cycle(&bench);
    }
    assert_int_equal(words, LENGTH / 64);
    set_pin(&bench, "quiesce", false);
    for (unsigned i = 0; i < 100; i++) {
        rtl_settle(&bench.rtl);
        words += pin_value(&bench, "mac_valid") != 0;
        bench_cycle(&bench);
    }
    assert_int_equal(words, COUNT * LENGTH / 64);
    /* What the MAC loses was not sent. */
    set_pin(&bench, "mac_lost", true);
    bench_cycle(&bench);
    set_pin(&bench, "mac_lost", false);
    bench_cycle(&bench);
    assert_int_equal(pin_value(&bench, "sent_packets"), COUNT - 1);
    assert_int_equal(pin_value(&bench, "send_dropped"), 1);
    free(frame);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_receive_reset), cmocka_unit_test(test_transmit_quiesce),
                                       cmocka_unit_test(test_receive_all),   cmocka_unit_test(test_receive_overflow),
                                       cmocka_unit_test(test_receive_pause), cmocka_unit_test(test_transmit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
