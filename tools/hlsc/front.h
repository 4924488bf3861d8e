/* SPDX-License-Identifier: Apache-2.0 */
/* From a kernel's C source to one LLVM function without loops and calls. */
#ifndef CIPU_HLSC_FRONT_H
#define CIPU_HLSC_FRONT_H

#include "tools/hlsc/kernel.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>

#define FRONT_RECORD_BYTES 512u
#define FRONT_FILES        32u

enum front_direction { FRONT_IN, FRONT_IN_CONDITIONAL, FRONT_OUT };

struct front_stream {
    const char *name;
    const char *record; /* the C type, `struct beat` */
    enum front_direction direction;
    uint32_t bytes; /* of a record */
};

/* All strings are of the arena. */
struct front {
    struct arena *arena;
    struct messages *messages;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMValueRef kernel;
    LLVMTargetDataRef layout;
    const char *name;
    const char *source;
    struct net_place place; /* of the kernel */
    bool arbiter;
    struct front_stream *streams;
    uint32_t stream_count;
    const char *files[FRONT_FILES]; /* that places name */
    uint32_t file_count;
    bool has_state; /* then it is the function's first parameter, and streams follow */
};

/* Returns false when messages hold the reason. front_close is due in either case. */
bool front_open(struct front *front, struct arena *arena, struct messages *messages, const char *source,
                const struct kernel_options *options);
void front_close(struct front *front);

/* Where an instruction came from. */
struct net_place front_place(struct front *front, LLVMValueRef instruction);

#endif
