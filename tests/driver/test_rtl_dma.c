/* SPDX-License-Identifier: Apache-2.0 */
/* The rtl card: the host side's tests with the Verilated DMA master, and what only a simulated card has. */
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/rtl/rtl.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_packets_on_the_bus), cmocka_unit_test(test_clock_stands)};
    int failed = run_dma_tests(rtl_card_open, 40);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
