/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of the engine's range on the card's bus are taken by volumes' memory. */
#include <errno.h>
#include <stdlib.h>

#include "runtime/block/engine_internal.h"

#define PLACE_BYTES (UINT64_C(2) << 20)

int place_take(struct block_engine *engine, uint64_t bytes, uint64_t *offset)
{
    if (bytes > BLOCK_BUS_BYTES)
        return -ENOSPC;
    struct bus_place *place = malloc(sizeof *place), **link = &engine->places;
    uint64_t begin = BLOCK_BUS_POOLS;
    bytes = (bytes + PLACE_BYTES - 1) / PLACE_BYTES * PLACE_BYTES;
    while (*link && (*link)->offset - begin < bytes) {
        begin = (*link)->offset + (*link)->bytes;
        link = &(*link)->next;
    }
    if (!place || begin + bytes > BLOCK_BUS_BYTES) {
        free(place);
        return -ENOSPC;
    }
    *place = (struct bus_place){*link, begin, bytes};
    *link = place;
    *offset = begin;
    return 0;
}

void place_give(struct block_engine *engine, uint64_t offset)
{
    struct bus_place **link = &engine->places;
    while (*link && (*link)->offset != offset)
        link = &(*link)->next;
    struct bus_place *place = *link;
    if (place)
        *link = place->next;
    free(place);
}
