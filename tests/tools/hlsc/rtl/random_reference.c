/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter as the reference; RANDOM_SEED says of which design. */
#include "tests/tools/hlsc/rtl/random_design.h"
#include "tests/tools/hlsc/rtl/reference.h"
#include "tools/hlsc/interpret.h"

#define STREAMS_MAX 8u

static struct design design;
static struct interpreter interpreter;

void reference_reset(void)
{
    if (interpreter.design == NULL) {
        random_design(&design, RANDOM_SEED);
        interpreter_init(&interpreter, &design);
    }
    interpreter_reset(&interpreter);
}

bool reference_activate(struct reference_stream *streams)
{
    struct interpreter_stream given[STREAMS_MAX];
    for (uint32_t i = 0; i < design.stream_count; i++)
        given[i] = (struct interpreter_stream){streams[i].record, streams[i].ready, false};
    bool happened = interpreter_activate(&interpreter, given);
    for (uint32_t i = 0; i < design.stream_count; i++)
        streams[i].fired = given[i].fired;
    return happened;
}

void reference_constrain(unsigned stream, uint8_t *record)
{
    (void)stream;
    (void)record;
}
