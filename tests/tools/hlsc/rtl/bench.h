/* SPDX-License-Identifier: Apache-2.0 */
/* A Verilated module as the bench sees it. */
#ifndef CIPU_TESTS_HLSC_BENCH_H
#define CIPU_TESTS_HLSC_BENCH_H

#include <cstddef>
#include <cstdint>
#include <vector>

struct bench_stream {
    const char *name;
    bool input;
    size_t bytes;
    uint8_t *valid, *ready;
    void *data;
    const uint8_t *room; /* outputs: STREAM_CAN_WRITE */
};

struct bench_model {
    uint8_t *clk, *rst, *idle;
    const uint8_t *active; /* an activation begins */
    void (*eval)();
    std::vector<bench_stream> streams;
};

struct bench_entry {
    const char *name; /* the module's */
    bench_model (*open)();
};

/* The modules of this program. */
extern const std::vector<bench_entry> bench_models;

#endif
