/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/message.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *title;
    const char *text;
} explanations[MESSAGE_COUNT] = {
    [MESSAGE_COMPILE] = {"the C compiler refuses the source",
                         "hlsc runs clang-19 first; its messages stand above. A kernel is plain C11, and sees hls.h\n"
                         "with __HLSC__ defined."},
    [MESSAGE_KERNEL] = {"a file is one kernel",
                        "Each source file holds one function that STEP or ARBITER defines. Several kernels that share\n"
                        "code include it from a header of HLS_INLINE functions."},
    [MESSAGE_ARGUMENTS] = {"a kernel's arguments are its state, then streams",
                           "The first argument is a pointer to the state, a plain struct; all others are STREAM_IN,\n"
                           "STREAM_IN_COND or STREAM_OUT. What else a kernel needs comes in a record."},
    [MESSAGE_RECORD_SIZE] =
        {"a record is at most 512 bytes",
         "A record is what one AXI4-Stream transfer carries. Cut larger ones into several records."},
    [MESSAGE_LOOP] =
        {"loops have constant bounds",
         "An activation is one issue slot of a pipeline, so every loop is unrolled: how often it runs at most must\n"
         "be known when it is compiled. Write `for (i = 0; i < MAX; i++) if (i < count) ...`. A break that depends\n"
         "on data is good where the loop has a constant bound as well, but what follows it waits for all rounds."},
    [MESSAGE_CALL] =
        {"functions are inlined",
         "Only HLS_INLINE functions may be called, because hardware has no stack: no recursion, no function\n"
         "pointers, no libc but memcpy, memset and memmove of constant size."},
    [MESSAGE_FLOAT] = {"no floating point", "Use integers, with as many fraction bits as are needed."},
    [MESSAGE_DIVISION] =
        {"division by powers of two only",
         "A divider takes many cycles. Divide by a constant power of two, or multiply by the reciprocal\n"
         "and shift."},
    [MESSAGE_POINTER] =
        {"pointers are names, not values",
         "A pointer must be known when it is compiled, up to a choice between a few objects: it is not\n"
         "stored in memory, compared, or made from an integer. Store an index."},
    [MESSAGE_COPY_SIZE] = {"copies have constant size",
                           "HLS_COPY and HLS_ZERO are wires. For a variable number of bytes write a loop of constant\n"
                           "length whose body is under `if (i < bytes)`."},
    [MESSAGE_STREAM_TWICE] =
        {"one read or write per stream and activation",
         "A stream moves one record a cycle. Read once, into a local if need be; put the second record\n"
         "into the state and send it in the next activation. Two STREAM_PUSH of one stream are good only\n"
         "in branches of which one activation takes one at most."},
    [MESSAGE_STREAM_RECORD] =
        {"STREAM_PUSH sends what STREAM_OPEN of the same stream gave",
         "Streams are read with STREAM_READ and written with STREAM_OPEN and STREAM_PUSH, each with the\n"
         "stream's own argument name."},
    [MESSAGE_UNWRITTEN] =
        {"every byte of a record is written",
         "What STREAM_OPEN gives holds whatever was there. Begin with HLS_ZERO, or write the reserved bytes\n"
         "too."},
    [MESSAGE_WAIT] = {"STREAM_WAIT is the first statement",
                      "It says which streams the activation may use, in terms of the state and of STREAM_CAN_READ and\n"
                      "STREAM_CAN_WRITE. It stands once, at the start, under no condition."},
    [MESSAGE_CAN] =
        {"only arbiters ask whether a stream is ready",
         "Outside STREAM_WAIT the answer would make the output depend on timing. A kernel that has to choose\n"
         "between inputs is marked ARBITER instead of STEP."},
    [MESSAGE_RAM_READ] =
        {"a RAM is read at one place, before it is written",
         "State arrays of 128 and more entries are block RAMs. One activation may read at most four different\n"
         "entries of one array, each of which costs a copy of the RAM. Copy the entry to a local, work on it,\n"
         "write the local back."},
    [MESSAGE_RAM_WRITE] =
        {"a RAM is written at one place",
         "One activation may write one entry of a state array of 128 or more entries. Spread the work over\n"
         "several activations, or make it two arrays."},
    [MESSAGE_RAM_PARTIAL] =
        {"entries of a RAM are written whole",
         "A RAM has no byte enables. Copy the entry to a local, change what has to change, and write the local\n"
         "whole; or write all its fields."},
    [MESSAGE_RAM_WHOLE] =
        {"a RAM is accessed entry by entry",
         "A state array of 128 and more entries cannot be copied or cleared at once. Let a counter in the state\n"
         "walk over it, one entry an activation."},
    [MESSAGE_READ_ONLY] = {"a record that was read, and a constant, are not written",
                           "Copy it to a local, or to the record that goes out, and change that."},
    [MESSAGE_BOUNDS] = {"an access lies within its object",
                        "The offset is known when it is compiled, and it is outside the array, struct or record."},
    [MESSAGE_GLOBAL] = {"no static or global variables",
                        "State is the kernel's first argument. Tables are `static const`."},
    [MESSAGE_STATE] =
        {"the state consists of integers",
         "Integers, bool, enums, structs and arrays of them; no pointers, floating point, bit-fields or unions."},
    [MESSAGE_CONDITIONAL] =
        {"STREAM_IN is read in every activation",
         "A stream that some activations do not read is STREAM_IN_COND, and STREAM_WAIT says when:\n"
         "`(!state->at_start || STREAM_CAN_READ(command))`."},
    [MESSAGE_INSTRUCTION] =
        {"the construct has no hardware",
         "Inline assembly, volatile and atomic accesses, and vector operations beyond moving and adding lanes\n"
         "are not compiled."},
    [MESSAGE_DYNAMIC] =
        {"a variable index is too wide",
         "Every position that it may select costs a multiplexer input for each byte that is read. Mask it to the\n"
         "bits that it needs, or make the array a RAM."},
    [MESSAGE_ASK] =
        {"STREAM_WAIT asks for every stream that the activation may use",
         "There is a state, or a record, for which the stream moves although STREAM_WAIT holds without it. Say the\n"
         "same condition in both places: `(!state->at_start || STREAM_CAN_READ(command))`, and read it under\n"
         "`if (state->at_start)`."},
};

void message_name(enum message_code code, char name[8])
{
    snprintf(name, 8, "HLS%03u", (unsigned)code % 999u + 1u);
}

static bool said_before(struct messages *messages, struct net_place place, const char *text)
{
    uint64_t hash = 1469598103934665603u ^ place.line;
    for (const char *c = place.file != NULL ? place.file : ""; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    for (const char *c = text; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    for (uint32_t i = 0; i < messages->said; i++) {
        if (messages->seen[i] == hash)
            return true;
    }
    if (messages->said < MESSAGES_MAX)
        messages->seen[messages->said++] = hash;
    return false;
}

void message_error(struct messages *messages, struct net_place place, enum message_code code, const char *format, ...)
{
    char text[512], name[8];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (said_before(messages, place, text))
        return;
    messages->errors++;
    if (messages->errors > MESSAGES_MAX)
        return;
    message_name(code, name);
    if (place.file != NULL && place.line != 0)
        fprintf(messages->to, "%s:%u: error: %s [%s]\n", place.file, place.line, text, name);
    else
        fprintf(messages->to, "%s: error: %s [%s]\n", place.file != NULL ? place.file : "hlsc", text, name);
}

bool message_explain(FILE *to, const char *name)
{
    for (uint32_t code = 0; code < MESSAGE_COUNT; code++) {
        char known[8];
        message_name((enum message_code)code, known);
        if (strcasecmp(known, name) == 0) {
            fprintf(to, "%s: %s\n\n%s\n", known, explanations[code].title, explanations[code].text);
            return true;
        }
    }
    return false;
}

void message_list(FILE *to)
{
    for (uint32_t code = 0; code < MESSAGE_COUNT; code++) {
        char name[8];
        message_name((enum message_code)code, name);
        fprintf(to, "%s  %s\n", name, explanations[code].title);
    }
}
