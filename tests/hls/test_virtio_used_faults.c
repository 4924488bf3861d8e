/* SPDX-License-Identifier: Apache-2.0 */
/* Used rings that cannot be reached, FIFOs that are full, commands that are refused. */
#include "tests/hls/used_bench.h"

/* Rings outside the memory: one event each, the neighbours go on, the stop completes behind the last access. */
static void test_faults(void **context)
{
    struct bench *bench = *context;
    bench->random = 5;
    uint32_t broken[QUEUES] = {0};
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 64, QUEUE_EVENT_INDEX, 7);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t queue = random_below(&bench->random, QUEUES);
        stop(bench, queue);
        drain(bench);
        bench->driver[queue].broken = random_below(&bench->random, 2);
        start(bench, queue, 64, random_below(&bench->random, 2) ? QUEUE_EVENT_INDEX : 0, 65530);
        uint32_t sent = bench->driver[queue].sent;
        work(bench, 50, QUEUES);
        if (random_below(&bench->random, 2))
            drain(bench);
        while (bench->driver[queue].broken && bench->driver[queue].sent == sent) {
            send_buffer(bench, queue, 0);
            step(bench);
        }
        broken[queue] += bench->driver[queue].broken;
    }
    for (uint32_t i = 0; i < QUEUES; i++)
        stop(bench, i);
    drain(bench);
    for (uint32_t i = 0; i < QUEUES; i++) {
        assert_int_equal(bench->alerts[i], broken[i]);
        assert_true(broken[i] > 20);
    }
}

/* The kernels run until they are stuck; DMA does not. */
static void run_kernels(struct bench *bench)
{
    while (run_events(bench) + run_used(bench) + run_used_write(bench))
        ;
}

/* Every FIFO around the DMA writer is full, again and again: it still gets rid of its answers, and all moves on. */
static void test_all_full(void **context)
{
    struct bench *bench = *context;
    bench->random = 9;
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 1024, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        for (uint32_t j = 0; j < 32; j++)
            send_buffer(bench, random_below(&bench->random, QUEUES), 0);
        run_kernels(bench);
        while (run_write(bench))
            ;
        while (run_used(bench))
            ;
        if (i % 16 == 0) {
            drain(bench);
            assert_all_consumed(bench);
        }
    }
    assert_true(bench->driver[0].sent > 100);
}

/* The DMA writer never waits for room in the event stream; errors of a queue's other writes come with its token. */
static void test_answers_are_taken(void **context)
{
    struct bench *bench = *context;
    struct queue_event nothing = {.kind = 0};
    while (stream_put(&bench->event, &nothing))
        ;
    for (uint32_t queue = 0; queue < CARD_QUEUES; queue++) {
        struct dma_done other = {.tag = (uint16_t)queue, .error = queue % 3 == 0};
        struct dma_done token = {.tag = (uint16_t)(queue | USED_RING_TAG_INDEX), .error = queue % 5 == 0};
        assert_true(stream_put(&bench->dma.done, &other) && run_events(bench));
        assert_true(stream_put(&bench->dma.done, &token) && run_events(bench));
        assert_int_equal(hls_fifo_used(&bench->dma.done.fifo), 0);
    }
    assert_false(run_events(bench));
    struct queue_event event;
    while (stream_get(&bench->event, &event))
        assert_int_equal(event.kind, 0);
    for (uint32_t queue = 0; queue < CARD_QUEUES; queue++) {
        assert_true(run_events(bench));
        assert_true(stream_get(&bench->event, &event));
        assert_int_equal(event.kind, QUEUE_DONE);
        assert_int_equal(event.queue, queue);
        assert_int_equal(event.error, queue % 3 == 0 || queue % 5 == 0);
    }
    assert_false(run_events(bench));
}

/* A failed queue without a token has writes under way when it is stopped: the stop completes behind them. */
static void test_stop_behind_failed_writes(void **context)
{
    struct bench *bench = *context;
    bench->random = 10;
    bench->driver[2].broken = true;
    start(bench, 2, 64, 0, 8);
    uint32_t answers = bench->answers;
    send_buffer(bench, 2, 0);
    run_kernels(bench);
    for (uint32_t i = 0; i < 2 * VIRTIO_USED_PENDING; i++) {
        send_buffer(bench, 2, 0);
        run_kernels(bench);
    }
    assert_int_equal(hls_fifo_used(&bench->dma.request.fifo), 4);
    while (hls_fifo_used(&bench->dma.done.fifo) != 2)
        run_write(bench);
    run_kernels(bench);
    take_outputs(bench);
    assert_int_equal(bench->alerts[2], 1);

    struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .target = TARGET_RX_USED, .index = 2};
    assert_true(stream_put(&bench->command, &entry));
    run_kernels(bench);
    take_outputs(bench);
    assert_int_equal(bench->answers, answers);
    drain(bench);
    assert_int_equal(bench->answers, answers + 1);
    assert_true(bench->driver[2].stopped);
    assert_int_equal(bench->alerts[2], 1);
}

/* The driver's wish cannot be read. */
static void test_avail_fault(void **context)
{
    struct bench *bench = *context;
    bench->random = 6;
    struct queue_setting setting = {.avail = VIRTIO_MEMORY_BYTES, .used = USED_OFFSET, .entries = 8, .vector = 100};
    setting.generation = generation_of(0);
    struct queue_used used = {0, 3, 4, 0, {0}};
    struct dma_request request = {0};
    bench->driver[0].entries = 8;
    command(bench, COMMAND_QUEUE_SET, 0, &setting, sizeof setting);
    stream_put(&bench->used, &used);
    while (run_events(bench) + run_used(bench) + run_used_write(bench) + run_write(bench))
        ;
    assert_true(virtio_read_step(&bench->memory, &bench->read_request, &bench->read_data, &request));
    assert_int_equal(request.address, VIRTIO_MEMORY_BYTES);
    drain(bench);
    assert_int_equal(bench->alerts[0], 1);
    stream_put(&bench->used, &used);
    drain(bench);
    assert_int_equal(load16(&bench->memory.function[0][USED_OFFSET + 2]), 1);
    bench->driver[0].broken = true;
    stop(bench, 0);
    assert_int_equal(bench->alerts[0], 1);
}

static void expect_status(struct bench *bench, uint32_t queue, const struct queue_setting *setting, uint8_t status)
{
    command(bench, COMMAND_QUEUE_SET, queue, setting, sizeof *setting);
    assert_int_equal(bench->answer.status, status);
}

static void test_commands(void **context)
{
    struct bench *bench = *context;
    bench->random = 8;
    bench->driver[5].entries = 128;
    const struct queue_setting good = setting_of(bench, 5);
    static const uint32_t sizes[] = {0, 1, 3, 127, 65536, 0x80000000};
    struct queue_setting bad;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bad = good;
        bad.entries = sizes[i];
        expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    }
    bad = good;
    bad.used += 2;
    expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    bad = good;
    bad.avail += 1;
    expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    bad = good;
    bad.function = 3;
    expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    bad.function = FUNCTION_HOST;
    expect_status(bench, 2 * FUNCTION_HOST + 1, &bad, STATUS_BAD_DATA);
    expect_status(bench, CARD_QUEUES + 5, &good, STATUS_BAD_INDEX);
    expect_status(bench, 5, &good, STATUS_OK);
    expect_status(bench, 5, &good, STATUS_BUSY);
    command(bench, COMMAND_QUEUE_STOP, CARD_QUEUES + 5, NULL, 0);
    assert_int_equal(bench->answer.status, STATUS_BAD_INDEX);
    command(bench, COMMAND_QUEUE_READ, 5, NULL, 0);
    assert_int_equal(bench->answer.status, STATUS_BAD_OPCODE);
    stop(bench, 5);
    stop(bench, 5);

    struct window_setting window = {0x5000, 0x6000};
    command(bench, COMMAND_WINDOW_SET, 77, &window, sizeof window);
    assert_int_equal(bench->answer.status, STATUS_OK);
    drain(bench);
    assert_int_equal(bench->dma.windows, 1);
    assert_int_equal(bench->dma.window.function, 77);
    assert_int_equal(bench->dma.window.address, 0x5000);
    assert_int_equal(bench->dma.window.length, 0x6000);
    command(bench, COMMAND_WINDOW_SET, CARD_FUNCTIONS, &window, sizeof window);
    assert_int_equal(bench->answer.status, STATUS_BAD_INDEX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_behind_failed_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_avail_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
