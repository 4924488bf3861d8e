/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/card/way.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/card/record.h"

#define BYTES_SHOWN 16u

int way_create(struct way *way, const struct native_graph *graph)
{
    *way = (struct way){.graph = graph};
    way->oldest = calloc(graph->stream_count, sizeof *way->oldest);
    return way->oldest ? 0 : -ENOMEM;
}

void way_destroy(struct way *way)
{
    free(way->oldest);
    free(way->steps);
    free(way->data);
}

void way_clear(struct way *way)
{
    way->count = way->data_bytes = 0;
    way->lost = false;
    memset(way->oldest, 0, way->graph->stream_count * sizeof *way->oldest);
}

static bool grow(void **memory, size_t *room, size_t needed, size_t element)
{
    if (needed <= *room)
        return true;
    size_t wanted = 2 * needed;
    void *grown = realloc(*memory, wanted * element);
    if (!grown)
        return false;
    *memory = grown;
    *room = wanted;
    return true;
}

static void written(struct way *way, uint64_t cycle, uint16_t stream, const void *record)
{
    size_t bytes = way->graph->streams[stream].slot_bytes;
    if (!grow((void **)&way->steps, &way->room, way->count + 1, sizeof *way->steps) ||
        !grow((void **)&way->data, &way->data_room, way->data_bytes + bytes, 1)) {
        way->lost = true;
        return;
    }
    memcpy(way->data + way->data_bytes, record, bytes);
    way->steps[way->count++] = (struct way_step){cycle, 0, way->data_bytes, stream};
    way->data_bytes += bytes;
}

static void taken(struct way *way, uint64_t cycle, uint16_t stream)
{
    for (size_t i = way->oldest[stream]; i < way->count; i++) {
        struct way_step *step = &way->steps[i];
        way->oldest[stream] = i + 1;
        if (step->stream == stream && !step->taken) {
            step->taken = cycle;
            return;
        }
    }
}

static void observe(void *context, uint64_t cycle, uint16_t stream, bool is_written, const void *record)
{
    struct way *way = context;
    if (is_written)
        written(way, cycle, stream, record);
    else
        taken(way, cycle, stream);
}

struct rtl_watcher way_watcher(struct way *way)
{
    return (struct rtl_watcher){observe, way};
}

static const struct record_type *type_of(const struct native_stream *stream)
{
    for (const struct record_type *type = record_types; type->name; type++)
        if (strcmp(type->name, stream->record) == 0)
            return type;
    return NULL;
}

/* "1a2b..", an integer, or "" if it is zero. */
static void format_field(const struct record_field *field, const uint8_t *record, char *text, size_t room)
{
    const uint8_t *bytes = record + field->offset;
    size_t size = (size_t)field->bytes * (field->count ? field->count : 1), used = 0;
    uint64_t value = 0;
    bool zero = true;
    for (size_t i = 0; i < size; i++)
        zero &= bytes[i] == 0;
    text[0] = 0;
    if (zero)
        return;
    if (!field->count && size <= sizeof value) {
        memcpy(&value, bytes, size);
        snprintf(text, room, value > 0xffff ? "0x%" PRIx64 : "%" PRIu64, value);
        return;
    }
    for (size_t i = 0; i < size && i < BYTES_SHOWN && used + 3 < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%02x", bytes[i]);
    if (size > BYTES_SHOWN)
        snprintf(text + used, room - used, "..");
}

static void print_record(const struct native_stream *stream, const uint8_t *record, FILE *out)
{
    const struct record_type *type = type_of(stream);
    char text[64];
    bool some = false;
    fputs(stream->record, out);
    for (const struct record_field *field = type ? type->fields : NULL; field && field->name; field++) {
        format_field(field, record, text, sizeof text);
        if (text[0])
            fprintf(out, " %s=%s", field->name, text);
        some |= text[0] != 0;
    }
    fputs(some ? "\n" : " -\n", out);
}

void way_print(const struct way *way, FILE *out)
{
    fprintf(out, "%8s %7s  %-44s %s\n", "cycle", "waited", "stream", "record");
    for (size_t i = 0; i < way->count; i++) {
        const struct way_step *step = &way->steps[i];
        const struct native_stream *stream = &way->graph->streams[step->stream];
        char waited[24] = "stays";
        if (step->taken)
            snprintf(waited, sizeof waited, "%" PRIu64, step->taken - step->written);
        fprintf(out, "%8" PRIu64 " %7s  %-44s ", step->written, waited, stream->name);
        print_record(stream, way->data + step->data, out);
    }
    if (way->lost)
        fputs("some records are missing: no memory\n", out);
}

static json_t *record_json(const struct native_stream *stream, const uint8_t *record)
{
    const struct record_type *type = type_of(stream);
    json_t *fields = json_object();
    char text[64];
    for (const struct record_field *field = type ? type->fields : NULL; field && field->name; field++) {
        format_field(field, record, text, sizeof text);
        if (text[0])
            json_object_set_new(fields, field->name, json_string(text));
    }
    return fields;
}

json_t *way_json(const struct way *way)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < way->count; i++) {
        const struct way_step *step = &way->steps[i];
        const struct native_stream *stream = &way->graph->streams[step->stream];
        json_t *taken = step->taken ? json_integer((json_int_t)step->taken) : json_null();
        json_array_append_new(steps, json_pack("{s:I, s:o, s:s, s:s, s:o}", "cycle", (json_int_t)step->written, "taken",
                                               taken, "stream", stream->name, "record", stream->record, "fields",
                                               record_json(stream, way->data + step->data)));
    }
    return steps;
}

bool way_is_end(const struct native_stream *stream, const char *end)
{
    size_t length = strlen(end);
    const char *colon = strchr(stream->name, ':');
    return strcmp(colon + 1, end) == 0 ||
           ((size_t)(colon - stream->name) == length && !strncmp(stream->name, end, length));
}

uint64_t way_latency(const struct way *way, const char *end)
{
    uint64_t last = 0;
    for (size_t i = 0; i < way->count; i++)
        if (way_is_end(&way->graph->streams[way->steps[i].stream], end))
            last = way->steps[i].written;
    return last ? last - way->steps[0].written : 0;
}
