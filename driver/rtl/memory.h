/* SPDX-License-Identifier: Apache-2.0 */
/* The card's mappings of host memory, and its own memory, as a bus model sees them: by lines of 64 bytes. */
#ifndef CIPU_RTL_MEMORY_H
#define CIPU_RTL_MEMORY_H

#include "driver/native.h"
#include "hw/platform/sim/bus.h"

struct rtl_memory {
    struct native_card *card;
    struct native_map_cache read, write;
};

struct bus_memory rtl_memory_bus(struct rtl_memory *memory);

/* The card's own memory, from bus address 0. */
struct bus_memory rtl_memory_card(struct native_card *card);

#endif
