/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the block engine needs of a card, without one: the two rings, mappings, the moves of data between buffers and
 * guests, and the card's own rules for answers, which are checked. The test is the guest: one thread calls all of this,
 * the engine runs on its own.
 */
#ifndef CIPU_TEST_FAKE_CARD_H
#define CIPU_TEST_FAKE_CARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "driver/host_block.h"
#include "runtime/block/engine.h"

#define FAKE_RING     65536u /* entries of the backend ring */
#define FAKE_MAPPINGS 64u

struct fake_tag {
    bool busy;      /* from the command until its completion was obeyed */
    bool completed; /* and not asked for yet */
    bool moving;    /* a MOVE waits to be done */
    struct block_answer answer;
    uint16_t status;
    uint32_t written;
    uint64_t result;
    bool silent;
    unsigned tells;      /* MOVED notices that are held back */
    uint8_t *guest;      /* the guest's memory of this command */
    uint32_t guest_from; /* bytes of the chain before it, virtio */
    uint32_t guest_bytes;
};

struct fake_mapping {
    uint64_t iova, length;
    uint8_t *memory;
};

struct cipu_host {
    struct block_command ring[FAKE_RING];
    _Atomic uint32_t produced, consumed;
    struct block_answer answers[BLOCK_TAGS];
    _Atomic uint32_t answered, taken;
    uint32_t prepared; /* the engine's: given out, not sent */
    uint32_t answer_room;
    int event;
    struct fake_mapping mappings[FAKE_MAPPINGS];
    struct fake_tag tags[BLOCK_TAGS];
    uint64_t random;
    bool attends;
    const struct cipu_attendant *attendant;
    struct cipu_attendant attendant_copy;
    pthread_t thread;
    _Atomic bool stop;
    _Atomic unsigned sleeps, missed; /* work that was found after a sleep which nothing ended */
    bool hold_moves;                 /* moves wait until the test lets them */
    bool hold_tells;                 /* completions come before the notices that buffers are free */
    uint16_t fail_tag;               /* the move of this tag fails; 0xffff = none */
    unsigned busy;
    unsigned held;                 /* moves and notices */
    _Atomic unsigned commands;     /* COMMAND_VOLUME_SET that came */
    struct volume_setting setting; /* of the last of them */
};

/* attends: the card has a thread that the engine may share. */
struct cipu_host *fake_open(bool attends);
void fake_close(struct cipu_host *host);

/* The guest gives a command; the rest of `command` is filled in out of the tag. */
void fake_command(struct cipu_host *host, struct block_command command, void *guest);
void fake_raw(struct cipu_host *host, struct block_command command, const void *second, void *guest,
              uint32_t guest_bytes);
/* Obeys the answers that are there. Returns how many. */
unsigned fake_step(struct cipu_host *host);
/* Steps until the tag is completed, at most 10 s; returns the status. */
uint16_t fake_wait(struct cipu_host *host, uint16_t tag);
/* Steps for so long. */
void fake_run(struct cipu_host *host, unsigned milliseconds);
uint64_t fake_random(struct cipu_host *host, uint64_t below);

#endif
