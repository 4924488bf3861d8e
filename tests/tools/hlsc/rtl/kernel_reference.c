/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's C as the reference. */
#include <string.h>

#include "tests/tools/hlsc/directed.h"
#include "tests/tools/hlsc/native.h"
#include "tests/tools/hlsc/rtl/reference.h"
#include "tests/tools/hlsc/stimulus.h"

#define STREAMS_MAX 64u

static const char *const options[] = {"-I.", NULL};
static struct kernel kernel;
static struct native native;
static struct stimulus stimulus;
static bool is_directed;

/* Of the kernels that have one. */
extern const struct directed directed __attribute__((weak));

bool reference_open(const char *what, uint64_t seed)
{
    struct messages messages = {.to = stdout};
    struct kernel_options kernel_options = {NULL, options};
    if (!kernel_read(&kernel, &messages, what, &kernel_options) || !native_open(&native, &kernel, options))
        return false;
    stimulus_init(&stimulus, &kernel.design, seed);
    return kernel.design.stream_count <= STREAMS_MAX;
}

void reference_reset(bool wanted)
{
    memset(native.state, 0, NATIVE_STATE_BYTES);
    is_directed = wanted && &directed != NULL;
    if (is_directed)
        directed.reset(stimulus_random(&stimulus));
}

bool reference_activate(struct reference_stream *streams)
{
    struct interpreter_stream given[STREAMS_MAX];
    for (uint32_t i = 0; i < kernel.design.stream_count; i++)
        given[i] = (struct interpreter_stream){streams[i].record, streams[i].ready, false};
    bool happened = native_activate(&native, given);
    for (uint32_t i = 0; i < kernel.design.stream_count; i++) {
        const struct design_stream *stream = &kernel.design.streams[i];
        streams[i].fired = given[i].fired;
        if (is_directed && given[i].fired && stream->direction == STREAM_OUTPUT)
            directed.seen(stream->name, streams[i].record);
    }
    return happened;
}

bool reference_record(unsigned stream, uint8_t *record)
{
    if (is_directed)
        return directed.record(kernel.design.streams[stream].name, record);
    stimulus_record(&stimulus, stream, record);
    return true;
}
