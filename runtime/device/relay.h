/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay: for guest memory that the card cannot see. The card's queues live in bounce memory of this function; the
 * relay walks the guest's rings itself and carries frames between the two. Bounded: RELAY_ENTRIES frames a direction.
 * One thread at a time.
 */
#ifndef CIPU_RELAY_H
#define CIPU_RELAY_H

#include "hls/include/host_ring.h"
#include "runtime/device/split_ring.h"

/* The guest addresses of bounce memory, at the top of the function's window: no guest memory above them is mapped into
 * the card. */
#define RELAY_BYTES   (UINT64_C(64) << 20)
#define RELAY_ADDRESS (CIPU_WINDOW_BYTES - RELAY_BYTES)
#define RELAY_ENTRIES 256u

struct relay;

/* The caller's to free. Bounce memory is not touched until a queue starts. */
int relay_create(struct cipu_card *card, unsigned function, struct relay **relay);
void relay_destroy(struct relay *relay);

/*
 * Prepares queue 0 (receive) or 1 (transmit): from now on it stands for `ring`, whose position goes on; *setting
 * becomes what the card's queue has to be. Afterwards relay_run serves it.
 */
void relay_start(struct relay *relay, unsigned queue, const struct split_ring *ring, bool mergeable,
                 struct queue_setting *setting);
/* Once the card's queue is stopped; returns the position in the guest's ring. */
uint16_t relay_stop(struct relay *relay, unsigned queue);
bool relay_running(const struct relay *relay, unsigned queue);

enum relay_result {
    RELAY_DOORBELL = 1,  /* ring the card's doorbell */
    RELAY_INTERRUPT = 2, /* raise the guest's interrupt */
    RELAY_MORE = 4,      /* call again without waiting */
};

/* Moves what can be moved. Returns a set of enum relay_result in *todo, and 0 or a negative errno; *todo holds in both
 * cases. */
int relay_run(struct relay *relay, unsigned queue, unsigned *todo);

#endif
