/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel's surroundings, for states that random records do not reach: it is given what it would be given in the card,
 * good and bad, and its own records are answered. One file each: directed/KERNEL.c defines `directed`.
 */
#ifndef CIPU_TEST_HLSC_DIRECTED_H
#define CIPU_TEST_HLSC_DIRECTED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hls/include/queue.h"
#include "tests/hls/stream.h"

struct directed {
    void (*reset)(uint64_t seed);
    /* The next record of an input; false = there is none now. */
    bool (*record)(const char *stream, uint8_t *record);
    /* An output's record. */
    void (*seen)(const char *stream, const uint8_t *record);
};

extern const struct directed directed;

/* Records that wait to be given to the kernel. */
#define DIRECTED_QUEUE 1024u

struct directed_queue {
    uint8_t record[DIRECTED_QUEUE][192];
    uint32_t first, behind;
};

static inline void directed_put(struct directed_queue *queue, const void *record, uint32_t bytes)
{
    memcpy(queue->record[queue->behind++ % DIRECTED_QUEUE], record, bytes);
}

static inline bool directed_get(struct directed_queue *queue, void *record, uint32_t bytes)
{
    if (queue->first == queue->behind)
        return false;
    memcpy(record, queue->record[queue->first++ % DIRECTED_QUEUE], bytes);
    return true;
}

/* An event of a queue, for the kernels that have one stream of them. */
static inline void directed_put_event(struct directed_queue *events, uint32_t queue, uint8_t kind,
                                      struct queue_event *event)
{
    event->queue = (uint16_t)queue;
    event->kind = kind;
    directed_put(events, event, sizeof *event);
}

#endif
