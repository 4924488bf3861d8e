/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of several functions on one card, everything in random order, and what leaves the card sorted to whom it
 * belongs. */
#ifndef CIPU_TEST_TRANSMIT_WORLD_H
#define CIPU_TEST_TRANSMIT_WORLD_H

#include "tests/hls/transmit_driver.h"

struct world {
    struct transmit_card card;
    uint64_t random;
    uint32_t drivers;
    uint32_t burst; /* most packets that a driver publishes at once */
    uint32_t goal;  /* packets that a driver makes */
    uint8_t frame[PACKET_BYTES_MAX + BEAT_BYTES];
    uint32_t bytes;
    struct beat_meta first;
    bool inside;
    struct command_entry answer[CARD_FUNCTIONS]; /* the last completion of a driver's command */
    uint32_t tag[CARD_FUNCTIONS];
    bool waiting[CARD_FUNCTIONS];
    uint32_t tags;
    uint64_t packets; /* that left */
    uint32_t errors;  /* spoilt ones */
    struct driver driver[];
};

static bool world_transfer(void *context, enum card_channel channel, const struct dma_request *request)
{
    struct world *world = context;
    CARD_CHECK(request->function < world->drivers);
    struct driver *driver = &world->driver[request->function];
    driver->transfers[channel]++;
    if (!driver->wild)
        driver_watch(driver, channel, request);
    bool fails = driver->failing && random_below(&world->random, 60) == 0;
    if (fails)
        driver_failed(driver, channel, request);
    return !fails;
}

static struct world *world_open(uint64_t seed, uint32_t shallow, uint32_t drivers)
{
    size_t bytes = (sizeof(struct world) + drivers * sizeof(struct driver) + 63) / 64 * 64;
    struct world *world = aligned_alloc(64, bytes);
    memset(world, 0, bytes);
    transmit_card_open(&world->card, drivers, shallow);
    world->card.transfer = world_transfer;
    world->card.context = world;
    world->random = seed * 0x9e3779b97f4a7c15u + 1;
    world->drivers = drivers;
    world->burst = 20;
    for (uint32_t i = 0; i < drivers; i++) {
        struct driver *driver = &world->driver[i];
        driver->memory = world->card.memory + i * MEMORY_BYTES;
        driver->random = &world->random;
        driver->function = (uint16_t)i;
        driver->queue = (uint16_t)(2 * i + 1);
    }
    return world;
}

static void world_close(struct world *world)
{
    transmit_card_close(&world->card);
    free(world);
}

static void world_packet(struct world *world)
{
    CARD_CHECK(world->first.source_id < world->drivers);
    struct driver *driver = &world->driver[world->first.source_id];
    CARD_CHECK(driver->running);
    world->packets++;
    if (!driver->wild)
        driver_sent(driver, world->frame, &world->first, world->bytes);
}

static bool take_packet(struct world *world)
{
    struct beat beat;
    if (!stream_get(&world->card.packet, &beat))
        return false;
    bool last = beat.meta.last;
    CARD_CHECK(beat.meta.bytes >= 1 && beat.meta.bytes <= BEAT_BYTES && (last || beat.meta.bytes == BEAT_BYTES));
    for (uint32_t i = beat.meta.bytes; i < BEAT_BYTES; i++)
        CARD_CHECK(beat.data[i] == 0);
    CARD_CHECK(world->bytes + beat.meta.bytes <= PACKET_BYTES_MAX);
    memcpy(world->frame + world->bytes, beat.data, BEAT_BYTES);
    world->bytes += beat.meta.bytes;
    if (!world->inside) {
        world->first = beat.meta;
    } else {
        struct beat_meta plain = {beat.meta.bytes, beat.meta.last, beat.meta.error, 0, 0, 0, 0, 0, 0, 0, 0};
        CARD_CHECK(memcmp(&plain, &beat.meta, sizeof plain) == 0);
    }
    world->inside = !last;
    if (last && !beat.meta.error)
        world_packet(world);
    if (last && beat.meta.error) {
        struct driver *driver = &world->driver[world->first.source_id];
        CARD_CHECK(driver->running && (driver->wild || driver->failing));
        if (driver->wild)
            driver->broken = true;
        else
            driver_spoilt(driver);
        world->errors++;
    }
    if (last)
        world->bytes = 0;
    return true;
}

static bool take_used(struct world *world)
{
    struct queue_used used;
    if (!stream_get(&world->card.used, &used))
        return false;
    CARD_CHECK((used.queue & 1) && used.queue / 2 < world->drivers);
    struct driver *driver = &world->driver[used.queue / 2];
    CARD_CHECK(driver->running);
    while (take_packet(world)) /* what it belongs to left before */
        ;
    if (!driver->wild)
        driver_used(driver, &used);
    return true;
}

static bool take_alert(struct world *world)
{
    struct event_entry event;
    if (!stream_get(&world->card.alert, &event))
        return false;
    CARD_CHECK(event.kind == EVENT_QUEUE_STOPPED && event.queue / 2 == event.function && (event.queue & 1));
    CARD_CHECK(event.function < world->drivers);
    struct driver *driver = &world->driver[event.function];
    CARD_CHECK(driver->running && driver->stops == 0);
    CARD_CHECK(event.generation == driver_generation(driver));
    driver->stops++;
    driver->fault = event.detail;
    driver->fault_value = event.address;
    return true;
}

static bool take_packet_alert(struct world *world)
{
    struct event_entry event;
    if (!stream_get(&world->card.packet_alert, &event))
        return false;
    CARD_CHECK(event.kind == EVENT_PACKET_DROPPED && event.queue == 2 * event.function + 1);
    CARD_CHECK(event.function < world->drivers);
    struct driver *driver = &world->driver[event.function];
    CARD_CHECK(driver->running);
    if (!driver->wild)
        driver_dropped(driver, &event);
    return true;
}

/* A queue stopped: what came before is out, and what follows would hit `running`. */
static void world_stopped(struct world *world, struct driver *driver, const struct command_entry *entry)
{
    struct queue_position position;
    memcpy(&position, entry->data, sizeof position);
    while (take_packet(world) || take_used(world) || take_alert(world) || take_packet_alert(world))
        ;
    driver->running = false;
    if (!driver->wild && !driver->failing) {
        CARD_CHECK(position.position == driver->position);
        CARD_CHECK(driver->asking == driver->used && driver->drops_seen <= driver->used);
    }
}

static bool take_completion(struct world *world)
{
    struct command_entry entry;
    if (!stream_get(&world->card.completion, &entry))
        return false;
    for (uint32_t i = 0; i < world->drivers; i++) {
        if (!world->waiting[i] || world->tag[i] != entry.tag)
            continue;
        world->waiting[i] = false;
        world->answer[i] = entry;
        if (entry.opcode == COMMAND_QUEUE_STOP && entry.status == STATUS_OK)
            world_stopped(world, &world->driver[i], &entry);
        return true;
    }
    CARD_CHECK(!"a completion that nobody waits for");
    return true;
}

static bool take_doorbell(struct world *world, struct driver *driver)
{
    struct doorbell doorbell = {.page = driver->queue};
    if (!driver->rung || !stream_put(&world->card.doorbell, &doorbell))
        return false;
    driver->rung = false;
    return true;
}

#define WORLD_PARTS (CARD_PARTS + 6u)

static bool world_part(struct world *world, uint32_t part)
{
    switch (part) {
    case CARD_PARTS:
        return take_packet(world);
    case CARD_PARTS + 1:
        return take_used(world);
    case CARD_PARTS + 2:
        return take_alert(world);
    case CARD_PARTS + 3:
        return take_packet_alert(world);
    case CARD_PARTS + 4:
        return take_completion(world);
    case CARD_PARTS + 5:
        for (uint32_t i = 0; i < world->drivers; i++)
            if (take_doorbell(world, &world->driver[i]))
                return true;
        return false;
    default:
        return card_step(&world->card, part);
    }
}

/* Until nothing moves any more. */
static void world_settle(struct world *world)
{
    for (uint32_t idle = 0; idle < WORLD_PARTS;) {
        idle = 0;
        for (uint32_t part = 0; part < WORLD_PARTS; part++)
            idle += !world_part(world, part);
    }
    CARD_CHECK(!world->inside);
}

static void world_send(struct world *world, uint32_t function, struct command_entry *entry)
{
    CARD_CHECK(!world->waiting[function]);
    entry->target = TARGET_TX;
    entry->status = 0x55;
    entry->tag = ++world->tags;
    world->tag[function] = entry->tag;
    world->waiting[function] = true;
    while (!stream_put(&world->card.command, entry))
        world_part(world, random_below(&world->random, WORLD_PARTS));
}

/* Waits for the completion, everything else as it comes. */
static const struct command_entry *world_command(struct world *world, uint32_t function, struct command_entry *entry)
{
    world_send(world, function, entry);
    for (uint32_t steps = 0; world->waiting[function]; steps++) {
        CARD_CHECK(steps < 1000000);
        world_part(world, random_below(&world->random, WORLD_PARTS));
    }
    return &world->answer[function];
}

static void world_window(struct world *world, uint32_t function, uint64_t length)
{
    struct command_entry entry = {.opcode = COMMAND_WINDOW_SET, .index = function};
    struct window_setting window = {(uint64_t)function * MEMORY_BYTES, length};
    memcpy(entry.data, &window, sizeof window);
    CARD_CHECK(world_command(world, function, &entry)->status == STATUS_OK);
}

static void world_set(struct world *world, struct driver *driver)
{
    struct command_entry entry = {0};
    driver_setting(driver, &entry);
    driver->running = true;
    CARD_CHECK(world_command(world, driver->function, &entry)->status == STATUS_OK);
}

static void world_stop(struct world *world, struct driver *driver)
{
    struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .index = driver->queue};
    CARD_CHECK(world_command(world, driver->function, &entry)->status == STATUS_OK);
    CARD_CHECK(!driver->running);
}

/* One act of a well-behaved driver; publishing and the decision about a kick are two, as on another processor. */
static void world_drive(struct world *world, struct driver *driver)
{
    uint32_t act = random_below(&world->random, 4);
    if (act == 0) {
        uint32_t count = 1 + random_below(&world->random, world->burst);
        while (count-- && driver->made < world->goal && driver_make(driver))
            ;
    } else if (act == 1) {
        driver_publish(driver);
    } else if (act == 2) {
        driver_kick(driver);
    } else {
        take_doorbell(world, driver);
    }
}

/* Something of the card moves, or a driver from `first` on acts. */
static void world_step(struct world *world, uint32_t first)
{
    uint32_t what = random_below(&world->random, WORLD_PARTS + 2);
    if (what < WORLD_PARTS)
        world_part(world, what);
    else
        world_drive(world, &world->driver[first + random_below(&world->random, world->drivers - first)]);
}

static void world_finish(struct world *world)
{
    for (uint32_t i = 0; i < world->drivers; i++) {
        if (world->driver[i].wild)
            continue;
        driver_publish(&world->driver[i]);
        driver_kick(&world->driver[i]);
    }
    world_settle(world);
    for (uint32_t i = 0; i < world->drivers; i++) {
        struct driver *driver = &world->driver[i];
        if (driver->wild || !driver->running || driver->stops != 0)
            continue;
        CARD_CHECK(driver->used == driver->made && driver->asking == driver->made);
        CARD_CHECK(driver->drops_seen == driver->drops_made);
    }
}

#endif
