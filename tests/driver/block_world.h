/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block path of a whole card, by its rings and doorbells alone: NVMe queues in a guest's memory on one end, a host
 * that answers commands out of a volume in memory on the other. What a guest reads and writes is checked against the
 * volume byte by byte. For native and simulated cards; one thread.
 */
#ifndef CIPU_TEST_BLOCK_WORLD_H
#define CIPU_TEST_BLOCK_WORLD_H

#include "driver/host_block.h"
#include "driver/native.h"
#include "hls/include/nvme.h"

#define WORLD_GUEST_BYTES  (16u << 20)
#define WORLD_VOLUME_BYTES (1u << 20)
#define WORLD_QUEUES       4u /* I/O queue pairs of a controller */
#define WORLD_ENTRIES      64u
#define WORLD_CONTROLLERS  2u
#define WORLD_DATA_BYTES   32768u /* longest transfer */
#define WORLD_COMMANDS     32u    /* in flight in a queue */
#define WORLD_VECTOR_NONE  0xffffu

struct world_slot {
    bool busy;
    struct nvme_command command;
    uint64_t offset; /* in the volume */
    uint32_t length;
    uint8_t expected[WORLD_DATA_BYTES]; /* reads: what the volume held; writes: what is written */
};

struct world_pair {
    uint32_t number; /* in the controller; 0 = admin */
    uint64_t sq, cq; /* guest addresses */
    uint32_t tail, head, phase, entries;
    struct world_slot slots[WORLD_COMMANDS];
    unsigned in_flight;
};

struct world_controller {
    uint16_t function, base; /* base: block queue of the admin queue */
    int fd;
    uint8_t *memory;
    bool shadow; /* I/O queues have shadow doorbells */
    struct world_pair pairs[1 + WORLD_QUEUES];
    uint64_t completions;
};

struct world {
    struct cipu_card *card;
    struct cipu_host *host;
    struct world_controller controllers[WORLD_CONTROLLERS];
    int volume_fd;
    uint8_t *volume; /* then a place for each tag's write */
    uint64_t volume_bus;
    uint8_t *shadow; /* what the volume has to hold */
    uint64_t random;
    uint64_t commands, raws, moves; /* entries of the backend ring */
    uint16_t fail_status;           /* 0 = the host answers as it should; else all commands get this */
};

/* Any card. Stops the test when it cannot be set up. */
void world_open(struct world *world, struct cipu_card *card);
void world_close(struct world *world);

uint32_t world_random(struct world *world, uint32_t below);
void world_start(struct world *world, struct world_controller *controller, uint16_t function, uint16_t base,
                 bool shadow);
void world_stop(struct world *world, struct world_controller *controller);

/* Puts a command into a queue and rings; `slot` becomes its identifier. */
void world_submit(struct world *world, struct world_controller *controller, struct world_pair *pair, unsigned slot);
/* The host answers what waits. Returns how many entries it took. */
unsigned world_serve(struct world *world);
/* Makes the answer to a BACKEND_COMMAND, for cipu_host_block_send. */
void world_answer(struct world *world, const struct block_command *entry);
/* The next completion of a queue, NULL = none now. The caller takes it with world_take. */
const struct nvme_completion *world_completion(struct world_controller *controller, struct world_pair *pair);
void world_take(struct world *world, struct world_controller *controller, struct world_pair *pair);

/* A random command within the slot's data place: read, write, flush or write zeroes, with a layout of its own. */
void world_random_command(struct world *world, struct world_controller *controller, struct world_pair *pair,
                          unsigned slot);
/* Checks a completion's data and takes its effect over. */
void world_check(struct world *world, struct world_controller *controller, struct world_pair *pair,
                 const struct nvme_completion *completion);

#endif
