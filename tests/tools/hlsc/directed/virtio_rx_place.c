/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, and packets that fill them: each is used once and in order, several packets' in turn. */
#include "hls/include/receive.h"
#include "tests/tools/hlsc/directed.h"

#define FUNCTIONS 4u
#define CHAIN_MAX 3u

/* Whole chains of a function, from `first` on. */
struct queue {
    uint16_t first, behind;
    uint8_t length[RECEIVE_SEGMENTS]; /* segments of a chain, by its first one */
    uint32_t bytes[RECEIVE_SEGMENTS];
    uint32_t open, open_bytes;
};

static uint64_t state;
static struct queue queues[FUNCTIONS];

static void buffer(struct queue *queue, struct receive_place *made)
{
    uint32_t first = (queue->behind - queue->open) % RECEIVE_SEGMENTS;
    made->kind = PLACE_SEGMENT;
    made->address = random_next(&state);
    made->length = 1u + random_below(&state, 300);
    made->head = (uint16_t)random_below(&state, 256);
    made->position = queue->behind++;
    queue->open++;
    queue->open_bytes += (uint32_t)made->length;
    made->last = queue->open == CHAIN_MAX || random_below(&state, 2);
    if (made->last) {
        queue->length[first] = (uint8_t)queue->open;
        queue->bytes[first] = queue->open_bytes;
        queue->open = queue->open_bytes = 0;
    }
}

static void packet(struct queue *queue, struct receive_place *made)
{
    uint32_t first = queue->first % RECEIVE_SEGMENTS;
    made->kind = PLACE_CHAINS;
    made->position = queue->first;
    made->segments = queue->length[first];
    made->last = random_below(&state, 4) != 0;
    made->length = made->last ? 1u + random_below(&state, queue->bytes[first]) : queue->bytes[first];
    queue->first = (uint16_t)(queue->first + queue->length[first]);
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    memset(queues, 0, sizeof queues);
}

static bool record(const char *stream, uint8_t *to)
{
    struct receive_place made;
    uint32_t function = random_below(&state, FUNCTIONS), what = random_below(&state, 40);
    struct queue *queue = &queues[function];
    uint16_t whole = (uint16_t)(queue->behind - queue->open - queue->first);
    (void)stream;
    memset(&made, 0, sizeof made);
    made.function = (uint16_t)function;
    made.generation = (uint8_t)function;
    if (what == 0) {
        made.kind = PLACE_WINDOW;
        made.address = random_next(&state);
        made.length = 4096;
    } else if (what == 1) {
        made.kind = PLACE_COMMAND;
        random_fill(&state, made.entry, sizeof made.entry);
    } else if (whole == 0 || (what < 20 && (uint16_t)(queue->behind - queue->first) < RECEIVE_SEGMENTS)) {
        buffer(queue, &made);
    } else {
        packet(queue, &made);
    }
    memcpy(to, &made, sizeof made);
    return true;
}

static void seen(const char *stream, const uint8_t *from)
{
    (void)stream;
    (void)from;
}

const struct directed directed = {reset, record, seen};
