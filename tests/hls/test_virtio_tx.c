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

static void test_packets(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world *world = world_open(seed, 2u << seed % 6, 1 + seed % 5);
        world->goal = 700;
        world->burst = 1 + random_below(&world->random, 24);
        start_all(world);
        for (uint64_t steps = 0; !all_used(world); steps++) {
            assert_true(steps < 100000000);
            world_step(world);
        }
        world_finish(world);
        world_close(world);
    }
}

/* Drivers that fall silent again and again: every packet must come out without another one behind it. */
static void test_no_lost_kick(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        struct world *world = world_open(seed + 1000, 2u << seed % 4, 3);
        world->burst = 2;
        start_all(world);
        for (uint32_t round = 0; round < 6; round++) {
            world->goal += 1 + random_below(&world->random, 8);
            uint32_t steps = random_below(&world->random, 600);
            while (steps--)
                world_step(world);
            world_finish(world);
        }
        world_close(world);
    }
}

static void test_stop_anywhere(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *world = world_open(seed + 5000, 2u << seed % 5, 4);
        world->goal = UINT32_MAX;
        start_all(world);
        for (uint32_t round = 0; round < 150; round++) {
            uint32_t steps = random_below(&world->random, 2000);
            while (steps--)
                world_step(world);
            struct driver *driver = &world->driver[random_below(&world->random, 4)];
            world_stop(world, driver);
            steps = random_below(&world->random, 200);
            while (steps--)
                world_step(world);
            world_set(world, driver);
        }
        world_finish(world);
        world_close(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_no_lost_kick),
        cmocka_unit_test(test_stop_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
