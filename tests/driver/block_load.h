/* SPDX-License-Identifier: Apache-2.0 */
/* Load for the block path of a whole card: all queues of all controllers at work (tests/driver/block_world.h). */
#ifndef CIPU_TEST_BLOCK_LOAD_H
#define CIPU_TEST_BLOCK_LOAD_H

#include "tests/driver/block_world.h"

#define WORLD_PATIENCE_SECONDS 60

/* Every controller: function 3 on, block queue 10 on, every other one with shadow doorbells. */
void world_start_all(struct world *world);
void world_stop_all(struct world *world);

bool world_look(struct world *world);
void world_drain(struct world *world);

/* `commands` random ones of each queue, and waits until all are over. */
void world_load(struct world *world, uint32_t commands);

/* Nothing has come for too long: tells what is in flight and stops the test. */
void world_give_up(const struct world *world);

#endif
