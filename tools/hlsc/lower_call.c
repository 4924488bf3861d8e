/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: the kernel language's own functions, and those of LLVM that have hardware. */
#include "tools/hlsc/lower.h"

#include <string.h>

static bool is_value(const struct lower *lower, net_id net, uint64_t value)
{
    return net_is_constant(lower->netlist, net) && net_constant_bits(lower->netlist, net, 0) == value;
}

/* ---- streams ---- */

static struct stream *stream_of(struct lower *lower, LLVMValueRef call)
{
    const struct pointer *pointer = lower_pointer(lower, LLVMGetOperand(call, 0));
    if (pointer->object != NULL && pointer->object->kind == OBJECT_STREAM)
        return &lower->streams[pointer->object->stream];
    lower_error(lower, MESSAGE_STREAM_RECORD, "a stream that is no argument of the kernel");
    return NULL;
}

static bool is_output(const struct stream *stream)
{
    return stream->front->direction == FRONT_OUT;
}

static void check_waited(struct lower *lower, const char *what)
{
    if (lower->cells[lower->wait_cell] == NET_NONE)
        lower_error(lower, MESSAGE_WAIT, "%s before STREAM_WAIT", what);
}

static void fire(struct lower *lower, struct stream *stream, const char *what)
{
    net_id fired = lower->cells[stream->fire];
    if (lower_prove_never(lower, net_and(lower->netlist, fired, lower->block->path)) != PROOF_NEVER)
        lower_error(lower, MESSAGE_STREAM_TWICE, "stream '%s' may be %s twice in one activation", stream->front->name,
                    what);
    lower->cells[stream->fire] = net_constant(lower->netlist, 1, 1);
}

static void can(struct lower *lower, LLVMValueRef call, bool write)
{
    struct stream *stream = stream_of(lower, call);
    net_id net = net_constant(lower->netlist, 1, 0);
    if (stream != NULL && is_output(stream) != write)
        lower_error(lower, MESSAGE_STREAM_RECORD, "STREAM_CAN_%s of '%s', which is an %s", write ? "WRITE" : "READ",
                    stream->front->name, is_output(stream) ? "output" : "input");
    else if (stream != NULL && !lower->front->arbiter && lower->cells[lower->wait_cell] != NET_NONE)
        lower_error(lower, MESSAGE_CAN, "STREAM_CAN_%s of '%s' outside STREAM_WAIT", write ? "WRITE" : "READ",
                    stream->front->name);
    else if (stream != NULL)
        net = write ? net_stream_room(lower->netlist, stream->record->stream)
                    : net_stream_valid(lower->netlist, stream->record->stream);
    value_map_set(lower, call, value_of_net(net));
}

static void read_stream(struct lower *lower, LLVMValueRef call)
{
    struct stream *stream = stream_of(lower, call);
    const struct object *record = &lower->null;
    check_waited(lower, "STREAM_READ");
    if (stream != NULL && is_output(stream)) {
        lower_error(lower, MESSAGE_STREAM_RECORD, "STREAM_READ of '%s', which is an output", stream->front->name);
    } else if (stream != NULL) {
        fire(lower, stream, "read");
        record = stream->record;
    }
    value_map_set(lower, call, value_of_pointer(pointer_to(lower, record, 0)));
}

static void open_stream(struct lower *lower, LLVMValueRef call)
{
    struct stream *stream = stream_of(lower, call);
    const struct object *record = &lower->null;
    check_waited(lower, "STREAM_OPEN");
    if (stream != NULL && !is_output(stream))
        lower_error(lower, MESSAGE_STREAM_RECORD, "STREAM_OPEN of '%s', which is an input", stream->front->name);
    else if (stream != NULL)
        record = stream->record;
    value_map_set(lower, call, value_of_pointer(pointer_to(lower, record, 0)));
}

/* Bytes that are written under one condition are asked about once. */
static void check_written(struct lower *lower, const struct stream *stream)
{
    const net_id *written = lower->cells + stream->record->written;
    const net_id *bytes = lower->cells + stream->record->first_cell;
    for (uint32_t i = 0; i < stream->front->bytes && lower->messages->errors == 0; i++) {
        bool never = bytes[i] == NET_NONE;
        bool asked = i > 0 && written[i] == written[i - 1];
        net_id missing = net_and(lower->netlist, lower->block->path, net_not(lower->netlist, written[i]));
        if (never || (!asked && lower_prove_never(lower, missing) == PROOF_MAYBE))
            lower_error(lower, MESSAGE_UNWRITTEN, "byte %u of %s for stream '%s' is %s written", i,
                        stream->front->record, stream->front->name, never ? "never" : "not always");
    }
}

static void push_stream(struct lower *lower, LLVMValueRef call)
{
    struct stream *stream = stream_of(lower, call);
    const struct pointer *pointer = lower_pointer(lower, LLVMGetOperand(call, 1));
    if (stream == NULL)
        return;
    if (!is_output(stream) || pointer->object != stream->record || pointer->offset != 0 || pointer->term_count != 0) {
        lower_error(lower, MESSAGE_STREAM_RECORD, "STREAM_PUSH to '%s' of a record that was not opened for it",
                    stream->front->name);
        return;
    }
    fire(lower, stream, "written");
    const net_id *bytes = lower->cells + stream->record->first_cell;
    check_written(lower, stream);
    memcpy(lower->cells + stream->pushed, bytes, stream->front->bytes * sizeof *bytes);
}

static void wait_streams(struct lower *lower, LLVMValueRef call)
{
    net_id *cell = &lower->cells[lower->wait_cell];
    if (*cell != NET_NONE)
        lower_error(lower, MESSAGE_WAIT, "a second STREAM_WAIT");
    if (!is_value(lower, lower->block->path, 1))
        lower_error(lower, MESSAGE_WAIT, "STREAM_WAIT under a condition");
    *cell = lower_net(lower, LLVMGetOperand(call, 0));
}

static const struct {
    const char *name;
    void (*function)(struct lower *lower, LLVMValueRef call);
} stream_functions[] = {
    {"hls_read", read_stream},
    {"hls_open", open_stream},
    {"hls_push", push_stream},
    {"hls_wait", wait_streams},
};

static bool stream_call(struct lower *lower, LLVMValueRef call, const char *name)
{
    for (size_t i = 0; i < sizeof stream_functions / sizeof *stream_functions; i++) {
        if (strcmp(name, stream_functions[i].name) == 0) {
            stream_functions[i].function(lower, call);
            return true;
        }
    }
    bool write = strcmp(name, "hls_can_write") == 0;
    if (!write && strcmp(name, "hls_can_read") != 0)
        return false;
    can(lower, call, write);
    return true;
}

/* ---- memory ---- */

static bool copy_size(struct lower *lower, LLVMValueRef call, uint32_t *bytes)
{
    net_id size = lower_net(lower, LLVMGetOperand(call, 2));
    if (!net_is_constant(lower->netlist, size)) {
        lower_error(lower, MESSAGE_COPY_SIZE, "a copy of variable size");
        return false;
    }
    *bytes = (uint32_t)net_constant_bits(lower->netlist, size, 0);
    return *bytes > 0;
}

static void copy_memory(struct lower *lower, LLVMValueRef call)
{
    uint32_t bytes;
    if (!copy_size(lower, call, &bytes))
        return;
    net_id *copied = arena_new(lower->arena, bytes, sizeof *copied);
    lower_load(lower, lower_pointer(lower, LLVMGetOperand(call, 1)), bytes, copied);
    lower_store(lower, lower_pointer(lower, LLVMGetOperand(call, 0)), bytes, copied);
}

static void set_memory(struct lower *lower, LLVMValueRef call)
{
    uint32_t bytes;
    if (!copy_size(lower, call, &bytes))
        return;
    net_id *values = arena_new(lower->arena, bytes, sizeof *values), value = lower_net(lower, LLVMGetOperand(call, 1));
    for (uint32_t i = 0; i < bytes; i++)
        values[i] = value;
    lower_store(lower, lower_pointer(lower, LLVMGetOperand(call, 0)), bytes, values);
}

static bool memory_call(struct lower *lower, LLVMValueRef call, const char *name)
{
    bool set = strncmp(name, "llvm.memset.", 12) == 0;
    if (!set && strncmp(name, "llvm.memcpy.", 12) != 0 && strncmp(name, "llvm.memmove.", 13) != 0)
        return false;
    if (set)
        set_memory(lower, call);
    else
        copy_memory(lower, call);
    return true;
}

/* ---- functions of integers ---- */

static net_id swap_units(struct netlist *netlist, net_id a, uint32_t unit)
{
    net_id parts[NET_WIDTH_MAX / 8];
    uint32_t count = net_width(netlist, a) / unit;
    for (uint32_t i = 0; i < count; i++)
        parts[i] = net_slice(netlist, a, (count - 1 - i) * unit, unit);
    return net_concat(netlist, parts, count);
}

static net_id swap_bytes(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)b, (void)c;
    return swap_units(lower->netlist, a, 8);
}

static net_id reverse_bits(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)b, (void)c;
    return swap_units(lower->netlist, a, 1);
}

/* A balanced tree; each half counts in as many bits as it needs. */
static net_id population(struct netlist *netlist, net_id a, uint32_t low, uint32_t width)
{
    if (width == 1)
        return net_slice(netlist, a, low, 1);
    net_id left = population(netlist, a, low, width / 2);
    net_id right = population(netlist, a, low + width / 2, width - width / 2);
    uint32_t bits = net_width(netlist, right) + 1;
    return net_add(netlist, net_zext(netlist, left, bits), net_zext(netlist, right, bits));
}

static net_id fit(struct netlist *netlist, net_id net, uint32_t width)
{
    return net_width(netlist, net) < width ? net_zext(netlist, net, width) : net_trunc(netlist, net, width);
}

static net_id count_ones(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)b, (void)c;
    uint32_t width = net_width(lower->netlist, a);
    return fit(lower->netlist, population(lower->netlist, a, 0, width), width);
}

/* Zeros below the lowest one of bits low..low+width-1, in `bits` bits; `width` where there is none. */
static net_id zeros_below(struct netlist *netlist, net_id a, uint32_t low, uint32_t width, uint32_t bits)
{
    if (width == 1)
        return net_zext(netlist, net_not(netlist, net_slice(netlist, a, low, 1)), bits);
    uint32_t half = width / 2;
    net_id some = net_any(netlist, net_slice(netlist, a, low, half));
    net_id lower_half = zeros_below(netlist, a, low, half, bits);
    net_id upper_half = zeros_below(netlist, a, low + half, width - half, bits);
    return net_mux(netlist, some, lower_half, net_add(netlist, upper_half, net_constant(netlist, bits, half)));
}

static net_id trailing_zeros(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)b, (void)c;
    struct netlist *netlist = lower->netlist;
    uint32_t width = net_width(netlist, a), bits = 1;
    while ((1u << bits) <= width)
        bits++;
    return fit(netlist, zeros_below(netlist, a, 0, width, bits), width);
}

static net_id leading_zeros(struct lower *lower, net_id a, net_id b, net_id c)
{
    return trailing_zeros(lower, swap_units(lower->netlist, a, 1), b, c);
}

static net_id minimum(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)c;
    return net_mux(lower->netlist, net_ult(lower->netlist, a, b), a, b);
}

static net_id maximum(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)c;
    return net_mux(lower->netlist, net_ult(lower->netlist, a, b), b, a);
}

static net_id signed_minimum(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)c;
    return net_mux(lower->netlist, net_slt(lower->netlist, a, b), a, b);
}

static net_id signed_maximum(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)c;
    return net_mux(lower->netlist, net_slt(lower->netlist, a, b), b, a);
}

static net_id absolute(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)b, (void)c;
    struct netlist *netlist = lower->netlist;
    uint32_t width = net_width(netlist, a);
    net_id negated = net_sub(netlist, net_constant(netlist, width, 0), a);
    return net_mux(netlist, net_slice(netlist, a, width - 1, 1), negated, a);
}

static net_id funnel(struct lower *lower, net_id high, net_id low, net_id amount, bool left)
{
    struct netlist *netlist = lower->netlist;
    uint32_t width = net_width(netlist, high);
    net_id parts[2] = {low, high}, both = net_concat(netlist, parts, 2);
    if (net_is_constant(netlist, amount)) {
        amount = net_constant(netlist, 32, net_constant_bits(netlist, amount, 0) % width);
    } else if ((width & (width - 1)) != 0 || width < 2) {
        lower_error(lower, MESSAGE_INSTRUCTION, "a rotation of %u bits by a variable amount", width);
        amount = net_constant(netlist, 32, 0);
    } else {
        amount = net_trunc(netlist, amount, (uint32_t)__builtin_ctz(width));
    }
    if (left)
        return net_slice(netlist, net_shl(netlist, both, amount), width, width);
    return net_slice(netlist, net_lshr(netlist, both, amount), 0, width);
}

static net_id funnel_left(struct lower *lower, net_id a, net_id b, net_id c)
{
    return funnel(lower, a, b, c, true);
}

static net_id funnel_right(struct lower *lower, net_id a, net_id b, net_id c)
{
    return funnel(lower, a, b, c, false);
}

static net_id add_saturated(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)c;
    struct netlist *netlist = lower->netlist;
    uint32_t width = net_width(netlist, a);
    net_id sum = net_add(netlist, net_zext(netlist, a, width + 1), net_zext(netlist, b, width + 1));
    net_id all = net_not(netlist, net_constant(netlist, width, 0));
    return net_mux(netlist, net_slice(netlist, sum, width, 1), all, net_slice(netlist, sum, 0, width));
}

static net_id subtract_saturated(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)c;
    struct netlist *netlist = lower->netlist;
    net_id zero = net_constant(netlist, net_width(netlist, a), 0);
    return net_mux(netlist, net_ult(netlist, a, b), zero, net_sub(netlist, a, b));
}

static net_id first_operand(struct lower *lower, net_id a, net_id b, net_id c)
{
    (void)lower, (void)b, (void)c;
    return a;
}

static const struct {
    const char *name; /* without the types */
    uint32_t operands;
    net_id (*function)(struct lower *lower, net_id a, net_id b, net_id c);
} integer_functions[] = {
    {"llvm.bswap.", 1, swap_bytes},       {"llvm.bitreverse.", 1, reverse_bits},
    {"llvm.ctpop.", 1, count_ones},       {"llvm.cttz.", 1, trailing_zeros},
    {"llvm.ctlz.", 1, leading_zeros},     {"llvm.umin.", 2, minimum},
    {"llvm.umax.", 2, maximum},           {"llvm.smin.", 2, signed_minimum},
    {"llvm.smax.", 2, signed_maximum},    {"llvm.abs.", 1, absolute},
    {"llvm.fshl.", 3, funnel_left},       {"llvm.fshr.", 3, funnel_right},
    {"llvm.uadd.sat.", 2, add_saturated}, {"llvm.usub.sat.", 2, subtract_saturated},
    {"llvm.expect.", 1, first_operand},
};

static net_id lane(struct lower *lower, LLVMValueRef operand, struct value value, uint32_t i)
{
    LLVMTypeRef type = LLVMTypeOf(operand);
    if (LLVMGetTypeKind(type) != LLVMVectorTypeKind)
        return lower_net(lower, operand);
    net_id net = value.elements != NULL ? value.elements[i].net : NET_NONE;
    return net != NET_NONE ? net : net_constant(lower->netlist, lower_width(lower, LLVMGetElementType(type)), 0);
}

static bool integer_call(struct lower *lower, LLVMValueRef call, const char *name)
{
    size_t which = 0, known = sizeof integer_functions / sizeof *integer_functions;
    while (which < known && strncmp(name, integer_functions[which].name, strlen(integer_functions[which].name)) != 0)
        which++;
    if (which == known)
        return false;
    LLVMTypeRef type = LLVMTypeOf(call);
    bool vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    uint32_t count = vector ? LLVMGetVectorSize(type) : 1, operands = integer_functions[which].operands;
    struct value *elements = arena_new(lower->arena, count, sizeof *elements);
    for (uint32_t i = 0; i < count; i++) {
        net_id nets[3] = {NET_NONE, NET_NONE, NET_NONE};
        for (uint32_t o = 0; o < operands; o++)
            nets[o] = lane(lower, LLVMGetOperand(call, o), lower_value(lower, LLVMGetOperand(call, o)), i);
        elements[i] = value_of_net(integer_functions[which].function(lower, nets[0], nets[1], nets[2]));
    }
    value_map_set(lower, call, vector ? (struct value){.elements = elements, .count = count} : elements[0]);
    return true;
}

/* ---- arithmetic that tells its overflow ---- */

static net_id widened(struct lower *lower, LLVMValueRef operand, bool is_signed, uint32_t width)
{
    net_id net = lower_net(lower, operand);
    return is_signed ? net_sext(lower->netlist, net, width) : net_zext(lower->netlist, net, width);
}

static bool overflow_call(struct lower *lower, LLVMValueRef call, const char *name)
{
    const char *end = strstr(name, ".with.overflow.");
    if (strncmp(name, "llvm.", 5) != 0 || end == NULL)
        return false;
    struct netlist *netlist = lower->netlist;
    bool is_signed = name[5] == 's';
    uint32_t width = lower_width(lower, LLVMTypeOf(LLVMGetOperand(call, 0))), wide = 2 * width;
    net_id a = widened(lower, LLVMGetOperand(call, 0), is_signed, wide);
    net_id b = widened(lower, LLVMGetOperand(call, 1), is_signed, wide);
    net_id exact = strncmp(name + 6, "add", 3) == 0   ? net_add(netlist, a, b)
                   : strncmp(name + 6, "sub", 3) == 0 ? net_sub(netlist, a, b)
                                                      : net_mul(netlist, a, b);
    net_id result = net_trunc(netlist, exact, width);
    net_id back = is_signed ? net_sext(netlist, result, wide) : net_zext(netlist, result, wide);
    struct value *elements = arena_new(lower->arena, 2, sizeof *elements);
    elements[0] = value_of_net(result);
    elements[1] = value_of_net(net_not(netlist, net_eq(netlist, back, exact)));
    value_map_set(lower, call, (struct value){.elements = elements, .count = 2});
    return true;
}

static bool without_effect(const char *name)
{
    static const char *const names[] = {"llvm.lifetime.", "llvm.dbg.", "llvm.assume", "llvm.experimental.noalias"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

void lower_call(struct lower *lower, LLVMValueRef call)
{
    LLVMValueRef called = LLVMGetCalledValue(call);
    if (LLVMGetTypeKind(LLVMTypeOf(call)) != LLVMVoidTypeKind)
        value_map_set(lower, call, value_zero(lower, LLVMTypeOf(call)));
    if (LLVMIsAInlineAsm(called)) {
        lower_error(lower, MESSAGE_INSTRUCTION, "inline assembly");
        return;
    }
    if (!LLVMIsAFunction(called)) {
        lower_error(lower, MESSAGE_CALL, "a call through a function pointer");
        return;
    }
    size_t length;
    const char *name = LLVMGetValueName2(called, &length);
    if (without_effect(name) || stream_call(lower, call, name) || memory_call(lower, call, name) ||
        integer_call(lower, call, name) || overflow_call(lower, call, name))
        return;
    if (strncmp(name, "llvm.", 5) == 0)
        lower_error(lower, MESSAGE_INSTRUCTION, "'%s' has no hardware", name);
    else
        lower_error(lower, MESSAGE_CALL, "call of '%s', which is not inlined", name);
}
