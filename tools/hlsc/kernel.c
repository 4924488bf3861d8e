/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/kernel.h"

#include "tools/hlsc/lower.h"

#include <string.h>

bool kernel_read(struct kernel *kernel, struct messages *messages, const char *source,
                 const struct kernel_options *options)
{
    struct front front;
    memset(kernel, 0, sizeof *kernel);
    bool good = front_open(&front, &kernel->arena, messages, source, options);
    design_init(&kernel->design, good ? front.name : source, source);
    if (good) {
        good = lower_kernel(&kernel->design, &front);
        kernel->has_state = front.has_state;
    }
    front_close(&front);
    return good;
}

void kernel_free(struct kernel *kernel)
{
    design_free(&kernel->design);
    arena_free(&kernel->arena);
}
