/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are over, the DMA channel, and a clock; now and then a write fails. */
#include "hls/include/dma.h"
#include "hls/include/nvme_queue.h"
#include "tests/tools/hlsc/directed.h"

#define QUEUES 6u

static uint64_t state;
static bool running[QUEUES], stopping[QUEUES];
static uint32_t sequence[QUEUES], now;
static struct directed_queue events;

static bool chance(uint32_t percent)
{
    return random_below(&state, 100) < percent;
}

static void put(uint32_t queue, uint8_t kind, struct nvme_cq_event *event)
{
    event->queue = (uint16_t)queue;
    event->kind = kind;
    directed_put(&events, event, sizeof *event);
}

static void command(uint32_t index, uint16_t opcode, const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = TARGET_NVME_CQ, .index = index};
    struct nvme_cq_event event = {0};
    if (bytes)
        memcpy(entry.data, data, bytes);
    memcpy(event.data, &entry, sizeof entry);
    put(index, NVME_CQ_COMMAND, &event);
}

static void set(uint32_t number)
{
    struct nvme_queue_setting setting = {.address = ((uint64_t)number << 24) + (chance(3) ? 64 : 0)};
    setting.entries = 2 + random_below(&state, 20);
    setting.vector = (uint16_t)(chance(20) ? 0xffff : VECTOR_BLOCK + number);
    setting.generation = (uint16_t)random_next(&state);
    setting.threshold = (uint8_t)random_below(&state, 20);
    setting.delay = chance(50) ? 0 : random_below(&state, 40);
    command(number, COMMAND_QUEUE_SET, &setting, sizeof setting);
    running[number] = (setting.address & 64) == 0;
    stopping[number] = false;
}

static void over(uint32_t number)
{
    uint32_t submission = random_below(&state, QUEUES);
    struct block_completion completion = {.result = random_next(&state), .silent = chance(10)};
    struct nvme_cq_event event = {.submission = (uint16_t)submission};
    completion.sequence = sequence[submission]++ + random_below(&state, 8) - 4u;
    completion.tag = (uint16_t)random_next(&state);
    completion.status = (uint16_t)random_next(&state);
    completion.identifier = (uint16_t)random_next(&state);
    completion.sq_head = (uint16_t)random_next(&state);
    completion.sq_id = (uint16_t)submission;
    completion.generation = (uint8_t)random_next(&state);
    memcpy(event.data, &completion, sizeof completion);
    put(number, NVME_CQ_FINISHED, &event);
}

static void act(uint32_t number)
{
    if (!running[number]) {
        set(number);
    } else if (!stopping[number] && chance(2)) {
        command(number, COMMAND_QUEUE_STOP, NULL, 0);
        stopping[number] = true;
    } else if (chance(2)) {
        struct window_setting window = {random_next(&state), 1u << 20};
        command(number, COMMAND_WINDOW_SET, &window, sizeof window);
    } else if (!stopping[number]) {
        over(number);
    }
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    memset(running, 0, sizeof running);
    memset(sequence, 0, sizeof sequence);
    now = 0;
    events.first = events.behind = 0;
}

static bool record(const char *stream, uint8_t *to)
{
    (void)stream;
    now++;
    if (chance(30))
        act(random_below(&state, QUEUES));
    return directed_get(&events, to, sizeof(struct nvme_cq_event));
}

static void seen(const char *stream, const uint8_t *from)
{
    struct nvme_cq_event event = {0};
    struct dma_request request;
    struct nvme_cq_token token;
    struct timer_request timer;
    struct command_entry entry;
    if (strcmp(stream, "write") == 0) {
        memcpy(&request, from, sizeof request);
        event.error = chance(1);
        event.entries = (uint8_t)(request.length / sizeof(struct nvme_completion));
        if (!(request.flags & DMA_WINDOW))
            put(request.tag % BLOCK_QUEUES, NVME_CQ_DONE, &event);
    } else if (strcmp(stream, "again") == 0) {
        memcpy(&token, from, sizeof token);
        put(token.queue, NVME_CQ_AGAIN, &event);
    } else if (strcmp(stream, "timer") == 0) {
        memcpy(&timer, from, sizeof timer);
        event.now = now = (int32_t)(now - timer.at) < 0 && chance(90) ? timer.at : now;
        put(0, NVME_CQ_TICK, &event);
    } else if (strcmp(stream, "completion") == 0) {
        memcpy(&entry, from, sizeof entry);
        if (entry.opcode == COMMAND_QUEUE_STOP && entry.status == STATUS_OK)
            running[entry.index % QUEUES] = false;
    }
}

const struct directed directed = {reset, record, seen};
