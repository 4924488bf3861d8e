/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel as C: compiled with checked ports whose records are copied, and called activation by activation. */
#ifndef CIPU_TEST_HLSC_NATIVE_H
#define CIPU_TEST_HLSC_NATIVE_H

#include "tools/hlsc/interpret.h"
#include "tools/hlsc/kernel.h"

#define NATIVE_STATE_BYTES (1u << 24) /* more than any kernel's */

struct native {
    void *library;
    int (*step)(void *state, void *const *ports);
    void *state;
    void **ports; /* by stream */
    const struct design *design;
};

/* Compiles the kernel's source with clang-19 and the options (ended by NULL), and loads it. Prints why not. */
bool native_open(struct native *native, const struct kernel *kernel, const char *const *options);
void native_close(struct native *native);
/* As interpreter_activate: `ready` in, `fired` and the outputs' records out; 0xA5 where the kernel wrote nothing. */
bool native_activate(struct native *native, struct interpreter_stream *streams);

#endif
