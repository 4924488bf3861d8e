/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/graph/emit.h"

size_t stream_number(const struct graph *graph, const struct stream *stream)
{
    size_t i = 0;
    while (graph->streams[i] != stream)
        i++;
    return i;
}

void emit_includes(const struct graph *graph, FILE *out)
{
    fputs("#include \"driver/native_graph.h\"\n"
          "#include \"hls/include/beat.h\"\n"
          "#include \"hls/include/dma.h\"\n"
          "#include \"hls/include/fifo.h\"\n"
          "#include \"hls/include/host_ring.h\"\n",
          out);
    for (size_t i = 0; i < graph->kernel_count; i++)
        fprintf(out, "#include \"%s\"\n", graph->kernels[i]->path);
}

static void emit_streams(const struct graph *graph, FILE *out)
{
    fputs("\nstatic const struct native_stream streams[] = {\n", out);
    for (size_t i = 0; i < graph->stream_count; i++) {
        const struct stream *stream = graph->streams[i];
        const struct port *from = &stream->from->ports[stream->from_port], *to = &stream->to->ports[stream->to_port];
        fprintf(out, "    {\"%s.%s:%s.%s\", HLS_SLOT_BYTES(struct %s), %u, %zu, %zu},\n", stream->from->name,
                from->name, stream->to->name, to->name, from->record, stream->depth, stream->from->node,
                stream->to->node);
    }
    fputs("    {0}};\n", out);
}

static void emit_nodes(const struct graph *graph, bool runs, FILE *out)
{
    fputs("\nstatic const struct native_node nodes[] = {\n", out);
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct instance *node = graph->nodes[i];
        if (node->kernel && runs)
            fprintf(out, "    {\"%s\", \"%s\", run_%s},\n", node->name, node->kernel->name, node->name);
        else if (node->kernel)
            fprintf(out, "    {\"%s\", \"%s\", NULL},\n", node->name, node->kernel->name);
        else
            fprintf(out, "    {\"%s\", NULL, NULL},\n", node->name);
    }
    fputs("    {0}};\n", out);
}

static void emit_shell(const struct graph *graph, FILE *out)
{
    fputs("\nstatic const struct native_shell_stream shell[] = {\n", out);
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; !graph->nodes[n]->kernel && i < graph->nodes[n]->port_count; i++)
            if (graph->nodes[n]->streams[i])
                fprintf(out, "    {\"%s\", %zu, %zu},\n", graph->nodes[n]->ports[i].name, n,
                        stream_number(graph, graph->nodes[n]->streams[i]));
    fputs("    {0}};\n", out);
}

void emit_tables(const struct graph *graph, bool runs, FILE *out)
{
    emit_streams(graph, out);
    emit_nodes(graph, runs, out);
    emit_shell(graph, out);
}

void emit_graph(const struct graph *graph, const char *name, FILE *out)
{
    fprintf(out, "{\"%s\", sizeof(struct object), streams, %zu, nodes, %zu, shell, sizeof shell / sizeof shell[0] - 1}",
            name, graph->stream_count, graph->node_count);
}
