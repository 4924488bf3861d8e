/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule: instances in the order in which records flow, so that one round carries a batch through the whole card.
 */
#include "tools/graph/model.h"

#include <string.h>

#define NOT_USED ((size_t)-1)

enum colour { WHITE, GREY, BLACK };

struct walk {
    struct graph *graph;
    unsigned char *colour;
    size_t left; /* places still free, filled from the end */
};

static size_t index_of(const struct graph *graph, const struct instance *instance)
{
    size_t i = 0;
    while (graph->instances[i] != instance)
        i++;
    return i;
}

/* Depth first, placed after all that it feeds; an edge back to a grey instance closes a cycle and is ignored. */
static void visit(struct walk *walk, struct instance *instance)
{
    size_t self = index_of(walk->graph, instance);
    if (walk->colour[self] != WHITE)
        return;
    walk->colour[self] = GREY;
    for (size_t i = instance->port_count; i-- > 0;)
        if (instance->streams[i] && instance->ports[i].direction == DIRECTION_OUT)
            visit(walk, instance->streams[i]->to);
    walk->colour[self] = BLACK;
    walk->graph->nodes[--walk->left] = instance;
}

static bool is_used(const struct instance *instance)
{
    for (size_t i = 0; i < instance->port_count; i++)
        if (instance->streams[i])
            return true;
    return false;
}

void graph_order(struct graph *graph)
{
    graph->node_count = 0;
    for (size_t i = 0; i < graph->instance_count; i++)
        graph->node_count += is_used(graph->instances[i]);
    graph->nodes = graph_allocate(graph, (graph->node_count + 1) * sizeof(struct instance *));
    struct walk walk = {graph, graph_allocate(graph, graph->instance_count + 1), graph->node_count};
    for (size_t i = 0; i < graph->instance_count; i++) {
        graph->instances[i]->node = NOT_USED;
        if (is_used(graph->instances[i]))
            visit(&walk, graph->instances[i]);
    }
    for (size_t i = 0; i < graph->node_count; i++)
        graph->nodes[i]->node = i;
}

struct search {
    const struct graph *graph;
    const struct instance *goal;
    bool *seen;
    const struct instance *path[512];
};

/* Finds a way back to the goal through kernels whose number is not below the goal's, so that each loop is found once.
 */
static size_t find_loop(struct search *search, const struct instance *at, size_t depth)
{
    size_t self = index_of(search->graph, at);
    if (search->seen[self] || depth == sizeof search->path / sizeof search->path[0])
        return 0;
    search->seen[self] = true;
    search->path[depth] = at;
    for (size_t i = 0; i < at->port_count; i++) {
        if (at->ports[i].direction != DIRECTION_OUT || !at->streams[i])
            continue;
        const struct instance *next = at->streams[i]->to;
        if (next == search->goal)
            return depth + 1;
        if (!next->kernel || index_of(search->graph, next) < index_of(search->graph, search->goal))
            continue;
        size_t length = find_loop(search, next, depth + 1);
        if (length)
            return length;
    }
    return 0;
}

unsigned graph_cycles(const struct graph *graph, FILE *out)
{
    unsigned cycles = 0;
    for (size_t i = 0; i < graph->instance_count; i++) {
        if (!graph->instances[i]->kernel)
            continue;
        bool seen[graph->instance_count];
        memset(seen, 0, sizeof seen);
        struct search search = {graph, graph->instances[i], seen, {NULL}};
        size_t length = find_loop(&search, search.goal, 0);
        if (!length)
            continue;
        cycles++;
        fputs("cycle: ", out);
        for (size_t n = 0; n < length; n++)
            fprintf(out, "%s -> ", search.path[n]->name);
        fprintf(out, "%s\n", search.goal->name);
    }
    return cycles;
}
