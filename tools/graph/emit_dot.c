/* SPDX-License-Identifier: Apache-2.0 */
/* A picture for Graphviz: kernels as boxes (arbiters rounded), the shell's instances grey, streams with record and
 * depth. */
#include "tools/graph/model.h"

void emit_dot(const struct graph *graph, const char *name, FILE *out)
{
    fprintf(out, "digraph %s {\n    rankdir=LR;\n    node [shape=box, fontname=\"sans-serif\"];\n", name);
    fprintf(out, "    edge [fontname=\"sans-serif\", fontsize=9];\n");
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct instance *node = graph->nodes[i];
        const char *style = !node->kernel ? "filled" : node->kernel->arbiter ? "rounded" : "solid";
        fprintf(out, "    %s [style=%s", node->name, style);
        if (node->kernel)
            fprintf(out, ", tooltip=\"%s\"", node->kernel->path);
        fprintf(out, "];\n");
    }
    for (size_t i = 0; i < graph->stream_count; i++) {
        const struct stream *stream = graph->streams[i];
        const struct port *from = &stream->from->ports[stream->from_port], *to = &stream->to->ports[stream->to_port];
        fprintf(out, "    %s -> %s [taillabel=\"%s\", headlabel=\"%s\", label=\"%s:%u\"%s];\n", stream->from->name,
                stream->to->name, from->name, to->name, from->record, stream->depth,
                to->conditional ? ", style=dashed" : "");
    }
    fprintf(out, "}\n");
}
