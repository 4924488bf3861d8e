/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel language: what a step kernel may use besides plain C.
 *
 * A kernel is one function that performs ONE activation: it reads at most one record from each input stream, writes at
 * most one to each output stream, changes its state, and returns. An activation whose STREAM_WAIT does not hold has no
 * effect at all.
 *
 *     STEP(tee, struct tee_state *state, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, left))
 *     {
 *         STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(left));
 *         STREAM_READ(struct beat, beat, in);
 *         STREAM_OPEN(struct beat, copy, left);
 *         HLS_COPY(copy, beat, sizeof *copy);
 *         STREAM_PUSH(struct beat, copy, left);
 *         STEP_END;
 *     }
 *
 * STREAM_WAIT is the first statement and names every stream the activation may use. STREAM_READ declares `const struct
 * beat *beat`, valid until STEP_END; STREAM_OPEN declares `struct beat *copy`, of which EVERY byte has to be written;
 * what is not pushed is not sent.
 *
 * STREAM_IN_COND marks an input that is read only in some activations (under a predicate of the state or of another
 * record). STREAM_WAIT must then say so exactly: `(!state->at_start || STREAM_CAN_READ(command))`. Only kernels marked
 * ARBITER may use STREAM_CAN_READ or STREAM_CAN_WRITE outside STREAM_WAIT: their output depends on timing.
 *
 * In hardware a stream is AXI4-Stream and an activation an issue slot of a pipeline with initiation interval 1.
 * Natively a stream is a ring of slots in memory (hls/include/fifo.h) and records are read and written in place.
 */
#ifndef CIPU_HLS_H
#define CIPU_HLS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Slots are aligned to 64 bytes, so that records start on a cache line. */
#define HLS_SLOT_BYTES(type) ((uint32_t)((sizeof(type) + 63u) / 64u * 64u))

#define HLS_INLINE static inline __attribute__((always_inline))

#ifdef __HLSC__
#include "hls/include/hls_compiler.h"
#else
/* One end of a stream during a run of activations. `checked` is a compile-time constant after inlining: in a chunk that
 * was sized beforehand nothing is tested or wraps, and `slots` is all that moves. */
struct hls_port {
    uint8_t *slots; /* of the ring; in a chunk the next one */
    uint32_t index; /* free running */
    uint32_t limit; /* reader: the tail; writer: head + capacity */
    uint32_t mask;
    bool checked;
};

#define STEP(name, ...)    HLS_INLINE int name(__VA_ARGS__)
#define ARBITER(name, ...) HLS_INLINE int name(__VA_ARGS__)
#define STEP_END           return 1

#define STREAM_IN(type, name)      struct hls_port *name
#define STREAM_IN_COND(type, name) struct hls_port *name
#define STREAM_OUT(type, name)     struct hls_port *name

#define STREAM_CAN_READ(port)  (!(port)->checked || (port)->index != (port)->limit)
#define STREAM_CAN_WRITE(port) (!(port)->checked || (port)->index != (port)->limit)
#define STREAM_WAIT(condition) \
    do {                       \
        if (!(condition))      \
            return 0;          \
    } while (0)

HLS_INLINE void *hls_slot(const struct hls_port *port, uint32_t slot_bytes)
{
    return port->checked ? port->slots + (uint64_t)(port->index & port->mask) * slot_bytes : port->slots;
}

HLS_INLINE void hls_advance(struct hls_port *port, uint32_t slot_bytes)
{
    if (port->checked)
        port->index++;
    else
        port->slots += slot_bytes;
}

#ifndef HLS_COPYING
#define STREAM_READ(type, name, port)                                        \
    const type *name = (const type *)hls_slot((port), HLS_SLOT_BYTES(type)); \
    hls_advance((port), HLS_SLOT_BYTES(type))
#define STREAM_OPEN(type, name, port) type *name = (type *)hls_slot((port), HLS_SLOT_BYTES(type))
#define STREAM_PUSH(type, name, port) (void)(name), hls_advance((port), HLS_SLOT_BYTES(type))
#else
/* For comparison with the form in place: records are copied in and out, what is not written reads as 0xA5, and a stream
 * that STREAM_WAIT forgot stops the program. */
#define STREAM_READ(type, name, port)                                        \
    type name##_record;                                                      \
    hls_copy_in(&name##_record, (port), sizeof(type), HLS_SLOT_BYTES(type)); \
    const type *name = &name##_record
#define STREAM_OPEN(type, name, port)           \
    type name##_record;                         \
    memset(&name##_record, 0xA5, sizeof(type)); \
    type *name = &name##_record
#define STREAM_PUSH(type, name, port) hls_copy_out((name), (port), sizeof(type), HLS_SLOT_BYTES(type))

HLS_INLINE void hls_copy_in(void *record, struct hls_port *port, uint64_t bytes, uint32_t slot_bytes)
{
    if (!STREAM_CAN_READ(port))
        __builtin_trap();
    void *slot = hls_slot(port, slot_bytes);
    memcpy(record, slot, bytes);
    memset(slot, 0xA5, slot_bytes);
    port->index++;
}

HLS_INLINE void hls_copy_out(const void *record, struct hls_port *port, uint64_t bytes, uint32_t slot_bytes)
{
    if (!STREAM_CAN_WRITE(port))
        __builtin_trap();
    memcpy(hls_slot(port, slot_bytes), record, bytes);
    port->index++;
}
#endif
#endif

/* Copies and clears of constant size; in hardware wires. */
#define HLS_COPY(to, from, bytes) memcpy((to), (from), (bytes))
#define HLS_ZERO(to, bytes)       memset((to), 0, (bytes))

/* A condition that seldom holds: natively what depends on it goes out of the way. */
#define HLS_SELDOM(condition) __builtin_expect(!!(condition), 0)

typedef uint8_t hls_vector __attribute__((vector_size(64), aligned(1), may_alias));

/* to[0..63] = bytes shift..shift+63 of the 128 bytes {first, second}; shift is a constant 0..64. */
#if defined(__clang__) && !defined(__HLSC__)
#define HLS_SHUFFLE_1(k, i) ((k) + (i))
#define HLS_SHUFFLE_8(k, i)                                                                               \
    HLS_SHUFFLE_1(k, i), HLS_SHUFFLE_1(k, (i) + 1), HLS_SHUFFLE_1(k, (i) + 2), HLS_SHUFFLE_1(k, (i) + 3), \
        HLS_SHUFFLE_1(k, (i) + 4), HLS_SHUFFLE_1(k, (i) + 5), HLS_SHUFFLE_1(k, (i) + 6), HLS_SHUFFLE_1(k, (i) + 7)
#define HLS_ALIGN(to, first, second, shift)                                                                        \
    do {                                                                                                           \
        hls_vector hls_a = *(const hls_vector *)(const void *)(first);                                             \
        hls_vector hls_b = *(const hls_vector *)(const void *)(second);                                            \
        *(hls_vector *)(void *)(to) =                                                                              \
            __builtin_shufflevector(hls_a, hls_b, HLS_SHUFFLE_8(shift, 0), HLS_SHUFFLE_8(shift, 8),                \
                                    HLS_SHUFFLE_8(shift, 16), HLS_SHUFFLE_8(shift, 24), HLS_SHUFFLE_8(shift, 32),  \
                                    HLS_SHUFFLE_8(shift, 40), HLS_SHUFFLE_8(shift, 48), HLS_SHUFFLE_8(shift, 56)); \
    } while (0)
#else
#define HLS_ALIGN(to, first, second, shift)                                           \
    do {                                                                              \
        memcpy((uint8_t *)(to), (const uint8_t *)(first) + (shift), 64 - (shift));    \
        memcpy((uint8_t *)(to) + (64 - (shift)), (const uint8_t *)(second), (shift)); \
    } while (0)
#endif

/* to[0..bytes-1] = from[offset..], zeros beyond from_bytes. `bytes` and `from_bytes` are constants; the offset is data:
 * in hardware a shifter in powers of two, so use it under the narrowest condition. */
#define HLS_WINDOW(to, bytes, from, from_bytes, offset) \
    hls_window((uint8_t *)(to), (bytes), (from), (from_bytes), (offset))

HLS_INLINE void hls_window(uint8_t *to, uint32_t bytes, const uint8_t *from, uint32_t from_bytes, uint32_t offset)
{
#ifndef __HLSC__
    if (offset + bytes <= from_bytes) {
        memcpy(to, from + offset, bytes);
    } else
#endif
    {
        for (uint32_t i = 0; i < bytes; i++)
            to[i] = offset + i < from_bytes ? from[offset + i] : 0;
    }
}

/* Declares const uint8_t *name: from[offset..offset+bytes-1], of which only what lies within from_bytes may be read. As
 * HLS_WINDOW, but natively nothing is copied. In hardware whatever is read of it shares one shifter. */
#ifdef __HLSC__
#define HLS_VIEW(name, bytes, from, from_bytes, offset)              \
    uint8_t name##_bytes[bytes];                                     \
    hls_view(name##_bytes, (bytes), (from), (from_bytes), (offset)); \
    const uint8_t *name = name##_bytes

HLS_INLINE void hls_view(uint8_t *to, uint32_t bytes, const uint8_t *from, uint32_t from_bytes, uint32_t offset)
{
    (void)from_bytes;
    for (uint32_t i = 0; i < bytes; i++)
        to[i] = from[offset + i];
}
#else
#define HLS_VIEW(name, bytes, from, from_bytes, offset) const uint8_t *name = (from) + (offset)
#endif

/* Declares const type *name: the record that begins at byte `from`, which is aligned as the record wants it. In
 * hardware wires. */
#define HLS_RECORD(type, name, from) const type *name = (const type *)(const void *)(from)

/* Fields of network headers: big endian. */
HLS_INLINE uint16_t hls_be16(const uint8_t *bytes)
{
    uint16_t value;
    HLS_COPY(&value, bytes, sizeof value);
    return __builtin_bswap16(value);
}

HLS_INLINE uint32_t hls_be32(const uint8_t *bytes)
{
    uint32_t value;
    HLS_COPY(&value, bytes, sizeof value);
    return __builtin_bswap32(value);
}

/* The low 16 bits of `value`. */
HLS_INLINE void hls_put_be16(uint8_t *bytes, uint32_t value)
{
    uint16_t swapped = __builtin_bswap16((uint16_t)value);
    HLS_COPY(bytes, &swapped, sizeof swapped);
}

HLS_INLINE void hls_put_be32(uint8_t *bytes, uint32_t value)
{
    uint32_t swapped = __builtin_bswap32(value);
    HLS_COPY(bytes, &swapped, sizeof swapped);
}

#endif
