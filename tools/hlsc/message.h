/* SPDX-License-Identifier: Apache-2.0 */
/* What hlsc says about a kernel that it refuses: where, what was found, what to write instead. Codes never change their
 * meaning. */
#ifndef CIPU_HLSC_MESSAGE_H
#define CIPU_HLSC_MESSAGE_H

#include "tools/hlsc/net.h"

#include <stdio.h>

enum message_code {
    MESSAGE_COMPILE,       /* HLS001 */
    MESSAGE_KERNEL,        /* HLS002 */
    MESSAGE_ARGUMENTS,     /* HLS003 */
    MESSAGE_RECORD_SIZE,   /* HLS004 */
    MESSAGE_LOOP,          /* HLS005 */
    MESSAGE_CALL,          /* HLS006 */
    MESSAGE_FLOAT,         /* HLS007 */
    MESSAGE_DIVISION,      /* HLS008 */
    MESSAGE_POINTER,       /* HLS009 */
    MESSAGE_COPY_SIZE,     /* HLS010 */
    MESSAGE_STREAM_TWICE,  /* HLS011 */
    MESSAGE_STREAM_RECORD, /* HLS012 */
    MESSAGE_UNWRITTEN,     /* HLS013 */
    MESSAGE_WAIT,          /* HLS014 */
    MESSAGE_CAN,           /* HLS015 */
    MESSAGE_RAM_READ,      /* HLS016 */
    MESSAGE_RAM_WRITE,     /* HLS017 */
    MESSAGE_RAM_PARTIAL,   /* HLS018 */
    MESSAGE_RAM_WHOLE,     /* HLS019 */
    MESSAGE_READ_ONLY,     /* HLS020 */
    MESSAGE_BOUNDS,        /* HLS021 */
    MESSAGE_GLOBAL,        /* HLS022 */
    MESSAGE_STATE,         /* HLS023 */
    MESSAGE_CONDITIONAL,   /* HLS024 */
    MESSAGE_INSTRUCTION,   /* HLS025 */
    MESSAGE_DYNAMIC,       /* HLS026 */
    MESSAGE_ASK,           /* HLS027 */
    MESSAGE_COUNT
};

#define MESSAGES_MAX 20u

/* Errors go to `to` as `file:line: error: text [CODE]`; after MESSAGES_MAX the rest is only counted. The same text for
 * the same place is said once. */
struct messages {
    FILE *to;
    uint32_t errors;
    uint32_t said;
    uint64_t seen[MESSAGES_MAX]; /* hashes */
};

void message_error(struct messages *messages, struct net_place place, enum message_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The name of a code, `HLS001`. */
void message_name(enum message_code code, char name[8]);

/* Prints what `--explain` says; returns whether there is such a code. */
bool message_explain(FILE *to, const char *name);
void message_list(FILE *to);

#endif
