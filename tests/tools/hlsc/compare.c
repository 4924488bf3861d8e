/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/compare.h"

#include <stdio.h>
#include <string.h>

#include "tests/tools/hlsc/native.h"
#include "tests/tools/hlsc/stimulus.h"
#include "tools/hlsc/memory.h"

#define STREAMS_MAX  64u
#define RECORD_BYTES 512u

struct side {
    struct interpreter_stream streams[STREAMS_MAX];
    uint8_t records[STREAMS_MAX][RECORD_BYTES];
};

static void side_init(struct side *side)
{
    memset(side, 0, sizeof *side);
    for (uint32_t i = 0; i < STREAMS_MAX; i++)
        side->streams[i].record = side->records[i];
}

static void side_copy(struct side *to, const struct side *from)
{
    memcpy(to->records, from->records, sizeof to->records);
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        to->streams[i].ready = from->streams[i].ready;
        to->streams[i].fired = false;
    }
}

static bool same(const struct design *design, const struct side *expected, const struct side *found, uint32_t attempt)
{
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        if (expected->streams[i].fired != found->streams[i].fired) {
            printf("# %s: attempt %u: stream %s %s in C only\n", design->name, attempt, stream->name,
                   expected->streams[i].fired ? "moves" : "stands still");
            return false;
        }
        for (uint32_t b = 0; expected->streams[i].fired && stream->direction == STREAM_OUTPUT && b < stream->bytes;
             b++) {
            if (expected->records[i][b] != found->records[i][b]) {
                printf("# %s: attempt %u: stream %s: byte %u is 0x%02x in C, 0x%02x in the design\n", design->name,
                       attempt, stream->name, b, expected->records[i][b], found->records[i][b]);
                return false;
            }
        }
    }
    return true;
}

/* Which conditions of multiplexers were 0 and 1. */
enum { COVERAGE_CONDITION = 1, COVERAGE_ZERO = 2, COVERAGE_ONE = 4, COVERAGE_ALL = 7 };

struct coverage {
    uint8_t *seen; /* by node */
};

static void coverage_init(struct coverage *coverage, const struct interpreter *interpreter)
{
    const struct netlist *netlist = &interpreter->design->netlist;
    coverage->seen = memory_new(netlist->node_count, 1);
    for (uint32_t i = 0; i < interpreter->order_count; i++) {
        if (net_get(netlist, interpreter->order[i])->op == NET_MUX)
            coverage->seen[net_operand(netlist, interpreter->order[i], 0)] = COVERAGE_CONDITION;
    }
}

static void coverage_note(struct coverage *coverage, const struct interpreter *interpreter)
{
    for (uint32_t i = 0; i < interpreter->order_count; i++) {
        net_id net = interpreter->order[i];
        if (coverage->seen[net] != 0)
            coverage->seen[net] |= interpreter->values[interpreter->offsets[net]] != 0 ? COVERAGE_ONE : COVERAGE_ZERO;
    }
}

static void coverage_count(struct coverage *coverage, const struct netlist *netlist, struct compare_result *result)
{
    for (net_id net = 1; net < netlist->node_count; net++) {
        result->choices += coverage->seen[net] != 0;
        result->chosen += coverage->seen[net] == COVERAGE_ALL;
    }
    free(coverage->seen);
}

static bool compare_all(struct native *native, struct interpreter *interpreter, struct stimulus *stimulus,
                        struct coverage *coverage, uint32_t attempts, struct compare_result *result)
{
    struct side drawn, expected, found;
    side_init(&drawn);
    side_init(&expected);
    side_init(&found);
    for (uint32_t attempt = 0; attempt < attempts; attempt++) {
        stimulus_next(stimulus, drawn.streams);
        side_copy(&expected, &drawn);
        side_copy(&found, &drawn);
        bool in_c = native_activate(native, expected.streams);
        bool in_design = interpreter_activate(interpreter, found.streams);
        if (in_c != in_design) {
            printf("# %s: attempt %u: STREAM_WAIT holds in %s only\n", native->design->name, attempt,
                   in_c ? "C" : "the design");
            return false;
        }
        if (in_c) {
            result->activations++;
            coverage_note(coverage, interpreter);
        }
        if (in_c && !same(native->design, &expected, &found, attempt))
            return false;
        for (uint32_t i = 0; i < native->design->stream_count; i++)
            drawn.streams[i].fired = in_c && expected.streams[i].fired;
    }
    return true;
}

bool compare_kernel(const struct kernel *kernel, const char *const *options, uint32_t attempts, uint64_t seed,
                    struct compare_result *result)
{
    const struct design *design = &kernel->design;
    struct native native;
    struct interpreter interpreter;
    struct stimulus stimulus;
    struct coverage coverage;
    memset(result, 0, sizeof *result);
    bool good = native_open(&native, kernel, options);
    if (good) {
        interpreter_init(&interpreter, design);
        stimulus_init(&stimulus, design, seed);
        coverage_init(&coverage, &interpreter);
        good = compare_all(&native, &interpreter, &stimulus, &coverage, attempts, result);
        coverage_count(&coverage, &design->netlist, result);
        stimulus_free(&stimulus);
        interpreter_free(&interpreter);
    }
    native_close(&native);
    return good;
}
