/* SPDX-License-Identifier: Apache-2.0 */
/* A card with the mover graph and 2 MiB of host memory at bus address 0, for tests. One thread. */
#ifndef CIPU_TEST_MOVER_CARD_H
#define CIPU_TEST_MOVER_CARD_H

#include "driver/native.h"
#include "tests/driver/kernels/mover.h"

#define MOVER_MEMORY (2u << 20)
#define MOVER_DATA   0x20000u /* first byte that tests may use */

extern const struct native_graph native_graph_mover, native_graph_mover_copying;

/* How the card is opened, and by how much long tests are cut; set before the first mover_open. */
extern int (*mover_card_open)(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                              struct cipu_error *error);
extern unsigned mover_haste;

struct mover {
    struct cipu_card *card;
    int memory_fd;
    uint8_t *memory;
    uint32_t posted, taken;
};

void mover_open(struct mover *mover, const struct native_graph *graph, const char *uri);
void mover_close(struct mover *mover);

/* Puts a descriptor into the ring; mover_ring tells the card. */
void mover_post(struct mover *mover, const struct mover_descriptor *descriptor);
void mover_ring(struct mover *mover);

/* The next status record; fails the test after five seconds. */
struct dma_done mover_wait(struct mover *mover);

/* One whole copy: posts, rings, waits; returns its status. */
struct dma_done mover_copy(struct mover *mover, uint64_t to, uint64_t from, uint32_t length);

#endif
