/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A life for a card that runs cycle by cycle: rings, flows and queues are set up by commands, frames come from both
 * ports and from a guest, go to ports, a guest and the host, and the host empties its rings. Everything is drawn from a
 * seed, and host memory and ports belong to this card alone: two cards with the same seed are told the same in the same
 * cycles. One thread.
 */
#ifndef CIPU_TEST_CARD_TRAFFIC_H
#define CIPU_TEST_CARD_TRAFFIC_H

#include "driver/native.h"
#include "driver/rtl/rtl.h"

#define TRAFFIC_MEMORY     (4u << 20)
#define TRAFFIC_FRAMES_MAX 9300u
#define TRAFFIC_CLEARING   65600u /* cycles after a reset in which kernels clear their RAMs, of 65536 words at most */

struct traffic_wire {
    uint64_t random;
    uint32_t eagerness; /* of 1024 looks at the port that find a frame */
    uint8_t received[TRAFFIC_FRAMES_MAX], sent[TRAFFIC_FRAMES_MAX];
    uint32_t frames_sent;
};

struct traffic {
    struct cipu_card *card;
    int fd;
    uint8_t *memory;
    uint64_t random;
    uint32_t commands;             /* written to the command ring */
    uint16_t posted_tx, posted_rx; /* indices of the guest's rings */
    uint32_t injected;             /* entries of the inject ring */
    struct traffic_wire wires[CARD_PORTS];
};

/* `how` is as for rtl_card_open_as, but halted in any case. */
void traffic_open(struct traffic *traffic, const struct rtl_card_how *how, const char *uri, uint64_t seed);
void traffic_close(struct traffic *traffic);

/* Sets up rings, tables and queues of a new card or one after traffic_reset, and waits until they stand. */
void traffic_start(struct traffic *traffic);
/* Resets the card in whatever it is doing; then it can be started again. */
void traffic_reset(struct traffic *traffic);
/* So many cycles with everything at once; then without anything new. */
void traffic_run(struct traffic *traffic, unsigned cycles);
void traffic_rest(struct traffic *traffic, unsigned cycles);

/* What came to its end since traffic_start: for tests that want to know that something did. */
struct traffic_results {
    uint32_t completions, failed_commands, punts, transmitted, delivered, sent[CARD_PORTS];
};
struct traffic_results traffic_results(const struct traffic *traffic);

#endif
