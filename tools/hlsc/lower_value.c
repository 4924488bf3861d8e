/* SPDX-License-Identifier: Apache-2.0 */
/* Values of LLVM as nets and pointers, and the choice between two of them. */
#include "tools/hlsc/lower.h"
#include "tools/hlsc/memory.h"

#include <stdarg.h>

#define SIMPLIFY_DEPTH 6u

void lower_error(struct lower *lower, enum message_code code, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct net_place place =
        lower->instruction != NULL ? front_place(lower->front, lower->instruction) : lower->front->place;
    message_error(lower->messages, place, code, "%s", text);
}

struct value value_of_net(net_id net)
{
    return (struct value){.net = net};
}

struct value value_of_pointer(const struct pointer *pointer)
{
    return (struct value){.pointer = pointer};
}

/* ---- pointers ---- */

static struct pointer *pointer_copy(struct lower *lower, const struct pointer *from)
{
    struct pointer *pointer = arena_new(lower->arena, 1, sizeof *pointer);
    *pointer = *from;
    return pointer;
}

const struct pointer *pointer_to(struct lower *lower, const struct object *object, int64_t offset)
{
    struct pointer place = {.object = object, .offset = offset};
    return pointer_copy(lower, &place);
}

static const struct pointer *pointer_choice(struct lower *lower, net_id condition, const struct pointer *then,
                                            const struct pointer *otherwise)
{
    struct pointer choice = {.condition = condition, .then = then, .otherwise = otherwise};
    return pointer_copy(lower, &choice);
}

const struct pointer *pointer_step(struct lower *lower, const struct pointer *from, int64_t offset)
{
    if (offset == 0)
        return from;
    struct pointer *pointer = pointer_copy(lower, from);
    if (from->object == NULL) {
        pointer->then = pointer_step(lower, from->then, offset);
        pointer->otherwise = pointer_step(lower, from->otherwise, offset);
    } else {
        pointer->offset += offset;
    }
    return pointer;
}

/* Terms beyond the room join the last one. */
static void pointer_add_term(struct lower *lower, struct pointer *pointer, struct pointer_term term)
{
    if (pointer->term_count < POINTER_TERMS) {
        pointer->terms[pointer->term_count++] = term;
        return;
    }
    struct pointer_term *last = &pointer->terms[POINTER_TERMS - 1];
    net_id a = net_mul(lower->netlist, last->index, net_constant(lower->netlist, 64, last->stride));
    net_id b = net_mul(lower->netlist, term.index, net_constant(lower->netlist, 64, term.stride));
    last->index = net_add(lower->netlist, a, b);
    last->stride = 1;
    last->limit = 0;
}

const struct pointer *pointer_step_index(struct lower *lower, const struct pointer *from, net_id index, uint64_t stride,
                                         uint64_t limit)
{
    if (net_is_constant(lower->netlist, index))
        return pointer_step(lower, from, (int64_t)(net_constant_bits(lower->netlist, index, 0) * stride));
    struct pointer *pointer = pointer_copy(lower, from);
    if (from->object == NULL) {
        pointer->then = pointer_step_index(lower, from->then, index, stride, limit);
        pointer->otherwise = pointer_step_index(lower, from->otherwise, index, stride, limit);
    } else {
        struct pointer_term term = {index, stride, limit};
        pointer_add_term(lower, pointer, term);
    }
    return pointer;
}

static bool pointer_same(const struct pointer *a, const struct pointer *b)
{
    if (a == b)
        return true;
    if (a->object != b->object || a->offset != b->offset || a->term_count != b->term_count)
        return false;
    if (a->object == NULL)
        return a->condition == b->condition && pointer_same(a->then, b->then) &&
               pointer_same(a->otherwise, b->otherwise);
    for (uint32_t i = 0; i < a->term_count; i++) {
        if (a->terms[i].index != b->terms[i].index || a->terms[i].stride != b->terms[i].stride)
            return false;
    }
    return true;
}

/* Two places in one object that differ only in their offset: one place with a variable offset. */
static const struct pointer *pointer_choose(struct lower *lower, net_id condition, const struct pointer *then,
                                            const struct pointer *otherwise)
{
    if (pointer_same(then, otherwise) || otherwise->object == NULL || then->object == NULL ||
        then->object != otherwise->object || then->term_count != 0 || otherwise->term_count != 0)
        return pointer_same(then, otherwise) ? then : pointer_choice(lower, condition, then, otherwise);
    net_id offset = net_mux(lower->netlist, condition, net_constant(lower->netlist, 64, (uint64_t)then->offset),
                            net_constant(lower->netlist, 64, (uint64_t)otherwise->offset));
    struct pointer *pointer = pointer_copy(lower, then);
    pointer->offset = 0;
    pointer->terms[0] = (struct pointer_term){offset, 1, 0};
    pointer->term_count = 1;
    return pointer;
}

/* ---- choice ---- */

/* The net where `condition` is known, as far as multiplexers over it go. */
static net_id known(struct lower *lower, net_id net, net_id condition, bool holds, uint32_t depth)
{
    const struct net_node *node = net_get(lower->netlist, net);
    if (net == condition)
        return net_constant(lower->netlist, 1, holds);
    if (depth == 0 || node->op != NET_MUX)
        return net;
    net_id select = net_operand(lower->netlist, net, 0);
    net_id then = net_operand(lower->netlist, net, 1), otherwise = net_operand(lower->netlist, net, 2);
    if (select == condition)
        return known(lower, holds ? then : otherwise, condition, holds, depth - 1);
    net_id new_then = known(lower, then, condition, holds, depth - 1);
    net_id new_otherwise = known(lower, otherwise, condition, holds, depth - 1);
    if (new_then == then && new_otherwise == otherwise)
        return net;
    return net_mux(lower->netlist, select, new_then, new_otherwise);
}

net_id lower_choose_net(struct lower *lower, net_id condition, net_id then, net_id otherwise)
{
    if (then == NET_NONE || then == otherwise)
        return otherwise;
    if (otherwise == NET_NONE)
        return then;
    then = known(lower, then, condition, true, SIMPLIFY_DEPTH);
    otherwise = known(lower, otherwise, condition, false, SIMPLIFY_DEPTH);
    return net_mux(lower->netlist, condition, then, otherwise);
}

static struct value choose_elements(struct lower *lower, net_id condition, struct value then, struct value otherwise)
{
    struct value *elements = arena_new(lower->arena, then.count, sizeof *elements);
    for (uint32_t i = 0; i < then.count; i++)
        elements[i] = lower_choose(lower, condition, then.elements[i], otherwise.elements[i]);
    return (struct value){.elements = elements, .count = then.count};
}

static bool value_undefined(struct value value)
{
    return value.net == NET_NONE && value.pointer == NULL && value.elements == NULL;
}

struct value lower_choose(struct lower *lower, net_id condition, struct value then, struct value otherwise)
{
    if (value_undefined(then))
        return otherwise;
    if (value_undefined(otherwise))
        return then;
    if (net_is_constant(lower->netlist, condition))
        return net_constant_bits(lower->netlist, condition, 0) != 0 ? then : otherwise;
    if (then.elements != NULL)
        return choose_elements(lower, condition, then, otherwise);
    if (then.pointer != NULL)
        return value_of_pointer(pointer_choose(lower, condition, then.pointer, otherwise.pointer));
    return value_of_net(lower_choose_net(lower, condition, then.net, otherwise.net));
}

/* ---- maps from LLVM's values ---- */

static size_t slot_of(const struct value_map *map, const void *key)
{
    size_t slot = ((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 20;
    for (;; slot++) {
        slot &= map->capacity - 1;
        if (map->keys[slot] == NULL || map->keys[slot] == key)
            return slot;
    }
}

static void map_grow(struct value_map *map)
{
    struct value_map larger = {.capacity = map->capacity > 0 ? 2 * map->capacity : 1024};
    larger.keys = memory_new(larger.capacity, sizeof *larger.keys);
    larger.values = memory_new(larger.capacity, sizeof *larger.values);
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->keys[i] != NULL) {
            size_t slot = slot_of(&larger, map->keys[i]);
            larger.keys[slot] = map->keys[i];
            larger.values[slot] = map->values[i];
        }
    }
    larger.count = map->count;
    value_map_free(map);
    *map = larger;
}

void value_map_free(struct value_map *map)
{
    free(map->keys);
    free(map->values);
}

void value_map_set(struct lower *lower, LLVMValueRef key, struct value value)
{
    struct value_map *map = &lower->values;
    if (map->count * 2 >= map->capacity)
        map_grow(map);
    size_t slot = slot_of(map, key);
    map->count += map->keys[slot] == NULL;
    map->keys[slot] = key;
    map->values[slot] = value;
}

static const struct value *value_map_get(const struct lower *lower, LLVMValueRef key)
{
    if (lower->values.capacity == 0)
        return NULL;
    size_t slot = slot_of(&lower->values, key);
    return lower->values.keys[slot] != NULL ? &lower->values.values[slot] : NULL;
}

/* ---- LLVM's operands ---- */

uint32_t lower_width(struct lower *lower, LLVMTypeRef type)
{
    LLVMTypeKind kind = LLVMGetTypeKind(type);
    if (kind == LLVMIntegerTypeKind && LLVMGetIntTypeWidth(type) <= NET_WIDTH_MAX)
        return LLVMGetIntTypeWidth(type);
    if (kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind || kind == LLVMX86_FP80TypeKind)
        lower_error(lower, MESSAGE_FLOAT, "floating point; use integers");
    else
        lower_error(lower, MESSAGE_INSTRUCTION, "a value that is neither an integer nor a pointer");
    return 1;
}

static uint32_t element_count(LLVMTypeRef type)
{
    switch (LLVMGetTypeKind(type)) {
    case LLVMVectorTypeKind:
        return LLVMGetVectorSize(type);
    case LLVMStructTypeKind:
        return LLVMCountStructElementTypes(type);
    case LLVMArrayTypeKind:
        return (uint32_t)LLVMGetArrayLength2(type);
    default:
        return 0;
    }
}

static LLVMTypeRef element_type(LLVMTypeRef type, uint32_t index)
{
    return LLVMGetTypeKind(type) == LLVMStructTypeKind ? LLVMStructGetTypeAtIndex(type, index)
                                                       : LLVMGetElementType(type);
}

struct value value_zero(struct lower *lower, LLVMTypeRef type)
{
    uint32_t count = element_count(type);
    if (count > 0) {
        struct value *elements = arena_new(lower->arena, count, sizeof *elements);
        for (uint32_t i = 0; i < count; i++)
            elements[i] = value_zero(lower, element_type(type, i));
        return (struct value){.elements = elements, .count = count};
    }
    if (LLVMGetTypeKind(type) == LLVMPointerTypeKind)
        return value_of_pointer(pointer_to(lower, &lower->null, 0));
    return value_of_net(net_constant(lower->netlist, lower_width(lower, type), 0));
}

static net_id constant_integer(struct lower *lower, LLVMValueRef value, uint32_t width)
{
    if (width <= 64)
        return net_constant(lower->netlist, width, LLVMConstIntGetZExtValue(value));
    /* The C API tells only the low 64 bits of a constant: the rest comes out of its digits. */
    uint64_t words[NET_WIDTH_MAX / 64] = {0};
    char *text = LLVMPrintValueToString(value);
    const char *digits = strrchr(text, ' ');
    bool negative = digits != NULL && digits[1] == '-';
    for (const char *c = digits != NULL ? digits + 1 + negative : ""; *c >= '0' && *c <= '9'; c++) {
        unsigned __int128 carry = (unsigned)(*c - '0');
        for (uint32_t i = 0; i < (width + 63) / 64; i++) {
            carry += (unsigned __int128)words[i] * 10;
            words[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    LLVMDisposeMessage(text);
    net_id net = net_constant_wide(lower->netlist, width, words);
    return negative ? net_sub(lower->netlist, net_constant(lower->netlist, width, 0), net) : net;
}

static struct value constant_elements(struct lower *lower, LLVMValueRef value)
{
    uint32_t count = element_count(LLVMTypeOf(value));
    struct value *elements = arena_new(lower->arena, count, sizeof *elements);
    for (uint32_t i = 0; i < count; i++)
        elements[i] = lower_value(lower, LLVMGetAggregateElement(value, i));
    return (struct value){.elements = elements, .count = count};
}

static struct value constant_value(struct lower *lower, LLVMValueRef value)
{
    LLVMTypeRef type = LLVMTypeOf(value);
    if (LLVMIsUndef(value) || LLVMIsPoison(value))
        return (struct value){0};
    if (LLVMIsNull(value))
        return value_zero(lower, type);
    if (LLVMIsAConstantInt(value))
        return value_of_net(constant_integer(lower, value, lower_width(lower, type)));
    if (LLVMIsAFunction(value)) /* whoever calls it says so */
        return value_of_pointer(pointer_to(lower, &lower->null, 0));
    if (LLVMIsAGlobalVariable(value)) {
        const struct object *object = lower_global(lower, value);
        return value_of_pointer(pointer_to(lower, object, 0));
    }
    if (LLVMIsAConstantExpr(value) && LLVMGetConstOpcode(value) == LLVMGetElementPtr)
        return value_of_pointer(lower_element_pointer(lower, value));
    if (element_count(type) > 0)
        return constant_elements(lower, value);
    lower_error(lower, MESSAGE_INSTRUCTION, "a constant that hlsc does not know");
    return (struct value){0};
}

struct value lower_value(struct lower *lower, LLVMValueRef value)
{
    const struct value *known_value = value_map_get(lower, value);
    if (known_value != NULL)
        return *known_value;
    if (LLVMIsConstant(value))
        return constant_value(lower, value);
    return (struct value){0};
}

net_id lower_net(struct lower *lower, LLVMValueRef value)
{
    struct value known_value = lower_value(lower, value);
    if (known_value.net != NET_NONE)
        return known_value.net;
    if (known_value.pointer != NULL)
        lower_error(lower, MESSAGE_POINTER, "a pointer is used as a number");
    return net_constant(lower->netlist, lower_width(lower, LLVMTypeOf(value)), 0);
}

const struct pointer *lower_pointer(struct lower *lower, LLVMValueRef value)
{
    struct value known_value = lower_value(lower, value);
    return known_value.pointer != NULL ? known_value.pointer : pointer_to(lower, &lower->null, 0);
}
