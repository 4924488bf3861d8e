/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph in SystemVerilog: one module with an instance of each kernel and a stream_fifo for each stream, as deep as
 * the native card's. Its ports are all streams of the shell, whether the graph uses them or not, so that one
 * hand-written shell fits every graph: INSTANCE_STREAM_valid, _ready and _data; alike instances (NAME:N) are vectors.
 * What the shell gives comes in, what it takes goes out. Widths come from the package of the records.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/graph/model.h"

static const char *const parts[] = {"valid", "ready", "data"};

static void emit_width(const char *record, FILE *out)
{
    fputs("cipu::", out);
    for (; *record; record++)
        fputc(toupper((unsigned char)*record), out);
    fputs("_BITS", out);
}

/* Of alike instances NAME_0 .. NAME_N: the length of NAME; of others: that of the whole name. */
static int base_length(const struct instance *instance)
{
    return instance->channel ? (int)(strrchr(instance->name, '_') - instance->name) : (int)strlen(instance->name);
}

static unsigned channel_number(const struct instance *instance)
{
    return instance->channel ? (unsigned)strtoul(strrchr(instance->name, '_') + 1, NULL, 10) : 0;
}

/* How many instances from `first` on are alike. */
static unsigned channel_count(const struct graph *graph, size_t first)
{
    const struct instance *instance = graph->instances[first];
    int length = base_length(instance);
    unsigned count = 1;
    for (size_t i = first + 1; instance->channel && i < graph->instance_count; i++) {
        const struct instance *other = graph->instances[i];
        if (other->kernel || !other->channel || base_length(other) != length ||
            strncmp(other->name, instance->name, (size_t)length) != 0)
            break;
        count++;
    }
    return count;
}

static bool is_shell(const struct instance *instance)
{
    return !instance->kernel;
}

/* The wire of one part (valid, ready, data) of a stream's end. */
static void emit_end(const struct instance *node, size_t index, unsigned part, FILE *out)
{
    const struct port *port = &node->ports[index];
    /* Names have single underscores: a_b.c and a.b_c are not the same wire. */
    fprintf(out, "%.*s%s%s_%s", base_length(node), node->name, is_shell(node) ? "_" : "__", port->name, parts[part]);
    if (!is_shell(node) || !node->channel)
        return;
    if (part < 2) {
        fprintf(out, "[%u]", channel_number(node));
        return;
    }
    fprintf(out, "[%u*", channel_number(node));
    emit_width(port->record, out);
    fputs("+:", out);
    emit_width(port->record, out);
    fputs("]", out);
}

static void emit_shell_port(const struct instance *shell, const struct port *port, unsigned count, FILE *out)
{
    bool in = port->direction == DIRECTION_OUT;
    for (unsigned part = 0; part < 3; part++) {
        fprintf(out, ",\n    %s logic ", in == (part != 1) ? "input " : "output");
        if (part == 2) {
            fputc('[', out);
            if (shell->channel)
                fprintf(out, "%u*", count);
            emit_width(port->record, out);
            fputs("-1:0] ", out);
        } else if (shell->channel) {
            fprintf(out, "[%u:0] ", count - 1);
        }
        fprintf(out, "%.*s_%s_%s", base_length(shell), shell->name, port->name, parts[part]);
    }
}

static void emit_ports(const struct graph *graph, FILE *out)
{
    fputs("    input  logic clk,\n    input  logic rst", out);
    unsigned count = 1;
    for (size_t i = 0; i < graph->instance_count; i += count) {
        const struct instance *shell = graph->instances[i];
        count = channel_count(graph, i);
        for (size_t n = 0; is_shell(shell) && n < shell->port_count; n++)
            emit_shell_port(shell, &shell->ports[n], count, out);
    }
    fputs(",\n    output logic idle\n", out);
}

/* What the graph leaves open: nothing comes from there, and what goes there is lost. */
static void emit_open(const struct graph *graph, FILE *out)
{
    for (size_t i = 0; i < graph->instance_count; i++) {
        const struct instance *shell = graph->instances[i];
        for (size_t n = 0; is_shell(shell) && n < shell->port_count; n++) {
            if (shell->streams[n])
                continue;
            for (unsigned part = 0; part < 3; part++) {
                if ((shell->ports[n].direction == DIRECTION_OUT) != (part == 1))
                    continue;
                fputs("  assign ", out);
                emit_end(shell, n, part, out);
                fputs(part == 1 ? " = '1;\n" : " = '0;\n", out);
            }
        }
    }
}

static void emit_kernel(const struct instance *node, FILE *out)
{
    fprintf(out, "\n  // %s:%u\n", node->place.file, node->place.line);
    for (size_t i = 0; i < node->port_count; i++) {
        const struct port *port = &node->ports[i];
        fprintf(out, "  logic %s__%s_valid, %s__%s_ready;\n  logic [", node->name, port->name, node->name, port->name);
        emit_width(port->record, out);
        fprintf(out, "-1:0] %s__%s_data;\n", node->name, port->name);
    }
    fprintf(out, "  logic %s_idle;\n  %s %s (\n      .clk(clk),\n      .rst(rst)", node->name, node->kernel->name,
            node->name);
    for (size_t i = 0; i < node->port_count; i++) {
        for (unsigned part = 0; part < 3; part++) {
            fprintf(out, ",\n      .%s_%s(", node->ports[i].name, parts[part]);
            emit_end(node, i, part, out);
            fputc(')', out);
        }
    }
    fprintf(out, ",\n      .idle(%s_idle)\n  );\n", node->name);
}

static void emit_fifo(const struct stream *stream, FILE *out)
{
    const struct port *from = &stream->from->ports[stream->from_port], *to = &stream->to->ports[stream->to_port];
    fprintf(out, "\n  // %s:%u\n  stream_fifo #(\n      .WIDTH(", stream->place.file, stream->place.line);
    emit_width(from->record, out);
    fprintf(out, "),\n      .DEPTH(%u)\n  ) %s__%s__%s__%s (\n      .clk(clk),\n      .rst(rst)", stream->depth,
            stream->from->name, from->name, stream->to->name, to->name);
    for (unsigned part = 0; part < 3; part++) {
        fprintf(out, ",\n      .in_%s(", parts[part]);
        emit_end(stream->from, stream->from_port, part, out);
        fprintf(out, "),\n      .out_%s(", parts[part]);
        emit_end(stream->to, stream->to_port, part, out);
        fputc(')', out);
    }
    fputs("\n  );\n", out);
}

/* Nothing is in a kernel or a FIFO: then the clock may stand. */
static void emit_idle(const struct graph *graph, FILE *out)
{
    fputs("\n  assign idle = 1'b1", out);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->kernel)
            fprintf(out, " &&\n      %s_idle", graph->nodes[i]->name);
    for (size_t i = 0; i < graph->stream_count; i++) {
        fputs(" &&\n      !", out);
        emit_end(graph->streams[i]->to, graph->streams[i]->to_port, 0, out);
    }
    fputs(";\n", out);
}

void emit_rtl(const struct graph *graph, const char *name, FILE *out)
{
    fprintf(out,
            "// SPDX-License-Identifier: Apache-2.0\n"
            "// Generated by cipu-graph: do not edit.\n"
            "// A graph need not use all that the shell offers.\n"
            "// verilator lint_off UNUSEDSIGNAL\n"
            "module %s_graph (\n",
            name);
    emit_ports(graph, out);
    fputs(");\n\n", out);
    emit_open(graph, out);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->kernel)
            emit_kernel(graph->nodes[i], out);
    for (size_t i = 0; i < graph->stream_count; i++)
        emit_fifo(graph->streams[i], out);
    emit_idle(graph, out);
    fputs("\nendmodule\n", out);
}
