/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel's state consists of, out of the debug information: registers and RAMs with the names of the source. */
#ifndef CIPU_HLSC_LAYOUT_H
#define CIPU_HLSC_LAYOUT_H

#include "tools/hlsc/front.h"

/* Arrays of so many entries are RAMs, smaller ones registers. */
#define LAYOUT_RAM_ENTRIES 128u

struct layout_field {
    const char *name; /* `row_3_count` */
    uint32_t offset;  /* bytes from the state's start */
    uint32_t bytes;   /* of the register, or of one entry */
    uint32_t entries; /* 0 = a register */
    struct net_place place;
};

struct layout {
    struct layout_field *fields; /* by offset */
    uint32_t count, capacity;
    uint32_t bytes;   /* of the state */
    bool *meaningful; /* each byte: no padding; of a RAM only those of its entry 0 are set */
};

/* An empty layout for a kernel without state. Memory is the front's arena. */
void layout_read(struct layout *layout, const struct front *front);

#endif
