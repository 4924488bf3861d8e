/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's signature, out of its C source: STEP(name, struct name_state *state, STREAM_IN(struct beat, in), ...). */
#include "tools/graph/model.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct graph *graph;
    const char *path;
    const char *text;
    const char *at;
    bool failed;
};

static struct place place_of(const struct reader *reader)
{
    struct place place = {reader->path, 1};
    for (const char *c = reader->text; c < reader->at; c++)
        place.line += *c == '\n';
    return place;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void skip_space(struct reader *reader)
{
    while (isspace((unsigned char)*reader->at))
        reader->at++;
}

/* The next word, or one other character, or nothing at the end of the text. */
static const char *next_token(struct reader *reader)
{
    skip_space(reader);
    const char *start = reader->at;
    while (is_word(*reader->at))
        reader->at++;
    if (reader->at == start && *reader->at)
        reader->at++;
    return graph_text(reader->graph, start, (size_t)(reader->at - start));
}

static bool peek(struct reader *reader, char expected)
{
    skip_space(reader);
    return *reader->at == expected;
}

static void fail(struct reader *reader, const char *found, const char *expected)
{
    if (!reader->failed)
        graph_error(reader->graph, place_of(reader), "found '%s', expected %s", found, expected);
    reader->failed = true;
}

static void expect(struct reader *reader, const char *expected)
{
    if (reader->failed)
        return;
    const char *found = next_token(reader);
    if (strcmp(found, expected) != 0) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "'%s'", expected);
        fail(reader, found, quoted);
    }
}

static const char *expect_name(struct reader *reader, const char *what)
{
    const char *found = next_token(reader);
    if (!is_word(found[0]) || isdigit((unsigned char)found[0]))
        fail(reader, found, what);
    return found;
}

/* Overwrites comments and literals with blanks, so that line numbers stay. */
static void blank(char *text)
{
    for (char *c = text; *c;) {
        const char *end = NULL;
        if (c[0] == '/' && c[1] == '*')
            end = strstr(c + 2, "*/") ? strstr(c + 2, "*/") + 2 : c + strlen(c);
        else if (c[0] == '/' && c[1] == '/')
            end = c + strcspn(c, "\n");
        else if (*c == '"' || *c == '\'') {
            for (end = c + 1; *end && *end != *c && *end != '\n'; end++)
                end += *end == '\\' && end[1] && end[1] != '\n';
            end += *end == *c;
        } else {
            c++;
            continue;
        }
        for (; c < end; c++)
            *c = *c == '\n' ? '\n' : ' ';
    }
}

static char *read_file(struct graph *graph, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long length = ftell(file);
        if (length >= 0 && fseek(file, 0, SEEK_SET) == 0) {
            text = graph_allocate(graph, (size_t)length + 1);
            text[fread(text, 1, (size_t)length, file)] = 0;
        }
    }
    fclose(file);
    return text;
}

static void read_stream(struct reader *reader, struct kernel *kernel, const char *macro)
{
    struct port port = {0};
    if (strcmp(macro, "STREAM_IN") == 0)
        port.direction = DIRECTION_IN;
    else if (strcmp(macro, "STREAM_IN_COND") == 0)
        port.direction = DIRECTION_IN, port.conditional = true;
    else if (strcmp(macro, "STREAM_OUT") == 0)
        port.direction = DIRECTION_OUT;
    else {
        fail(reader, macro,
             kernel->port_count || kernel->state ? "STREAM_IN, STREAM_IN_COND or STREAM_OUT"
                                                 : "'struct NAME *state', STREAM_IN, STREAM_IN_COND or STREAM_OUT");
        return;
    }
    expect(reader, "(");
    expect(reader, "struct");
    port.record = expect_name(reader, "the record's struct name");
    expect(reader, ",");
    port.name = expect_name(reader, "the stream's name");
    expect(reader, ")");
    for (size_t i = 0; i < kernel->port_count; i++)
        if (strcmp(kernel->ports[i].name, port.name) == 0)
            fail(reader, port.name, "a name that no other stream of this kernel has");
    kernel->ports = graph_append(reader->graph, kernel->ports, &kernel->port_count, sizeof port, &port);
}

static void read_arguments(struct reader *reader, struct kernel *kernel)
{
    while (!reader->failed && peek(reader, ',')) {
        expect(reader, ",");
        const char *word = next_token(reader);
        if (strcmp(word, "struct") == 0 && !kernel->state && !kernel->port_count) {
            kernel->state = expect_name(reader, "the state's struct name");
            expect(reader, "*");
            expect_name(reader, "the state's name");
        } else {
            read_stream(reader, kernel, word);
        }
    }
    expect(reader, ")");
    if (!reader->failed && !kernel->port_count)
        fail(reader, ")", "at least one stream");
}

static bool at_definition(struct reader *reader, const char *name, bool *arbiter)
{
    const char *keyword = next_token(reader);
    *arbiter = strcmp(keyword, "ARBITER") == 0;
    if (!*arbiter && strcmp(keyword, "STEP") != 0)
        return false;
    if (!peek(reader, '('))
        return false;
    next_token(reader);
    return strcmp(next_token(reader), name) == 0;
}

static void read_signature(struct reader *reader, struct kernel *kernel)
{
    unsigned found = 0;
    while (!reader->failed && (skip_space(reader), *reader->at)) {
        bool arbiter;
        if (!at_definition(reader, kernel->name, &arbiter))
            continue;
        if (found++) {
            fail(reader, kernel->name, "one STEP or ARBITER of this name");
            return;
        }
        kernel->place = place_of(reader);
        kernel->arbiter = arbiter;
        read_arguments(reader, kernel);
    }
    if (!found) {
        reader->at = reader->text;
        char expected[160];
        snprintf(expected, sizeof expected, "STEP(%.64s, ...) or ARBITER(%.64s, ...)", kernel->name, kernel->name);
        fail(reader, "no kernel", expected);
    }
}

const struct kernel *read_kernel(struct graph *graph, const char *name, struct place place)
{
    for (size_t i = 0; i < graph->kernel_count; i++)
        if (strcmp(graph->kernels[i]->name, name) == 0)
            return graph->kernels[i];
    char *text = NULL;
    char path[4096];
    for (size_t i = 0; !text && i < graph->kernel_folder_count; i++) {
        snprintf(path, sizeof path, "%s/%s/%s.c", graph->kernel_folders[i], name, name);
        text = read_file(graph, path);
    }
    if (!text) {
        graph_error(graph, place, "no source of kernel '%s', expected %s/%s/%s.c", name, graph->kernel_folders[0], name,
                    name);
        return NULL;
    }
    blank(text);
    struct kernel *kernel = graph_allocate(graph, sizeof *kernel);
    kernel->name = name;
    kernel->path = graph_text(graph, path, strlen(path));
    struct reader reader = {graph, kernel->path, text, text, false};
    read_signature(&reader, kernel);
    if (reader.failed)
        return NULL;
    graph->kernels = graph_append(graph, graph->kernels, &graph->kernel_count, sizeof kernel, &kernel);
    return kernel;
}
