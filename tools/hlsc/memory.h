/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a command line program: what cannot be had ends it. */
#ifndef CIPU_HLSC_MEMORY_H
#define CIPU_HLSC_MEMORY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *memory_check(void *memory)
{
    if (memory == NULL) {
        fputs("hlsc: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* Zeroed. */
static inline void *memory_new(size_t count, size_t bytes)
{
    return memory_check(calloc(count > 0 ? count : 1, bytes));
}

/* Makes room for `needed` elements; `capacity` is what there is room for. */
static inline void *memory_grow(void *array, uint32_t *capacity, uint32_t needed, size_t bytes)
{
    if (needed <= *capacity)
        return array;
    uint32_t more = *capacity < 16 ? 16 : *capacity;
    while (more < needed)
        more *= 2;
    *capacity = more;
    return memory_check(realloc(array, (size_t)more * bytes));
}

#endif
