/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card whose kernels are the modules that hlsc makes of them, under Verilator. The modules' models are a library of
 * their own, so that only who wants this card needs it (and the C++ that Verilator writes).
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver/native.h"
#include "driver/native_uri.h"

#define MODELS_DEFAULT "../lib/cipu-rtl-card.so"

static int default_path(char path[PATH_MAX], struct cipu_error *error)
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof MODELS_DEFAULT);
    char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    if (!slash)
        return cipu_fail(error, -ENOENT, "rtl card: the program's folder is not known, expected models=PATH");
    memcpy(slash + 1, MODELS_DEFAULT, sizeof MODELS_DEFAULT);
    return 0;
}

/* The library stays loaded: cards come and go, and its code may be on a thread's stack. */
static int load(const char *path, const struct rtl_graph **graph, struct cipu_error *error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    *graph = library ? dlsym(library, RTL_GRAPH_SYMBOL) : NULL;
    return *graph ? 0 : cipu_fail(error, -ENOENT, "rtl card: no models: %s", dlerror());
}

static int rtl_card_open(const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    struct native_uri uri;
    const struct rtl_graph *graph;
    char path[PATH_MAX];
    int result = native_uri_parse(rest, &uri, error);
    if (result == 0 && !uri.models[0])
        result = default_path(path, error);
    if (result == 0)
        result = load(uri.models[0] ? uri.models : path, &graph, error);
    return result < 0 ? result : native_card_open_rtl(graph, rest, card, error);
}

/* A card that it opens has the native card's table. */
const struct card_ops card_ops_rtl = {.scheme = "rtl", .open = rtl_card_open};
