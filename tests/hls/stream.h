/* SPDX-License-Identifier: Apache-2.0 */
/* Streams for tests that run kernels by hand, and a generator of random numbers that every run repeats. */
#ifndef CIPU_TEST_STREAM_H
#define CIPU_TEST_STREAM_H

#include <stdlib.h>
#include <string.h>

#include "hls/include/fifo.h"

struct stream {
    struct hls_fifo fifo;
    size_t record_bytes;
};

static inline void stream_open(struct stream *stream, uint32_t depth, size_t record_bytes)
{
    uint32_t slot_bytes = (uint32_t)((record_bytes + 63) / 64 * 64);
    memset(stream, 0, sizeof *stream);
    stream->fifo.slots = aligned_alloc(64, (size_t)depth * slot_bytes);
    memset(stream->fifo.slots, 0xa5, (size_t)depth * slot_bytes);
    stream->fifo.mask = depth - 1;
    stream->fifo.slot_bytes = slot_bytes;
    stream->record_bytes = record_bytes;
}

static inline void stream_close(struct stream *stream)
{
    free(stream->fifo.slots);
}

static inline bool stream_put(struct stream *stream, const void *record)
{
    struct hls_port port = hls_write_begin(&stream->fifo);
    if (port.index == port.limit)
        return false;
    memcpy(hls_slot(&port, stream->fifo.slot_bytes), record, stream->record_bytes);
    port.index++;
    hls_write_end(&stream->fifo, &port);
    return true;
}

static inline bool stream_get(struct stream *stream, void *record)
{
    struct hls_port port = hls_read_begin(&stream->fifo);
    if (port.index == port.limit)
        return false;
    void *slot = hls_slot(&port, stream->fifo.slot_bytes);
    memcpy(record, slot, stream->record_bytes);
    memset(slot, 0xa5, stream->fifo.slot_bytes);
    port.index++;
    hls_read_end(&stream->fifo, &port);
    return true;
}

static inline bool stream_room(const struct stream *stream)
{
    return hls_fifo_used(&stream->fifo) <= stream->fifo.mask;
}

/* The ports of one activation or of a run of them: IN(s) and OUT(s) open `s_port`, the END forms publish. */
#define STREAM_TEST_IN(name)      struct hls_port name##_port = hls_read_begin(&(name)->fifo)
#define STREAM_TEST_OUT(name)     struct hls_port name##_port = hls_write_begin(&(name)->fifo)
#define STREAM_TEST_IN_END(name)  hls_read_end(&(name)->fifo, &name##_port)
#define STREAM_TEST_OUT_END(name) hls_write_end(&(name)->fifo, &name##_port)

/* xorshift64*: the same numbers in every run. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. bound - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((random_next(state) >> 32) * bound >> 32);
}

static inline void random_fill(uint64_t *state, void *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)(random_next(state) >> 56);
}

#endif
