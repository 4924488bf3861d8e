/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel language as the compiler to hardware (tools/hlsc) reads it; hls.h includes this instead of the native
 * forms when __HLSC__ is defined.
 *
 * The functions are never defined: hlsc gives each call its meaning. A stream argument is opaque; what hlsc has to know
 * of it (direction, bytes of a record, the record's type) is in its annotation. The kernel is the one function of
 * section hls.step or hls.arbiter.
 */
#ifndef CIPU_HLS_COMPILER_H
#define CIPU_HLS_COMPILER_H

#include <stdbool.h>
#include <stdint.h>

struct hls_port;

#define STEP(name, ...)    __attribute__((section("hls.step"))) int name(__VA_ARGS__)
#define ARBITER(name, ...) __attribute__((section("hls.arbiter"))) int name(__VA_ARGS__)
#define STEP_END           return 1

#define HLS_STREAM(kind, type, name) \
    struct hls_port *name __attribute__((annotate(kind, (uint32_t)sizeof(type), #type, #name)))
#define STREAM_IN(type, name)      HLS_STREAM("hls.in", type, name)
#define STREAM_IN_COND(type, name) HLS_STREAM("hls.in_cond", type, name)
#define STREAM_OUT(type, name)     HLS_STREAM("hls.out", type, name)

/* May the stream be read, or written? A value like any other. */
bool hls_can_read(const struct hls_port *port) __attribute__((const, nothrow));
bool hls_can_write(const struct hls_port *port) __attribute__((const, nothrow));

/* The activation takes place only where the condition holds. */
void hls_wait(bool condition) __attribute__((nothrow));

/* The record at the head, which is taken; room for a record; what that room holds goes out. */
const void *hls_read(struct hls_port *port) __attribute__((nothrow));
void *hls_open(struct hls_port *port) __attribute__((nothrow));
void hls_push(struct hls_port *port, const void *record) __attribute__((nothrow));

#define STREAM_CAN_READ(port)         hls_can_read(port)
#define STREAM_CAN_WRITE(port)        hls_can_write(port)
#define STREAM_WAIT(condition)        hls_wait(condition)
#define STREAM_READ(type, name, port) const type *name = (const type *)hls_read(port)
#define STREAM_OPEN(type, name, port) type *name = (type *)hls_open(port)
#define STREAM_PUSH(type, name, port) hls_push((port), (name))

#endif
