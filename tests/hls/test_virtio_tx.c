/* SPDX-License-Identifier: Apache-2.0 */
/* The transmit queues: queue_events, virtq, virtio_tx and virtio_tx_packet against an independent driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CARD_CHECK(condition) assert_true(condition)
#include "tests/hls/transmit_world.h"

static void random_setting(struct world *world, struct driver *driver)
{
    uint64_t *random = &world->random;
    const uint16_t mtus[] = {0, 0, 68, 1500, 9000, 65535};
    driver->flags = (uint16_t)(random_next(random) & (QUEUE_EVENT_INDEX | QUEUE_INDIRECT | QUEUE_CHECKSUM));
    driver->mtu = mtus[random_below(random, 6)];
    driver->sequential = random_below(random, 3) == 0;
    uint16_t position = (uint16_t)(random_below(random, 2) ? 0 : 65536 - random_below(random, 300));
    driver_reset(driver, 2u << random_below(random, 10), position);
}

static void start_all(struct world *world)
{
    for (uint32_t i = 0; i < world->drivers; i++) {
        world_window(world, i, MEMORY_BYTES);
        random_setting(world, &world->driver[i]);
        world_set(world, &world->driver[i]);
    }
}

static bool all_used(const struct world *world)
{
    for (uint32_t i = 0; i < world->drivers; i++)
        if (world->driver[i].used < world->goal)
            return false;
    return true;
}

static void steps(struct world *world, uint32_t count)
{
    while (count-- > 0)
        world_step(world, 0);
}

static void until_used(struct world *world)
{
    for (uint64_t count = 0; !all_used(world); count++) {
        assert_true(count < 100000000);
        world_step(world, 0);
    }
    world_finish(world);
}

static void test_packets(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world *world = world_open(seed, 2u << seed % 6, 1 + seed % 5);
        world->goal = 700;
        world->burst = 1 + random_below(&world->random, 24);
        start_all(world);
        until_used(world);
        world_close(world);
    }
}

/* Drivers that fall silent again and again: every packet must come out without another one behind it. */
static void test_no_lost_kick(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct world *world = world_open(seed + 1000, 2u << seed % 4, 3);
        world->burst = 2;
        start_all(world);
        for (uint32_t round = 0; round < 6; round++) {
            world->goal += 1 + random_below(&world->random, 8);
            steps(world, random_below(&world->random, 600));
            world_finish(world);
        }
        world_close(world);
    }
}

/* The position that QUEUE_STOP tells is where the next setting goes on: nothing is lost, nothing comes twice. */
static void test_stop_anywhere(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *world = world_open(seed + 5000, 2u << seed % 5, 4);
        world->goal = UINT32_MAX;
        start_all(world);
        for (uint32_t round = 0; round < 150; round++) {
            steps(world, random_below(&world->random, 2000));
            struct driver *driver = &world->driver[random_below(&world->random, 4)];
            world_stop(world, driver);
            steps(world, random_below(&world->random, 200));
            world_set(world, driver);
        }
        world_finish(world);
        world_close(world);
    }
}

static void plain_driver(struct driver *driver, uint32_t entries, uint32_t bytes, uint32_t pieces)
{
    driver->plain = bytes;
    driver->pieces = pieces;
    driver->flags = QUEUE_EVENT_INDEX;
    driver->sequential = true;
    driver_reset(driver, entries, 0);
}

/* All queues at once: what comes back to virtq from later kernels must not fill the circle that they share. */
static void test_all_queues(void **context)
{
    (void)context;
    struct world *world = world_open(7, 64, FUNCTION_HOST);
    world->goal = 300;
    world->burst = DRIVER_SLOTS;
    for (uint32_t i = 0; i < world->drivers; i++) {
        plain_driver(&world->driver[i], 256, 60, 1);
        world_window(world, i, MEMORY_BYTES);
        world_set(world, &world->driver[i]);
    }
    until_used(world);
    world_close(world);
}

/* Nothing leaves the card: a queue may have so many segments on their way and no more, after any number of long chains.
 */
static void test_credit(void **context)
{
    (void)context;
    struct world *world = world_open(8, 1024, 1);
    struct driver *driver = &world->driver[0];
    world_window(world, 0, MEMORY_BYTES);
    plain_driver(driver, 1024, 250, 200);
    driver->flags |= QUEUE_INDIRECT;
    world_set(world, driver);
    for (uint32_t round = 0; round < 300; round++) {
        while (driver_make(driver))
            ;
        world_finish(world);
    }
    stream_close(&world->card.packet);
    stream_open(&world->card.packet, 1, sizeof(struct beat));
    driver->pieces = 10;
    while (driver_make(driver))
        ;
    uint64_t before = driver->transfers[CHANNEL_DATA];
    driver_publish(driver);
    driver_kick(driver);
    take_doorbell(world, driver);
    for (uint32_t i = 0; i < 100000; i++)
        card_step(&world->card, i % CARD_PARTS);
    assert_int_equal(driver->made - driver->used, DRIVER_SLOTS);
    assert_in_range(driver->transfers[CHANNEL_DATA] - before, TRANSMIT_SEGMENTS - TRANSMIT_CREDIT,
                    TRANSMIT_SEGMENTS + 10);
    world_settle(world);
    assert_int_equal(driver->made, driver->used);
    world_close(world);
}

/* Transfers beside the data, for each packet: a driver that has `batch` packets more whenever the card looks, and one
 * that waits until its batch is out. */
struct supply {
    struct world *world;
    uint32_t batch;
};

static bool supply_transfer(void *context, enum card_channel channel, const struct dma_request *request)
{
    struct supply *supply = context;
    struct driver *driver = &supply->world->driver[0];
    bool empty = driver->published == supply->world->card.virtq.rows[driver->queue].position;
    if (channel == CHANNEL_READ && request->address == DRIVER_AVAIL + 2 && empty) {
        for (uint32_t i = 0; i < supply->batch && driver->made < supply->world->goal; i++)
            assert_true(driver_make(driver));
        driver_publish(driver);
    }
    return world_transfer(supply->world, channel, request);
}

static double transfers(uint32_t batch, bool idle)
{
    struct world *world = world_open(9, 4, 1);
    struct supply supply = {world, batch};
    struct driver *driver = &world->driver[0];
    world_window(world, 0, MEMORY_BYTES);
    plain_driver(driver, 256, 60, 1);
    world_set(world, driver);
    world_settle(world);
    uint64_t before = driver->transfers[CHANNEL_READ] + driver->transfers[CHANNEL_WRITE];
    world->goal = 4096;
    if (!idle) {
        world->card.transfer = supply_transfer;
        world->card.context = &supply;
        driver->rung = true;
    }
    while (driver->used < world->goal) {
        for (uint32_t i = 0; idle && i < batch; i++)
            assert_true(driver_make(driver));
        world_finish(world);
    }
    double each = (double)(driver->transfers[CHANNEL_READ] + driver->transfers[CHANNEL_WRITE] - before) / driver->used;
    print_message("%u at once, %s: %.3f transfers beside the data for each packet, %.3f kicks\n", batch,
                  idle ? "then idle" : "steadily ", each, (double)driver->kicks / driver->used);
    world_close(world);
    return each;
}

static void test_transfers(void **context)
{
    (void)context;
    assert_true(transfers(1, false) <= 3.01);
    assert_true(transfers(4, false) <= 0.76);
    assert_true(transfers(16, false) <= 0.2);
    assert_true(transfers(1, true) <= 4.01);
    assert_true(transfers(16, true) <= 0.26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),    cmocka_unit_test(test_no_lost_kick), cmocka_unit_test(test_stop_anywhere),
        cmocka_unit_test(test_all_queues), cmocka_unit_test(test_credit),       cmocka_unit_test(test_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
