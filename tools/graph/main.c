/* SPDX-License-Identifier: Apache-2.0 */
/* cipu-graph: reads the card's graph, checks it, and writes what is made from it. */
#include "tools/graph/model.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: cipu-graph [OPTION]... [CARD.CFG]\n"
    "Reads the graph of a card (default hls/card.cfg) and the signatures of its kernels, and checks them.\n"
    "\n"
    "  -c, --check         print instances, streams and cycles (done when nothing else is asked)\n"
    "  -n, --native FILE   write the native card's C source ('-' = standard output)\n"
    "  -r, --rtl FILE      write the graph's SystemVerilog module, NAME_graph\n"
    "  -d, --dot FILE      write a picture for Graphviz\n"
    "  -v, --vitis DIR     write what AMD's tools need of the kernels: RTL kernels, scripts (never run with those "
    "tools)\n"
    "      --copying       with --native: records are copied in and out, unwritten bytes become 0xA5\n"
    "      --open          streams may be left open: they lead to the shell's instance 'open'\n"
    "      --name NAME     the graph's name in what is written (default: the file's name)\n"
    "  -s, --shell FILE    the shell's streams (default hls/shell.cfg)\n"
    "  -k, --kernels DIR   where kernels are found as DIR/NAME/NAME.c (default hls; may be repeated)\n"
    "  -h, --help          show this\n"
    "\n"
    "Exit status: 0 good, 1 errors in the graph, 2 usage or a file that cannot be written.\n";

struct options {
    const char *card, *shell, *native, *rtl, *dot, *vitis, *name;
    bool check, copying;
};

enum { OPTION_COPYING = 256, OPTION_NAME, OPTION_OPEN };

static int parse(int argc, char **argv, struct graph *graph, struct options *options)
{
    static const struct option longs[] = {
        {"check", no_argument, NULL, 'c'},
        {"native", required_argument, NULL, 'n'},
        {"rtl", required_argument, NULL, 'r'},
        {"dot", required_argument, NULL, 'd'},
        {"vitis", required_argument, NULL, 'v'},
        {"copying", no_argument, NULL, OPTION_COPYING},
        {"name", required_argument, NULL, OPTION_NAME},
        {"open", no_argument, NULL, OPTION_OPEN},
        {"shell", required_argument, NULL, 's'},
        {"kernels", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "cn:r:d:v:s:k:h", longs, NULL)) != -1;) {
        const char *argument = optarg;
        switch (option) {
        case 'c':
            options->check = true;
            break;
        case 'n':
            options->native = argument;
            break;
        case 'r':
            options->rtl = argument;
            break;
        case 'd':
            options->dot = argument;
            break;
        case 'v':
            options->vitis = argument;
            break;
        case OPTION_COPYING:
            options->copying = true;
            break;
        case OPTION_OPEN:
            graph->open = true;
            break;
        case OPTION_NAME:
            options->name = argument;
            break;
        case 's':
            options->shell = argument;
            break;
        case 'k':
            graph->kernel_folders =
                graph_append(graph, graph->kernel_folders, &graph->kernel_folder_count, sizeof argument, &argument);
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind + 1 < argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (optind < argc)
        options->card = argv[optind];
    return -1;
}

static const char *default_name(struct graph *graph, const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    return graph_text(graph, base, strcspn(base, "."));
}

static FILE *open_output(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (!file)
        perror(path);
    return file;
}

static bool close_output(FILE *file, const char *path)
{
    bool good = !ferror(file) && fflush(file) == 0;
    if (file != stdout && fclose(file) != 0)
        good = false;
    if (!good)
        perror(path);
    return good;
}

static void print_summary(const struct graph *graph)
{
    size_t kernels = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct instance *node = graph->nodes[i];
        kernels += node->kernel != NULL;
        printf("%-24s %s\n", node->name, node->kernel ? node->kernel->path : "shell");
    }
    unsigned cycles = graph_cycles(graph, stdout);
    printf("%zu instances of %zu kernels, %zu streams, %u cycles without the shell\n", kernels, graph->kernel_count,
           graph->stream_count, cycles);
}

typedef void (*emitter)(const struct graph *graph, const char *name, FILE *out);

static bool write_file(const struct graph *graph, const char *name, const char *path, emitter emit)
{
    FILE *out = open_output(path);
    if (!out)
        return false;
    emit(graph, name, out);
    return close_output(out, path);
}

static void emit_native_in_place(const struct graph *graph, const char *name, FILE *out)
{
    emit_native(graph, name, false, out);
}

static void emit_native_copying(const struct graph *graph, const char *name, FILE *out)
{
    emit_native(graph, name, true, out);
}

/* The files for AMD's tools, in a folder that there is. */
static bool write_vitis(const struct graph *graph, const char *name, const char *folder)
{
    static const struct {
        const char *file;
        emitter emit;
    } files[] = {
        {"kernels.sv", emit_vitis_modules}, {"package.tcl", emit_vitis_package}, {"link.cfg", emit_vitis_link}};
    char path[4096];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].file);
        if (!write_file(graph, name, path, files[i].emit))
            return false;
    }
    for (size_t i = 0; i < graph->kernel_count; i++) {
        snprintf(path, sizeof path, "%s/%s.cfg", folder, graph->kernels[i]->name);
        FILE *out = open_output(path);
        if (!out)
            return false;
        emit_vitis_compile(graph->kernels[i], out);
        if (!close_output(out, path))
            return false;
    }
    return true;
}

static int write_all(const struct graph *graph, const struct options *options)
{
    const struct {
        const char *path;
        emitter emit;
    } outputs[] = {
        {options->native, options->copying ? emit_native_copying : emit_native_in_place},
        {options->rtl, emit_rtl},
        {options->dot, emit_dot},
    };
    bool any = false;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        if (!outputs[i].path)
            continue;
        any = true;
        if (!write_file(graph, options->name, outputs[i].path, outputs[i].emit))
            return 2;
    }
    if (options->vitis) {
        any = true;
        if (!write_vitis(graph, options->name, options->vitis))
            return 2;
    }
    if (options->check || !any)
        print_summary(graph);
    return 0;
}

int main(int argc, char **argv)
{
    struct graph graph = {0};
    struct options options = {.card = "hls/card.cfg", .shell = "hls/shell.cfg"};
    int status = parse(argc, argv, &graph, &options);
    if (status < 0) {
        if (!graph.kernel_folder_count) {
            const char *folder = "hls";
            graph.kernel_folders =
                graph_append(&graph, graph.kernel_folders, &graph.kernel_folder_count, sizeof folder, &folder);
        }
        if (!options.name)
            options.name = default_name(&graph, options.card);
        if (read_shell(&graph, options.shell) && read_card(&graph, options.card)) {
            graph_close(&graph);
            graph_check(&graph);
        }
        if (!graph.errors)
            graph_order(&graph);
        status = graph.errors ? 1 : write_all(&graph, &options);
    }
    graph_free(&graph);
    return status;
}
