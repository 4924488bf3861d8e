/* SPDX-License-Identifier: Apache-2.0 */
/* What a model of a module is compared with: the same thing, activation by activation. */
#ifndef CIPU_TESTS_HLSC_REFERENCE_H
#define CIPU_TESTS_HLSC_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reference_stream {
    uint8_t *record; /* input: the head; output: filled when it fires */
    bool ready;      /* in: the input has a record, the output has room */
    bool fired;      /* out: it was read or pushed */
};

/* `what` to compare with: a kernel's source, or the number of a random design. Returns false with a message on stdout.
 */
bool reference_open(const char *what, uint64_t seed);
/* `directed`: records from now on are those of the kernel's surroundings, if there are such (directed.h); else random.
 */
void reference_reset(bool directed);

/* `streams` are in the order of the module's. Returns whether the activation happened. */
bool reference_activate(struct reference_stream *streams);

/* Draws the next record of an input; `record` holds the one before. False = there is none now. */
bool reference_record(unsigned stream, uint8_t *record);

#ifdef __cplusplus
}
#endif

#endif
