/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records into and out of a model's streams, with random gaps on both sides. A test sets up sources and sinks, then
 * calls bench_cycle until it has seen what it waits for. The pace of each end is redrawn now and then, so that long
 * bursts and long stalls both happen. One thread.
 */
#ifndef CIPU_TEST_BENCH_H
#define CIPU_TEST_BENCH_H

#include "hw/platform/sim/stream.h"

struct bench_end {
    struct rtl_stream stream;
    bool source;
    uint8_t *records;
    size_t count, capacity;   /* source: what is to be sent; sink: what has come */
    size_t moved;             /* source: sent; sink: read by the test (bench_next) */
    uint32_t pace;            /* of 256 cycles in which the end is willing */
    bool offered;             /* source: a record stands at the port and may not go away */
    bool full_speed, stopped; /* willing in every cycle, in none */
};

struct bench {
    struct rtl rtl;
    struct bench_end *ends[64];
    size_t end_count;
    /* Called in each cycle before the model settles, and after it has: bus models. NULL = none. */
    void (*before)(void *context);
    void (*after)(void *context);
    void *context;
    uint64_t random;
};

void bench_open(struct bench *bench, const struct rtl_model *model, uint64_t seed);
void bench_close(struct bench *bench);
uint32_t bench_random(struct bench *bench, uint32_t below);

/* The end lives until bench_close, which frees its records. */
void bench_source(struct bench *bench, struct bench_end *end, const char *stream, uint32_t index, uint32_t bytes);
void bench_sink(struct bench *bench, struct bench_end *end, const char *stream, uint32_t index, uint32_t bytes);

/* Appends a record to what a source sends. */
void bench_push(struct bench_end *source, const void *record);
/* The next record that came and was not looked at; NULL = none. Valid until the next cycle. */
const void *bench_next(struct bench_end *sink);
bool bench_sent(const struct bench_end *source);

void bench_cycle(struct bench *bench);

#endif
