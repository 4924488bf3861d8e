/* SPDX-License-Identifier: Apache-2.0 */
/* The graph's memory, messages, and the checks that need the whole graph. */
#include "tools/graph/model.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    max_align_t data[];
};

void *graph_allocate(struct graph *graph, size_t bytes)
{
    struct block *block = calloc(1, sizeof *block + bytes);
    if (!block) {
        fputs("cipu-graph: out of memory\n", stderr);
        exit(2);
    }
    block->next = graph->arena;
    graph->arena = block;
    return block->data;
}

void graph_free(struct graph *graph)
{
    while (graph->arena) {
        struct block *block = graph->arena;
        graph->arena = block->next;
        free(block);
    }
}

char *graph_text(struct graph *graph, const char *text, size_t length)
{
    char *copy = graph_allocate(graph, length + 1);
    memcpy(copy, text, length);
    return copy;
}

void *graph_append(struct graph *graph, void *array, size_t *count, size_t item_bytes, const void *item)
{
    /* Room doubles at each power of two. */
    if ((*count & (*count - 1)) == 0) {
        void *larger = graph_allocate(graph, (*count ? *count * 2 : 1) * item_bytes);
        if (*count)
            memcpy(larger, array, *count * item_bytes);
        array = larger;
    }
    memcpy((char *)array + *count * item_bytes, item, item_bytes);
    (*count)++;
    return array;
}

void graph_error(struct graph *graph, struct place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%u: ", place.file, place.line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    graph->errors++;
}

struct instance *graph_instance(const struct graph *graph, const char *name, size_t length)
{
    for (size_t i = 0; i < graph->instance_count; i++) {
        const char *other = graph->instances[i]->name;
        if (strlen(other) == length && memcmp(other, name, length) == 0)
            return graph->instances[i];
    }
    return NULL;
}

struct instance *graph_add_instance(struct graph *graph, const char *name, struct place place)
{
    struct instance *instance = graph_allocate(graph, sizeof *instance);
    instance->name = name;
    instance->place = place;
    graph->instances = graph_append(graph, graph->instances, &graph->instance_count, sizeof instance, &instance);
    return instance;
}

static void connect_open(struct graph *graph, struct instance *open, struct instance *instance, size_t index)
{
    const struct port *port = &instance->ports[index];
    char name[512];
    struct port end = *port;
    int length = snprintf(name, sizeof name, "%.250s_%.250s", instance->name, port->name);
    end.name = graph_text(graph, name, (size_t)length);
    end.direction = port->direction == DIRECTION_IN ? DIRECTION_OUT : DIRECTION_IN;
    end.conditional = false;
    size_t last = open->port_count;
    struct stream *stream = graph_allocate(graph, sizeof *stream);
    if (port->direction == DIRECTION_IN)
        *stream = (struct stream){open, instance, last, index, STREAM_DEPTH_DEFAULT, instance->place};
    else
        *stream = (struct stream){instance, open, index, last, STREAM_DEPTH_DEFAULT, instance->place};
    instance->streams[index] = stream;
    graph->streams = graph_append(graph, graph->streams, &graph->stream_count, sizeof stream, &stream);
    size_t count = open->port_count;
    open->streams = graph_append(graph, open->streams, &count, sizeof stream, &stream);
    open->ports = graph_append(graph, open->ports, &open->port_count, sizeof end, &end);
}

void graph_close(struct graph *graph)
{
    struct instance *open = NULL;
    size_t count = graph->instance_count;
    for (size_t i = 0; graph->open && i < count; i++) {
        struct instance *instance = graph->instances[i];
        for (size_t n = 0; instance->kernel && n < instance->port_count; n++) {
            if (instance->streams[n])
                continue;
            if (!open)
                open = graph_add_instance(graph, "open", instance->place);
            connect_open(graph, open, instance, n);
        }
    }
}

static void check_kernel_instance(struct graph *graph, const struct instance *instance)
{
    for (size_t i = 0; i < instance->port_count; i++) {
        const struct port *port = &instance->ports[i];
        if (!instance->streams[i])
            graph_error(graph, instance->place, "%s.%s (%s, struct %s) is not connected, expected one stream_connect",
                        instance->name, port->name, port->direction == DIRECTION_IN ? "input" : "output", port->record);
    }
}

static void check_shell_instance(struct graph *graph, const struct instance *instance)
{
    const struct stream *used = NULL;
    for (size_t i = 0; i < instance->port_count; i++)
        used = instance->streams[i] ? instance->streams[i] : used;
    for (size_t i = 0; used && instance->channel && i < instance->port_count; i++)
        if (!instance->streams[i])
            graph_error(graph, used->place, "%s.%s is not connected, expected all streams of %s or none",
                        instance->name, instance->ports[i].name, instance->name);
}

void graph_check(struct graph *graph)
{
    for (size_t i = 0; i < graph->instance_count; i++) {
        if (graph->instances[i]->kernel)
            check_kernel_instance(graph, graph->instances[i]);
        else
            check_shell_instance(graph, graph->instances[i]);
    }
}
