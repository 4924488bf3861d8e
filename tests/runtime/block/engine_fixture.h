/* SPDX-License-Identifier: Apache-2.0 */
/* An engine with one volume, attached to one function with two queues, in front of the card of fake_card.h. */
#ifndef CIPU_TEST_ENGINE_FIXTURE_H
#define CIPU_TEST_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/block/volume.h"
#include "tests/runtime/block/fake_card.h"

#define FUNCTION 5
#define MEGABYTE (1u << 20)

struct fixture {
    struct cipu_host *host;
    struct block_engine *engine;
    struct block_volume *volume;
    uint32_t number;
    unsigned queue; /* the first of two */
    struct block_raw raw;
    _Atomic unsigned raws;
    char path[64];
};

extern const struct block_device_ops device_ops; /* the device is the fixture: it keeps the last raw command */

struct fixture *open_on(struct cipu_host *host, const char *backend, uint64_t bytes, uint32_t block_bytes,
                        bool read_only);
struct fixture *open_volume(const char *backend, uint64_t bytes, uint32_t block_bytes, bool read_only);
/* A file of this test's process; `before`: what comes before it in the backend's URI. */
struct fixture *open_file_on(struct cipu_host *host, const char *before, uint64_t bytes);
struct fixture *open_file_volume(const char *before, uint64_t bytes);
void close_volume(struct fixture *fixture);

uint16_t tag_at(const struct fixture *fixture, unsigned slot);
struct block_command command_at(const struct fixture *fixture, unsigned slot, uint8_t opcode, uint64_t offset,
                                uint32_t length);
/* Give a command and wait for its status. */
uint16_t run(struct fixture *fixture, struct block_command command, void *guest);
uint16_t run_at(struct fixture *fixture, uint8_t opcode, uint64_t offset, uint32_t length, void *guest);

#endif
