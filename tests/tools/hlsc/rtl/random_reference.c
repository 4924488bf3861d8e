/* SPDX-License-Identifier: Apache-2.0 */
/* The interpretation of a random design as the reference. */
#include <stdlib.h>

#include "tests/tools/hlsc/rtl/random_design.h"
#include "tests/tools/hlsc/rtl/reference.h"
#include "tools/hlsc/interpret.h"

#define STREAMS_MAX 8u

static struct design design;
static struct interpreter interpreter;
static uint64_t random_state;

bool reference_open(const char *what, uint64_t seed)
{
    random_design(&design, strtoull(what, NULL, 0));
    interpreter_init(&interpreter, &design);
    random_state = seed;
    return true;
}

void reference_reset(bool directed)
{
    (void)directed;
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

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

/* Small numbers and what was there before decide more than noise. */
bool reference_record(unsigned stream, uint8_t *record)
{
    for (uint32_t i = 0; i < design.streams[stream].bytes; i++) {
        uint32_t kind = random_below(8);
        if (kind < 3)
            record[i] = (uint8_t)random_below(256);
        else if (kind < 5)
            record[i] = (uint8_t)random_below(4);
    }
    return true;
}
