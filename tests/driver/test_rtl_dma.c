/* SPDX-License-Identifier: Apache-2.0 */
/* The rtl card: the host side's tests with the Verilated DMA master, and what only a simulated card has. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/rtl/rtl.h"
#include "hls/include/registers.h"
#include "tests/driver/dma_tests.h"

/* A copy of 4096 bytes crosses PCIe in these packets and no others. */
static void test_packets_on_the_bus(void **state)
{
    (void)state;
    struct mover mover;
    struct rtl_card_figures before, after;
    mover_open(&mover, &native_graph_mover, "");
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 65536, 4096);
    rtl_card_figures(mover.card, &before);
    assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 65536, 4096).error, 0);
    rtl_card_figures(mover.card, &after);
    assert_int_equal(after.host.read_requests - before.host.read_requests, 1 + 4096 / 512);
    assert_int_equal(after.host.completions - before.host.completions, 1 + 4096 / 256);
    assert_int_equal(after.host.write_packets - before.host.write_packets, 4096 / 256 + 1);
    assert_int_equal(after.host.write_bytes - before.host.write_bytes, 4096 + 8);
    /* Two round trips of reads, one of writes, and the status. */
    uint64_t cycles = after.cycles - before.cycles;
    assert_in_range(cycles, 2 * 220 + 60, 2 * 220 + 2 * 60 + 3 * 64 + 300);
    print_message("a copy of 4096 bytes: %llu cycles\n", (unsigned long long)cycles);
    mover_close(&mover);
}

/* With nothing to do the clock stands. */
static void test_clock_stands(void **state)
{
    (void)state;
    struct mover mover;
    struct rtl_card_figures before, after;
    mover_open(&mover, &native_graph_mover, "");
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 64);
    /* The status is visible before the write's response and the interrupt have gone through. */
    do {
        rtl_card_figures(mover.card, &before);
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        rtl_card_figures(mover.card, &after);
    } while (after.evaluations != before.evaluations);
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    rtl_card_figures(mover.card, &after);
    assert_int_equal(after.evaluations, before.evaluations);
    mover_close(&mover);
}

static uint64_t copy_cycles(const char *uri)
{
    struct mover mover;
    struct rtl_card_figures before, after;
    mover_open(&mover, &native_graph_mover, uri);
    rtl_card_figures(mover.card, &before);
    assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 65536, 4096).error, 0);
    rtl_card_figures(mover.card, &after);
    mover_close(&mover);
    return after.cycles - before.cycles;
}

/* The bus is as slow as its settings say: two reads one after the other, two writes, 64 lines in and out. */
static void test_bus_settings(void **state)
{
    (void)state;
    uint64_t fast = copy_cycles("?read_latency=10&write_latency=10&spread=0&seed=5");
    assert_true(fast < 700);
    assert_in_range(copy_cycles("?read_latency=1010&write_latency=10&spread=0"), fast + 2000, fast + 2100);
    assert_in_range(copy_cycles("?read_latency=10&write_latency=510&spread=0"), fast + 500, fast + 1100);
    assert_in_range(copy_cycles("?read_latency=10&write_latency=10&spread=0&rate=8"), fast + 7 * 64, fast + 16 * 64);
}

static void test_bus_settings_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"?read_latency=0", "?read_latency=x",  "?write_latency=", "?spread=-1",
                                      "?rate=65",        "?rate=0",          "?seed=1x",        "?moderation=65536",
                                      "?spread=+1",      "?read_latency=1e9"};
    struct cipu_card *card;
    struct cipu_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error.text[0] = 0;
        assert_int_equal(rtl_card_open(&native_graph_mover, bad[i], &card, &error), -EINVAL);
        assert_non_null(strstr(error.text, "expected a number"));
        assert_non_null(strstr(error.text, bad[i] + 1));
    }
    assert_int_equal(rtl_card_open(&native_graph_mover, "?latency=1", &card, &error), -EINVAL);
    assert_non_null(strstr(error.text, "read_latency"));
    /* They are the bus's of a simulated card: no other card has them. */
    assert_int_equal(native_card_open(&native_graph_mover, "?read_latency=1", &card, &error), -EINVAL);
}

/* One message in a window of moderation, and one after it, whatever is requested. */
static void test_moderation(void **state)
{
    (void)state;
    enum { COPIES = 30 };
    struct mover mover;
    mover_open(&mover, &native_graph_mover, "?moderation=60000&read_latency=10&write_latency=10");
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(cipu_card_interrupt(mover.card, MOVER_VECTOR, event), 0);
    struct mover_descriptor move = {MOVER_DATA, MOVER_DATA + 64, 64, 64, DMA_LAST, DMA_LAST, 0, {0}};
    for (unsigned i = 0; i < COPIES; i++)
        mover_post(&mover, &move);
    mover_ring(&mover);
    for (unsigned i = 0; i < COPIES; i++)
        mover_wait(&mover);
    uint64_t count = 0, signals = 0;
    while (count < 2) {
        struct pollfd wait = {.fd = event, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 5000), 1);
        assert_int_equal(read(event, &signals, sizeof signals), sizeof signals);
        count += signals;
    }
    struct timespec pause = {0, 50000000};
    nanosleep(&pause, NULL);
    assert_int_equal(read(event, &signals, sizeof signals), -1);
    assert_int_equal(count, 2);
    close(event);
    mover_close(&mover);
}

/* Data that nobody asked for stays in front of the write channel: the watchdog tells, and a reset ends it. */
static void test_stuck_stream(void **state)
{
    (void)state;
    struct mover mover;
    struct cipu_stream stream = {.stuck = 0};
    mover_open(&mover, &native_graph_mover, "?read_latency=10&write_latency=10");
    struct mover_descriptor lost = {MOVER_DATA, 0, 65536, 0, DMA_LAST, 0, 1, {0}};
    mover_post(&mover, &lost);
    mover_ring(&mover);
    for (unsigned i = 0; i < 20000 && !stream.stuck; i++) {
        assert_int_equal(cipu_card_stream(mover.card, MONITOR_DMA_WRITE + 16, &stream), 0);
        usleep(1000);
    }
    assert_int_equal(stream.stuck, 1);
    assert_true(stream.stalls > 1000000);
    assert_int_equal(cipu_card_reset(mover.card), 0);
    assert_int_equal(cipu_card_stream(mover.card, MONITOR_DMA_WRITE + 16, &stream), 0);
    assert_int_equal(stream.stuck, 0);
    mover.posted = mover.taken = 0;
    memset(mover.memory + MOVER_STATUS, 0, MOVER_DESCRIPTORS * sizeof(struct dma_done));
    assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 64).error, 0);
    mover_close(&mover);
}

struct reader {
    struct cipu_card *card;
    unsigned wrong;
};

static void *read_registers(void *argument)
{
    struct reader *reader = argument;
    for (unsigned i = 0; i < 200; i++) {
        cipu_card_write(reader->card, RINGS_BLOCK_OFFSET + 16, i);
        reader->wrong += cipu_card_read(reader->card, offsetof(struct card_block, magic)) != CARD_MAGIC;
        reader->wrong += cipu_card_read(reader->card, offsetof(struct card_block, clock_khz)) != 250000;
    }
    return NULL;
}

/* Many threads at the registers, and a card that is reset meanwhile. */
static void test_register_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct mover mover;
    pthread_t threads[THREADS];
    mover_open(&mover, &native_graph_mover, "");
    struct reader readers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){mover.card, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_registers, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(cipu_card_reset(mover.card), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].wrong, 0);
    }
    assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 64).error, 0);
    mover_close(&mover);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_on_the_bus), cmocka_unit_test(test_clock_stands),
        cmocka_unit_test(test_bus_settings),       cmocka_unit_test(test_bus_settings_are_checked),
        cmocka_unit_test(test_moderation),         cmocka_unit_test(test_stuck_stream),
        cmocka_unit_test(test_register_threads)};
    int failed = run_dma_tests(rtl_card_open, 40);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
