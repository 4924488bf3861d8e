/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cipu-graph --rtl writes about a graph whose kernels are modules: the graph as the native card knows it, without
 * run functions, and for each kernel's instance its model and how the module's streams are connected.
 */
#ifndef CIPU_RTL_GRAPH_H
#define CIPU_RTL_GRAPH_H

#include "driver/native_graph.h"
#include "hw/platform/sim/model.h"

#define RTL_GRAPH_SYMBOL "rtl_graph" /* in a library of models */

/* A stream of a module: ports NAME_valid, NAME_ready, NAME_data. */
struct rtl_graph_port {
    const char *name;
    uint16_t stream; /* of the graph */
    bool output;
    uint32_t bytes; /* of a record */
};

struct rtl_graph_node {
    const struct rtl_model *model; /* NULL = an instance of the shell */
    const struct rtl_graph_port *ports;
    size_t port_count;
};

struct rtl_graph {
    struct native_graph graph;
    const struct rtl_graph_node *nodes; /* parallel to graph.nodes */
};

#endif
