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

/* The program's: which card, and how much. */
extern const struct block_test block_test_card;

#endif
