/* SPDX-License-Identifier: Apache-2.0 */
/* NVMe queues whose guests, or whose memory, do what they must not: nobody else notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CARD_CHECK(condition) assert_true(condition)
#include "tests/hls/nvme_world.h"

static void start(struct world *world, struct driver *driver, uint32_t most)
{
    world_window(world, driver->function, MEMORY_BYTES);
    world_spaces(world, driver);
    world_layout(world, driver, most);
    world_start(world, driver);
}

static void goal(struct driver *driver, uint32_t commands)
{
    for (uint32_t i = 0; i < driver->queues; i++)
        driver->sq[i].goal = commands;
}

/* One controller of five queues, whose second completion queue nobody consumes. */
static struct world *quiet(struct driver **driver)
{
    struct world *world = world_open(1, 32, 2, 5);
    *driver = &world->driver[0];
    start(world, *driver, 20);
    world_settle(world);
    return world;
}

static void ring(struct world *world, uint32_t page, uint32_t index, uint32_t value)
{
    struct doorbell rung = {page, value, index, 7};
    assert_true(stream_put(&world->card.doorbell, &rung));
    for (uint32_t part = 0; part < 20 * CARD_PARTS; part++)
        card_step(&world->card, part % CARD_PARTS);
}

static bool alerted(struct world *world, struct event_entry *event)
{
    return stream_get(&world->card.alert, event);
}

static void expect_alert(struct world *world, uint32_t index, uint32_t value)
{
    struct event_entry event = {0};
    struct driver *driver = &world->driver[0];
    ring(world, DOORBELL_NVME + driver->base, index, value);
    assert_true(alerted(world, &event));
    assert_int_equal(event.kind, EVENT_DOORBELL);
    assert_int_equal(event.detail, FAULT_DOORBELL);
    assert_int_equal(event.function, driver->function);
    assert_int_equal(event.queue, driver->base + index / 2);
    assert_int_equal(event.address, (uint64_t)value << 32 | index);
    assert_false(alerted(world, &event));
}

/* Base, invalid doorbell register and invalid doorbell write value: told, and without consequence. */
static void test_bad_doorbells(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    start(world, &world->driver[1], 20);
    for (uint32_t i = 0; i < 5; i++) {
        expect_alert(world, 2 * i, driver->sq[i].entries);
        expect_alert(world, 2 * i, UINT32_MAX);
        expect_alert(world, 2 * i + 1, driver->cq[i].entries);
        expect_alert(world, 2 * i + 1, 1); /* nothing was completed */
        expect_alert(world, 2 * i + 1, driver->cq[i].entries - 1);
    }
    for (uint32_t index = 10; index < DOORBELL_NVME_WORDS; index++) /* the other controller's, and nobody's */
        expect_alert(world, index, 0);
    world_stop_sq(world, driver, 4, false);
    world_stop_cq(world, driver, 4);
    expect_alert(world, 8, 0);
    expect_alert(world, 9, 0);
    goal(&world->driver[1], 50);
    world_finish(world);
    world_close(world);
}

/* Words beyond the last block queue are nobody's. */
static void test_last_page(void **context)
{
    (void)context;
    struct world *world = world_open(1, 32, 1, 2);
    struct driver *driver = &world->driver[0];
    struct event_entry event = {0};
    driver->base = BLOCK_QUEUES - 2;
    start(world, driver, 20);
    ring(world, DOORBELL_NVME + driver->base, 4, 0);
    assert_true(alerted(world, &event));
    assert_int_equal(event.function, 0);
    assert_int_equal(event.address, 4);
    assert_false(alerted(world, &event));
    goal(driver, 100);
    world_finish(world);
    world_close(world);
}

/* A page without a controller says nothing. */
static void test_no_controller(void **context)
{
    (void)context;
    struct driver *driver;
    struct event_entry event = {0};
    struct world *world = quiet(&driver);
    for (uint32_t page = DOORBELL_NVME; page < DOORBELL_PAGES; page++)
        for (uint32_t index = 0; page != DOORBELL_NVME + driver->base && index < 4; index++)
            ring(world, page, index, page);
    assert_false(alerted(world, &event));
    for (uint32_t i = 5; i-- > 0;)
        world_stop_sq(world, driver, i, false);
    ring(world, DOORBELL_NVME + driver->base, 0, 5);
    assert_false(alerted(world, &event));
    world_close(world);
}

/* A guest rings whatever it likes and writes into its shadow doorbells; another one works on. */
static void test_wild(void **context)
{
    (void)context;
    uint64_t alerts = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world *world = world_open(seed, 2u << seed % 5, 2, 4);
        struct driver *driver = &world->driver[0];
        driver->shadows = seed % 2;
        driver->hostile = true;
        start(world, driver, 20);
        start(world, &world->driver[1], 20);
        uint32_t rung = 0;
        for (uint32_t i = 0; i < 60000; i++) {
            if (i % 50 == 0 && stream_room(&world->card.doorbell)) {
                struct doorbell doorbell = {DOORBELL_NVME + driver->base, random_below(&world->random, 24),
                                            random_below(&world->random, 12), i};
                stream_put(&world->card.doorbell, &doorbell);
                rung++;
            }
            uint32_t value = random_below(&world->random, 30), place = 4 * random_below(&world->random, 8);
            if (i % 20 == 0)
                memcpy(driver->memory + DRIVER_SHADOWS + place, &value, 4);
            world_step(world);
            world->driver[1].sq[i % 4].goal = 200;
        }
        for (uint32_t i = 4; i-- > 0;) {
            driver->sq[i].closing = true;
            world_stop_sq(world, driver, i, false);
        }
        goal(driver, 0);
        world_finish(world);
        assert_true(driver->alerts <=
                    3 * rung); /* of each: itself, the tail and the head that are read because of it */
        alerts += driver->alerts;
        world_close(world);
    }
    assert_true(alerts > 1000);
}

/* Transfers fail: the queue stops, once and with a word, can be stopped by the host and set again. */
static void test_failures(void **context)
{
    (void)context;
    uint64_t stops = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *world = world_open(seed, 2u << seed % 5, 2, 4);
        struct driver *driver = &world->driver[0];
        driver->shadows = seed % 2;
        driver->failing = true;
        start(world, driver, 60);
        start(world, &world->driver[1], 20);
        goal(driver, UINT32_MAX);
        goal(&world->driver[1], 300);
        for (uint32_t round = 0; round < 3; round++) {
            for (uint32_t i = 0; i < 20000; i++)
                world_step(world);
            for (uint32_t i = 4; i-- > 0;)
                world_stop_sq(world, driver, i, random_below(&world->random, 2));
            for (uint32_t i = 4; i-- > 0;)
                world_stop_cq(world, driver, i);
            world_settle(world);
            world_layout(world, driver, 60);
            world_start(world, driver);
            goal(driver, UINT32_MAX);
        }
        for (uint32_t i = 4; i-- > 0;)
            world_stop_sq(world, driver, i, false);
        world_finish(world);
        stops += driver->stops;
        world_close(world);
    }
    assert_true(stops > 100);
}

/* Outside of the window nothing is fetched; the event says where. */
static void test_refused(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct event_entry event = {0};
    world_window(world, 0, 0);
    ring(world, DOORBELL_NVME, 2, 1);
    assert_true(alerted(world, &event));
    assert_int_equal(event.kind, EVENT_QUEUE_STOPPED);
    assert_int_equal(event.detail, FAULT_ADDRESS);
    assert_int_equal(event.queue, driver->base + 1);
    assert_int_equal(event.function, driver->function);
    assert_int_equal(event.address, driver->sq[1].address);
    assert_int_equal(event.generation, driver->sq[1].generation);
    ring(world, DOORBELL_NVME, 2, 1); /* it stays so */
    assert_false(alerted(world, &event));
    world_settle(world);
    assert_int_equal(world->flying + world->finished, 0);
    world_close(world);
}

/* Entries that are read together and cannot be: none of them is taken for a command. */
static void test_entries_that_fail(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct driver_sq *sq = &driver->sq[0];
    struct event_entry event = {0};
    uint32_t commands = 0;
    world_window(world, driver->function, sq->address); /* the completion queue is in it, the submission queue is not */
    sq->goal = NVME_FETCH;
    while (driver_make(driver, sq))
        commands++;
    assert_true(commands > 1);
    sq->published = sq->tail;
    driver->failing = true;
    ring(world, DOORBELL_NVME + driver->base, 0, sq->tail);
    world_settle(world);
    assert_int_equal(world->kinds[BACKEND_COMMAND] + world->kinds[BACKEND_RAW], 0);
    assert_int_equal(driver->stops, 1);
    assert_false(alerted(world, &event));
    world_window(world, driver->function, MEMORY_BYTES);
    world_stop_sq(world, driver, 0, false);
    world_stop_cq(world, driver, 0); /* nothing is promised any more */
    world_close(world);
}

/* A queue's completions cannot be written: every tag comes back all the same. */
static void test_lost_completions(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct event_entry event = {0};
    uint32_t commands = driver->sq[1].entries < driver->cq[driver->sq[1].cq].entries
                            ? driver->sq[1].entries - 1
                            : driver->cq[driver->sq[1].cq].entries - 1;
    driver->sq[1].goal = commands;
    while (driver_make(driver, &driver->sq[1]))
        ;
    driver->sq[1].published = driver->sq[1].tail;
    driver->failing = true;
    world->held = BLOCK_TAGS;
    ring(world, DOORBELL_NVME, 2, driver->sq[1].tail);
    while (world->flying != commands)
        take_submit(world), ring(world, DOORBELL_NVME, 2, driver->sq[1].tail);
    struct command_entry entry = {.opcode = COMMAND_WINDOW_SET, .target = TARGET_NVME_CQ, .index = 0};
    assert_int_equal(world_command(world, &entry), STATUS_OK);
    world->held = 0;
    while (finish(world))
        ring(world, DOORBELL_NVME, 2, driver->sq[1].tail);
    for (uint32_t part = 0; part < 100 * CARD_PARTS; part++)
        card_step(&world->card, part % CARD_PARTS);
    assert_true(stream_get(&world->card.cq_alert, &event));
    assert_int_equal(event.kind, EVENT_QUEUE_STOPPED);
    assert_int_equal(event.queue, driver->base + driver->sq[1].cq);
    assert_int_equal(event.generation, driver->cq[driver->sq[1].cq].generation);
    assert_false(stream_get(&world->card.cq_alert, &event));
    world_stop_sq(world, driver, 1, false);
    world_stop_cq(world, driver, driver->sq[1].cq);
    world_close(world);
}

static struct nvme_queue_setting setting_of(const struct driver *driver, uint32_t number)
{
    struct nvme_queue_setting setting = {.address = driver->sq[number].address, .entries = 16};
    setting.function = driver->function;
    setting.base = driver->base;
    setting.completion = (uint16_t)(driver->base + driver->sq[number].cq);
    setting.vector = NVME_CQ_NO_VECTOR;
    return setting;
}

/* Each wrong in one thing. */
static void test_settings(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct nvme_queue_setting good = setting_of(driver, 1), bad[9];
    for (uint32_t i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].entries = 1;
    bad[1].entries = NVME_QUEUE_ENTRIES_MAX + 1;
    bad[2].address += 64;
    bad[3].function = FUNCTION_HOST;
    bad[4].base = 2;
    bad[5].shadow = 2;
    bad[6].completion = (uint16_t)(driver->base + 5); /* is not set */
    bad[7].completion = 200;
    bad[8].function = 1; /* not the completion queue's */
    world_stop_sq(world, driver, 1, false);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &bad[i]), STATUS_BAD_DATA);
    assert_int_equal(world_set(world, TARGET_NVME_SQ, BLOCK_QUEUES, &good), STATUS_BAD_INDEX);
    assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &good), STATUS_OK);
    assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &good), STATUS_BUSY);
    assert_int_equal(world_stop(world, TARGET_NVME_SQ, 1, 1), STATUS_BAD_DATA);
    assert_int_equal(world_stop(world, TARGET_NVME_SQ, BLOCK_QUEUES, 0), STATUS_BAD_INDEX);
    assert_int_equal(world_set(world, TARGET_NVME_CQ, 1, &good), STATUS_BUSY);
    world_stop_cq(world, driver, 1);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(world_set(world, TARGET_NVME_CQ, 1, &bad[i]), STATUS_BAD_DATA);
    bad[5] = good;
    bad[5].vector = CARD_VECTORS;
    assert_int_equal(world_set(world, TARGET_NVME_CQ, 1, &bad[5]), STATUS_BAD_DATA);
    assert_int_equal(world_set(world, TARGET_NVME_CQ, BLOCK_QUEUES, &good), STATUS_BAD_INDEX);
    assert_int_equal(world_set(world, TARGET_NVME_CQ, 1, &good), STATUS_OK);
    world_close(world);
}

/* A setting that comes while the queue runs is refused, and does not lead its completions elsewhere. */
static void test_refused_settings(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = world_open(seed, 16, 1, 5);
        struct driver *driver = &world->driver[0];
        start(world, driver, 20);
        goal(driver, 300);
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t number = 1 + random_below(&world->random, 4);
            struct nvme_queue_setting setting = setting_of(driver, number);
            setting.completion = (uint16_t)(driver->base + random_below(&world->random, 5));
            assert_int_equal(world_set(world, TARGET_NVME_SQ, driver->base + number, &setting), STATUS_BUSY);
            for (uint32_t k = 0; k < 2000; k++)
                world_step(world);
        }
        world_finish(world);
        world_close(world);
    }
}

static void test_commands(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    const uint8_t targets[] = {TARGET_NVME_SQ, TARGET_NVME_CQ};
    for (uint32_t i = 0; i < 2; i++) {
        struct command_entry entry = {.opcode = COMMAND_VOLUME_SET, .target = targets[i]};
        assert_int_equal(world_command(world, &entry), STATUS_BAD_OPCODE);
        entry.opcode = COMMAND_WINDOW_SET;
        entry.index = CARD_FUNCTIONS;
        assert_int_equal(world_command(world, &entry), STATUS_BAD_INDEX);
        entry.opcode = COMMAND_NAMESPACE_SET;
        entry.index = CARD_FUNCTIONS * BLOCK_NAMESPACES;
        assert_int_equal(world_command(world, &entry), i == 0 ? STATUS_BAD_INDEX : STATUS_BAD_OPCODE);
    }
    world_close(world);
}

/* While a queue waits for room in a completion queue, that one stays as it is. */
static void test_completion_settings(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct nvme_queue_setting setting = setting_of(driver, 1);
    setting.flags = NVME_QUEUE_COMPLETION;
    setting.entries = 1;
    assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &setting), STATUS_BAD_DATA);
    for (uint32_t i = 1; i < 5; i++)
        world_stop_sq(world, driver, i, false);
    setting.entries = 2;
    assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &setting), STATUS_OK);
    driver->sq[1].cq = 1;
    driver->hostile = true; /* it rings without commands */
    world_set_sq(world, driver, 1);
    world->held = BLOCK_TAGS;
    ring(world, DOORBELL_NVME, 2, 1);
    ring(world, DOORBELL_NVME, 2, 0);
    ring(world, DOORBELL_NVME, 2, driver->sq[1].entries - 1);
    assert_int_equal(world->card.nvme_queue.rooms[1].parked, 2);
    assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &setting), STATUS_BUSY);
    assert_int_equal(world_stop(world, TARGET_NVME_SQ, 1, NVME_QUEUE_COMPLETION), STATUS_BUSY);
    assert_int_equal(world->flying, 1);
    world->held = 0;
    world_stop_sq(world, driver, 1, false);
    world_stop_cq(world, driver, 1);
    world_close(world);
}

/* A completion queue stops when its entry is written; a second stop meanwhile is told so. */
static void test_completion_stops(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct command_entry stop = {.opcode = COMMAND_QUEUE_STOP, .target = TARGET_NVME_CQ, .tag = 1, .index = 1};
    struct command_entry entry = {0};
    struct block_completion over = {.tag = BLOCK_SLOTS, .queue = 1, .completion = 1};
    driver->hostile = true;
    assert_true(stream_put(&world->card.finished, &over));
    while (run_nvme_cq_events(&world->card) || run_nvme_cq(&world->card))
        ;
    assert_true(stream_put(&world->card.cq_command, &stop));
    stop.tag = 2;
    assert_true(stream_put(&world->card.cq_command, &stop));
    while (run_nvme_cq_events(&world->card) || run_nvme_cq(&world->card))
        ;
    assert_true(stream_get(&world->card.cq_completion, &entry));
    assert_int_equal(entry.tag, 2);
    assert_int_equal(entry.status, STATUS_BUSY);
    assert_false(stream_get(&world->card.cq_completion, &entry));
    for (uint32_t part = 0; part < 20 * CARD_PARTS; part++)
        card_step(&world->card, part % CARD_PARTS);
    assert_true(stream_get(&world->card.cq_completion, &entry));
    assert_int_equal(entry.tag, 1);
    assert_int_equal(entry.status, STATUS_OK);
    world_close(world);
}

/* A second stop while the first one waits; a queue that was never set stops at once. */
static void test_stops(void **context)
{
    (void)context;
    struct driver *driver;
    struct world *world = quiet(&driver);
    struct command_entry first = {.opcode = COMMAND_QUEUE_STOP, .target = TARGET_NVME_SQ, .tag = 1, .index = 1};
    struct command_entry second = first, entry = {0};
    second.tag = 2;
    world->held = BLOCK_TAGS;
    ring(world, DOORBELL_NVME, 2, 1);
    driver->hostile = true; /* it rang without a command */
    take_submit(world);
    assert_int_equal(world->flying, 1);
    assert_true(stream_put(&world->card.command, &first) && stream_put(&world->card.command, &second));
    ring(world, DOORBELL_NVME, 2, 1);
    assert_true(stream_get(&world->card.completion, &entry));
    assert_int_equal(entry.tag, 2);
    assert_int_equal(entry.status, STATUS_BUSY);
    assert_false(stream_get(&world->card.completion, &entry));
    world->held = 0;
    assert_true(finish(world));
    ring(world, DOORBELL_NVME, 2, 1);
    assert_true(stream_get(&world->card.completion, &entry));
    assert_int_equal(entry.tag, 1);
    assert_int_equal(entry.status, STATUS_OK);
    assert_int_equal(world_stop(world, TARGET_NVME_SQ, BLOCK_QUEUES - 1, 0), STATUS_OK);
    assert_int_equal(world_stop(world, TARGET_NVME_CQ, BLOCK_QUEUES - 1, 0), STATUS_OK);
    world_close(world);
}

static void set_shadow(struct world *world, struct driver *driver, uint32_t number, uint8_t flags)
{
    uint32_t index = 2 * number + (flags != 0);
    struct nvme_queue_setting setting = {.shadow = DRIVER_SHADOWS + 4u * index, .event = DRIVER_EVENTS + 4u * index};
    uint32_t value = flags ? driver->cq[number].published : driver->sq[number].published;
    memcpy(driver->memory + DRIVER_SHADOWS + 4u * index, &value, 4);
    setting.flags = (uint8_t)(NVME_QUEUE_SHADOW | flags);
    assert_int_equal(world_set(world, TARGET_NVME_SQ, driver->base + number, &setting), STATUS_OK);
}

/* Shadow doorbells that come when the queues run already. */
static void test_late_shadows(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = world_open(seed, 16, 1, 4);
        struct driver *driver = &world->driver[0];
        start(world, driver, 20);
        goal(driver, 500);
        for (uint32_t i = 0; i < 5000; i++)
            world_step(world);
        for (uint32_t i = 1; i < 4; i++)
            driver->sq[i].closing = driver->cq[i].closing = true;
        world_unrung(world);
        for (uint32_t i = 1; i < 4; i++) {
            set_shadow(world, driver, i, 0);
            set_shadow(world, driver, i, NVME_QUEUE_COMPLETION);
        }
        for (uint32_t i = 1; i < 4; i++)
            driver->sq[i].closing = driver->cq[i].closing = false;
        driver->shadows = true;
        world_finish(world);
        struct nvme_queue_setting odd = {.shadow = 2, .flags = NVME_QUEUE_SHADOW};
        assert_int_equal(world_set(world, TARGET_NVME_SQ, 1, &odd), STATUS_BAD_DATA);
        odd.shadow = 0;
        assert_int_equal(world_set(world, TARGET_NVME_SQ, 5, &odd), STATUS_BAD_DATA); /* does not run */
        world_close(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_doorbells),
        cmocka_unit_test(test_last_page),
        cmocka_unit_test(test_no_controller),
        cmocka_unit_test(test_wild),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_entries_that_fail),
        cmocka_unit_test(test_lost_completions),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_refused_settings),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_completion_settings),
        cmocka_unit_test(test_completion_stops),
        cmocka_unit_test(test_late_shadows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
