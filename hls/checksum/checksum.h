/* SPDX-License-Identifier: Apache-2.0 */
/* From checksum to checksum_insert: one per packet, sent with the packet's last beat. */
#ifndef CIPU_CHECKSUM_H
#define CIPU_CHECKSUM_H

#include <assert.h>
#include <stdint.h>

struct checksum_result {
    uint16_t position; /* byte of the packet where the checksum's first byte goes */
    uint16_t value;    /* to be stored big endian */
    uint8_t insert;
    uint8_t drop; /* the packet is spoilt or its checksum cannot be placed */
    uint8_t reserved[2];
};

static_assert(sizeof(struct checksum_result) == 8, "result is 8 bytes");

#endif
