/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile transmit rings, failing transfers, bad commands: only the queue in question stops, and it can start again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CARD_CHECK(condition) assert_true(condition)
#include "tests/hls/transmit_world.h"

#define HOSTILE_ENTRIES 512u
#define BUFFER          DRIVER_BUFFERS(0)

static void good_driver(struct world *world, struct driver *driver)
{
    driver->flags = (uint16_t)(random_next(&world->random) & (QUEUE_EVENT_INDEX | QUEUE_INDIRECT | QUEUE_CHECKSUM));
    driver->wild = false;
    driver_reset(driver, 2u << random_below(&world->random, 9), (uint16_t)random_next(&world->random));
}

/* Function 0 is hostile, the others go about their business. */
static struct world *hostile_world(uint64_t seed, uint32_t hostile)
{
    struct world *world = world_open(seed, 4, hostile + 3);
    world->goal = UINT32_MAX;
    for (uint32_t i = 0; i < world->drivers; i++) {
        world_window(world, i, MEMORY_BYTES);
        if (i >= hostile) {
            good_driver(world, &world->driver[i]);
            world_set(world, &world->driver[i]);
        }
    }
    return world;
}

/* The hostile ones act otherwise. */
static void run(struct world *world, uint32_t hostile, uint32_t count)
{
    while (count-- > 0)
        world_step(world, hostile);
}

/* A ring by hand: chain 0 of the queue's table begins at descriptor 0. */
static void place(struct driver *driver, uint32_t index, uint64_t address, uint32_t length, uint32_t flags,
                  uint32_t next)
{
    driver_descriptor(driver, DRIVER_DESCRIPTORS, index, address, length, flags, next);
}

static void place_indirect(struct driver *driver, uint32_t index, uint64_t address, uint32_t length, uint32_t flags,
                           uint32_t next)
{
    driver_descriptor(driver, DRIVER_TABLE(0), index, address, length, flags, next);
}

static void offer(struct driver *driver, uint16_t head, uint16_t count)
{
    for (uint32_t i = 0; i < count; i++)
        driver_put(driver, DRIVER_AVAIL + 4 + 2 * ((driver->avail + i) & (driver->entries - 1)), head);
    driver->avail = (uint16_t)(driver->avail + count);
    driver_publish(driver);
}

enum fault_case {
    CASE_AVAIL_AHEAD,
    CASE_AVAIL_BEHIND,
    CASE_HEAD,
    CASE_NEXT,
    CASE_NEXT_LATER,
    CASE_LOOP_ONE,
    CASE_LOOP_TWO,
    CASE_LOOP_FAR,
    CASE_LOOP_INDIRECT,
    CASE_CHAIN_LONG,
    CASE_ZERO,
    CASE_ZERO_LATER,
    CASE_LARGE,
    CASE_HUGE,
    CASE_LARGE_SUM,
    CASE_NO_HEADER,
    CASE_SHORT_HEADER,
    CASE_INDIRECT_NESTED,
    CASE_INDIRECT_NEXT,
    CASE_INDIRECT_EMPTY,
    CASE_INDIRECT_UNEVEN,
    CASE_INDIRECT_LARGE,
    CASE_INDIRECT_NEXT_INDEX,
    CASE_INDIRECT_FAR,
    CASE_INDIRECT_STRADDLES,
    CASE_WRITABLE,
    CASE_WRITABLE_LATER,
    CASE_DATA_BEYOND,
    CASE_DATA_STRADDLES,
    CASE_DATA_TOP,
    CASE_DATA_LATER,
    CASE_INDIRECT_REFUSED, /* the setting has no QUEUE_INDIRECT */
    CASE_AVAIL_BEYOND,     /* the setting leads outside */
    CASE_USED_BEYOND,
    CASE_DESCRIPTORS_BEYOND,
    CASE_COUNT,
};

static uint16_t build_length(struct driver *driver, enum fault_case which)
{
    place(driver, 0, BUFFER, 100, VIRTQ_NEXT, 5);
    switch (which) {
    case CASE_ZERO:
        place(driver, 0, BUFFER, 0, 0, 0);
        break;
    case CASE_ZERO_LATER:
        place(driver, 5, BUFFER, 0, 0, 0);
        break;
    case CASE_LARGE:
        place(driver, 0, BUFFER, PACKET_BYTES_MAX + 13, 0, 0);
        break;
    case CASE_HUGE:
        place(driver, 0, BUFFER, 0xffffffffu, 0, 0);
        break;
    case CASE_LARGE_SUM:
        place(driver, 5, BUFFER, PACKET_BYTES_MAX + 12 - 99, 0, 0);
        break;
    case CASE_NO_HEADER:
        place(driver, 0, BUFFER, 11, 0, 0);
        break;
    default:
        place(driver, 0, BUFFER, 5, VIRTQ_NEXT, 5);
        place(driver, 5, BUFFER, 6, 0, 0);
    }
    offer(driver, 0, 1);
    return FAULT_DESCRIPTOR_LENGTH;
}

static uint16_t build_loop(struct driver *driver, enum fault_case which)
{
    for (uint32_t i = 0; i < HOSTILE_ENTRIES; i++) {
        place(driver, i, BUFFER + i, 1, VIRTQ_NEXT, (i + 1) % HOSTILE_ENTRIES);
        if (i < 256)
            place_indirect(driver, i, BUFFER, 1, VIRTQ_NEXT, (i + 1) % 256);
    }
    if (which == CASE_LOOP_ONE)
        place(driver, 0, BUFFER, 1, VIRTQ_NEXT, 0);
    else if (which == CASE_LOOP_TWO)
        place(driver, 1, BUFFER, 1, VIRTQ_NEXT, 0);
    else if (which == CASE_LOOP_INDIRECT)
        place(driver, 0, DRIVER_TABLE(0), 16 * 256, VIRTQ_INDIRECT, 0);
    else if (which == CASE_CHAIN_LONG)
        place(driver, TRANSMIT_CHAIN_MAX, BUFFER, 1, 0, 0); /* ends, but one too late */
    offer(driver, 0, 1);
    return FAULT_DESCRIPTOR_LOOP;
}

static uint16_t build_index(struct driver *driver, enum fault_case which)
{
    place(driver, 0, BUFFER, 20, VIRTQ_NEXT, which == CASE_NEXT ? HOSTILE_ENTRIES : 7);
    place(driver, 7, BUFFER, 20, VIRTQ_NEXT, 0xffff);
    if (which == CASE_INDIRECT_NEXT_INDEX) {
        place(driver, 0, DRIVER_TABLE(0), 32, VIRTQ_INDIRECT, 0);
        place_indirect(driver, 0, BUFFER, 30, VIRTQ_NEXT, 2);
    }
    offer(driver, which == CASE_HEAD ? HOSTILE_ENTRIES : 0, 1);
    return FAULT_DESCRIPTOR_INDEX;
}

static uint16_t build_indirect(struct driver *driver, enum fault_case which)
{
    uint32_t bytes = 64, flags = VIRTQ_INDIRECT;
    uint64_t address = DRIVER_TABLE(0);
    uint16_t fault = FAULT_INDIRECT;
    place_indirect(driver, 0, BUFFER, 30, VIRTQ_NEXT, 1);
    place_indirect(driver, 1, BUFFER, 30, 0, 0);
    if (which == CASE_INDIRECT_NESTED)
        place_indirect(driver, 1, DRIVER_TABLE(1), 32, VIRTQ_INDIRECT, 0);
    else if (which == CASE_INDIRECT_NEXT)
        flags |= VIRTQ_NEXT;
    else if (which == CASE_INDIRECT_EMPTY)
        bytes = 0;
    else if (which == CASE_INDIRECT_UNEVEN)
        bytes = 40;
    else if (which == CASE_INDIRECT_LARGE)
        bytes = 16 * (HOSTILE_ENTRIES + 1);
    else if (which == CASE_INDIRECT_FAR)
        address = MEMORY_BYTES, fault = FAULT_ADDRESS;
    else if (which == CASE_INDIRECT_STRADDLES)
        address = MEMORY_BYTES - 8, fault = FAULT_ADDRESS;
    /* A direct descriptor before it: the chain is begun and withdrawn. */
    place(driver, 0, BUFFER, 20, VIRTQ_NEXT, 1);
    place(driver, 1, address, bytes, flags, 2);
    offer(driver, 0, 1);
    return fault;
}

static uint16_t build_address(struct driver *driver, enum fault_case which)
{
    uint64_t address = which == CASE_DATA_BEYOND      ? MEMORY_BYTES
                       : which == CASE_DATA_STRADDLES ? MEMORY_BYTES - 59
                       : which == CASE_DATA_TOP       ? UINT64_MAX - 20
                                                      : BUFFER;
    place(driver, 0, address, 60, which == CASE_DATA_LATER ? VIRTQ_NEXT : 0, 1);
    place(driver, 1, (uint64_t)MEMORY_BYTES * 7, 60, 0, 0);
    offer(driver, 0, 9); /* the same packet again behind it */
    return FAULT_ADDRESS;
}

static uint16_t build(struct driver *driver, enum fault_case which)
{
    place(driver, 0, BUFFER, 100, 0, 0);
    if (which <= CASE_AVAIL_BEHIND) {
        offer(driver, 0, (uint16_t)(which == CASE_AVAIL_AHEAD ? HOSTILE_ENTRIES + 1 : 0xffff));
        return FAULT_AVAIL_INDEX;
    }
    if (which <= CASE_NEXT_LATER || which == CASE_INDIRECT_NEXT_INDEX)
        return build_index(driver, which);
    if (which <= CASE_CHAIN_LONG)
        return build_loop(driver, which);
    if (which <= CASE_SHORT_HEADER)
        return build_length(driver, which);
    if (which <= CASE_INDIRECT_STRADDLES || which == CASE_INDIRECT_REFUSED)
        return build_indirect(driver, which);
    if (which >= CASE_DATA_BEYOND && which <= CASE_DATA_LATER)
        return build_address(driver, which);
    if (which == CASE_WRITABLE || which == CASE_WRITABLE_LATER) {
        place(driver, 0, BUFFER, 100, which == CASE_WRITABLE ? VIRTQ_WRITE : VIRTQ_NEXT, 1);
        place(driver, 1, BUFFER, 100, VIRTQ_WRITE, 0);
        offer(driver, 0, 1);
        return FAULT_DIRECTION;
    }
    offer(driver, 0, 1);
    return FAULT_ADDRESS;
}

static void set_hostile(struct world *world, struct driver *driver, enum fault_case which)
{
    struct command_entry entry = {0};
    struct queue_setting setting;
    driver_setting(driver, &entry);
    memcpy(&setting, entry.data, sizeof setting);
    if (which == CASE_AVAIL_BEYOND)
        setting.avail = MEMORY_BYTES - 2;
    else if (which == CASE_USED_BEYOND)
        setting.used = MEMORY_BYTES - 8 * HOSTILE_ENTRIES;
    else if (which == CASE_DESCRIPTORS_BEYOND)
        setting.descriptors = UINT64_MAX & ~UINT64_C(15);
    memcpy(entry.data, &setting, sizeof setting);
    driver->running = true;
    assert_int_equal(world_command(world, driver->function, &entry)->status, STATUS_OK);
}

static void assert_works(struct world *world, struct driver *driver)
{
    good_driver(world, driver);
    world_set(world, driver);
    uint32_t goal = driver->made + 60;
    while (driver->used < goal) {
        world_drive(world, driver);
        run(world, 1, 20);
    }
    world_finish(world);
    world_stop(world, driver);
}

static void test_faults(void **context)
{
    (void)context;
    struct world *world = hostile_world(3, 1);
    struct driver *driver = &world->driver[0];
    for (uint32_t round = 0; round < 6 * CASE_COUNT; round++) {
        enum fault_case which = (enum fault_case)(round % CASE_COUNT);
        driver->wild = true;
        driver->flags =
            (uint16_t)(which == CASE_INDIRECT_REFUSED ? QUEUE_EVENT_INDEX : QUEUE_EVENT_INDEX | QUEUE_INDIRECT);
        driver_reset(driver, HOSTILE_ENTRIES, (uint16_t)random_next(&world->random));
        uint64_t data = driver->transfers[CHANNEL_DATA];
        bool early = random_below(&world->random, 2);
        uint16_t expected = early ? build(driver, which) : 0;
        set_hostile(world, driver, which);
        if (!early) {
            run(world, 1, random_below(&world->random, 2000));
            expected = build(driver, which);
        }
        driver->rung = true;
        run(world, 1, 3000);
        world_finish(world);
        if (driver->stops != 1 || driver->fault != expected)
            print_message("case %u: %u stops, fault %u, expected %u\n", which, driver->stops, driver->fault, expected);
        assert_int_equal(driver->stops, 1);
        assert_int_equal(driver->fault, expected);
        bool reads_data = which >= CASE_DATA_BEYOND && which <= CASE_DATA_LATER;
        if (which != CASE_USED_BEYOND) /* its packet is good */
            assert_int_equal(driver->transfers[CHANNEL_DATA] != data, reads_data);
        world_stop(world, driver);
        assert_works(world, driver);
    }
    world_close(world);
}

static uint64_t hostile_address(uint64_t *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return random_next(random);
    case 1:
        return MEMORY_BYTES - random_below(random, 100);
    case 2:
        return DRIVER_TABLE(0) + 16 * random_below(random, 64);
    default:
        return random_below(random, MEMORY_BYTES);
    }
}

static void hostile_descriptor(struct driver *driver, uint32_t table, uint32_t index)
{
    uint64_t *random = driver->random;
    const uint32_t lengths[] = {0, 1, 11, 12, 16, 64, 9228, 9229, 65535, 65536, 0xffffffffu};
    uint32_t kind = random_below(random, 8);
    uint32_t length = kind == 0   ? driver_pick(random, lengths, sizeof lengths / sizeof lengths[0])
                      : kind == 1 ? (uint32_t)random_next(random)
                                  : 16 * (1 + random_below(random, 40));
    uint32_t flags = random_below(random, 12)
                         ? random_below(random, 4) ? VIRTQ_NEXT & random_next(random) : VIRTQ_INDIRECT
                         : (uint32_t)random_next(random);
    uint32_t next = random_below(random, driver->entries + driver->entries / 8);
    driver_descriptor(driver, table, index, hostile_address(random), length, flags, next);
}

/* Changes whatever the card may be reading. */
static void hostile_act(struct driver *driver)
{
    uint64_t *random = driver->random;
    uint32_t entries = driver->entries;
    switch (random_below(random, 6)) {
    case 0:
        hostile_descriptor(driver, DRIVER_TABLE(0), random_below(random, 64));
        break;
    case 1:
        driver_put(driver, DRIVER_AVAIL + 4 + 2 * random_below(random, entries),
                   (uint16_t)random_below(random, entries + entries / 16));
        break;
    case 2:
        driver->avail = (uint16_t)(driver->avail + random_below(random, 3));
        driver_publish(driver);
        driver->rung = true;
        break;
    case 3:
        if (random_below(random, 60) == 0)
            driver_put(driver, DRIVER_AVAIL + 2, (uint16_t)random_next(random));
        driver->rung = true;
        break;
    default:
        hostile_descriptor(driver, DRIVER_DESCRIPTORS, random_below(random, entries));
    }
}

static void test_garbage(void **context)
{
    (void)context;
    uint32_t faults[FAULT_SETTING + 1] = {0}, rounds = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *world = hostile_world(seed, 2);
        for (uint32_t i = 0; i < 700; i++, rounds++) {
            struct driver *driver = &world->driver[random_below(&world->random, 2)];
            driver->wild = true;
            driver->flags = (uint16_t)(random_next(&world->random) & 15);
            driver_reset(driver, 2u << random_below(&world->random, 9), (uint16_t)random_next(&world->random));
            for (uint32_t act = 0; act < 2 * driver->entries; act++)
                hostile_act(driver);
            world_set(world, driver);
            uint32_t acts = 600 + random_below(&world->random, 2000);
            for (uint32_t act = 0; act < acts && (driver->stops == 0 || act % 64); act++) {
                run(world, 2, 4);
                hostile_act(driver);
                take_doorbell(world, driver);
            }
            faults[driver->fault]++;
            world_stop(world, driver);
            if (i % 16 == 0)
                assert_works(world, driver);
        }
        world_finish(world);
        assert_true(world->packets > 1000);
        world_close(world);
    }
    for (uint32_t fault = FAULT_NONE; fault <= FAULT_ADDRESS; fault++) {
        print_message("fault %u: %u of %u rounds\n", fault, faults[fault], rounds);
        assert_true(faults[fault] != 0);
    }
}

/* Transfers of honest queues fail at random. */
static void test_failing_transfers(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = hostile_world(seed + 40, 2);
        uint32_t faults = 0;
        for (uint32_t round = 0; round < 200; round++) {
            struct driver *driver = &world->driver[round % 2];
            good_driver(world, driver);
            driver->failing = true;
            world_set(world, driver);
            uint32_t most = random_below(&world->random, 20000);
            for (uint32_t act = 0; act < most && driver->stops == 0; act++)
                run(world, 0, 1);
            run(world, 0, random_below(&world->random, 300));
            if (random_below(&world->random, 2)) {
                world_finish(world);
                assert_true(!driver->broken || driver->stops == 1);
            }
            world_stop(world, driver);
            driver->failing = false;
            if (driver->stops)
                assert_int_equal(driver->fault, FAULT_ADDRESS);
            faults += driver->stops;
        }
        world_finish(world);
        assert_true(faults > 100 && world->errors > 10);
        world_close(world);
    }
}

static uint8_t status_of(struct world *world, uint16_t opcode, uint32_t index, const void *data)
{
    struct command_entry entry = {.opcode = opcode, .index = index};
    if (data)
        memcpy(entry.data, data, sizeof entry.data);
    const struct command_entry *answer = world_command(world, 1, &entry);
    assert_int_equal(answer->opcode, opcode);
    assert_int_equal(answer->index, index);
    assert_int_equal(answer->target, TARGET_TX);
    return answer->status;
}

static uint8_t status_of_setting(struct world *world, struct queue_setting setting, uint32_t queue)
{
    return status_of(world, COMMAND_QUEUE_SET, queue, &setting);
}

static void test_commands(void **context)
{
    (void)context;
    struct world *world = world_open(11, 4, 3);
    const struct queue_setting good = {
        .descriptors = 0x1000, .avail = 0x2000, .used = 0x3000, .entries = 256, .function = 1};
    assert_int_equal(status_of(world, 99, 3, NULL), STATUS_BAD_OPCODE);
    assert_int_equal(status_of(world, COMMAND_FILTER_SET, 1, NULL), STATUS_BAD_OPCODE);
    assert_int_equal(status_of(world, COMMAND_VLAN_SET, 1, NULL), STATUS_BAD_OPCODE);
    assert_int_equal(status_of(world, COMMAND_WINDOW_SET, CARD_FUNCTIONS, NULL), STATUS_BAD_INDEX);
    const uint32_t bad[] = {2, CARD_QUEUES + 3, 0x10003, 0xffffffffu};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(status_of_setting(world, good, bad[i]), STATUS_BAD_INDEX);
        assert_int_equal(status_of(world, COMMAND_QUEUE_STOP, bad[i], NULL), STATUS_BAD_INDEX);
    }
    struct queue_setting setting = good;
    const uint32_t sizes[] = {0, 1, 3, 255, 65536, 0x80000000u};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        setting.entries = sizes[i];
        assert_int_equal(status_of_setting(world, setting, 3), STATUS_BAD_DATA);
    }
    setting = good;
    setting.descriptors += 8;
    assert_int_equal(status_of_setting(world, setting, 3), STATUS_BAD_DATA);
    setting = good;
    setting.avail += 1;
    assert_int_equal(status_of_setting(world, setting, 3), STATUS_BAD_DATA);
    setting = good;
    setting.used += 2;
    assert_int_equal(status_of_setting(world, setting, 3), STATUS_BAD_DATA);
    setting = good;
    setting.function = 2;
    assert_int_equal(status_of_setting(world, setting, 3), STATUS_BAD_DATA);
    setting.function = FUNCTION_HOST;
    assert_int_equal(status_of_setting(world, setting, 2 * FUNCTION_HOST + 1), STATUS_BAD_DATA);

    world_window(world, 1, MEMORY_BYTES);
    world->driver[1].running = true;
    world->driver[1].wild = true;
    assert_int_equal(status_of_setting(world, good, 3), STATUS_OK);
    assert_int_equal(status_of_setting(world, good, 3), STATUS_BUSY);
    world_settle(world);
    assert_int_equal(status_of_setting(world, good, 3), STATUS_BUSY);
    assert_int_equal(status_of(world, COMMAND_QUEUE_READ, 3, NULL), STATUS_OK);
    assert_int_equal(status_of(world, COMMAND_QUEUE_STOP, 3, NULL), STATUS_OK);
    assert_int_equal(status_of(world, COMMAND_QUEUE_STOP, 3, NULL), STATUS_OK); /* it has stopped already */
    world_close(world);
}

/* While a queue's transfer is on its way QUEUE_STOP waits; a second one and a setting do not. */
static void test_stop_twice(void **context)
{
    (void)context;
    struct world *world = world_open(12, 8, 3);
    struct transmit_card *card = &world->card;
    struct driver *driver = &world->driver[1];
    world_window(world, 1, MEMORY_BYTES);
    driver_reset(driver, 64, 77);
    driver->wild = true;
    world_set(world, driver);
    world_settle(world);
    driver->rung = true;
    take_doorbell(world, driver);
    while (run_queue_events(card) || run_virtq(card))
        ;
    struct command_entry stop = {.opcode = COMMAND_QUEUE_STOP, .index = driver->queue}, again = stop, set = {0};
    driver_setting(driver, &set);
    world_send(world, 1, &stop);
    world_send(world, 0, &again);
    world_send(world, 2, &set);
    while (run_queue_events(card) || run_virtq(card) || run_virtio_tx(card) || run_virtio_tx_packet(card))
        ;
    while (take_completion(world))
        ;
    assert_true(world->waiting[1] && !world->waiting[0] && !world->waiting[2]);
    assert_int_equal(world->answer[0].status, STATUS_BUSY);
    assert_int_equal(world->answer[2].status, STATUS_BUSY);
    world_settle(world);
    assert_false(world->waiting[1]);
    assert_int_equal(world->answer[1].status, STATUS_OK);
    assert_int_equal(world->answer[1].index, driver->queue);
    struct queue_position position;
    memcpy(&position, world->answer[1].data, sizeof position);
    assert_int_equal(position.position, 77);
    world_close(world);
}

/* What is still under way from an earlier setting does not touch this one. */
static void test_stale_tokens(void **context)
{
    (void)context;
    struct world *world = world_open(14, 4, 1);
    struct driver *driver = &world->driver[0];
    world_window(world, 0, MEMORY_BYTES);
    driver_reset(driver, 64, 0);
    driver->wild = true;
    world_set(world, driver);
    world_stop(world, driver);
    world_set(world, driver);
    const struct virtq_row *row = &world->card.virtq.rows[driver->queue];
    struct queue_token token = {.queue = driver->queue, .amount = 50, .generation = (uint8_t)(row->generation - 1)};
    assert_true(stream_put(&world->card.credit, &token));
    token.detail = FAULT_ADDRESS;
    assert_true(stream_put(&world->card.fault, &token));
    world_settle(world);
    assert_int_equal(driver->stops, 0);
    assert_int_equal(row->credit, TRANSMIT_SEGMENTS);
    token.generation++;
    assert_true(stream_put(&world->card.fault, &token));
    world_settle(world);
    assert_int_equal(driver->stops, 1);
    world_close(world);
}

static void test_windows(void **context)
{
    (void)context;
    struct world *world = world_open(13, 4, 3);
    struct transmit_card *card = &world->card;
    world_window(world, 2, 0x5000);
    world_settle(world);
    for (uint32_t channel = 0; channel < CHANNELS; channel++) {
        assert_int_equal(card->windows[channel], 1);
        assert_true(card->guard[channel].window[2].bus_base == 2 * MEMORY_BYTES);
        assert_true(card->guard[channel].window[2].length == 0x5000);
        assert_int_equal(card->requests[channel], 0);
    }
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_failing_transfers),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_stop_twice),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_stale_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
