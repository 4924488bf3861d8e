/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, pointers, vectors and the ends of blocks. */
#include "tools/hlsc/lower.h"

static uint32_t size_of(const struct lower *lower, LLVMTypeRef type)
{
    return (uint32_t)LLVMStoreSizeOfType(lower->front->layout, type);
}

/* ---- pointers ---- */

static const struct pointer *step(struct lower *lower, const struct pointer *pointer, LLVMValueRef index,
                                  uint64_t stride, uint64_t limit)
{
    net_id net = net_sext(lower->netlist, lower_net(lower, index), 64);
    return pointer_step_index(lower, pointer, net, stride, limit);
}

const struct pointer *lower_element_pointer(struct lower *lower, LLVMValueRef instruction)
{
    LLVMTypeRef type = LLVMGetGEPSourceElementType(instruction);
    const struct pointer *pointer = lower_pointer(lower, LLVMGetOperand(instruction, 0));
    LLVMTargetDataRef layout = lower->front->layout;
    pointer = step(lower, pointer, LLVMGetOperand(instruction, 1), LLVMABISizeOfType(layout, type), 0);
    for (uint32_t i = 2; i < (uint32_t)LLVMGetNumOperands(instruction); i++) {
        LLVMValueRef index = LLVMGetOperand(instruction, i);
        if (LLVMGetTypeKind(type) == LLVMStructTypeKind) {
            uint32_t member = (uint32_t)LLVMConstIntGetZExtValue(index);
            pointer = pointer_step(lower, pointer, (int64_t)LLVMOffsetOfElement(layout, type, member));
            type = LLVMStructGetTypeAtIndex(type, member);
        } else {
            uint64_t limit = LLVMGetTypeKind(type) == LLVMArrayTypeKind ? LLVMGetArrayLength2(type) : 0;
            type = LLVMGetElementType(type);
            pointer = step(lower, pointer, index, LLVMABISizeOfType(layout, type), limit);
        }
    }
    return pointer;
}

/* ---- loads and stores ---- */

static struct value load_value(struct lower *lower, const struct pointer *pointer, LLVMTypeRef type)
{
    net_id bytes[NET_WIDTH_MAX / 8];
    uint32_t size = size_of(lower, type);
    if (LLVMGetTypeKind(type) == LLVMPointerTypeKind) {
        lower_error(lower, MESSAGE_POINTER, "a pointer is loaded from memory; keep an index instead");
        return value_of_pointer(pointer_to(lower, &lower->null, 0));
    }
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind) {
        uint32_t count = LLVMGetVectorSize(type), stride = size / count;
        struct value *elements = arena_new(lower->arena, count, sizeof *elements);
        for (uint32_t i = 0; i < count; i++)
            elements[i] = load_value(lower, pointer_step(lower, pointer, i * stride), LLVMGetElementType(type));
        return (struct value){.elements = elements, .count = count};
    }
    uint32_t width = lower_width(lower, type);
    lower_load(lower, pointer, size, bytes);
    return value_of_net(lower_join(lower, bytes, size, width));
}

static void store_value(struct lower *lower, const struct pointer *pointer, struct value value, LLVMTypeRef type)
{
    net_id bytes[NET_WIDTH_MAX / 8];
    uint32_t size = size_of(lower, type);
    if (value.pointer != NULL) {
        lower_error(lower, MESSAGE_POINTER, "a pointer is stored in memory; keep an index instead");
    } else if (LLVMGetTypeKind(type) == LLVMVectorTypeKind) {
        uint32_t count = LLVMGetVectorSize(type), stride = size / count;
        for (uint32_t i = 0; i < count; i++)
            store_value(lower, pointer_step(lower, pointer, i * stride),
                        value.elements != NULL ? value.elements[i] : (struct value){0}, LLVMGetElementType(type));
    } else {
        lower_split(lower, value.net, size, bytes);
        lower_store(lower, pointer, size, bytes);
    }
}

static bool is_plain(struct lower *lower, LLVMValueRef instruction)
{
    if (!LLVMGetVolatile(instruction) && LLVMGetOrdering(instruction) == LLVMAtomicOrderingNotAtomic)
        return true;
    lower_error(lower, MESSAGE_INSTRUCTION, "a volatile or atomic access");
    return false;
}

/* ---- vectors and small structs ---- */

static struct value with_element(struct lower *lower, LLVMValueRef instruction, LLVMTypeRef type, uint32_t index,
                                 LLVMValueRef element)
{
    struct value whole = lower_value(lower, LLVMGetOperand(instruction, 0));
    struct value zero = value_zero(lower, type);
    struct value *elements = arena_new(lower->arena, zero.count, sizeof *elements);
    for (uint32_t i = 0; i < zero.count; i++)
        elements[i] = whole.elements != NULL ? whole.elements[i] : (struct value){0};
    if (index < zero.count)
        elements[index] = lower_value(lower, element);
    return (struct value){.elements = elements, .count = zero.count};
}

static bool constant_index(struct lower *lower, LLVMValueRef value, uint32_t *index)
{
    net_id net = lower_net(lower, value);
    if (net_is_constant(lower->netlist, net)) {
        *index = (uint32_t)net_constant_bits(lower->netlist, net, 0);
        return true;
    }
    lower_error(lower, MESSAGE_INSTRUCTION, "a vector's lane is chosen by a variable");
    return false;
}

static struct value element_of(struct value whole, uint32_t index)
{
    return index < whole.count ? whole.elements[index] : (struct value){0};
}

static struct value shuffle(struct lower *lower, LLVMValueRef instruction)
{
    struct value a = lower_value(lower, LLVMGetOperand(instruction, 0));
    struct value b = lower_value(lower, LLVMGetOperand(instruction, 1));
    uint32_t lanes = LLVMGetVectorSize(LLVMTypeOf(LLVMGetOperand(instruction, 0)));
    uint32_t count = LLVMGetNumMaskElements(instruction);
    struct value *elements = arena_new(lower->arena, count, sizeof *elements);
    for (uint32_t i = 0; i < count; i++) {
        int lane = LLVMGetMaskValue(instruction, i);
        if (lane >= 0)
            elements[i] =
                (uint32_t)lane < lanes ? element_of(a, (uint32_t)lane) : element_of(b, (uint32_t)lane - lanes);
    }
    return (struct value){.elements = elements, .count = count};
}

/* ---- ends of blocks ---- */

static void add_successor(struct lower *lower, struct block *to, net_id condition)
{
    struct block *block = lower->block;
    block->conditions[block->successor_count] = condition;
    block->successors[block->successor_count++] = to;
    gate_add_edge(lower, block, to);
}

static void end_block(struct lower *lower, uint32_t successors)
{
    lower->block->successors = arena_new(lower->arena, successors, sizeof *lower->block->successors);
    lower->block->conditions = arena_new(lower->arena, successors, sizeof *lower->block->conditions);
}

static void branch(struct lower *lower, LLVMValueRef instruction)
{
    struct block *first = gate_block(lower, LLVMGetSuccessor(instruction, 0));
    end_block(lower, 2);
    if (!LLVMIsConditional(instruction)) {
        add_successor(lower, first, NET_NONE);
        return;
    }
    net_id condition = lower_net(lower, LLVMGetCondition(instruction));
    struct block *second = gate_block(lower, LLVMGetSuccessor(instruction, 1));
    bool known = net_is_constant(lower->netlist, condition);
    bool holds = known && net_constant_bits(lower->netlist, condition, 0) != 0;
    if (!known || holds)
        add_successor(lower, first, condition);
    if (!holds)
        add_successor(lower, second, NET_NONE);
}

static void switch_branch(struct lower *lower, LLVMValueRef instruction)
{
    uint32_t cases = LLVMGetNumSuccessors(instruction);
    net_id value = lower_net(lower, LLVMGetOperand(instruction, 0));
    end_block(lower, cases);
    for (uint32_t i = 1; i < cases; i++) {
        net_id label = lower_net(lower, LLVMGetOperand(instruction, 2 * i));
        net_id equal = net_eq(lower->netlist, value, label);
        bool known = net_is_constant(lower->netlist, equal);
        bool holds = known && net_constant_bits(lower->netlist, equal, 0) != 0;
        if (!known || holds)
            add_successor(lower, gate_block(lower, LLVMGetSuccessor(instruction, i)), equal);
        if (holds)
            return;
    }
    add_successor(lower, gate_block(lower, LLVMGetSwitchDefaultDest(instruction)), NET_NONE);
}

/* ---- all ---- */

static struct value vector_or_struct(struct lower *lower, LLVMValueRef instruction)
{
    uint32_t index = 0;
    LLVMTypeRef type = LLVMTypeOf(instruction);
    switch (LLVMGetInstructionOpcode(instruction)) {
    case LLVMExtractValue:
        return element_of(lower_value(lower, LLVMGetOperand(instruction, 0)), LLVMGetIndices(instruction)[0]);
    case LLVMInsertValue:
        return with_element(lower, instruction, type, LLVMGetIndices(instruction)[0], LLVMGetOperand(instruction, 1));
    case LLVMExtractElement:
        constant_index(lower, LLVMGetOperand(instruction, 1), &index);
        return element_of(lower_value(lower, LLVMGetOperand(instruction, 0)), index);
    case LLVMInsertElement:
        constant_index(lower, LLVMGetOperand(instruction, 2), &index);
        return with_element(lower, instruction, type, index, LLVMGetOperand(instruction, 1));
    default:
        return shuffle(lower, instruction);
    }
}

static void name_value(struct lower *lower, LLVMValueRef instruction, struct value value)
{
    size_t length;
    const char *name = LLVMGetValueName2(instruction, &length);
    if (length > 0 && value.net != NET_NONE)
        net_name(lower->netlist, value.net, arena_text(lower->arena, name, length));
}

static void refuse(struct lower *lower, LLVMValueRef instruction)
{
    switch (LLVMGetInstructionOpcode(instruction)) {
    case LLVMPtrToInt:
    case LLVMIntToPtr:
    case LLVMAddrSpaceCast:
        lower_error(lower, MESSAGE_POINTER, "a pointer is cast to an integer or back");
        break;
    case LLVMIndirectBr:
        lower_error(lower, MESSAGE_INSTRUCTION, "a computed goto");
        break;
    default:
        lower_error(lower, MESSAGE_INSTRUCTION, "an instruction without hardware");
        break;
    }
}

void lower_instruction(struct lower *lower, LLVMValueRef instruction)
{
    struct value value = {0};
    lower->instruction = instruction;
    lower->netlist->place = front_place(lower->front, instruction);
    if (!lower_arithmetic(lower, instruction, &value)) {
        switch (LLVMGetInstructionOpcode(instruction)) {
        case LLVMPHI:
            gate_phi(lower, instruction);
            return;
        case LLVMGetElementPtr:
            value = value_of_pointer(lower_element_pointer(lower, instruction));
            break;
        case LLVMLoad:
            if (is_plain(lower, instruction))
                value =
                    load_value(lower, lower_pointer(lower, LLVMGetOperand(instruction, 0)), LLVMTypeOf(instruction));
            break;
        case LLVMStore:
            if (is_plain(lower, instruction))
                store_value(lower, lower_pointer(lower, LLVMGetOperand(instruction, 1)),
                            lower_value(lower, LLVMGetOperand(instruction, 0)),
                            LLVMTypeOf(LLVMGetOperand(instruction, 0)));
            return;
        case LLVMExtractValue:
        case LLVMInsertValue:
        case LLVMExtractElement:
        case LLVMInsertElement:
        case LLVMShuffleVector:
            value = vector_or_struct(lower, instruction);
            break;
        case LLVMBitCast:
            value = lower_value(lower, LLVMGetOperand(instruction, 0));
            break;
        case LLVMCall:
            lower_call(lower, instruction);
            return;
        case LLVMBr:
            branch(lower, instruction);
            return;
        case LLVMSwitch:
            switch_branch(lower, instruction);
            return;
        case LLVMAlloca:
        case LLVMRet:
        case LLVMUnreachable:
            return;
        default:
            refuse(lower, instruction);
            value = value_zero(lower, LLVMTypeOf(instruction));
            break;
        }
    }
    value_map_set(lower, instruction, value);
    name_value(lower, instruction, value);
}
