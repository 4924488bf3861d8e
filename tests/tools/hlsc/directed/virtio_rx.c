/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, packets and commands of receive queues in one order, and what virtio_rx sends back. */
#include "hls/include/receive.h"
#include "hls/include/virtio.h"
#include "tests/tools/hlsc/directed.h"

#define FUNCTIONS 4u

struct queue {
    bool running;
    uint32_t credit, open; /* segments; of the chain that is coming */
    uint8_t generation;
};

static uint64_t state;
static struct queue queues[FUNCTIONS];
static struct directed_queue returned;
static uint8_t sequence;

static bool chance(uint32_t percent)
{
    return random_below(&state, 100) < percent;
}

static void segment(uint32_t function, struct virtq_segment *made)
{
    struct queue *queue = &queues[function];
    made->queue = (uint16_t)(2u * function);
    made->function = (uint16_t)function;
    made->generation = queue->generation;
    if (!queue->running) {
        *queue = (struct queue){true, RECEIVE_SEGMENTS, 0, (uint8_t)(queue->generation + 1u)};
        made->kind = SEGMENT_SETTING;
        made->generation = queue->generation;
        made->address = chance(70) ? QUEUE_MERGEABLE : 0;
    } else if (queue->open != 0 && chance(5)) {
        made->kind = SEGMENT_ABORT;
        made->flags = SEGMENT_LAST;
        queue->credit += queue->open;
        queue->open = 0;
    } else if (queue->open == 0 && chance(2)) {
        struct command_entry entry = {.opcode = chance(50) ? COMMAND_QUEUE_STOP : COMMAND_QUEUE_READ};
        entry.status = chance(20) ? STATUS_BUSY : STATUS_OK;
        made->kind = SEGMENT_COMMAND;
        memcpy(made->entry, &entry, sizeof entry);
        queue->running = entry.opcode != COMMAND_QUEUE_STOP || entry.status != STATUS_OK;
    } else if (queue->credit == 0 || chance(1)) {
        made->kind = SEGMENT_WINDOW;
        made->address = random_next(&state);
        made->length = 1u << 20;
    } else {
        bool last = queue->open == 7 || queue->credit == 1 || chance(70);
        made->kind = SEGMENT_BUFFER;
        made->address = random_next(&state);
        made->length = 1u + random_below(&state, chance(5) ? 70000 : 400);
        made->head = (uint16_t)random_below(&state, 256);
        made->flags = last ? SEGMENT_LAST : 0;
        queue->credit--;
        queue->open = last ? 0 : queue->open + 1u;
    }
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    memset(queues, 0, sizeof queues);
    returned.first = returned.behind = 0;
    sequence = 0;
}

static bool record(const char *stream, uint8_t *to)
{
    struct receive_item item;
    (void)stream;
    if (directed_get(&returned, to, sizeof item))
        return true;
    memset(&item, 0, sizeof item);
    uint32_t function = random_below(&state, FUNCTIONS);
    item.kind = chance(30) ? RECEIVE_HEAD : RECEIVE_SEGMENT;
    item.sequence = sequence++;
    item.head.queue = (uint16_t)(2u * function);
    item.head.length = (uint16_t)(14u + random_below(&state, chance(20) ? 3000 : 500));
    if (item.kind == RECEIVE_SEGMENT) {
        memset(&item.head, 0, sizeof item.head);
        segment(function, &item.segment);
    }
    memcpy(to, &item, sizeof item);
    return true;
}

static void seen(const char *stream, const uint8_t *from)
{
    struct queue_token token;
    if (strcmp(stream, "again") == 0)
        directed_put(&returned, from, sizeof(struct receive_item));
    if (strcmp(stream, "credit") == 0) {
        memcpy(&token, from, sizeof token);
        struct queue *queue = &queues[token.queue / 2u % FUNCTIONS];
        queue->credit += token.generation == queue->generation ? token.amount : 0;
    }
}

const struct directed directed = {reset, record, seen};
