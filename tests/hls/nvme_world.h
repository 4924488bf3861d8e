/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of several controllers on one card, the host and a backend, everything in random order. */
#ifndef CIPU_TEST_NVME_WORLD_H
#define CIPU_TEST_NVME_WORLD_H

#include "tests/hls/nvme_driver.h"

struct world_flight {
    struct block_context context;
    struct driver *driver;
    uint32_t life;
};

struct world {
    struct nvme_card card;
    uint64_t random;
    uint32_t drivers;
    uint32_t burst; /* most commands that a driver makes at once */
    bool busy[BLOCK_TAGS];
    struct world_flight flight[BLOCK_TAGS];
    uint32_t flying;
    uint32_t held; /* the first so many of `flight` are not finished */
    int silent;    /* block queue whose commands are finished silently, or -1 */
    uint64_t finished, silently, interrupts, kinds[4];
    uint64_t gathered; /* completion queue entries that had no write of their own */
    struct command_entry answer;
    bool waiting;
    uint32_t tags;
    uint32_t windows; /* that reached the kernels behind */
    struct driver driver[];
};

static struct driver *world_owner(struct world *world, uint32_t queue)
{
    for (uint32_t i = 0; i < world->drivers; i++) {
        struct driver *driver = &world->driver[i];
        if (queue >= driver->base && queue - driver->base < driver->queues)
            return driver;
    }
    CARD_CHECK(!"a queue that nobody has");
    return NULL;
}

static bool world_transfer(void *context, enum card_channel channel, const struct dma_request *request)
{
    struct world *world = context;
    CARD_CHECK(request->function < world->drivers);
    struct driver *driver = &world->driver[request->function];
    bool fails = (driver->failing && random_below(&world->random, 25) == 0) || request->flags & DMA_REFUSED;
    if (channel == CHANNEL_CQ) {
        uint32_t queue = request->tag % BLOCK_QUEUES, count = request->tag / BLOCK_QUEUES + 1u;
        uint64_t address = request->address - (uint64_t)request->function * MEMORY_BYTES;
        CARD_CHECK(world_owner(world, queue) == driver);
        CARD_CHECK(request->length == count * sizeof(struct nvme_completion));
        CARD_CHECK(address % BEAT_BYTES + request->length <= BEAT_BYTES);
        struct driver_cq *cq = &driver->cq[queue - driver->base];
        world->gathered += count - 1u;
        if (driver->hostile || driver->failing)
            cq->visible += fails ? 0 : count;
        for (uint32_t i = 0; !driver->hostile && !driver->failing && i < count; i++)
            driver_written(cq, address + i * sizeof(struct nvme_completion));
    }
    return !fails;
}

static struct world *world_open(uint64_t seed, uint32_t shallow, uint32_t drivers, uint32_t queues)
{
    size_t bytes = (sizeof(struct world) + drivers * sizeof(struct driver) + 63) / 64 * 64;
    struct world *world = aligned_alloc(64, bytes);
    memset(world, 0, bytes);
    nvme_card_open(&world->card, drivers, shallow);
    world->card.transfer = world_transfer;
    world->card.context = world;
    world->random = seed * 0x9e3779b97f4a7c15u + 1;
    world->drivers = drivers;
    world->burst = 20;
    world->silent = -1;
    for (uint32_t i = 0; i < drivers; i++) {
        struct driver *driver = &world->driver[i];
        driver->memory = world->card.memory + (size_t)i * MEMORY_BYTES;
        driver->random = &world->random;
        driver->function = (uint16_t)i;
        driver->base = (uint16_t)(i * queues);
        driver->queues = queues;
    }
    return world;
}

static void world_close(struct world *world)
{
    for (uint32_t i = 0; i < world->drivers; i++)
        for (uint32_t k = 0; k < DRIVER_QUEUES; k++)
            free(world->driver[i].cq[k].expected);
    nvme_card_close(&world->card);
    free(world);
}

/* ---- the backend ---- */

/* Held against what the driver put into its ring. */
static void world_check_command(const struct driver *driver, const struct driver_sq *sq,
                                const struct block_submit *submit, uint16_t identifier)
{
    const struct nvme_command *command = &sq->command[identifier];
    const struct block_context *context = &submit->context;
    const struct block_command *made = &submit->command;
    CARD_CHECK(context->pointer0 == command->prp1 && context->pointer1 == command->prp2);
    CARD_CHECK(context->format == (command->flags == NVME_PSDT_PRP ? BLOCK_PRP : BLOCK_SGL));
    CARD_CHECK(made->tag == context->tag && made->queue == context->queue && made->function == driver->function);
    CARD_CHECK(made->identifier == identifier && made->namespace_id == command->namespace_id);
    if (!sq->fast[identifier]) {
        CARD_CHECK(made->kind == BACKEND_RAW && made->flags == (sq->admin ? BLOCK_ADMIN : 0u));
        CARD_CHECK(memcmp(submit->raw, command, sizeof *command) == 0);
        return;
    }
    uint32_t space = command->namespace_id - 1;
    bool flush = command->opcode == NVME_FLUSH, durable = !flush && (command->dword12 & NVME_FUA);
    uint32_t bytes = (command->dword12 & 0xffffu) + 1u;
    CARD_CHECK(made->kind == BACKEND_COMMAND && made->volume == driver_volume(driver, space));
    CARD_CHECK(made->offset == (flush ? 0 : (uint64_t)command->dword10 << driver_shift(space)));
    CARD_CHECK(made->length == (flush ? 0 : bytes << driver_shift(space)));
    CARD_CHECK(made->flags == (durable ? BLOCK_FUA : 0u));
}

static bool take_submit(struct world *world)
{
    struct block_submit submit;
    if (!stream_get(&world->card.submit, &submit))
        return false;
    struct block_context *context = &submit.context;
    if (context->format == BLOCK_WINDOW) {
        world->windows++;
        return true;
    }
    struct driver *driver = world_owner(world, context->queue);
    uint32_t number = context->queue - driver->base;
    struct driver_sq *sq = &driver->sq[number];
    CARD_CHECK(BLOCK_TAG_QUEUE(context->tag) == context->queue && !world->busy[context->tag]);
    CARD_CHECK(context->function == driver->function && context->sq_id == number && sq->running);
    CARD_CHECK(context->completion == driver->base + sq->cq && context->generation == (uint8_t)sq->generation);
    CARD_CHECK(context->sequence == sq->sequence);
    sq->sequence++;
    world->kinds[submit.command.kind]++;
    if (!driver->hostile) {
        uint32_t most = driver_behind(sq->fetch_head, sq->published, sq->entries);
        uint16_t identifier = sq->order[sq->fetched++ % DRIVER_COMMANDS];
        CARD_CHECK(most != 0 && context->identifier == identifier);
        sq->fetch_head = (uint16_t)((sq->fetch_head + 1u) % sq->entries);
        CARD_CHECK(context->sq_head == sq->fetch_head);
        world_check_command(driver, sq, &submit, identifier);
    }
    world->busy[context->tag] = true;
    world->flight[world->flying++] = (struct world_flight){*context, driver, sq->life};
    return true;
}

static void world_expect(struct world *world, const struct world_flight *flight, const struct block_completion *over)
{
    struct driver *driver = flight->driver;
    struct driver_sq *sq = &driver->sq[over->sq_id];
    struct driver_cq *cq = &driver->cq[sq->cq];
    CARD_CHECK(flight->life == sq->life);
    if ((int32_t)(over->sequence - sq->head_sequence) >= 0) {
        sq->head_sequence = over->sequence;
        sq->finished_head = over->sq_head;
    }
    if (over->silent) {
        world->silently++;
    } else if (!driver->hostile && !driver->failing) {
        sq->finished[over->identifier] = true;
        cq->expected[cq->due++ % DRIVER_EXPECTED] = (struct driver_expected){
            over->result, over->status, over->identifier, over->sq_id, sq->finished_head, sq->life};
        CARD_CHECK(cq->due - cq->consumed < DRIVER_EXPECTED);
    }
}

/* Finishes any command. */
static bool finish(struct world *world)
{
    if (world->flying <= world->held || !stream_room(&world->card.finished))
        return false;
    uint32_t place = world->held + random_below(&world->random, world->flying - world->held);
    struct world_flight flight = world->flight[place];
    world->flight[place] = world->flight[--world->flying];
    struct block_completion over;
    memset(&over, 0, sizeof over);
    over.result = random_next(&world->random);
    over.status = (uint16_t)(random_next(&world->random) & 0x7fff);
    over.tag = flight.context.tag;
    over.function = flight.context.function;
    over.queue = flight.context.queue;
    over.completion = flight.context.completion;
    over.identifier = flight.context.identifier;
    over.sq_head = flight.context.sq_head;
    over.sequence = flight.context.sequence;
    over.sq_id = flight.context.sq_id;
    over.generation = flight.context.generation;
    over.silent = world->silent == over.queue;
    world->busy[over.tag] = false;
    world->finished++;
    world_expect(world, &flight, &over);
    CARD_CHECK(stream_put(&world->card.finished, &over));
    return true;
}

/* ---- the host ---- */

static bool take_interrupt(struct world *world)
{
    struct interrupt_request request;
    if (!stream_get(&world->card.interrupt, &request))
        return false;
    CARD_CHECK(request.vector >= VECTOR_BLOCK && request.vector < VECTOR_BLOCK + BLOCK_QUEUES);
    struct driver *driver = world_owner(world, request.vector - VECTOR_BLOCK);
    if (!driver->hostile)
        driver_interrupted(&driver->cq[request.vector - VECTOR_BLOCK - driver->base]);
    world->interrupts++;
    return true;
}

static bool take_alert(struct world *world, struct stream *stream)
{
    struct event_entry event;
    if (!stream_get(stream, &event))
        return false;
    struct driver *driver = &world->driver[event.function];
    CARD_CHECK(event.function < world->drivers && (driver->hostile || driver->failing));
    if (event.kind == EVENT_DOORBELL) {
        CARD_CHECK(event.detail == FAULT_DOORBELL && driver->hostile);
        driver->alerts++;
        return true;
    }
    CARD_CHECK(event.kind == EVENT_QUEUE_STOPPED && event.detail == FAULT_ADDRESS && driver->failing);
    CARD_CHECK(world_owner(world, event.queue) == driver);
    bool completion = stream == &world->card.cq_alert;
    bool *stopped =
        completion ? &driver->cq[event.queue - driver->base].stopped : &driver->sq[event.queue - driver->base].stopped;
    uint16_t generation = completion ? driver->cq[event.queue - driver->base].generation
                                     : driver->sq[event.queue - driver->base].generation;
    CARD_CHECK(!*stopped && event.generation == generation);
    *stopped = true;
    driver->stops++;
    return true;
}

static bool take_completion(struct world *world, struct stream *stream)
{
    struct command_entry entry;
    if (!stream_get(stream, &entry))
        return false;
    CARD_CHECK(world->waiting && entry.tag == world->tags);
    world->answer = entry;
    world->waiting = false;
    return true;
}

#define WORLD_PARTS (CARD_PARTS + 7u)

static bool world_part(struct world *world, uint32_t part)
{
    switch (part) {
    case CARD_PARTS:
        return take_submit(world);
    case CARD_PARTS + 1:
        return take_interrupt(world);
    case CARD_PARTS + 2:
        return take_alert(world, &world->card.alert);
    case CARD_PARTS + 3:
        return take_alert(world, &world->card.cq_alert);
    case CARD_PARTS + 4:
        return take_completion(world, &world->card.completion);
    case CARD_PARTS + 5:
        return take_completion(world, &world->card.cq_completion);
    case CARD_PARTS + 6:
        return finish(world);
    default:
        return card_step(&world->card, part);
    }
}

/* Until nothing moves any more; time does not. */
static void world_settle(struct world *world)
{
    for (uint32_t idle = 0; idle < WORLD_PARTS;) {
        idle = 0;
        for (uint32_t part = 0; part < WORLD_PARTS; part++)
            idle += !world_part(world, part);
    }
}

static void world_step(struct world *world);

/* Sends a command and waits for its completion, everything else as it comes. Returns the status. */
static uint8_t world_command(struct world *world, struct command_entry *entry)
{
    struct stream *stream = entry->target == TARGET_NVME_CQ ? &world->card.cq_command : &world->card.command;
    entry->status = 0x55;
    entry->tag = ++world->tags;
    world->waiting = true;
    CARD_CHECK(stream_put(stream, entry));
    uint32_t windows = world->windows;
    for (uint32_t steps = 0; world->waiting; steps++) {
        CARD_CHECK(steps < 3000000);
        world_step(world);
        if (entry->opcode == COMMAND_WINDOW_SET && entry->target == TARGET_NVME_SQ && world->windows != windows)
            return STATUS_OK + (world->waiting = false); /* block_done would complete it */
    }
    CARD_CHECK(world->answer.opcode == entry->opcode && world->answer.index == entry->index);
    return world->answer.status;
}

static void world_window(struct world *world, uint32_t function, uint64_t length)
{
    struct window_setting window = {(uint64_t)function * MEMORY_BYTES, length};
    const uint8_t targets[] = {TARGET_NVME_SQ, TARGET_NVME_CQ};
    for (uint32_t i = 0; i < 2; i++) {
        struct command_entry entry = {.opcode = COMMAND_WINDOW_SET, .target = targets[i], .index = function};
        memcpy(entry.data, &window, sizeof window);
        CARD_CHECK(world_command(world, &entry) == STATUS_OK);
    }
}

static void world_spaces(struct world *world, const struct driver *driver)
{
    for (uint32_t i = 0; i < DRIVER_SPACES; i++) {
        struct command_entry entry = {.opcode = COMMAND_NAMESPACE_SET, .target = TARGET_NVME_SQ};
        struct namespace_setting setting = {.blocks = driver_blocks(driver, i), .volume = driver_volume(driver, i)};
        setting.shift = (uint8_t)driver_shift(i);
        entry.index = driver->function * BLOCK_NAMESPACES + i;
        memcpy(entry.data, &setting, sizeof setting);
        CARD_CHECK(world_command(world, &entry) == STATUS_OK);
    }
}

static uint8_t world_set(struct world *world, uint8_t target, uint32_t queue, const struct nvme_queue_setting *setting)
{
    struct command_entry entry = {.opcode = COMMAND_QUEUE_SET, .target = target, .index = queue};
    memcpy(entry.data, setting, sizeof *setting);
    return world_command(world, &entry);
}

static void driver_shadow_addresses(const struct driver *driver, uint32_t index, struct nvme_queue_setting *setting)
{
    if (driver->shadows && index >= 2) {
        setting->shadow = DRIVER_SHADOWS + 4u * index;
        setting->event = DRIVER_EVENTS + 4u * index;
    }
}

static void world_set_cq(struct world *world, struct driver *driver, uint32_t number)
{
    struct driver_cq *cq = &driver->cq[number];
    struct nvme_queue_setting setting = {.address = cq->address, .entries = cq->entries, .vector = cq->vector};
    setting.function = driver->function;
    setting.base = driver->base;
    setting.generation = cq->generation;
    setting.threshold = cq->threshold;
    setting.delay = cq->delay;
    driver_shadow_addresses(driver, 2 * number + 1, &setting);
    cq->running = true;
    CARD_CHECK(world_set(world, TARGET_NVME_CQ, driver->base + number, &setting) == STATUS_OK);
    setting.flags = NVME_QUEUE_COMPLETION;
    CARD_CHECK(world_set(world, TARGET_NVME_SQ, driver->base + number, &setting) == STATUS_OK);
}

static void world_set_sq(struct world *world, struct driver *driver, uint32_t number)
{
    struct driver_sq *sq = &driver->sq[number];
    struct nvme_queue_setting setting = {.address = sq->address, .entries = sq->entries};
    setting.function = driver->function;
    setting.base = driver->base;
    setting.completion = (uint16_t)(driver->base + sq->cq);
    setting.generation = sq->generation;
    setting.flags = sq->admin ? NVME_QUEUE_ADMIN : 0;
    driver_shadow_addresses(driver, 2 * number, &setting);
    sq->running = sq->closing = true;
    CARD_CHECK(world_set(world, TARGET_NVME_SQ, driver->base + number, &setting) == STATUS_OK);
    sq->closing = false; /* the driver rings when the queue is there */
}

static uint8_t world_stop(struct world *world, uint8_t target, uint32_t queue, uint32_t argument)
{
    struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .target = target, .index = queue};
    entry.argument = argument;
    return world_command(world, &entry);
}

/* What was rung has arrived. */
static void world_unrung(struct world *world)
{
    while (hls_fifo_used(&world->card.doorbell.fifo) != 0)
        world_step(world);
}

static void world_stop_sq(struct world *world, struct driver *driver, uint32_t number, bool silent)
{
    driver->sq[number].closing = true;
    world_unrung(world);
    world->silent = silent ? (int)(driver->base + number) : -1;
    CARD_CHECK(world_stop(world, TARGET_NVME_SQ, driver->base + number, 0) == STATUS_OK);
    world->silent = -1;
    driver->sq[number].running = false;
    for (uint32_t i = 0; i < world->flying; i++)
        CARD_CHECK(world->flight[i].context.queue != driver->base + number);
}

static void world_stop_cq(struct world *world, struct driver *driver, uint32_t number)
{
    driver->cq[number].closing = true;
    world_unrung(world);
    CARD_CHECK(world_stop(world, TARGET_NVME_SQ, driver->base + number, NVME_QUEUE_COMPLETION) == STATUS_OK);
    CARD_CHECK(world_stop(world, TARGET_NVME_CQ, driver->base + number, 0) == STATUS_OK);
    while (take_interrupt(world))
        ;
    driver->cq[number].running = false;
}

/* ---- the guests ---- */

static void drive_sq(struct world *world, struct driver *driver, uint32_t number)
{
    struct driver_sq *sq = &driver->sq[number];
    if (!sq->running || sq->closing)
        return;
    uint32_t act = random_below(&world->random, 3);
    if (act == 0) {
        uint32_t count = 1 + random_below(&world->random, world->burst);
        while (count-- && driver_make(driver, sq))
            ;
    } else if (act == 1) {
        driver_publish(driver, &world->card.doorbell, 2 * number, sq->tail, &sq->published, &sq->shadow);
    } else {
        driver_consider(driver, &world->card.doorbell, 2 * number, sq->published, &sq->shadow);
    }
}

static void drive_cq(struct world *world, struct driver *driver, uint32_t number)
{
    struct driver_cq *cq = &driver->cq[number];
    if (!cq->running || cq->closing || driver->hostile || driver->failing)
        return;
    uint32_t act = random_below(&world->random, 3);
    if (act == 0 && (cq->polled || cq->handling)) {
        uint32_t count = 1 + random_below(&world->random, world->burst);
        while (count-- && (cq->handling = driver_consume(driver, cq)))
            ;
    } else if (act == 1) {
        driver_publish(driver, &world->card.doorbell, 2 * number + 1, cq->head, &cq->published, &cq->shadow);
    } else {
        driver_consider(driver, &world->card.doorbell, 2 * number + 1, cq->published, &cq->shadow);
    }
}

/* Something of the card moves, or a driver acts. */
static void world_step(struct world *world)
{
    uint32_t what = random_below(&world->random, WORLD_PARTS + 6);
    if (what < WORLD_PARTS) {
        world_part(world, what);
    } else if (what == WORLD_PARTS) {
        world->card.now += random_below(&world->random, 3);
    } else {
        struct driver *driver = &world->driver[random_below(&world->random, world->drivers)];
        uint32_t number = random_below(&world->random, driver->queues);
        if (what % 2)
            drive_sq(world, driver, number);
        else
            drive_cq(world, driver, number);
    }
}

/* Rings of random sizes, one behind the other in memory; completion queues are shared at random. */
static void world_layout(struct world *world, struct driver *driver, uint32_t most)
{
    uint64_t place = 0x2000;
    for (uint32_t i = 0; i < driver->queues; i++) {
        uint32_t entries = 2 + random_below(&world->random, most - 1);
        bool polled = random_below(&world->random, 4) == 0;
        uint16_t vector = (uint16_t)(polled ? NVME_CQ_NO_VECTOR : VECTOR_BLOCK + driver->base + i);
        driver_reset_cq(driver, i, entries, vector, place);
        bool coalesces = i != 0 && random_below(&world->random, 3) == 0;
        driver->cq[i].threshold = (uint8_t)(coalesces ? 2 + random_below(&world->random, 20) : 0);
        driver->cq[i].delay = coalesces ? 1 + random_below(&world->random, 200) : 0;
        place += (entries * sizeof(struct nvme_completion) + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES * NVME_PAGE_BYTES;
        entries = 2 + random_below(&world->random, most - 1);
        uint16_t cq = (uint16_t)(i == 0 ? 0 : 1 + random_below(&world->random, driver->queues - 1));
        driver_reset_sq(driver, i, entries, cq, place);
        place += (entries * sizeof(struct nvme_command) + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES * NVME_PAGE_BYTES;
        CARD_CHECK(place <= MEMORY_BYTES);
    }
}

static void world_start(struct world *world, struct driver *driver)
{
    for (uint32_t i = 0; i < driver->queues; i++)
        world_set_cq(world, driver, i);
    for (uint32_t i = 0; i < driver->queues; i++)
        world_set_sq(world, driver, i);
}

static bool world_done(const struct world *world)
{
    for (uint32_t i = 0; i < world->drivers; i++)
        for (uint32_t k = 0; k < world->driver[i].queues; k++)
            if (world->driver[i].sq[k].running && world->driver[i].sq[k].done != world->driver[i].sq[k].goal)
                return false;
    return true;
}

/* Every command is completed, and nothing is left. */
static void world_finish(struct world *world)
{
    for (uint64_t steps = 0; !world_done(world); steps++) {
        CARD_CHECK(steps < 20000000);
        world_step(world);
    }
    world_settle(world);
    CARD_CHECK(world->flying == 0);
    for (uint32_t i = 0; i < world->drivers; i++) {
        struct driver *driver = &world->driver[i];
        for (uint32_t k = 0; k < driver->queues && !driver->hostile && !driver->failing; k++) {
            CARD_CHECK(!driver->cq[k].running || !driver_consume(driver, &driver->cq[k]));
            CARD_CHECK(driver->cq[k].consumed == driver->cq[k].due);
        }
    }
}

#endif
