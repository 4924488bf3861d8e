/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream port of a model: NAME_valid, NAME_ready, NAME_data. Ports of modules with several alike streams are vectors;
 * `index` picks one. The rule is AXI4-Stream's: a record moves in a cycle in which valid and ready are both set when
 * the model has settled; valid, once set, stays until then.
 */
#ifndef CIPU_RTL_STREAM_H
#define CIPU_RTL_STREAM_H

#include <string.h>

#include "hw/platform/sim/model.h"

struct rtl_stream {
    uint8_t *valid, *ready; /* the bytes with this stream's bits */
    uint8_t mask;
    uint8_t *data;
    uint32_t bytes; /* of a record */
};

/* Stops the program if there is no such stream. `bytes` 0 = any. */
struct rtl_stream rtl_stream(const struct rtl *rtl, const char *name, uint32_t index, uint32_t bytes);

static inline void rtl_set_bit(uint8_t *byte, uint8_t mask, bool value)
{
    *byte = value ? *byte | mask : (uint8_t)(*byte & ~mask);
}

/* Into the model, before it settles: offers a record; NULL = none. */
static inline void rtl_offer(const struct rtl_stream *stream, const void *record)
{
    rtl_set_bit(stream->valid, stream->mask, record != NULL);
    if (record)
        memcpy(stream->data, record, stream->bytes);
}

/* Out of the model, before it settles: whether a record could be taken. */
static inline void rtl_accept(const struct rtl_stream *stream, bool ready)
{
    rtl_set_bit(stream->ready, stream->mask, ready);
}

/* After it has settled: a record moves at the coming edge; for outputs it is in `data`. */
static inline bool rtl_moves(const struct rtl_stream *stream)
{
    return *stream->valid & *stream->ready & stream->mask;
}

#endif
