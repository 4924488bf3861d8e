/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: the bytes of constant variables. */
#include "tools/hlsc/lower.h"

static void fill(struct lower *lower, LLVMValueRef value, net_id *bytes);

static void fill_integer(struct lower *lower, LLVMValueRef value, net_id *bytes, uint32_t count)
{
    net_id net = lower_net(lower, value);
    lower_split(lower, net, count, bytes);
}

static void fill_struct(struct lower *lower, LLVMValueRef value, LLVMTypeRef type, net_id *bytes)
{
    for (uint32_t i = 0; i < LLVMCountStructElementTypes(type); i++)
        fill(lower, LLVMGetAggregateElement(value, i), bytes + LLVMOffsetOfElement(lower->front->layout, type, i));
}

static void fill_array(struct lower *lower, LLVMValueRef value, LLVMTypeRef type, net_id *bytes)
{
    uint64_t stride = LLVMABISizeOfType(lower->front->layout, LLVMGetElementType(type));
    for (uint32_t i = 0; i < LLVMGetArrayLength2(type); i++)
        fill(lower, LLVMGetAggregateElement(value, i), bytes + i * stride);
}

static void fill(struct lower *lower, LLVMValueRef value, net_id *bytes)
{
    LLVMTypeRef type = LLVMTypeOf(value);
    uint32_t count = (uint32_t)LLVMABISizeOfType(lower->front->layout, type);
    if (LLVMIsNull(value) || LLVMIsUndef(value)) {
        for (uint32_t i = 0; i < count; i++)
            bytes[i] = net_constant(lower->netlist, 8, 0);
    } else if (LLVMGetTypeKind(type) == LLVMStructTypeKind) {
        fill_struct(lower, value, type, bytes);
    } else if (LLVMGetTypeKind(type) == LLVMArrayTypeKind) {
        fill_array(lower, value, type, bytes);
    } else {
        fill_integer(lower, value, bytes, count);
    }
}

const struct object *lower_global(struct lower *lower, LLVMValueRef global)
{
    size_t length;
    const char *name = LLVMGetValueName2(global, &length);
    if (!LLVMIsGlobalConstant(global) || LLVMGetInitializer(global) == NULL) {
        lower_error(lower, MESSAGE_GLOBAL, "variable '%.*s' is not constant; state is the kernel's first argument",
                    (int)length, name);
        return &lower->null;
    }
    LLVMTypeRef type = LLVMGlobalGetValueType(global);
    struct object *object = arena_new(lower->arena, 1, sizeof *object);
    object->kind = OBJECT_CONSTANT;
    object->name = arena_text(lower->arena, name, length);
    object->bytes = (uint32_t)LLVMABISizeOfType(lower->front->layout, type);
    net_id *bytes = arena_new(lower->arena, object->bytes, sizeof *bytes);
    for (uint32_t i = 0; i < object->bytes; i++)
        bytes[i] = net_constant(lower->netlist, 8, 0);
    fill(lower, LLVMGetInitializer(global), bytes);
    object->fixed = bytes;
    value_map_set(lower, global, value_of_pointer(pointer_to(lower, object, 0)));
    return object;
}
