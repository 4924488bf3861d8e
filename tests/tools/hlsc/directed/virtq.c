/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers, their memory and the kernels behind virtq: whole lives of queues, now and then with a fault. */
#include "hls/include/dma.h"
#include "hls/include/queue.h"
#include "hls/include/virtio.h"
#include "tests/tools/hlsc/directed.h"

#define QUEUES  8u
#define BLOCKS  6u /* queues from here on are virtio-blk's */
#define ENTRIES 64u

struct queue {
    bool running, faulted, stopping;
    uint16_t position;  /* chains that were seen whole */
    uint16_t published; /* the driver's avail index */
    uint16_t uncredited;
    uint8_t generation;
    uint16_t head; /* the driver takes descriptors in turn, or at random */
    bool shuffled;
};

static uint64_t state;
static struct queue queues[QUEUES];
static struct directed_queue events;

static bool chance(uint32_t percent)
{
    return random_below(&state, 100) < percent;
}

static void put(uint32_t queue, uint8_t kind, struct queue_event *event)
{
    directed_put_event(&events, queue, kind, event);
}

static void command(uint32_t queue, uint16_t opcode, const void *data, size_t bytes)
{
    uint8_t target = queue >= BLOCKS ? TARGET_BLK : queue & 1u ? TARGET_TX : TARGET_RX;
    struct command_entry entry = {.opcode = opcode, .target = target, .index = queue};
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    entry.tag = (uint32_t)random_next(&state);
    if (bytes)
        memcpy(entry.data, data, bytes);
    memcpy(event.data, &entry, sizeof entry);
    put(queue, QUEUE_COMMAND, &event);
}

static void set(uint32_t queue)
{
    struct queue_setting setting = {.descriptors = queue << 20, .avail = (queue << 20) + 0x4000};
    setting.used = (queue << 20) + 0x8000;
    setting.entries = chance(3) ? 48 : ENTRIES;
    setting.position = (uint16_t)random_next(&state);
    setting.flags = (uint16_t)(random_below(&state, 16) & (QUEUE_EVENT_INDEX | QUEUE_INDIRECT));
    setting.function = (uint16_t)(queue / 2u);
    if (queue >= BLOCKS) {
        setting.flags |= QUEUE_BLOCK;
        setting.volume = (uint32_t)random_next(&state);
        setting.function = (uint16_t)random_below(&state, FUNCTION_HOST);
    }
    command(queue, COMMAND_QUEUE_SET, &setting, sizeof setting);
    struct queue *set = &queues[queue];
    if (setting.entries != ENTRIES)
        return;
    set->running = true;
    set->faulted = set->stopping = false;
    set->position = set->published = setting.position;
    set->uncredited = 0;
    set->generation++;
    set->shuffled = chance(30);
}

static void act(uint32_t number)
{
    struct queue *queue = &queues[number];
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    if (!queue->running) {
        if (chance(30))
            set(number);
    } else if (queue->stopping) {
        return;
    } else if (queue->faulted || chance(2)) {
        command(number, COMMAND_QUEUE_STOP, NULL, 0);
        queue->stopping = true;
    } else if (chance(2)) {
        command(number, chance(50) ? COMMAND_QUEUE_READ : COMMAND_NOP, NULL, 0);
    } else if (chance(2)) {
        struct window_setting window = {random_next(&state), 1u << 20};
        command(number / 2u, COMMAND_WINDOW_SET, &window, sizeof window);
    } else if (chance(1)) {
        event.generation = queue->generation;
        event.detail = FAULT_ADDRESS;
        put(number, QUEUE_FAULT, &event);
    } else if (chance(40)) {
        uint32_t waiting = (uint16_t)(queue->published - queue->position);
        uint32_t room = waiting < ENTRIES ? ENTRIES - waiting : 0;
        queue->published = (uint16_t)(queue->published + random_below(&state, room + 1u));
        put(number, QUEUE_DOORBELL, &event);
    } else if (queue->uncredited != 0) {
        event.generation = queue->generation;
        event.amount = queue->uncredited;
        queue->uncredited = 0;
        put(number, QUEUE_CREDIT, &event);
    }
}

static void descriptor(const struct queue *queue, uint32_t number, struct virtq_descriptor *made)
{
    bool transmit = number & 1u, block = number >= BLOCKS;
    made->address = random_next(&state);
    made->length = chance(2) ? 0 : 12u + random_below(&state, 1500);
    made->flags = (uint16_t)((transmit ? 0 : VIRTQ_WRITE) | (chance(25) ? VIRTQ_NEXT : 0));
    made->next = (uint16_t)random_below(&state, chance(2) ? 2 * ENTRIES : ENTRIES);
    if (block) /* the last is writable, and what is readable comes first: most of the time */
        made->flags = chance(60) ? VIRTQ_WRITE : VIRTQ_NEXT | (chance(20) ? VIRTQ_WRITE : 0);
    if (chance(10)) {
        made->flags = VIRTQ_INDIRECT;
        made->length = 16u * (1u + random_below(&state, chance(10) ? 100 : 8));
    }
    if (chance(1))
        made->flags ^= VIRTQ_WRITE;
    (void)queue;
}

static void answer_lines(uint32_t number, const struct dma_request *request)
{
    uint32_t place = request->tag >> QUEUE_TAG_PLACE_SHIFT, lines = ((uint32_t)request->length + 63u) / 64u;
    for (uint32_t i = 0; i < lines; i++) {
        struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
        struct virtq_descriptor made[4];
        for (uint32_t k = 0; k < 4; k++)
            descriptor(&queues[number], number, &made[k]);
        memcpy(event.data, made, sizeof made);
        event.amount = (uint16_t)(place + i);
        event.detail = i + 1u == lines;
        event.error = event.detail && chance(1);
        put(number, QUEUE_LINE, &event);
    }
}

static void answer_read(const struct dma_request *request)
{
    uint32_t number = request->tag & (CARD_QUEUES - 1u);
    if ((request->flags & DMA_WINDOW) || number >= QUEUES)
        return;
    struct queue *queue = &queues[number];
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    if (request->tag & QUEUE_TAG_LINE) {
        answer_lines(number, request);
        return;
    }
    if ((request->address & 0xfff) == VIRTQ_AVAIL_INDEX) {
        uint16_t index = chance(1) ? (uint16_t)random_next(&state) : queue->published;
        memcpy(event.data, &index, sizeof index);
    } else {
        for (uint32_t i = 0; i < request->length / 2u; i++) {
            uint16_t head = (uint16_t)(queue->shuffled ? random_below(&state, ENTRIES) : queue->head++ % ENTRIES);
            if (chance(1))
                head = (uint16_t)random_next(&state);
            memcpy(event.data + 2u * i, &head, sizeof head);
        }
    }
    event.error = chance(1);
    put(number, QUEUE_DATA, &event);
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    memset(queues, 0, sizeof queues);
    events.first = events.behind = 0;
}

static bool record(const char *stream, uint8_t *to)
{
    (void)stream;
    if (chance(15))
        act(random_below(&state, QUEUES));
    return directed_get(&events, to, sizeof(struct queue_event));
}

static void segment_seen(const struct virtq_segment *segment)
{
    struct queue *queue = &queues[segment->queue % QUEUES];
    if (segment->kind == SEGMENT_BUFFER) {
        queue->uncredited += segment->queue < BLOCKS || (segment->flags & SEGMENT_LAST) != 0;
        queue->position = (uint16_t)(queue->position + ((segment->flags & SEGMENT_LAST) != 0));
    } else if (segment->kind == SEGMENT_COMMAND) {
        struct command_entry entry;
        memcpy(&entry, segment->entry, sizeof entry);
        if (entry.opcode == COMMAND_QUEUE_STOP && entry.status == STATUS_OK)
            queue->running = false;
    }
}

static void seen(const char *stream, const uint8_t *from)
{
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    struct dma_request request;
    struct queue_token token;
    struct event_entry entry;
    struct virtq_segment segment;
    if (strcmp(stream, "read") == 0) {
        memcpy(&request, from, sizeof request);
        answer_read(&request);
    } else if (strcmp(stream, "write") == 0) {
        memcpy(&request, from, sizeof request);
        event.error = chance(2);
        if (!(request.flags & DMA_WINDOW))
            put(request.tag, QUEUE_DONE, &event);
    } else if (strcmp(stream, "again") == 0) {
        memcpy(&token, from, sizeof token);
        event.amount = token.amount;
        put(token.queue, QUEUE_AGAIN, &event);
    } else if (strcmp(stream, "alert") == 0) {
        memcpy(&entry, from, sizeof entry);
        queues[entry.queue % QUEUES].faulted = true;
    } else if (strcmp(stream, "segment") == 0) {
        memcpy(&segment, from, sizeof segment);
        segment_seen(&segment);
    }
}

const struct directed directed = {reset, record, seen};
