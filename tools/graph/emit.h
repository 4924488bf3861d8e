/* SPDX-License-Identifier: Apache-2.0 */
/* What the emitters share: each writes one C file around the tables of driver/native_graph.h. */
#ifndef CIPU_GRAPH_EMIT_H
#define CIPU_GRAPH_EMIT_H

#include "tools/graph/model.h"

/* The stream's place in the graph and in the tables. */
size_t stream_number(const struct graph *graph, const struct stream *stream);

/* Everything that declares the graph's records and kernels. */
void emit_includes(const struct graph *graph, FILE *out);

/* The arrays `streams`, `nodes` and `shell`; `runs`: the kernels' nodes have run functions, run_INSTANCE. */
void emit_tables(const struct graph *graph, bool runs, FILE *out);

/* The initializer of a struct native_graph with these arrays and `struct object`. */
void emit_graph(const struct graph *graph, const char *name, FILE *out);

#endif
