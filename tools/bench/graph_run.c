/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/graph_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct graph_block {
    graph_run_block run;
    void *context;
};

struct graph_run {
    const struct native_graph *graph;
    void *object;
    struct hls_fifo *fifo; /* at the object's start */
    uint8_t *slots;
    struct graph_block *blocks; /* one for each node */
    struct native_activity *activity;
    uint64_t *nanoseconds; /* NULL = not measured */
};

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *zeroed(size_t bytes)
{
    bytes = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

struct graph_run *graph_run_create(const struct native_graph *graph)
{
    size_t bytes = 64;
    for (size_t i = 0; i < graph->stream_count; i++)
        bytes += (size_t)graph->streams[i].slot_bytes * graph->streams[i].depth;
    struct graph_run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->graph = graph;
    run->object = zeroed(graph->object_bytes);
    run->slots = zeroed(bytes);
    run->blocks = calloc(graph->node_count, sizeof *run->blocks);
    run->activity = calloc(graph->node_count, sizeof *run->activity);
    if (!run->object || !run->slots || !run->blocks || !run->activity) {
        graph_run_destroy(run);
        return NULL;
    }
    run->fifo = run->object;
    uint8_t *slots = run->slots;
    for (size_t i = 0; i < graph->stream_count; i++) {
        run->fifo[i].slots = slots;
        run->fifo[i].mask = graph->streams[i].depth - 1;
        run->fifo[i].slot_bytes = graph->streams[i].slot_bytes;
        slots += (size_t)graph->streams[i].slot_bytes * graph->streams[i].depth;
    }
    return run;
}

void graph_run_destroy(struct graph_run *run)
{
    free(run->object);
    free(run->slots);
    free(run->blocks);
    free(run->activity);
    free(run->nanoseconds);
    free(run);
}

static size_t node_of(const struct graph_run *run, const char *instance)
{
    size_t node = 0;
    while (node < run->graph->node_count && strcmp(run->graph->nodes[node].name, instance) != 0)
        node++;
    return node;
}

struct hls_fifo *graph_run_fifo(struct graph_run *run, const char *instance, const char *port)
{
    size_t node = node_of(run, instance);
    for (size_t i = 0; i < run->graph->shell_count; i++)
        if (run->graph->shell[i].node == node && strcmp(run->graph->shell[i].port, port) == 0)
            return &run->fifo[run->graph->shell[i].stream];
    return NULL;
}

void graph_run_set(struct graph_run *run, const char *instance, graph_run_block block, void *context)
{
    size_t node = node_of(run, instance);
    if (node < run->graph->node_count)
        run->blocks[node] = (struct graph_block){block, context};
}

static unsigned visit(struct graph_run *run, size_t node, unsigned budget)
{
    if (run->graph->nodes[node].run)
        return run->graph->nodes[node].run(run->object, &run->activity[node], budget);
    if (!run->blocks[node].run)
        return 0;
    unsigned done = run->blocks[node].run(run->blocks[node].context, budget);
    native_account(&run->activity[node], done, false);
    return done;
}

unsigned graph_run_round(struct graph_run *run, unsigned budget)
{
    unsigned done = 0;
    for (size_t i = 0; i < run->graph->node_count; i++) {
        if (run->nanoseconds) {
            uint64_t from = now();
            done += visit(run, i, budget);
            run->nanoseconds[i] += now() - from;
        } else {
            done += visit(run, i, budget);
        }
    }
    return done;
}

void graph_run_profile(struct graph_run *run)
{
    run->nanoseconds = calloc(run->graph->node_count, sizeof *run->nanoseconds);
}

void graph_run_report(const struct graph_run *run)
{
    for (size_t i = 0; run->nanoseconds && i < run->graph->node_count; i++) {
        uint64_t activations = atomic_load(&run->activity[i].activations);
        fprintf(stderr, "%-16s %12llu %8.2f ns %12.3f ms %8llu stalls\n", run->graph->nodes[i].name,
                (unsigned long long)activations, activations ? (double)run->nanoseconds[i] / (double)activations : 0.0,
                (double)run->nanoseconds[i] / 1e6, (unsigned long long)atomic_load(&run->activity[i].stalls));
    }
}
