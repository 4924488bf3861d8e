/* SPDX-License-Identifier: Apache-2.0 */
/* The C compiler's run and LLVM's passes. */
#include "tools/hlsc/front.h"

#include "tools/hlsc/front_signature.h"

#include <errno.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/Support.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64u

extern char **environ;

/* Loops are only unrolled: what follows wants C's own structure, not a processor's. */
static const char passes[] = "always-inline,globaldce,function(lower-expect,mergereturn,sroa,early-cse,simplifycfg,"
                             "loop-simplify,lcssa,loop(loop-rotate),instsimplify,simplifycfg,"
                             "loop-simplify,lcssa,loop(indvars,loop-unroll-full),sroa,early-cse,"
                             "instsimplify,simplifycfg,adce)";

static struct net_place place_of_file(const struct front *front)
{
    struct net_place place = {front->source, 0};
    return place;
}

static bool run(const struct front *front, char *const *arguments)
{
    pid_t child;
    int status, error = posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ);
    if (error != 0) {
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "cannot run %s: %s", arguments[0],
                      strerror(error));
        return false;
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "%s refuses the source", arguments[0]);
        return false;
    }
    return true;
}

static bool compile(const struct front *front, const struct kernel_options *options, const char *output)
{
    const char *const fixed[] = {options->compiler != NULL ? options->compiler : "clang-19",
                                 "-std=c11",
                                 "-D__HLSC__",
                                 "-O2",
                                 "-Xclang",
                                 "-disable-llvm-passes",
                                 "-fno-discard-value-names",
                                 "-fno-strict-aliasing",
                                 "-g",
                                 "-emit-llvm",
                                 "-c",
                                 "-o",
                                 output,
                                 front->source};
    const char *arguments[ARGUMENTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        arguments[count++] = fixed[i];
    for (uint32_t i = 0; options->arguments != NULL && options->arguments[i] != NULL; i++) {
        if (count == ARGUMENTS_MAX - 1) {
            message_error(front->messages, place_of_file(front), MESSAGE_COMPILE,
                          "more than %u options for the compiler", i);
            return false;
        }
        arguments[count++] = options->arguments[i];
    }
    arguments[count] = NULL;
    return run(front, (char *const *)arguments);
}

static bool load(struct front *front, const char *path)
{
    LLVMMemoryBufferRef buffer = NULL;
    char *text = NULL;
    if (LLVMCreateMemoryBufferWithContentsOfFile(path, &buffer, &text) != 0) {
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "cannot read %s: %s", path, text);
        LLVMDisposeMessage(text);
        return false;
    }
    bool failed = LLVMParseBitcodeInContext2(front->context, buffer, &front->module) != 0;
    LLVMDisposeMemoryBuffer(buffer);
    if (failed) {
        front->module = NULL;
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "LLVM cannot read what clang wrote");
        return false;
    }
    front->layout = LLVMGetModuleDataLayout(front->module);
    return true;
}

static bool compile_and_load(struct front *front, const struct kernel_options *options)
{
    char path[] = "/tmp/hlsc-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) {
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "cannot make %s: %s", path,
                      strerror(errno));
        return false;
    }
    close(file);
    bool good = compile(front, options, path) && load(front, path);
    unlink(path);
    return good;
}

/* Options of LLVM's command line are global to the process and given once. */
static void allow_unrolling(void)
{
    static bool done;
    if (!done) {
        const char *const arguments[] = {"hlsc", "-unroll-threshold=1000000000"};
        LLVMParseCommandLineOptions(2, arguments, NULL);
        done = true;
    }
}

static bool optimise(struct front *front)
{
    char *text = NULL;
    allow_unrolling();
    bool broken = LLVMVerifyModule(front->module, LLVMReturnStatusAction, &text) != 0;
    if (broken)
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "LLVM: %s", text);
    LLVMDisposeMessage(text);
    if (broken)
        return false;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(front->module, passes, NULL, options);
    LLVMDisposePassBuilderOptions(options);
    if (error != NULL) {
        text = LLVMGetErrorMessage(error);
        message_error(front->messages, place_of_file(front), MESSAGE_COMPILE, "LLVM: %s", text);
        LLVMDisposeErrorMessage(text);
        return false;
    }
    return true;
}

bool front_open(struct front *front, struct arena *arena, struct messages *messages, const char *source,
                const struct kernel_options *options)
{
    memset(front, 0, sizeof *front);
    front->arena = arena;
    front->messages = messages;
    front->source = source;
    front->context = LLVMContextCreate();
    if (!compile_and_load(front, options) || !front_read_signature(front) || !optimise(front))
        return false;
    front->kernel = LLVMGetNamedFunction(front->module, front->name);
    return true;
}

void front_close(struct front *front)
{
    if (front->module != NULL)
        LLVMDisposeModule(front->module);
    if (front->context != NULL)
        LLVMContextDispose(front->context);
}

/* LLVM's names go with its context; neighbours mostly have the same. */
static const char *keep_file(struct front *front, const char *file, size_t length)
{
    while (length > 2 && strncmp(file, "./", 2) == 0) {
        file += 2;
        length -= 2;
    }
    for (uint32_t i = 0; i < front->file_count; i++) {
        if (strlen(front->files[i]) == length && strncmp(front->files[i], file, length) == 0)
            return front->files[i];
    }
    const char *copy = arena_text(front->arena, file, length);
    if (front->file_count < FRONT_FILES)
        front->files[front->file_count++] = copy;
    return copy;
}

struct net_place front_place(struct front *front, LLVMValueRef instruction)
{
    struct net_place place = front->place;
    unsigned length = 0, line = LLVMGetDebugLocLine(instruction);
    const char *file = LLVMGetDebugLocFilename(instruction, &length);
    if (file != NULL && line != 0) {
        place.file = keep_file(front, file, length);
        place.line = line;
    }
    return place;
}
