/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a queue of a virtio-blk function has in flight, as the engine keeps it: a few stores a command, into memory that
 * may outlive the process. A card completes commands out of their order, and a slow one may stay while the guest goes
 * around its rings many times: the rings alone do not tell which chains are not done, they and this record do.
 *
 * A record may be behind the rings by what the card had not passed on, or ahead of them by completions that the card
 * had not published; those are published in the order in which the engine sent them.
 * runtime/device/virtio_blk_recover.c takes both into account.
 *
 * The layout is that of one queue's part of the inflight buffer of vhost-user for split virtqueues (vhost-user.rst,
 * "Inflight I/O tracking"), so that a client can keep it; what stands in the fields is this backend's own business.
 */
#ifndef CIPU_BLOCK_INFLIGHT_H
#define CIPU_BLOCK_INFLIGHT_H

#include <assert.h>
#include <stdint.h>

#define INFLIGHT_VERSION 1u
/* Completions are numbered on from here, so that no number is 0; the low 16 bits are the used ring's index. */
#define INFLIGHT_FIRST UINT64_C(0x10000)

struct inflight_entry {
    uint8_t in_flight; /* it came, and no completion was sent that the guest hears of */
    uint8_t reserved[5];
    uint16_t arrived;  /* how many came before it, free running */
    uint64_t finished; /* number of its latest completion; 0 = none */
};

struct inflight_record {
    uint64_t features; /* 0 */
    uint16_t version;  /* INFLIGHT_VERSION */
    uint16_t entries;
    uint16_t reserved;
    uint16_t finished; /* low half of the next completion's number */
    struct inflight_entry entry[];
};

/* A number for the completion that becomes the used ring's entry `position`: higher than any in the record, so that
 * what is in it stays older. */
uint64_t inflight_next(const struct inflight_record *record, unsigned entries, uint16_t position);

static_assert(sizeof(struct inflight_entry) == 16, "struct DescStateSplit");
static_assert(sizeof(struct inflight_record) == 16, "struct QueueRegionSplit");

#endif
