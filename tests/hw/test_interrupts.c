/* SPDX-License-Identifier: Apache-2.0 */
/* interrupts: every request is followed by a message of its vector, no message is without a request, and moderation
 * keeps a vector to two messages in a window. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/dma.h"
#include "tests/hw/bench.h"

extern const struct rtl_model rtl_model_interrupts;

#define PORTS 5u

struct interrupts {
    struct bench bench;
    struct bench_end requests[PORTS], messages;
    size_t seen[PORTS];         /* requests that have entered */
    bool waiting[CARD_VECTORS]; /* requested since the last message */
    uint32_t requests_of[CARD_VECTORS], messages_of[CARD_VECTORS];
};

static void open_interrupts(struct interrupts *interrupts, uint32_t window, uint64_t seed)
{
    memset(interrupts, 0, sizeof *interrupts);
    bench_open(&interrupts->bench, &rtl_model_interrupts, seed);
    for (unsigned i = 0; i < PORTS; i++)
        bench_source(&interrupts->bench, &interrupts->requests[i], "request", i, sizeof(struct interrupt_request));
    bench_sink(&interrupts->bench, &interrupts->messages, "message", 0, 2);
    struct rtl_pin pin = rtl_pin(&interrupts->bench.rtl, "message_window", 16);
    rtl_put(&pin, 0, 16, window);
}

static void cycle(struct interrupts *interrupts)
{
    bench_cycle(&interrupts->bench);
    const uint16_t *message = bench_next(&interrupts->messages);
    if (message) {
        assert_true(*message < CARD_VECTORS);
        interrupts->waiting[*message] = false;
        interrupts->messages_of[*message]++;
        assert_true(interrupts->messages_of[*message] <= interrupts->requests_of[*message]);
    }
    /* A request of this cycle is answered by a later message than one that left in it. */
    for (unsigned i = 0; i < PORTS; i++) {
        for (; interrupts->seen[i] < interrupts->requests[i].moved; interrupts->seen[i]++) {
            const struct interrupt_request *requests = (const void *)interrupts->requests[i].records;
            uint32_t vector = requests[interrupts->seen[i]].vector;
            if (vector >= CARD_VECTORS)
                continue;
            interrupts->waiting[vector] = true;
            interrupts->requests_of[vector]++;
        }
    }
}

static void drain(struct interrupts *interrupts)
{
    struct rtl_pin idle = rtl_pin(&interrupts->bench.rtl, "idle", 1);
    bool sent;
    do {
        cycle(interrupts);
        sent = true;
        for (unsigned i = 0; i < PORTS; i++)
            sent &= bench_sent(&interrupts->requests[i]);
        assert_true(interrupts->bench.rtl.cycles < 1000000);
    } while (!sent || !rtl_get(&idle, 0, 1));
    cycle(interrupts);
}

static void push(struct interrupts *interrupts, unsigned port, uint32_t vector)
{
    struct interrupt_request request = {.vector = (uint16_t)vector};
    bench_push(&interrupts->requests[port], &request);
}

static void test_every_request_counts(void **state)
{
    (void)state;
    static const uint32_t windows[] = {0, 3, 100};
    for (unsigned run = 0; run < 3; run++) {
        struct interrupts interrupts;
        open_interrupts(&interrupts, windows[run], run + 1);
        for (unsigned i = 0; i < 16000; i++)
            push(&interrupts, i % PORTS, bench_random(&interrupts.bench, i % 100 < 50 ? 5 : CARD_VECTORS + 10));
        drain(&interrupts);
        for (unsigned i = 0; i < CARD_VECTORS; i++) {
            assert_false(interrupts.waiting[i]);
            assert_true(interrupts.messages_of[i] > 0);
        }
        bench_close(&interrupts.bench);
    }
}

static void test_moderation(void **state)
{
    (void)state;
    enum { WINDOW = 200, REQUESTS = 4000 };
    struct interrupts interrupts;
    open_interrupts(&interrupts, WINDOW, 1);
    for (unsigned i = 0; i < PORTS; i++)
        interrupts.requests[i].full_speed = true;
    interrupts.messages.full_speed = true;
    for (unsigned i = 0; i < REQUESTS; i++)
        push(&interrupts, i % PORTS, 7);
    drain(&interrupts);
    /* Five a cycle for 800 cycles: one message a window, and the first and the last. */
    assert_in_range(interrupts.messages_of[7], 2, REQUESTS / PORTS / WINDOW + 2);
    bench_close(&interrupts.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_request_counts), cmocka_unit_test(test_moderation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
