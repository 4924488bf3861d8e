/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native card's graph: one translation unit with all kernels, the FIFOs and states of one card, one run function
 * for each instance, and the tables of driver/native_graph.h.
 *
 * A run function takes as many activations as all inputs that are always read and all outputs allow, checks that once,
 * and then runs them in place without a test (a chunk). Inputs that are read under a condition do not bound a chunk:
 * they stay checked, else packets of many beats and one command would cut it to one packet. Arbiters are always
 * checked.
 */
#include "tools/graph/emit.h"

#include <string.h>

/* Smaller states are copied to a local for the visit, which no store through a stream can alias; larger ones are RAMs.
 */
#define STATE_BYTES_LOCAL 128u

static void emit_object(const struct graph *graph, FILE *out)
{
    fprintf(out, "\nstruct object {\n    struct hls_fifo fifo[%zu];\n", graph->stream_count + 1);
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct instance *node = graph->nodes[i];
        if (node->kernel && node->kernel->state)
            fprintf(out, "    _Alignas(64) struct %s %s;\n", node->kernel->state, node->name);
    }
    fputs("};\n", out);
}

static bool is_chunked(const struct kernel *kernel, const struct port *port)
{
    return !kernel->arbiter && !port->conditional;
}

static void emit_call(const struct instance *node, bool chunk, FILE *out)
{
    const struct kernel *kernel = node->kernel;
    fprintf(out, "%s(", kernel->name);
    if (kernel->state)
        fputs("state, ", out);
    for (size_t i = 0; i < kernel->port_count; i++) {
        const struct port *port = &kernel->ports[i];
        fprintf(out, "%s&p_%s%s", i ? ", " : "", port->name, chunk && is_chunked(kernel, port) ? "_chunk" : "");
    }
    fputs(")", out);
}

static void emit_chunk(const struct instance *node, FILE *out)
{
    const struct kernel *kernel = node->kernel;
    fputs("        uint32_t chunk = budget - done, step = 0;\n", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        if (is_chunked(kernel, &kernel->ports[i]))
            fprintf(out, "        chunk = hls_chunk_bound(chunk, &p_%s);\n", kernel->ports[i].name);
    fputs("        if (chunk) {\n", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        if (is_chunked(kernel, &kernel->ports[i]))
            fprintf(out,
                    "            struct hls_port p_%s_chunk = hls_chunk_begin(&p_%s, HLS_SLOT_BYTES(struct %s));\n",
                    kernel->ports[i].name, kernel->ports[i].name, kernel->ports[i].record);
    fputs("            while (step < chunk && ", out);
    emit_call(node, true, out);
    fputs(")\n                step++;\n", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        if (is_chunked(kernel, &kernel->ports[i]))
            fprintf(out, "            hls_chunk_end(&p_%s, &p_%s_chunk, HLS_SLOT_BYTES(struct %s));\n",
                    kernel->ports[i].name, kernel->ports[i].name, kernel->ports[i].record);
    fputs("            done += step;\n"
          "            if (step < chunk)\n"
          "                break;\n"
          "            continue;\n"
          "        }\n",
          out);
}

/* The activations of one visit; `state` is NULL for kernels without one. */
static void emit_activations(const struct graph *graph, const struct instance *node, bool copying, FILE *out)
{
    const struct kernel *kernel = node->kernel;
    fprintf(out, "\nHLS_INLINE unsigned activate_%s(struct object *object, ", node->name);
    if (kernel->state)
        fprintf(out, "struct %s *state, ", kernel->state);
    fputs("struct native_activity *activity, unsigned budget)\n{\n    unsigned done = 0;\n", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        fprintf(out, "    struct hls_port p_%s = hls_%s_begin(&object->fifo[%zu]);\n", kernel->ports[i].name,
                kernel->ports[i].direction == DIRECTION_IN ? "read" : "write", stream_number(graph, node->streams[i]));
    fputs("    while (done < budget) {\n", out);
    if (!kernel->arbiter && !copying)
        emit_chunk(node, out);
    fputs("        if (!", out);
    emit_call(node, false, out);
    fputs(")\n            break;\n        done++;\n    }\n", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        fprintf(out, "    hls_%s_end(&object->fifo[%zu], &p_%s);\n",
                kernel->ports[i].direction == DIRECTION_IN ? "read" : "write", stream_number(graph, node->streams[i]),
                kernel->ports[i].name);
    fputs("    native_account(activity, done, done < budget && (false", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        if (kernel->ports[i].direction == DIRECTION_IN)
            fprintf(out, " || !hls_at_limit(&p_%s)", kernel->ports[i].name);
    fputs(") && (false", out);
    for (size_t i = 0; i < kernel->port_count; i++)
        if (kernel->ports[i].direction == DIRECTION_OUT)
            fprintf(out, " || hls_at_limit(&p_%s)", kernel->ports[i].name);
    fputs("));\n    return done;\n}\n", out);
}

static void emit_run(const struct graph *graph, const struct instance *node, bool copying, FILE *out)
{
    const struct kernel *kernel = node->kernel;
    emit_activations(graph, node, copying, out);
    fprintf(out, "\nstatic unsigned run_%s(void *context, struct native_activity *activity, unsigned budget)\n{\n",
            node->name);
    fputs("    struct object *object = context;\n", out);
    if (kernel->state)
        fprintf(out,
                "    if (sizeof object->%s > STATE_BYTES_LOCAL)\n"
                "        return activate_%s(object, &object->%s, activity, budget);\n"
                "    struct %s state = object->%s;\n"
                "    unsigned done = activate_%s(object, &state, activity, budget);\n"
                "    object->%s = state;\n"
                "    return done;\n}\n",
                node->name, node->name, node->name, kernel->state, node->name, node->name, node->name);
    else
        fprintf(out, "    return activate_%s(object, activity, budget);\n}\n", node->name);
}

void emit_native(const struct graph *graph, const char *name, bool copying, FILE *out)
{
    fputs("/* SPDX-License-Identifier: Apache-2.0 */\n/* Generated by cipu-graph: do not edit. */\n", out);
    if (copying)
        fputs("#define HLS_COPYING\n", out);
    emit_includes(graph, out);
    fprintf(out, "\n#define STATE_BYTES_LOCAL %uu\n", STATE_BYTES_LOCAL);
    emit_object(graph, out);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->kernel)
            emit_run(graph, graph->nodes[i], copying, out);
    emit_tables(graph, true, out);
    fprintf(out, "\nconst struct native_graph native_graph_%s = ", name);
    emit_graph(graph, name, out);
    fputs(";\n", out);
}
