/* SPDX-License-Identifier: Apache-2.0 */
/* Two controllers' drivers, their memory, and a backend that finishes commands in any order; now and then a fault. */
#include "hls/include/nvme_queue.h"
#include "hls/include/dma.h"
#include "tests/tools/hlsc/directed.h"

#define QUEUES     8u
#define CONTROLLER 4u /* queues of one */
#define FLIGHT     (QUEUES * BLOCK_SLOTS)

struct queue {
    bool running, stopping;
    bool room;                   /* its completion queue is set */
    uint32_t entries, tail;      /* submission queue */
    uint32_t places, head, used; /* completion queue */
    uint16_t completion;
    uint8_t generation;
};

static uint64_t state;
static struct queue queues[QUEUES];
static struct directed_queue events;
static uint16_t flight[FLIGHT];
static uint32_t flying;

static bool chance(uint32_t percent)
{
    return random_below(&state, 100) < percent;
}

static void put(uint32_t queue, uint32_t completion, uint8_t kind, struct nvme_event *event)
{
    event->queue = (uint16_t)queue;
    event->completion = (uint16_t)completion;
    event->kind = kind;
    directed_put(&events, event, sizeof *event);
}

static void command(uint32_t index, uint32_t completion, uint16_t opcode, uint32_t argument, const void *data,
                    size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = TARGET_NVME_SQ, .index = index, .argument = argument};
    struct nvme_event event = {.base = (uint16_t)(index % BLOCK_QUEUES)};
    entry.tag = (uint32_t)random_next(&state);
    if (bytes)
        memcpy(entry.data, data, bytes);
    memcpy(event.data, &entry, sizeof entry);
    put(index % BLOCK_QUEUES, completion, NVME_EVENT_COMMAND, &event);
}

static struct nvme_queue_setting setting_of(uint32_t number)
{
    struct nvme_queue_setting setting = {.address = ((uint64_t)number << 24) + (chance(3) ? 64 : 0)};
    setting.function = (uint16_t)(number / CONTROLLER);
    setting.base = (uint16_t)(number / CONTROLLER * CONTROLLER);
    setting.generation = (uint16_t)random_next(&state);
    setting.flags = number % CONTROLLER == 0 ? NVME_QUEUE_ADMIN : 0;
    if (number % CONTROLLER >= 2) {
        setting.shadow = 0x1000u + 8u * number;
        setting.event = 0x2000u + 8u * number;
    }
    return setting;
}

static void set_room(uint32_t number)
{
    struct queue *queue = &queues[number];
    struct nvme_queue_setting setting = setting_of(number);
    setting.address = 0;
    setting.entries = queue->places = 2 + random_below(&state, 30);
    setting.flags |= NVME_QUEUE_COMPLETION;
    command(number, number, COMMAND_QUEUE_SET, 0, &setting, sizeof setting);
    queue->room = true;
    queue->head = queue->used = 0;
}

static void set(uint32_t number)
{
    struct queue *queue = &queues[number];
    struct nvme_queue_setting setting = setting_of(number);
    setting.entries = queue->entries = chance(30) ? 200 : 2 + random_below(&state, 30);
    setting.completion = queue->completion = (uint16_t)(setting.base + random_below(&state, CONTROLLER));
    command(number, setting.completion, COMMAND_QUEUE_SET, 0, &setting, sizeof setting);
    queue->running = (setting.address & 64) == 0 && queues[setting.completion].room;
    queue->stopping = false;
    queue->tail = 0;
}

static void ring(uint32_t number, bool completion)
{
    struct queue *queue = &queues[number];
    struct nvme_event event = {.base = (uint16_t)(number / CONTROLLER * CONTROLLER), .error = chance(1)};
    event.index = (uint16_t)(2 * (number - event.base) + completion);
    event.time = (uint32_t)random_next(&state);
    if (completion) {
        uint32_t count = random_below(&state, queue->used + 1);
        queue->head = (queue->head + count) % (queue->places ? queue->places : 1);
        queue->used -= count;
        event.value = queue->head;
    } else {
        queue->tail = (queue->tail + random_below(&state, 12)) % (queue->entries ? queue->entries : 1);
        event.value = queue->tail;
    }
    if (chance(2))
        event.value = random_below(&state, 300);
    put(number, completion ? number : chance(95) ? queue->completion : 0, NVME_EVENT_DOORBELL, &event);
}

static void give_back(void)
{
    uint32_t place = random_below(&state, flying), tag = flight[place];
    struct queue *queue = &queues[tag / BLOCK_SLOTS % QUEUES];
    struct nvme_event event = {.slot = tag % BLOCK_SLOTS, .generation = queue->generation, .silent = chance(20)};
    flight[place] = flight[--flying];
    struct queue *completion = &queues[queue->completion % QUEUES];
    if (event.silent && completion->used != 0)
        completion->used--;
    put(tag / BLOCK_SLOTS, queue->completion, NVME_EVENT_FREED, &event);
}

static void act(uint32_t number)
{
    struct queue *queue = &queues[number];
    if (!queue->room) {
        set_room(number);
    } else if (!queue->running) {
        set(number);
    } else if (chance(2) && !queue->stopping) {
        command(number, number, COMMAND_QUEUE_STOP, 0, NULL, 0);
        queue->stopping = true;
    } else if (chance(1)) {
        command(number, number, COMMAND_QUEUE_STOP, NVME_QUEUE_COMPLETION, NULL, 0);
        queue->room = false;
    } else if (chance(2)) {
        struct window_setting window = {random_next(&state), 1u << 20};
        command(number, number, chance(50) ? COMMAND_WINDOW_SET : COMMAND_NAMESPACE_SET, 0, &window, sizeof window);
    } else if (chance(1)) {
        struct nvme_queue_setting setting = setting_of(number);
        setting.flags = (uint8_t)(NVME_QUEUE_SHADOW | (chance(50) ? NVME_QUEUE_COMPLETION : 0));
        command(number, number, COMMAND_QUEUE_SET, 0, &setting, sizeof setting);
    } else {
        ring(number, chance(40));
    }
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    memset(queues, 0, sizeof queues);
    events.first = events.behind = 0;
    flying = 0;
}

static bool record(const char *stream, uint8_t *to)
{
    (void)stream;
    if (chance(15))
        act(random_below(&state, QUEUES));
    if (flying != 0 && chance(30))
        give_back();
    return directed_get(&events, to, sizeof(struct nvme_event));
}

static void answer_entries(uint32_t number, uint32_t completion, const struct dma_request *request)
{
    uint32_t count = (uint32_t)request->length / 64u;
    queues[completion].used += count;
    for (uint32_t i = 0; i < count; i++) {
        struct nvme_event event = {.last = i + 1u == count};
        random_fill(&state, event.data, sizeof event.data);
        event.error = event.last && chance(1);
        put(number, completion, NVME_EVENT_ENTRY, &event);
    }
}

static void answer_shadow(uint32_t number, uint32_t completion, bool head)
{
    struct nvme_event event = {.last = 1, .error = chance(1)};
    struct queue *owner = &queues[head ? completion : number];
    uint32_t value = chance(1) ? (uint32_t)random_next(&state) : owner->tail;
    if (head) {
        uint32_t count = chance(60) ? 0 : random_below(&state, owner->used + 1);
        owner->head = (owner->head + count) % (owner->places ? owner->places : 1);
        owner->used -= count;
        value = owner->head;
    } else if (chance(40)) {
        value = owner->tail = (owner->tail + random_below(&state, 10)) % (owner->entries ? owner->entries : 1);
    }
    memcpy(event.data, &value, sizeof value);
    put(number, completion, head ? NVME_EVENT_HEAD : NVME_EVENT_TAIL, &event);
}

static void answer(const struct dma_request *request, bool write)
{
    struct nvme_event event = {.error = chance(1)};
    uint32_t number = request->tag % QUEUES, what = request->tag >> NVME_TAG_READ_SHIFT;
    uint32_t completion = (request->tag >> NVME_TAG_COMPLETION_SHIFT) % QUEUES;
    if (request->flags & DMA_WINDOW)
        return;
    if (write)
        put(number, completion, NVME_EVENT_DONE, &event);
    else if (what == NVME_READ_ENTRIES)
        answer_entries(number, completion, request);
    else
        answer_shadow(number, completion, what == NVME_READ_HEAD);
}

static void fetched_seen(const struct nvme_fetched *fetched)
{
    struct command_entry entry;
    memcpy(&entry, fetched->data, sizeof entry);
    if (fetched->kind == NVME_FETCHED_ENTRY && flying < FLIGHT) {
        queues[fetched->queue % QUEUES].generation = fetched->generation;
        flight[flying++] = fetched->tag;
    } else if (fetched->kind == NVME_FETCHED_COMMAND && entry.opcode == COMMAND_QUEUE_STOP && entry.argument == 0) {
        queues[entry.index % QUEUES].running = false;
    }
}

static void seen(const char *stream, const uint8_t *from)
{
    struct nvme_event event = {0};
    struct dma_request request;
    struct nvme_fetched fetched;
    struct nvme_token token;
    if (strcmp(stream, "read") == 0 || strcmp(stream, "write") == 0) {
        memcpy(&request, from, sizeof request);
        answer(&request, strcmp(stream, "write") == 0);
    } else if (strcmp(stream, "fetched") == 0) {
        memcpy(&fetched, from, sizeof fetched);
        fetched_seen(&fetched);
    } else if (strcmp(stream, "again") == 0) {
        memcpy(&token, from, sizeof token);
        put(token.queue, token.completion, token.kind, &event);
    }
}

const struct directed directed = {reset, record, seen};
