/* SPDX-License-Identifier: Apache-2.0 */
/* NVMe queues: all five kernels against independent drivers with rings in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CARD_CHECK(condition) assert_true(condition)
#include "tests/hls/nvme_world.h"

static void goals(struct world *world, uint32_t commands)
{
    for (uint32_t i = 0; i < world->drivers; i++)
        for (uint32_t k = 0; k < world->driver[i].queues; k++)
            world->driver[i].sq[k].goal = commands;
}

/* `shadows`: 0 = nobody's, 1 = everybody's, 2 = as it comes. */
static struct world *started(uint64_t seed, uint32_t drivers, uint32_t queues, uint32_t most, uint32_t shadows)
{
    struct world *world = world_open(seed, 2u << seed % 6, drivers, queues);
    for (uint32_t i = 0; i < drivers; i++) {
        struct driver *driver = &world->driver[i];
        driver->shadows = shadows == 2 ? random_below(&world->random, 2) : shadows;
        world_window(world, i, MEMORY_BYTES);
        world_spaces(world, driver);
        world_layout(world, driver, most);
        world_start(world, driver);
    }
    return world;
}

static void commands(uint32_t shadows)
{
    uint64_t gathered = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *world = started(seed, 1 + seed % 3, 2 + seed % 7, seed % 4 ? 40 : 300, shadows);
        world->burst = 1 + seed % 3 * 20;
        goals(world, 600);
        world_finish(world);
        assert_true(world->kinds[BACKEND_COMMAND] != 0 && world->kinds[BACKEND_RAW] != 0);
        gathered += world->gathered;
        for (unsigned i = 0; i < CHANNELS; i++)
            assert_int_equal(world->card.windows[i], world->drivers);
        world_close(world);
    }
    assert_true(gathered > 1000);
}

static void test_doorbells(void **context)
{
    (void)context;
    commands(0);
}

static void test_shadow_doorbells(void **context)
{
    (void)context;
    commands(1);
}

/* The smallest rings, where full and empty are one entry apart. */
static void test_small(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *world = started(seed, 2, 4, 2 + seed % 3, 2);
        goals(world, 200);
        world_finish(world);
        world_close(world);
    }
}

/* All queues that the card has. */
static void test_many(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *world = started(seed, BLOCK_QUEUES / BLOCK_CONTROLLER_QUEUES, BLOCK_CONTROLLER_QUEUES, 64, 2);
        goals(world, 100);
        world_finish(world);
        world_close(world);
    }
}

/* The largest rings, around once and more. */
static void test_large(void **context)
{
    (void)context;
    struct world *world = world_open(1, 64, 1, 2);
    struct driver *driver = &world->driver[0];
    world_window(world, 0, MEMORY_BYTES);
    world_spaces(world, driver);
    world_layout(world, driver, 8);
    driver_reset_cq(driver, 1, NVME_QUEUE_ENTRIES_MAX, VECTOR_BLOCK + 1, 1u << 20);
    driver_reset_sq(driver, 1, NVME_QUEUE_ENTRIES_MAX, 1, 1u << 22);
    world_start(world, driver);
    driver->sq[1].goal = 2 * NVME_QUEUE_ENTRIES_MAX + 1000;
    world_finish(world);
    world_close(world);
}

/* A command that stays for as long as others go around: heads go on, its slot is its own. */
static void test_long_command(void **context)
{
    (void)context;
    struct world *world = started(5, 1, 2, 30, 0);
    world->driver[0].sq[0].goal = 1;
    world->driver[0].sq[1].goal = 1;
    world->held = 2;
    while (world->flying < 2)
        world_step(world);
    world->driver[0].sq[1].goal = 100000;
    while (world->driver[0].sq[1].done < 99990)
        world_step(world);
    world->held = 0;
    world_finish(world);
    world_close(world);
}

/* What is fetched stays within the card's slots, even if the backend finishes nothing. */
static void test_slots(void **context)
{
    (void)context;
    struct world *world = started(2, 1, 3, 30, 0);
    struct driver *driver = &world->driver[0];
    world_stop_sq(world, driver, 1, false);
    world_stop_cq(world, driver, 1);
    world_stop_sq(world, driver, 2, false);
    driver_reset_cq(driver, 1, 1000, VECTOR_BLOCK + 1, 1u << 20);
    driver_reset_sq(driver, 1, 1000, 1, 1u << 22);
    world_set_cq(world, driver, 1);
    world_set_sq(world, driver, 1);
    driver->sq[1].goal = 1000;
    world->held = BLOCK_TAGS;
    for (uint32_t i = 0; i < 100000; i++)
        world_step(world);
    assert_int_equal(world->flying, BLOCK_SLOTS);
    world->held = 0;
    world_finish(world);
    world_close(world);
}

/* Without room in the completion queue nothing more is fetched than can be completed. */
static void test_room(void **context)
{
    (void)context;
    for (uint32_t shadows = 0; shadows < 2; shadows++) {
        struct world *world = started(3, 1, 6, 100, shadows);
        struct driver *driver = &world->driver[0];
        for (uint32_t i = 1; i < 6; i++)
            world_stop_sq(world, driver, i, false);
        world_stop_cq(world, driver, 2);
        driver_reset_cq(driver, 2, 12, NVME_CQ_NO_VECTOR, 1u << 20);
        driver->cq[2].polled = false; /* yet */
        driver->cq[2].threshold = 0;
        driver->cq[2].delay = 0;
        world_set_cq(world, driver, 2);
        for (uint32_t i = 1; i < 6; i++) {
            driver_reset_sq(driver, i, 40, 2, (1u << 22) + (i << 16));
            world_set_sq(world, driver, i);
        }
        goals(world, 300);
        driver->sq[0].goal = 0;
        for (uint32_t i = 0; i < 100000; i++)
            world_step(world);
        assert_int_equal(driver->cq[2].visible, 11);
        assert_int_equal(world->flying, 0);
        driver->cq[2].polled = true;
        world_finish(world);
        world_close(world);
    }
}

/* Many queues with shadow doorbells want room in one completion queue that has hardly any: whoever waits has armed for
 * the head that is known, even if another one finds room, takes it, or stops meanwhile. */
static void test_crowd(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct world *world = started(seed, 1, 10, 20, 1);
        struct driver *driver = &world->driver[0];
        for (uint32_t i = 1; i < driver->queues; i++)
            world_stop_sq(world, driver, i, false);
        world_stop_cq(world, driver, 1);
        driver_reset_cq(driver, 1, 2 + seed % 4, seed % 2 ? NVME_CQ_NO_VECTOR : VECTOR_BLOCK + 1, 1u << 20);
        driver->cq[1].delay = 0;
        world_set_cq(world, driver, 1);
        for (uint32_t i = 1; i < driver->queues; i++) {
            driver_reset_sq(driver, i, 20, 1, (1u << 22) + (i << 16));
            driver->sq[i].goal = 10 + random_below(&world->random, 60);
            world_set_sq(world, driver, i);
        }
        for (uint32_t i = 1; i < driver->queues; i += 3) {
            for (uint32_t k = random_below(&world->random, 3000); k > 0; k--)
                world_step(world);
            world_stop_sq(world, driver, i, false);
        }
        world_finish(world);
        world_close(world);
    }
}

/* Queues that share a completion queue get its room in turn. */
static void test_turns(void **context)
{
    (void)context;
    for (uint32_t shadows = 0; shadows < 2; shadows++) {
        struct world *world = started(4, 1, 9, 30, shadows);
        struct driver *driver = &world->driver[0];
        uint32_t least = UINT32_MAX, most = 0;
        for (uint32_t i = 1; i < driver->queues; i++)
            world_stop_sq(world, driver, i, false);
        world_stop_cq(world, driver, 1);
        driver_reset_cq(driver, 1, 3, NVME_CQ_NO_VECTOR, 1u << 20);
        world_set_cq(world, driver, 1);
        for (uint32_t i = 1; i < driver->queues; i++) {
            driver_reset_sq(driver, i, 30, 1, (1u << 22) + (i << 16));
            world_set_sq(world, driver, i);
        }
        goals(world, UINT32_MAX);
        for (uint32_t i = 0; i < 1500000; i++)
            world_step(world);
        for (uint32_t i = 1; i < driver->queues; i++) {
            least = driver->sq[i].done < least ? driver->sq[i].done : least;
            most = driver->sq[i].done > most ? driver->sq[i].done : most;
        }
        assert_true(least > 100 && least > most / 2);
        world_close(world);
    }
}

/* Queues stop with commands under way, others of the same completion queue go on; then they begin anew. */
static void test_stop(void **context)
{
    (void)context;
    uint64_t silently = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world *world = started(seed, 2, 5, 20, 2);
        for (uint32_t round = 0; round < 12; round++) {
            struct driver *driver = &world->driver[random_below(&world->random, 2)];
            uint32_t number = random_below(&world->random, 5);
            goals(world, UINT32_MAX);
            for (uint32_t i = random_below(&world->random, 4000); i > 0; i--)
                world_step(world);
            world_stop_sq(world, driver, number, random_below(&world->random, 2));
            driver_reset_sq(driver, number, driver->sq[number].entries, driver->sq[number].cq,
                            driver->sq[number].address);
            world_set_sq(world, driver, number);
        }
        for (uint32_t i = 0; i < 2; i++)
            for (uint32_t k = 0; k < 5; k++)
                world->driver[i].sq[k].goal = world->driver[i].sq[k].made + 50;
        world_finish(world);
        silently += world->silently;
        world_close(world);
    }
    assert_true(silently > 100);
}

/* A controller's reset: everything stops, what is under way is finished silently, and all begins anew. */
static void test_reset(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = started(seed, 2, 5, 20, 2);
        struct driver *driver = &world->driver[0];
        for (uint32_t round = 0; round < 5; round++) {
            goals(world, UINT32_MAX);
            for (uint32_t i = random_below(&world->random, 8000); i > 0; i--)
                world_step(world);
            for (uint32_t i = driver->queues; i-- > 0;)
                world_stop_sq(world, driver, i, true);
            for (uint32_t i = driver->queues; i-- > 0;)
                world_stop_cq(world, driver, i);
            for (uint32_t i = 0; i < 300; i++) /* records that were under way */
                world_step(world);
            world_layout(world, driver, 30);
            world_start(world, driver);
        }
        for (uint32_t i = 0; i < 2; i++)
            for (uint32_t k = 0; k < 5; k++)
                world->driver[i].sq[k].goal = world->driver[i].sq[k].made + 50;
        world_finish(world);
        world_close(world);
    }
}

/* Interrupts are held back for so many entries, or so long; a slow backend leaves only the time. */
static void test_coalescing(void **context)
{
    (void)context;
    struct world *world = started(9, 1, 2, 20, 0);
    struct driver *driver = &world->driver[0];
    struct driver_cq *cq = &driver->cq[1];
    world_stop_sq(world, driver, 1, false);
    world_stop_cq(world, driver, 1);
    driver_reset_cq(driver, 1, 256, VECTOR_BLOCK + 1, 1u << 20);
    driver_reset_sq(driver, 1, 256, 1, 1u << 22);
    cq->threshold = 8;
    cq->delay = 100;
    world_set_cq(world, driver, 1);
    world_set_sq(world, driver, 1);
    uint32_t interrupts = cq->interrupts;
    driver->sq[1].goal = 7;
    while (driver_make(driver, &driver->sq[1]))
        ;
    driver_publish(driver, &world->card.doorbell, 2, driver->sq[1].tail, &driver->sq[1].published,
                   &driver->sq[1].shadow);
    world_settle(world);
    assert_int_equal(cq->visible, 7);
    assert_int_equal(cq->interrupts, interrupts);
    world->card.now += 99;
    struct timer_tick early = {world->card.now, 0};
    assert_true(stream_put(&world->card.tick, &early)); /* one that was under way when a later one was asked for */
    world_settle(world);
    assert_int_equal(cq->interrupts, interrupts);
    world->card.now += 1;
    world_settle(world);
    assert_int_equal(cq->interrupts, interrupts + 1);
    driver->sq[1].goal = 23;
    while (driver_make(driver, &driver->sq[1]))
        ;
    driver_publish(driver, &world->card.doorbell, 2, driver->sq[1].tail, &driver->sq[1].published,
                   &driver->sq[1].shadow);
    world_settle(world);
    assert_int_equal(cq->visible, 23);
    assert_true(cq->interrupts == interrupts + 2 || cq->interrupts == interrupts + 3);
    world_finish(world);
    world_close(world);
}

/* One command of a queue that has its own completion queue, from the driver to the entry. */
static void one_command(struct world *world, struct driver *driver, uint32_t number)
{
    struct driver_sq *sq = &driver->sq[number];
    sq->goal++;
    assert_true(driver_make(driver, sq));
    driver_publish(driver, &world->card.doorbell, 2 * number, sq->tail, &sq->published, &sq->shadow);
    world_settle(world);
}

static void pass(struct world *world, uint32_t ticks)
{
    world->card.now += ticks;
    world_settle(world);
}

/* No queue waits longer than its own delay, whatever others wait for. */
static void test_delays(void **context)
{
    (void)context;
    const uint32_t delays[] = {0, 200, 10, 5};
    struct world *world = started(3, 1, 4, 20, 0);
    struct driver *driver = &world->driver[0];
    world->card.now = UINT32_MAX - 30; /* it wraps meanwhile */
    for (uint32_t i = 1; i < 4; i++)
        world_stop_sq(world, driver, i, false);
    for (uint32_t i = 1; i < 4; i++) {
        world_stop_cq(world, driver, i);
        driver_reset_cq(driver, i, 64, (uint16_t)(VECTOR_BLOCK + i), (1u << 20) + (i << 16));
        driver_reset_sq(driver, i, 64, (uint16_t)i, (1u << 22) + (i << 16));
        driver->cq[i].threshold = 8;
        driver->cq[i].delay = delays[i];
        world_set_cq(world, driver, i);
        world_set_sq(world, driver, i);
    }
    world->card.now = UINT32_MAX - 30;
    const struct driver_cq *slow = &driver->cq[1], *fast = &driver->cq[2], *fastest = &driver->cq[3];
    one_command(world, driver, 1);
    pass(world, 50);
    one_command(world, driver, 2); /* later, and due before */
    assert_int_equal(slow->interrupts + fast->interrupts, 0);
    pass(world, 9);
    assert_int_equal(fast->interrupts, 0);
    pass(world, 1);
    assert_int_equal(fast->interrupts, 1);
    pass(world, 140);
    assert_int_equal(slow->interrupts, 1);
    one_command(world, driver, 2);
    pass(world, 8);
    one_command(world, driver, 3); /* would be due later */
    assert_int_equal(fast->interrupts, 1);
    pass(world, 2);
    assert_int_equal(fast->interrupts, 2);
    pass(world, 3);
    assert_int_equal(fastest->interrupts, 1);
    one_command(world, driver, 3); /* the next time is a new one */
    pass(world, 4);
    assert_int_equal(fastest->interrupts, 1);
    pass(world, 1);
    assert_int_equal(fastest->interrupts, 2);
    world_finish(world);
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doorbells),  cmocka_unit_test(test_shadow_doorbells),
        cmocka_unit_test(test_small),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_large),      cmocka_unit_test(test_long_command),
        cmocka_unit_test(test_slots),      cmocka_unit_test(test_room),
        cmocka_unit_test(test_crowd),      cmocka_unit_test(test_turns),
        cmocka_unit_test(test_stop),       cmocka_unit_test(test_reset),
        cmocka_unit_test(test_coalescing), cmocka_unit_test(test_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
