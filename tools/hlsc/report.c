/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/report.h"

/* Names are identifiers and paths: only quotes and backslashes need care. */
static void write_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', to);
        if ((unsigned char)*c >= ' ')
            fputc(*c, to);
    }
    fputc('"', to);
}

static void write_streams(FILE *to, const struct design *design)
{
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        fprintf(to, "%s{\"name\":", i > 0 ? "," : "");
        write_text(to, stream->name);
        fprintf(to, ",\"record\":");
        write_text(to, stream->record);
        fprintf(to, ",\"direction\":\"%s\",\"bytes\":%u}", stream->direction == STREAM_INPUT ? "in" : "out",
                stream->bytes);
    }
}

static void write_rams(FILE *to, const struct schedule *schedule)
{
    for (uint32_t i = 0; i < schedule->design->ram_count; i++) {
        const struct design_ram *ram = &schedule->design->rams[i];
        fprintf(to, "%s{\"name\":", i > 0 ? "," : "");
        write_text(to, ram->name);
        fprintf(to, ",\"words\":%u,\"width\":%u,\"reads\":%u,\"guarded\":%s}", ram->words, ram->width, ram->read_count,
                schedule->rams[i].guarded ? "true" : "false");
    }
}

void report_json(const struct schedule *schedule, FILE *to)
{
    const struct design *design = schedule->design;
    uint32_t longest = schedule->longest != NET_NONE ? schedule->arrival[schedule->longest] : 0;
    fprintf(to, "{\"kernel\":");
    write_text(to, design->name);
    fprintf(to, ",\"source\":");
    write_text(to, design->source);
    fprintf(to,
            ",\"stages\":%u,\"interval\":%u,\"state_bits\":%u,\"pipeline_bits\":%u,\"longest_ps\":%u,\"budget_ps\":%u,"
            "\"streams\":[",
            schedule->stages, schedule->interval, schedule->state_bits, schedule->pipeline_bits, longest,
            schedule->budget);
    write_streams(to, design);
    fprintf(to, "],\"rams\":[");
    write_rams(to, schedule);
    fprintf(to, "]}\n");
}
