/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's C source as a design. */
#ifndef CIPU_HLSC_KERNEL_H
#define CIPU_HLSC_KERNEL_H

#include "tools/hlsc/arena.h"
#include "tools/hlsc/design.h"
#include "tools/hlsc/message.h"

struct kernel_options {
    const char *compiler;         /* NULL = clang-19 */
    const char *const *arguments; /* more of its options (-I, -D), ended by NULL; or NULL */
};

struct kernel {
    struct design design;
    struct arena arena; /* of the design's strings */
    bool has_state;
};

/* Runs the compiler as a child process. Returns false when `messages` got the reason; kernel_free is due in either
 * case. `source` must outlive the kernel. */
bool kernel_read(struct kernel *kernel, struct messages *messages, const char *source,
                 const struct kernel_options *options);
void kernel_free(struct kernel *kernel);

#endif
