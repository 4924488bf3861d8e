/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic over all of the card's graph at once, for tests of its FIFOs: every function sends packets of all sizes to
 * the next one, or out of port 0, which a cable joins to port 1; some flows are not in the table, so their packets go
 * by way of the host. Whoever sends waits until there are buffers for it; that the card has not fetched them yet is
 * possible, and the only loss: it counts such packets.
 */
#ifndef CIPU_TEST_DEPTH_WORLD_H
#define CIPU_TEST_DEPTH_WORLD_H

#include "driver/host.h"
#include "driver/native.h"

#define WORLD_FUNCTIONS 126u /* 1 .. 126 */

struct world_function {
    uint16_t number;
    uint8_t *memory;
    uint16_t sent, receivable; /* avail indices of the transmit and of the receive queue */
    uint32_t wanted;           /* packets that it still has to send */
};

struct world {
    struct native_graph graph; /* the card's, with depths of its own */
    struct native_stream *streams;
    struct cipu_card *card;
    struct cipu_host *host;
    char cable[64];
    uint64_t random;
    uint16_t functions;
    struct world_function function[WORLD_FUNCTIONS + 1]; /* by number */
    uint64_t punted;
};

typedef int (*world_card)(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                          struct cipu_error *error);

/* `depths` by stream of native_graph_card, NULL = the card's own. Stops the test when the card cannot be set up. */
void world_open(struct world *world, world_card open, const uint32_t *depths, uint16_t functions);
void world_close(struct world *world);

/* Every function sends `packets` packets. False = the card stands still although not all have arrived. */
bool world_run(struct world *world, uint32_t packets);

/* Tells which streams hold records and which functions' packets have not arrived. */
void world_tell(const struct world *world);

/* A stream that holds records now, from `first` on; stream_count = none. */
size_t world_blocked(const struct world *world, size_t first);

#endif
