/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a card's block path, for each kind of card (tests/driver/block_world.h). */
#ifndef CIPU_TEST_BLOCK_TESTS_H
#define CIPU_TEST_BLOCK_TESTS_H

#include <stdint.h>

/* `uri` of the card; `commands` of each queue. */
struct block_test {
    const char *uri;
    uint32_t commands;
};

/* Random commands of all queues of two controllers, one of them with shadow doorbells. */
void block_test_random(const struct block_test *job);
/* Admin and unknown commands go to the host as they are. */
void block_test_raw(const struct block_test *job);
/* Bad PRPs, memory outside the window, a failing host: the right status, and the other controller goes on. */
void block_test_errors(const struct block_test *job);
/* Queues stop and start again under load. */
void block_test_restart(const struct block_test *job);

#endif
