/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a design activation by activation: what its hardware has to do, without time. An oracle for tests.
 */
#ifndef CIPU_HLSC_INTERPRET_H
#define CIPU_HLSC_INTERPRET_H

#include "tools/hlsc/design.h"

/* One stream in one activation. Records are the stream's bytes, of the caller. */
struct interpreter_stream {
    uint8_t *record; /* input: the head; output: filled when it fires. May be NULL when never used */
    bool ready;      /* in: the input has a record, the output has room */
    bool fired;      /* out: it was read or pushed */
};

struct interpreter {
    const struct design *design;
    uint32_t *offsets;    /* by node: where its value is in `values` */
    uint64_t *values;     /* see bits.h */
    uint64_t **registers; /* by register */
    uint64_t **rams;      /* by RAM: words one behind the other */
    net_id *order;        /* the nodes that matter: behind what they need, RAM words behind their addresses */
    uint32_t order_count;
    const uint64_t **operands; /* scratch */
};

/* The design must not change while an interpreter of it lives. */
void interpreter_init(struct interpreter *interpreter, const struct design *design);
void interpreter_free(struct interpreter *interpreter);
/* Initial values of all registers, zeros in all RAMs. */
void interpreter_reset(struct interpreter *interpreter);
/* `streams` runs parallel to the design's. Returns whether the activation happened. */
bool interpreter_activate(struct interpreter *interpreter, struct interpreter_stream *streams);

#endif
