/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault:RULES,BACKEND: in front of another backend, makes go wrong what the rules name. Rules are separated by ';':
 *
 *   OPERATION-ACTION[=BEGIN-END][*COUNT][@MICROSECONDS]
 *
 * OPERATION: read, write, flush, zeroes, discard, erase, any. ACTION: error (EIO), nospace (ENOSPC), stall (until the
 * rules change), delay (by @MICROSECONDS). BEGIN-END: bytes, END excluded; else everywhere; a flush has no place and
 * matches any. COUNT: so often, then no more. The first rule that fits is obeyed.
 * "read-error=0x1000-0x2000;write-delay*10@5000".
 */
#ifndef CIPU_BACKEND_FAULT_H
#define CIPU_BACKEND_FAULT_H

#include "runtime/block/backend.h"

#define FAULT_RULES 16u

enum fault_action { FAULT_ERROR, FAULT_NOSPACE, FAULT_STALL, FAULT_DELAY };

struct fault_rule {
    uint8_t operation; /* enum backend_operation; 0 = any */
    uint8_t action;    /* enum fault_action */
    uint64_t begin, end;
    uint64_t count; /* how often still */
    uint64_t delay; /* nanoseconds */
};

struct fault_rules {
    struct fault_rule rule[FAULT_RULES];
    unsigned count;
};

/* -EINVAL with what was found and expected. */
int fault_rules_parse(const char *text, size_t length, struct fault_rules *rules, struct cipu_error *error);

/* On the engine's thread. What stalls goes on unless a new rule holds it. The first fault: backend, in front of others
 * or behind; -EINVAL: there is none. */
int fault_rules_set(struct block_backend *backend, const struct fault_rules *rules);

#endif
