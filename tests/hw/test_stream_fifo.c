/* SPDX-License-Identifier: Apache-2.0 */
/* stream_fifo: nothing is lost, doubled or changed; capacity, latency and rate are exactly those promised. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/hw/bench.h"

extern const struct rtl_model rtl_model_stream_fifo_2, rtl_model_stream_fifo_16;

#define RECORD_BYTES 80u

struct fifo {
    struct bench bench;
    struct bench_end in, out;
};

static void fifo_open(struct fifo *fifo, const struct rtl_model *model, uint64_t seed)
{
    bench_open(&fifo->bench, model, seed);
    bench_source(&fifo->bench, &fifo->in, "in", 0, RECORD_BYTES);
    bench_sink(&fifo->bench, &fifo->out, "out", 0, RECORD_BYTES);
}

static void push_random(struct fifo *fifo, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t record[RECORD_BYTES / 4];
        for (unsigned n = 0; n < RECORD_BYTES / 4; n++)
            record[n] = bench_random(&fifo->bench, UINT32_MAX);
        bench_push(&fifo->in, record);
    }
}

static void test_order_and_content(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct fifo fifo;
        fifo_open(&fifo, *state, seed);
        push_random(&fifo, 5000);
        while (fifo.out.count < 5000) {
            bench_cycle(&fifo.bench);
            assert_true(fifo.bench.rtl.cycles < 1000000);
        }
        assert_memory_equal(fifo.in.records, fifo.out.records, 5000 * RECORD_BYTES);
        bench_close(&fifo.bench);
    }
}

static void test_capacity(void **state)
{
    const struct rtl_model *model = *state;
    size_t depth = model == &rtl_model_stream_fifo_2 ? 2 : 16;
    struct fifo fifo;
    fifo_open(&fifo, model, 1);
    push_random(&fifo, 100);
    fifo.out.stopped = true;
    for (unsigned i = 0; i < 1000; i++)
        bench_cycle(&fifo.bench);
    assert_int_equal(fifo.in.moved, depth);
    bench_close(&fifo.bench);
}

/* With both sides willing: N records in N + 1 cycles. */
static void test_rate(void **state)
{
    struct fifo fifo;
    fifo_open(&fifo, *state, 1);
    fifo.in.full_speed = fifo.out.full_speed = true;
    push_random(&fifo, 1000);
    uint64_t start = fifo.bench.rtl.cycles;
    while (fifo.out.count < 1000)
        bench_cycle(&fifo.bench);
    assert_int_equal(fifo.bench.rtl.cycles - start, 1001);
    assert_memory_equal(fifo.in.records, fifo.out.records, 1000 * RECORD_BYTES);
    bench_close(&fifo.bench);
}

#define BOTH(name)                                                       \
    {#name "_2", name, NULL, NULL, (void *)&rtl_model_stream_fifo_2},    \
    {                                                                    \
        #name "_16", name, NULL, NULL, (void *)&rtl_model_stream_fifo_16 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(test_order_and_content), BOTH(test_capacity), BOTH(test_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
