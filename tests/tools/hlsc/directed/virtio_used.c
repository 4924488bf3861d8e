/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers that are done, the DMA channels, and drivers that want interrupts or not; now and then an access fails. */
#include "hls/include/dma.h"
#include "hls/include/used_ring.h"
#include "tests/tools/hlsc/directed.h"

#define QUEUES 6u

struct queue {
    bool running, stopping, eager;
    uint16_t done; /* elements so far, as an index */
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
    struct command_entry entry = {
        .opcode = opcode, .target = queue & 1u ? TARGET_TX_USED : TARGET_RX_USED, .index = queue};
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    if (bytes)
        memcpy(entry.data, data, bytes);
    memcpy(event.data, &entry, sizeof entry);
    put(queue, QUEUE_COMMAND, &event);
}

static void set(uint32_t number)
{
    struct queue_setting setting = {.avail = number << 16, .used = (number << 16) + 0x8000};
    setting.entries = 2u << random_below(&state, 8);
    setting.position = queues[number].done = (uint16_t)random_next(&state);
    setting.flags = (uint16_t)(chance(50) ? QUEUE_EVENT_INDEX : 0);
    setting.vector = (uint16_t)(chance(10) ? 0xffff : VECTOR_QUEUE + number);
    setting.function = (uint16_t)(number / 2u);
    command(number, COMMAND_QUEUE_SET, &setting, sizeof setting);
    queues[number].running = true;
    queues[number].stopping = false;
    queues[number].eager = chance(50);
}

static void act(uint32_t number)
{
    struct queue *queue = &queues[number];
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    if (!queue->running) {
        set(number);
    } else if (!queue->stopping && chance(1)) {
        command(number, COMMAND_QUEUE_STOP, NULL, 0);
        queue->stopping = true;
    } else if (chance(1)) {
        struct window_setting window = {random_next(&state), 1u << 20};
        command(number, COMMAND_WINDOW_SET, &window, sizeof window);
    } else if (!queue->stopping) {
        event.head = random_below(&state, 1024);
        event.length = random_below(&state, 2000);
        event.detail = chance(40);
        queue->done++;
        put(number, QUEUE_USED, &event);
    }
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
    if (chance(30))
        act(random_below(&state, QUEUES));
    return directed_get(&events, to, sizeof(struct queue_event));
}

static void seen(const char *stream, const uint8_t *from)
{
    struct queue_event event = {{0}, 0, 0, 0, 0, 0, 0, 0, 0};
    struct dma_request request;
    struct queue_token token;
    struct command_entry entry;
    if (strcmp(stream, "write_request") == 0) {
        memcpy(&request, from, sizeof request);
        event.error = request.address == ~(uint64_t)0 || chance(1);
        if (!(request.flags & DMA_WINDOW) && (request.tag & USED_RING_TAG_INDEX))
            put(request.tag & (CARD_QUEUES - 1u), QUEUE_DONE, &event);
    } else if (strcmp(stream, "read_request") == 0) {
        memcpy(&request, from, sizeof request);
        const struct queue *queue = &queues[request.tag % QUEUES];
        uint16_t wish = (uint16_t)(queue->eager ? queue->done - 1u : random_next(&state));
        memcpy(event.data, &wish, sizeof wish);
        event.error = chance(1);
        if (!(request.flags & DMA_WINDOW))
            put(request.tag, QUEUE_DATA, &event);
    } else if (strcmp(stream, "again") == 0) {
        memcpy(&token, from, sizeof token);
        put(token.queue, QUEUE_AGAIN, &event);
    } else if (strcmp(stream, "completion") == 0) {
        memcpy(&entry, from, sizeof entry);
        if (entry.opcode == COMMAND_QUEUE_STOP && entry.status == STATUS_OK)
            queues[entry.index % QUEUES].running = false;
    }
}

const struct directed directed = {reset, record, seen};
