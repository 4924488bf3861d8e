/* SPDX-License-Identifier: Apache-2.0 */
/* Used rings of well-behaved drivers: what they see, and when they are interrupted. */
#include "tests/hls/used_bench.h"

/* Drivers of all kinds, with pauses in which a lost interrupt would show. */
static void test_random(void **context)
{
    struct bench *bench = *context;
    bench->random = 1;
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 2u << (i * 2), i & 2 ? QUEUE_EVENT_INDEX : 0, (uint16_t)(65500 + i));
    for (uint32_t i = 0; i < 1000; i++) {
        work(bench, 3000, 1 + random_below(&bench->random, QUEUES));
        close_rows(bench);
        drain(bench);
        assert_all_consumed(bench);
    }
    for (uint32_t i = 0; i < QUEUES; i++)
        assert_true(bench->driver[i].interrupts > 100 && bench->driver[i].sent > 1000 && bench->alerts[i] == 0);
}

/* Index and used_event pass 65535 more than once. */
static void test_wrap(void **context)
{
    struct bench *bench = *context;
    bench->random = 2;
    start(bench, 1, 256, QUEUE_EVENT_INDEX, 40000);
    while (bench->driver[1].sent < 100000) {
        for (uint32_t i = 0; i < 4; i++) {
            send_buffer(bench, 1, 0);
            step(bench);
            run_driver(bench, 1);
        }
        for (uint32_t i = 0; i < 20; i++)
            step(bench);
    }
    drain(bench);
    assert_all_consumed(bench);
    assert_true(bench->driver[1].interrupts > 200);
}

/* Elements that come in a burst cost few writes of the index and few interrupts. */
static void test_batched(void **context)
{
    struct bench *bench = *context;
    bench->random = 3;
    start(bench, 2, 1024, QUEUE_EVENT_INDEX, 0);
    drain(bench);
    assert_int_equal(bench->driver[2].phase, DRIVER_SLEEPS);
    for (uint32_t i = 0; i < 16; i++)
        send_buffer(bench, 2, 0);
    drain(bench);
    assert_all_consumed(bench);
    assert_in_range(bench->driver[2].interrupts, 1, 4);
}

/* What is said to be followed waits for it, and costs no index of its own; a stop does not wait. */
static void test_followed(void **context)
{
    struct bench *bench = *context;
    bench->random = 11;
    start(bench, 3, 64, QUEUE_EVENT_INDEX, 60);
    drain(bench);
    for (uint32_t round = 0; round < 100; round++) {
        uint32_t before = bench->driver[3].consumed, interrupts = bench->driver[3].interrupts;
        for (uint32_t i = 0; i < 12; i++) {
            send_buffer(bench, 3, USED_FOLLOWED);
            drain(bench);
        }
        assert_int_equal(bench->driver[3].consumed, before);
        send_buffer(bench, 3, 0);
        drain(bench);
        assert_int_equal(bench->driver[3].consumed, before + 13);
        assert_int_equal(bench->driver[3].interrupts, interrupts + 1);
    }
    send_buffer(bench, 3, USED_FOLLOWED);
    drain(bench);
    stop(bench, 3);
}

/* A driver that sleeps for each element is asked now and then only. */
static void test_trusted(void **context)
{
    struct bench *bench = *context;
    bench->random = 12;
    start(bench, 4, 64, QUEUE_EVENT_INDEX, 0);
    drain(bench);
    for (uint32_t i = 0; i < 1600; i++) {
        send_buffer(bench, 4, 0);
        drain(bench);
        assert_int_equal(bench->driver[4].interrupts, i + 1);
    }
    assert_in_range(bench->questions, 100, 110);
    /* But when it has more under way. */
    uint32_t questions = bench->questions;
    for (uint32_t i = 0; i < 100; i++) {
        send_buffer(bench, 4, USED_ANNOUNCED);
        drain(bench);
    }
    assert_int_equal(bench->questions, questions + 100);
}

static void test_stop_in_the_middle(void **context)
{
    struct bench *bench = *context;
    bench->random = 4;
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 64, i & 1 ? QUEUE_EVENT_INDEX : 0, (uint16_t)(i * 9000));
    for (uint32_t i = 0; i < 1500; i++) {
        uint32_t queue = random_below(&bench->random, QUEUES);
        work(bench, random_below(&bench->random, 100), QUEUES);
        stop(bench, queue);
        /* To a stopped queue nothing is reported. */
        struct queue_used late = {(uint16_t)queue, 1, 2, 0, {0}};
        if (random_below(&bench->random, 2))
            stream_put(&bench->used, &late);
        work(bench, random_below(&bench->random, 100), 0);
        close_rows(bench);
        drain(bench);
        start(bench, queue, 2u << random_below(&bench->random, 8),
              random_below(&bench->random, 2) ? QUEUE_EVENT_INDEX : 0, (uint16_t)random_next(&bench->random));
    }
    drain(bench);
    assert_all_consumed(bench);
}

/* Without a vector nobody is asked. */
static void test_no_vector(void **context)
{
    struct bench *bench = *context;
    bench->random = 7;
    struct driver *driver = &bench->driver[3];
    driver->entries = 16;
    driver->vector = 0xffff;
    struct queue_setting setting = setting_of(bench, 3);
    command(bench, COMMAND_QUEUE_SET, 3, &setting, sizeof setting);
    driver->active = true;
    for (uint32_t i = 0; i < 2000; i++) {
        send_buffer(bench, 3, 0);
        for (uint32_t j = 0; j < 30; j++)
            step(bench);
        assert_int_equal(hls_fifo_used(&bench->read_request.fifo), 0);
    }
    drain(bench);
    stop(bench, 3);
    assert_int_equal(driver->interrupts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trusted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_vector, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
