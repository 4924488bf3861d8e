/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a module that each have a file. */
#ifndef CIPU_HLSC_EMIT_PARTS_H
#define CIPU_HLSC_EMIT_PARTS_H

#include "tools/hlsc/emit_names.h"

/* Slots of an output's FIFO, as a power of two: what may be under way to it, and two for the way back of credit. */
uint32_t emit_fifo_log2(const struct schedule *schedule, uint32_t stream);
/* An activation begins only where the output has room. */
bool emit_always_room(const struct design *design, uint32_t stream);

/* emit_ram.c */
void emit_ram_declarations(const struct emit_names *names, FILE *out);
void emit_rams(const struct emit_names *names, FILE *out);

/* emit_stream.c */
void emit_stream_declarations(const struct emit_names *names, FILE *out);
/* When an activation begins, and how it goes from stage to stage. */
void emit_issue(const struct emit_names *names, FILE *out);
void emit_outputs(const struct emit_names *names, FILE *out);

#endif
