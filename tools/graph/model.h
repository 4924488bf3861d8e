/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph as read from card.cfg, shell.cfg and the kernels' signatures. Readers fill it, checks look at it, emitters
 * (one file each) only read it. Everything belongs to the graph's arena and lives until graph_free. One thread.
 */
#ifndef CIPU_GRAPH_MODEL_H
#define CIPU_GRAPH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define STREAM_DEPTH_DEFAULT 64u
#define STREAM_DEPTH_MAX     65536u

struct place {
    const char *file;
    unsigned line; /* from 1 */
};

enum direction { DIRECTION_IN, DIRECTION_OUT };

/* A stream port in a kernel's signature or in the shell's list. */
struct port {
    const char *name;
    const char *record; /* the struct's name */
    enum direction direction;
    bool conditional; /* STREAM_IN_COND */
};

struct kernel {
    const char *name;
    const char *path;
    const char *state; /* the struct's name, NULL = none */
    bool arbiter;
    struct port *ports;
    size_t port_count;
    struct place place;
};

struct stream;

/* A kernel's or the shell's instance. `streams` runs parallel to `ports`; NULL = not connected. */
struct instance {
    const char *name;
    const struct kernel *kernel; /* NULL = shell */
    bool channel;                /* shell: declared with :N, its ports are used together or not at all */
    struct port *ports;
    size_t port_count;
    struct stream **streams;
    struct place place;
    size_t node; /* place in the schedule, set by graph_order; (size_t)-1 = not used */
};

struct stream {
    struct instance *from, *to;
    size_t from_port, to_port; /* index in ports */
    unsigned depth;
    struct place place;
};

struct graph {
    const char **kernel_folders;
    size_t kernel_folder_count;
    struct kernel **kernels;
    size_t kernel_count;
    struct instance **instances; /* shell first, each in the order of its file */
    size_t instance_count;
    struct stream **streams;
    size_t stream_count;
    struct instance **nodes; /* the schedule: used instances in topological order, cycles cut at the shell */
    size_t node_count;
    bool open; /* what is not connected leads to the shell's instance `open` */
    unsigned errors;
    void *arena;
};

/* model.c */
void graph_free(struct graph *graph);
void *graph_allocate(struct graph *graph, size_t bytes); /* zeroed */
char *graph_text(struct graph *graph, const char *text, size_t length);
void *graph_append(struct graph *graph, void *array, size_t *count, size_t item_bytes,
                   const void *item); /* the array, moved */
void graph_error(struct graph *graph, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct instance *graph_instance(const struct graph *graph, const char *name, size_t length);
struct instance *graph_add_instance(struct graph *graph, const char *name, struct place place);
void graph_close(struct graph *graph); /* with graph->open: connects what is not connected to `open` */
void graph_check(struct graph *graph); /* every port connected, channels whole */

/* read_config.c; false only if a file cannot be read: what is wrong in it is counted in graph->errors */
bool read_shell(struct graph *graph, const char *path);
bool read_card(struct graph *graph, const char *path);

/* read_kernel.c; NULL after an error, which was reported at `place` or in the kernel's file */
const struct kernel *read_kernel(struct graph *graph, const char *name, struct place place);

/* order.c */
void graph_order(struct graph *graph);
unsigned graph_cycles(const struct graph *graph,
                      FILE *out); /* prints loops made of kernels alone; returns their number */

/* emit_native.c, emit_rtl.c, emit_dot.c, emit_vitis.c */
void emit_native(const struct graph *graph, const char *name, bool copying, FILE *out);
void emit_rtl(const struct graph *graph, const char *name, FILE *out);
void emit_dot(const struct graph *graph, const char *name, FILE *out);
void emit_vitis_modules(const struct graph *graph, const char *name, FILE *out);
void emit_vitis_package(const struct graph *graph, const char *name, FILE *out);
void emit_vitis_link(const struct graph *graph, const char *name, FILE *out);
void emit_vitis_compile(const struct kernel *kernel, FILE *out);

#endif
