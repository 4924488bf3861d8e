/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers without card and engine: both are played here, in memory. Commands are handed to a controller as the
 * engine would, data moves between them and the test's buffers, and what the card is told is written down.
 */
#ifndef CIPU_NVME_BENCH_H
#define CIPU_NVME_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hls/include/dma.h"
#include "runtime/device/nvme.h"
#include "runtime/device/nvme_spec.h"

#define BENCH_VOLUME_BYTES (UINT64_C(4) << 20)
#define BENCH_MEMORY_BYTES (UINT64_C(1) << 20)
#define BENCH_QUEUES       4u
#define BENCH_COMMANDS_MAX 256u

struct bench_answer {
    bool done, silent;
    uint16_t status; /* with do-not-retry */
    uint64_t result;
};

/* What the test sees of one volume. */
struct block_volume {
    struct volume_info info;
    uint8_t *bytes;
    uint64_t capacity;
    uint32_t attached[4]; /* bit = function */
    unsigned access[CARD_FUNCTIONS];
    uint16_t refusal[CARD_FUNCTIONS];
    unsigned keys;                      /* that were destroyed */
    unsigned under_way[CARD_FUNCTIONS]; /* changes */
    int access_fails;                   /* what a change of access returns */
    struct volume_listener *listeners;
    int fail;     /* negative errno for every operation */
    bool stalled; /* operations wait */
    unsigned operations[8];
    uint64_t last_offset, last_length;
    bool exclusive;    /* functions 3 and 4 must not both write, at no time */
    unsigned overlaps; /* how often they might have */
};

struct bench {
    struct nvme_subsystem *subsystem;
    struct nvme_controller *controllers[3];
    struct block_volume volumes[3];
    int memory_fd;
};

int bench_setup(void **state); /* two controllers (functions 3 and 4), two namespaces, both attached to both */
int bench_teardown(void **state);
void bench_make_subsystem(struct bench *bench, const struct nvme_subsystem_ops *ops, void *context);
void bench_add_controller(struct bench *bench, unsigned number, unsigned function, bool map_doorbells);
void bench_volume(struct block_volume *volume, unsigned number);

/* Registers, as a driver meets them. */
uint64_t bench_register(struct nvme_controller *controller, uint32_t offset, size_t bytes);
void bench_set_register(struct nvme_controller *controller, uint32_t offset, uint64_t value, size_t bytes);
bool bench_wait_status(struct nvme_controller *controller, uint32_t mask, uint32_t value); /* CSTS, at most 8 s */
void bench_enable(struct nvme_controller *controller);
void bench_disable(struct nvme_controller *controller);

/* Sends a command to a queue (0 = admin) and waits for its end. `to` and `from`: the guest's buffer, which the command
 * reads and writes. */
struct bench_answer bench_run(struct nvme_controller *controller, unsigned queue, const struct nvme_command *command,
                              void *data, size_t bytes);
uint16_t bench_status(struct nvme_controller *controller, unsigned queue, const struct nvme_command *command,
                      void *data, size_t bytes); /* without do-not-retry */
/* Sends it; the answer comes later, at most `timeout` ms; false when it did not. */
unsigned bench_send(struct nvme_controller *controller, unsigned queue, const struct nvme_command *command, void *data,
                    size_t bytes);
uint16_t bench_identifier(unsigned sent);
void bench_stall(struct block_volume *volume, bool stalled); /* operations wait */
bool bench_wait(unsigned sent, unsigned timeout, struct bench_answer *answer);

/* What the card was told. */
struct bench_queue {
    bool set;
    struct nvme_queue_setting setting;
};
extern struct bench_queue bench_sq[BLOCK_QUEUES], bench_cq[BLOCK_QUEUES], bench_room[BLOCK_QUEUES];
extern struct namespace_setting bench_namespaces[CARD_FUNCTIONS * BLOCK_NAMESPACES];
extern struct window_setting bench_windows[2][CARD_FUNCTIONS];
extern int bench_vectors[CARD_VECTORS];
extern uint32_t bench_doorbells[DOORBELL_PAGES][64];
extern _Atomic unsigned bench_doorbell_writes;
extern _Atomic bool bench_card_dead;         /* commands time out */
extern _Atomic unsigned bench_command_ms;    /* how long a command to the card takes */
extern _Atomic unsigned bench_drain_ms;      /* how long a drain takes, as with a disk that stalls */
extern _Atomic unsigned bench_out_of_range;  /* operations beyond a volume's end, which no controller may ask for */
extern _Atomic unsigned bench_mapped_pieces; /* of guests' memory in the card */
uint16_t bench_base(const struct nvme_controller *controller);

void bench_create_pair(struct nvme_controller *controller, unsigned queue);

#endif
