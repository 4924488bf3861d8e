/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest is told of an operation's result. */
#ifndef CIPU_BLOCK_STATUS_H
#define CIPU_BLOCK_STATUS_H

#include <stdint.h>

enum block_outcome {
    OUTCOME_SUCCESS,
    OUTCOME_RANGE,     /* beyond the volume's end */
    OUTCOME_READ_ONLY, /* a change of what is read only */
    OUTCOME_FIELD,     /* unaligned, too long, or an operation that does not exist */
    OUTCOME_VOLUME,    /* no such volume, or not attached to the function */
    OUTCOME_INTERNAL,
};

/* flags: of the command, enum block_command_flags: which kind of guest is told. */
uint16_t block_status(uint32_t flags, enum block_outcome outcome);
/* result: 0 or the negative errno of a backend. operation: enum backend_operation. */
uint16_t block_status_of_result(uint32_t flags, uint8_t operation, int result);

#endif
