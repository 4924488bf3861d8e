/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/native.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hls/include/hls.h"
#include "tools/hlsc/memory.h"

#define OPTIONS_MAX 32

extern char **environ;

static void write_wrapper(FILE *to, const struct kernel *kernel)
{
    const struct design *design = &kernel->design;
    const char *separator = kernel->has_state ? ", " : "";
    fprintf(to, "#define HLS_COPYING\n#include \"%s\"\n", design->source);
    fprintf(to, "int native_step(void *state, void *const *ports);\n");
    fprintf(to, "int native_step(void *state, void *const *ports)\n{\n    return %s(%s", design->name,
            kernel->has_state ? "state" : "");
    for (uint32_t i = 0; i < design->stream_count; i++, separator = ", ")
        fprintf(to, "%s(struct hls_port *)ports[%u]", separator, i);
    fprintf(to, ");\n}\n");
}

static bool run(const char *const *arguments)
{
    pid_t child;
    int status;
    if (posix_spawnp(&child, arguments[0], NULL, NULL, (char *const *)arguments, environ) != 0)
        return false;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool compile(const struct kernel *kernel, const char *const *options, const char *folder, const char *library)
{
    char wrapper[256];
    const char *arguments[OPTIONS_MAX + 16] = {"clang-19", "-std=c11", "-O1",   "-fno-strict-aliasing", "-Wall",
                                               "-Werror",  "-shared",  "-fPIC", "-march=x86-64-v3",     "-o",
                                               library,    wrapper};
    uint32_t count = 12;
    snprintf(wrapper, sizeof wrapper, "%s/native.c", folder);
    for (uint32_t i = 0; options != NULL && options[i] != NULL && i < OPTIONS_MAX; i++)
        arguments[count++] = options[i];
    FILE *file = fopen(wrapper, "w");
    if (file == NULL)
        return false;
    write_wrapper(file, kernel);
    bool good = fclose(file) == 0 && run(arguments);
    unlink(wrapper);
    return good;
}

static void *load(const struct kernel *kernel, const char *const *options)
{
    char folder[] = "/tmp/hlsc-native-XXXXXX", library[64];
    if (mkdtemp(folder) == NULL)
        return NULL;
    snprintf(library, sizeof library, "%s/native.so", folder);
    void *loaded = NULL;
    if (compile(kernel, options, folder, library)) {
        loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        if (loaded == NULL)
            printf("# %s\n", dlerror());
    }
    unlink(library);
    rmdir(folder);
    return loaded;
}

bool native_open(struct native *native, const struct kernel *kernel, const char *const *options)
{
    const struct design *design = &kernel->design;
    memset(native, 0, sizeof *native);
    native->design = design;
    native->library = load(kernel, options);
    if (native->library == NULL) {
        printf("# %s: cannot be compiled\n", design->source);
        return false;
    }
    native->step = (int (*)(void *, void *const *))dlsym(native->library, "native_step");
    native->ports = memory_new(design->stream_count, sizeof *native->ports);
    for (uint32_t i = 0; i < design->stream_count; i++)
        native->ports[i] = memory_new(1, sizeof(struct hls_port));
    native->state = memory_new(1, NATIVE_STATE_BYTES);
    return native->step != NULL;
}

void native_close(struct native *native)
{
    if (native->library == NULL)
        return;
    for (uint32_t i = 0; i < native->design->stream_count; i++)
        free(native->ports[i]);
    free(native->ports);
    free(native->state);
    dlclose(native->library);
}

bool native_activate(struct native *native, struct interpreter_stream *streams)
{
    uint8_t slots[64][HLS_SLOT_BYTES(uint8_t[512])];
    uint32_t count = native->design->stream_count;
    if (count > 64)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct hls_port *port = native->ports[i];
        *port = (struct hls_port){.slots = slots[i], .limit = streams[i].ready, .checked = true};
        memset(slots[i], 0xA5, sizeof slots[i]);
        if (native->design->streams[i].direction == STREAM_INPUT && streams[i].ready)
            memcpy(slots[i], streams[i].record, native->design->streams[i].bytes);
    }
    bool done = native->step(native->state, native->ports) != 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct hls_port *port = native->ports[i];
        streams[i].fired = done && port->index != 0;
        if (streams[i].fired && native->design->streams[i].direction == STREAM_OUTPUT)
            memcpy(streams[i].record, slots[i], native->design->streams[i].bytes);
    }
    return done;
}
