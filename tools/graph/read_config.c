/* SPDX-License-Identifier: Apache-2.0 */
/* card.cfg (v++ [connectivity], UG1393) and shell.cfg: lines of key=value in sections; # begins a comment. */
#include "tools/graph/model.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct line {
    struct graph *graph;
    struct place place;
    char *key;
    char *value;
};

struct lines {
    struct line *line;
    size_t count;
};

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = 0;
    return text;
}

static bool is_name(const char *text, size_t length)
{
    if (!length || isdigit((unsigned char)*text))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

/* A decimal number 1..max that fills the text; 0 if it is none. */
static unsigned read_number(const char *text, unsigned max)
{
    unsigned value = 0;
    for (const char *c = text; *c; c++) {
        if (!isdigit((unsigned char)*c) || value > max / 10)
            return 0;
        value = value * 10 + (unsigned)(*c - '0');
    }
    return value <= max ? value : 0;
}

/* Splits the lines of the one section. */
static bool read_lines(struct graph *graph, const char *path, const char *section, struct lines *lines)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        graph->errors++;
        return false;
    }
    char *buffer = NULL;
    size_t size = 0;
    bool inside = false;
    struct line line = {graph, {graph_text(graph, path, strlen(path)), 0}, NULL, NULL};
    while (getline(&buffer, &size, file) >= 0) {
        line.place.line++;
        buffer[strcspn(buffer, "#")] = 0;
        char *text = trim(buffer);
        if (!*text)
            continue;
        if (*text == '[') {
            size_t length = strlen(section);
            inside = strncmp(text + 1, section, length) == 0 && strcmp(text + 1 + length, "]") == 0;
            if (!inside)
                graph_error(graph, line.place, "found section '%s', expected [%s]", text, section);
            continue;
        }
        char *equals = strchr(text, '=');
        if (!equals) {
            graph_error(graph, line.place, "found '%s', expected key=value", text);
            continue;
        }
        if (!inside) {
            graph_error(graph, line.place, "found '%s' outside of a section, expected [%s] before it", text, section);
            continue;
        }
        *equals = 0;
        const char *key = trim(text), *value = trim(equals + 1);
        line.key = graph_text(graph, key, strlen(key));
        line.value = graph_text(graph, value, strlen(value));
        lines->line = graph_append(graph, lines->line, &lines->count, sizeof line, &line);
    }
    free(buffer);
    fclose(file);
    return true;
}

/* A handler may take its line apart: each gets a copy. */
static void handle_lines(const struct lines *lines, void (*handle)(struct line *line))
{
    for (size_t i = 0; i < lines->count; i++) {
        struct line line = lines->line[i];
        line.key = graph_text(line.graph, line.key, strlen(line.key));
        line.value = graph_text(line.graph, line.value, strlen(line.value));
        handle(&line);
    }
}

static void add_shell_port(struct line *line, const char *name, bool channel, const struct port *port)
{
    struct graph *graph = line->graph;
    struct instance *instance = graph_instance(graph, name, strlen(name));
    if (!instance) {
        instance = graph_add_instance(graph, graph_text(graph, name, strlen(name)), line->place);
        instance->channel = channel;
    }
    for (size_t i = 0; i < instance->port_count; i++)
        if (strcmp(instance->ports[i].name, port->name) == 0) {
            graph_error(graph, line->place, "found '%s.%s' again, expected one line for each stream", name, port->name);
            return;
        }
    const struct stream *none = NULL;
    size_t count = instance->port_count;
    instance->streams = graph_append(graph, instance->streams, &count, sizeof none, &none);
    instance->ports = graph_append(graph, instance->ports, &instance->port_count, sizeof *port, port);
}

/* NAME[:COUNT].port=in|out record */
static void shell_line(struct line *line)
{
    struct graph *graph = line->graph;
    char *dot = strchr(line->key, '.');
    char *record = line->value + strcspn(line->value, " \t");
    struct port port = {0};
    if (*record) {
        *record = 0;
        record = trim(record + 1);
    }
    bool out = strcmp(line->value, "out") == 0;
    if ((!out && strcmp(line->value, "in") != 0) || !is_name(record, strlen(record))) {
        graph_error(graph, line->place, "found '%s %s', expected 'in RECORD' or 'out RECORD'", line->value, record);
        return;
    }
    char *colon = strchr(line->key, ':');
    unsigned count = 1;
    if (dot && colon && colon < dot) {
        *dot = 0;
        count = read_number(colon + 1, 256);
        *dot = '.';
    }
    size_t length = dot ? (size_t)((colon && colon < dot ? colon : dot) - line->key) : 0;
    if (!dot || !count || !is_name(line->key, length) || !is_name(dot + 1, strlen(dot + 1))) {
        graph_error(graph, line->place, "found '%s', expected INSTANCE.STREAM or INSTANCE:COUNT.STREAM", line->key);
        return;
    }
    port.name = graph_text(graph, dot + 1, strlen(dot + 1));
    port.record = graph_text(graph, record, strlen(record));
    /* A stream that leaves the shell is an output of its instance. */
    port.direction = out ? DIRECTION_OUT : DIRECTION_IN;
    for (unsigned i = 0; i < count; i++) {
        char name[256];
        if (colon)
            snprintf(name, sizeof name, "%.*s_%u", (int)length, line->key, i);
        else
            snprintf(name, sizeof name, "%.*s", (int)length, line->key);
        add_shell_port(line, name, colon != NULL, &port);
    }
}

static void add_kernel_instance(struct line *line, const struct kernel *kernel, const char *name)
{
    struct graph *graph = line->graph;
    const struct instance *other = graph_instance(graph, name, strlen(name));
    if (!is_name(name, strlen(name))) {
        graph_error(graph, line->place, "found instance name '%s', expected letters, digits and _", name);
        return;
    }
    if (other) {
        graph_error(graph, line->place, "found instance '%s' again, expected a name that %s:%u does not use", name,
                    other->place.file, other->place.line);
        return;
    }
    struct instance *instance = graph_add_instance(graph, graph_text(graph, name, strlen(name)), line->place);
    instance->kernel = kernel;
    instance->ports = kernel->ports;
    instance->port_count = kernel->port_count;
    instance->streams = graph_allocate(graph, kernel->port_count * sizeof(struct stream *));
}

/* nk=kernel:count[:name.name or :name,name]; without names, kernel_1 .. kernel_count */
static void kernel_line(struct line *line)
{
    struct graph *graph = line->graph;
    char *count_text = strchr(line->value, ':');
    char *names = count_text ? strchr(count_text + 1, ':') : NULL;
    if (count_text)
        *count_text++ = 0;
    if (names)
        *names++ = 0;
    unsigned count = count_text ? read_number(count_text, 256) : 0;
    if (!count || !is_name(line->value, strlen(line->value))) {
        graph_error(graph, line->place, "found 'nk=%s:%s', expected nk=KERNEL:COUNT[:NAME.NAME...]", line->value,
                    count_text ? count_text : "");
        return;
    }
    const struct kernel *kernel = read_kernel(graph, graph_text(graph, line->value, strlen(line->value)), line->place);
    if (!kernel)
        return;
    unsigned found = 0;
    for (char *rest = names, *name; rest && (name = strsep(&rest, ".,")); found++)
        if (found < count)
            add_kernel_instance(line, kernel, trim(name));
    if (names && found != count)
        graph_error(graph, line->place, "found %u instance names, expected %u", found, count);
    for (unsigned i = 1; !names && i <= count; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.240s_%u", kernel->name, i);
        add_kernel_instance(line, kernel, name);
    }
}

struct end {
    struct instance *instance;
    size_t port;
};

static bool find_end(struct line *line, const char *text, enum direction direction, struct end *end)
{
    struct graph *graph = line->graph;
    const char *dot = strchr(text, '.');
    if (!dot || dot == text || !dot[1]) {
        graph_error(graph, line->place, "found '%s', expected INSTANCE.STREAM", text);
        return false;
    }
    end->instance = graph_instance(graph, text, (size_t)(dot - text));
    if (!end->instance) {
        graph_error(graph, line->place, "found '%s', expected an instance named by nk= or by the shell", text);
        return false;
    }
    for (end->port = 0; end->port < end->instance->port_count; end->port++)
        if (strcmp(end->instance->ports[end->port].name, dot + 1) == 0)
            break;
    if (end->port == end->instance->port_count) {
        char known[512] = "";
        for (size_t i = 0, used = 0; i < end->instance->port_count && used < sizeof known - 1; i++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                     end->instance->ports[i].name);
        graph_error(graph, line->place, "found '%s', expected one of the streams of %s: %s", text, end->instance->name,
                    known);
        return false;
    }
    if (end->instance->ports[end->port].direction != direction) {
        graph_error(graph, line->place, "found '%s', an %s, expected an %s: OUTPUT:INPUT[:DEPTH]", text,
                    direction == DIRECTION_OUT ? "input" : "output", direction == DIRECTION_OUT ? "output" : "input");
        return false;
    }
    const struct stream *other = end->instance->streams[end->port];
    if (other) {
        graph_error(graph, line->place, "found '%s' again, expected one stream: %s:%u connects it already", text,
                    other->place.file, other->place.line);
        return false;
    }
    return true;
}

/* stream_connect=instance.output:instance.input[:depth] */
static void stream_line(struct line *line)
{
    struct graph *graph = line->graph;
    char *to_text = strchr(line->value, ':');
    if (!to_text) {
        graph_error(graph, line->place, "found '%s=%s', expected %s=INSTANCE.OUTPUT:INSTANCE.INPUT[:DEPTH]", line->key,
                    line->value, line->key);
        return;
    }
    *to_text++ = 0;
    char *depth_text = strchr(to_text, ':');
    unsigned depth = STREAM_DEPTH_DEFAULT;
    if (depth_text) {
        *depth_text++ = 0;
        depth = read_number(depth_text, STREAM_DEPTH_MAX);
        if (depth < 2 || (depth & (depth - 1)) != 0) {
            graph_error(graph, line->place, "found depth '%s', expected a power of two from 2 to %u", depth_text,
                        STREAM_DEPTH_MAX);
            return;
        }
    }
    struct end from, to;
    bool from_found = find_end(line, line->value, DIRECTION_OUT, &from);
    if (!find_end(line, to_text, DIRECTION_IN, &to) || !from_found)
        return;
    const char *given = from.instance->ports[from.port].record, *taken = to.instance->ports[to.port].record;
    if (strcmp(given, taken) != 0) {
        graph_error(graph, line->place, "%s carries struct %s and %s takes struct %s, expected the same record",
                    line->value, given, to_text, taken);
        return;
    }
    if (from.instance == to.instance && from.instance->kernel) {
        graph_error(graph, line->place, "%s drives itself, expected another kernel between (v++ refuses it)",
                    from.instance->name);
        return;
    }
    struct stream *stream = graph_allocate(graph, sizeof *stream);
    *stream = (struct stream){from.instance, to.instance, from.port, to.port, depth, line->place};
    from.instance->streams[from.port] = stream;
    to.instance->streams[to.port] = stream;
    graph->streams = graph_append(graph, graph->streams, &graph->stream_count, sizeof stream, &stream);
}

/* slr=instance:SLRn only places a kernel on the chip. */
static void region_line(struct line *line)
{
    char *colon = strchr(line->value, ':');
    size_t length = colon ? (size_t)(colon - line->value) : 0;
    if (!colon || strncmp(colon, ":SLR", 4) != 0 || !isdigit((unsigned char)colon[4]))
        graph_error(line->graph, line->place, "found 'slr=%s', expected slr=INSTANCE:SLRn", line->value);
    else if (!graph_instance(line->graph, line->value, length))
        graph_error(line->graph, line->place, "found 'slr=%s', expected an instance named by nk=", line->value);
}

static void instances_line(struct line *line)
{
    if (strcmp(line->key, "nk") == 0)
        kernel_line(line);
}

static void streams_line(struct line *line)
{
    if (strcmp(line->key, "stream_connect") == 0 || strcmp(line->key, "sc") == 0)
        stream_line(line);
    else if (strcmp(line->key, "slr") == 0)
        region_line(line);
    else if (strcmp(line->key, "nk") != 0)
        graph_error(line->graph, line->place, "found '%s', expected nk, stream_connect, sc or slr", line->key);
}

bool read_shell(struct graph *graph, const char *path)
{
    struct lines lines = {0};
    bool read = read_lines(graph, path, "shell", &lines);
    handle_lines(&lines, shell_line);
    return read;
}

bool read_card(struct graph *graph, const char *path)
{
    /* Instances first: a stream may stand before the nk= of its ends. */
    struct lines lines = {0};
    bool read = read_lines(graph, path, "connectivity", &lines);
    handle_lines(&lines, instances_line);
    handle_lines(&lines, streams_line);
    return read;
}
