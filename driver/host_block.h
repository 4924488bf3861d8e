/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of the block path's two rings (hls/include/block.h), without a copy and without a lock.
 *
 * Threads: one at a time, the block engine's.
 */
#ifndef CIPU_HOST_BLOCK_H
#define CIPU_HOST_BLOCK_H

#include "driver/host.h"
#include "hls/include/block.h"

/* Entries of the backend ring that wait, as far as they follow one another in memory: *count of them from the returned
 * one on. A raw command's second entry may be the first of the next call's. They are the card's again after
 * cipu_host_block_release of as many. */
const struct block_command *cipu_host_block_entries(struct cipu_host *host, uint32_t *count);
void cipu_host_block_release(struct cipu_host *host, uint32_t count);

/* The place for the next answer, or NULL while the ring is full; it goes to the card with cipu_host_block_send. */
struct block_answer *cipu_host_block_answer(struct cipu_host *host);
void cipu_host_block_send(struct cipu_host *host);

/* An eventfd that becomes readable when the backend ring was written to, once it was asked for: who polls the ring
 * within the card's thread (cipu_card_attend) saves the signal. -1 when there can be none. */
int cipu_host_block_fd(struct cipu_host *host);

#endif
