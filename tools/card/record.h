/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the card's streams, described: cipu-records makes the table from hls/include. */
#ifndef CIPU_CARD_RECORD_H
#define CIPU_CARD_RECORD_H

#include <stdint.h>

struct record_field {
    const char *name; /* of a nested record with dots; NULL ends the list */
    uint32_t offset;  /* bytes from the record's beginning */
    uint32_t bytes;   /* of the unsigned integer, or of one element */
    uint32_t count;   /* elements of an array; 0 = no array */
};

struct record_type {
    const char *name; /* NULL ends the list */
    uint32_t bytes;
    const struct record_field *fields;
};

extern const struct record_type record_types[];

#endif
