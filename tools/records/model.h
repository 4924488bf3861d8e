/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records, constants and registers that hls/include declares, as read from its headers. The reader fills the model,
 * emitters (one file each) only read it. Everything lives until the program ends. One thread.
 */
#ifndef CIPU_RECORDS_MODEL_H
#define CIPU_RECORDS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct record;

struct field {
    const char *name;
    const char *comment;         /* what stands behind or above it in C; "" = nothing */
    const struct record *record; /* of nested records; NULL = an unsigned integer */
    uint32_t offset;             /* bytes from the record's beginning */
    uint32_t bytes;              /* of one element */
    uint32_t count;              /* elements of an array; 0 = no array */
};

struct record {
    const char *name;
    const char *header; /* path as given on the command line */
    const char *comment;
    unsigned line;
    uint32_t bytes;
    struct field *fields; /* in order, without holes */
    size_t field_count;
};

struct constant {
    const char *name;
    const char *header;
    const char *group; /* the enum's name; "" = a macro or an enum without a name */
    uint64_t value;
};

struct model {
    struct record **records; /* in the order of declaration: nested ones come first */
    size_t record_count;
    struct constant *constants;
    size_t constant_count;
};

/* read.c: false after errors, which were printed. `arguments` are the compiler's. */
bool read_headers(struct model *model, const char *const *headers, size_t count, const char *const *arguments,
                  size_t argument_count);

/* emit_package.c, emit_field_table.c, emit_registers.c */
void emit_package(const struct model *model, const char *name, FILE *out);
void emit_field_table(const struct model *model, const char *name, FILE *out);
void emit_registers(const struct model *model, const char *header, FILE *out);

#endif
