/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random records that get far into a kernel: fields take the values that the design compares them with, small numbers,
 * and what they had before.
 */
#ifndef CIPU_TEST_HLSC_STIMULUS_H
#define CIPU_TEST_HLSC_STIMULUS_H

#include "tools/hlsc/design.h"
#include "tools/hlsc/interpret.h"

/* Bits of a stream's record that are compared with a constant, or with other bits of it. */
struct stimulus_goal {
    uint32_t stream;
    uint32_t low, width;
    uint64_t value;
    bool copies;
    uint32_t from; /* then: the first of those bits */
};

struct stimulus {
    const struct design *design;
    uint64_t seed;
    struct stimulus_goal *goals;
    uint32_t goal_count, goal_capacity;
    uint64_t *values; /* constants of comparisons whose other side is not part of a record */
    uint32_t value_count, value_capacity;
    uint32_t ready_percent;
};

void stimulus_init(struct stimulus *stimulus, const struct design *design, uint64_t seed);
void stimulus_free(struct stimulus *stimulus);
uint64_t stimulus_random(struct stimulus *stimulus);
/* Draws a new record for an input; `record` holds the one before. */
void stimulus_record(struct stimulus *stimulus, uint32_t index, uint8_t *record);
/* Draws new records for inputs that have none waiting, and which streams are ready. */
void stimulus_next(struct stimulus *stimulus, struct interpreter_stream *streams);

#endif
