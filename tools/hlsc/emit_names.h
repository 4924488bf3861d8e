/* SPDX-License-Identifier: Apache-2.0 */
/* What nets are called in SystemVerilog, and how an expression refers to them. */
#ifndef CIPU_HLSC_EMIT_NAMES_H
#define CIPU_HLSC_EMIT_NAMES_H

#include "tools/hlsc/schedule.h"

struct emit_names {
    const struct schedule *schedule;
    const char **base;  /* by node: its name where it is made, NULL = wires and unused nodes */
    const char **state; /* by register */
    uint8_t *inlined;   /* by node: written where it is used */
    char **taken;       /* hash table of all names */
    uint32_t taken_count, taken_capacity;
};

void emit_names_init(struct emit_names *names, const struct schedule *schedule);
void emit_names_free(struct emit_names *names);

/* A name like the wanted one that nothing else has; of `names`. */
const char *emit_unique(struct emit_names *names, const char *wanted);

/* Writes a net as it is in a stage. */
void emit_reference(const struct emit_names *names, net_id id, uint32_t stage, FILE *out);

/* The same of some of its bits. */
void emit_slice(const struct emit_names *names, net_id id, uint32_t low, uint32_t width, uint32_t stage, FILE *out);

/* Writes what a node computes. */
void emit_expression(const struct emit_names *names, net_id id, FILE *out);

/* The bits from `low` on that are carried into a stage together: their end; `low` itself if none is. */
uint32_t emit_piece_end(const struct schedule *schedule, net_id id, uint32_t low, uint32_t stage);

/* Writes the name of a piece, bits low..end-1 of a node, in a stage. */
void emit_piece(const struct emit_names *names, net_id id, uint32_t low, uint32_t end, uint32_t stage, FILE *out);

/* Writes `[high:0] `, nothing for one bit. */
void emit_range(uint32_t width, FILE *out);

#endif
