/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet's way: the records that moved in the card's FIFOs, each with the cycle in which it was written and the one
 * in which it was taken out. The card's thread collects (way_watcher), another reads while the card is at rest.
 */
#ifndef CIPU_CARD_WAY_H
#define CIPU_CARD_WAY_H

#include <jansson.h>
#include <stdbool.h>

#include "driver/rtl/rtl.h"

struct way_step {
    uint64_t written, taken; /* cycles; taken 0 = it is still there */
    size_t data;             /* offset of the record's bytes */
    uint16_t stream;
};

struct way {
    const struct native_graph *graph;
    struct way_step *steps;
    size_t count, room;
    uint8_t *data;
    size_t data_bytes, data_room;
    size_t *oldest; /* by stream: where to look for the step that is taken next */
    bool lost;      /* for want of memory */
};

int way_create(struct way *way, const struct native_graph *graph);
void way_destroy(struct way *way);

/* Forgets all steps. */
void way_clear(struct way *way);

struct rtl_watcher way_watcher(struct way *way);

/* In the order of the cycles in which records were written. Prints nothing but zero fields as `-`. */
void way_print(const struct way *way, FILE *out);

/* An array of {cycle, taken, stream, record, fields}; NULL without memory. */
json_t *way_json(const struct way *way);

/* The name of one end of a stream, such as port.tx1: index 0 or 1. */
bool way_is_end(const struct native_stream *stream, const char *end);

/* Cycles from the first record into the card to the last one that was written to `end` (such as "port.tx1"); 0 = none.
 */
uint64_t way_latency(const struct way *way, const char *end);

#endif
