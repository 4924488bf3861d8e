/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic, comparison and conversion of integers and, lane by lane, of vectors of them. */
#include "tools/hlsc/lower.h"

typedef net_id (*lane_function)(struct lower *lower, LLVMValueRef instruction, net_id a, net_id b);

static bool is_power_of_two(const struct lower *lower, net_id net, uint32_t *shift)
{
    uint64_t value = net_is_constant(lower->netlist, net) ? net_constant_bits(lower->netlist, net, 0) : 0;
    if (value == 0 || (value & (value - 1)) != 0)
        return false;
    *shift = (uint32_t)__builtin_ctzll(value);
    return true;
}

static net_id divide(struct lower *lower, LLVMOpcode opcode, net_id a, net_id b)
{
    struct netlist *netlist = lower->netlist;
    uint32_t shift, width = net_width(netlist, a);
    if (!is_power_of_two(lower, b, &shift)) {
        lower_error(lower, MESSAGE_DIVISION, "division by what is no constant power of two");
        return net_constant(netlist, width, 0);
    }
    net_id amount = net_constant(netlist, 32, shift);
    net_id low = net_zext(netlist, net_trunc(netlist, a, shift > 0 ? shift : 1), width);
    if (shift == 0)
        low = net_constant(netlist, width, 0);
    if (opcode == LLVMUDiv)
        return net_lshr(netlist, a, amount);
    if (opcode == LLVMURem)
        return low;
    /* Towards zero: negative numbers get the divisor minus one first. */
    net_id negative = net_slice(netlist, a, width - 1, 1);
    net_id bias = net_sub(netlist, b, net_constant(netlist, width, 1));
    net_id biased = net_add(netlist, a, net_mux(netlist, negative, bias, net_constant(netlist, width, 0)));
    net_id quotient = net_ashr(netlist, biased, amount);
    if (opcode == LLVMSDiv)
        return quotient;
    return net_sub(netlist, a, net_shl(netlist, quotient, amount));
}

static net_id binary(struct lower *lower, LLVMValueRef instruction, net_id a, net_id b)
{
    struct netlist *netlist = lower->netlist;
    LLVMOpcode opcode = LLVMGetInstructionOpcode(instruction);
    switch (opcode) {
    case LLVMAdd:
        return net_add(netlist, a, b);
    case LLVMSub:
        return net_sub(netlist, a, b);
    case LLVMMul:
        return net_mul(netlist, a, b);
    case LLVMAnd:
        return net_and(netlist, a, b);
    case LLVMOr:
        return net_or(netlist, a, b);
    case LLVMXor:
        return net_xor(netlist, a, b);
    case LLVMShl:
        return net_shl(netlist, a, b);
    case LLVMLShr:
        return net_lshr(netlist, a, b);
    case LLVMAShr:
        return net_ashr(netlist, a, b);
    default:
        return divide(lower, opcode, a, b);
    }
}

static net_id compare(struct lower *lower, LLVMIntPredicate predicate, net_id a, net_id b)
{
    struct netlist *netlist = lower->netlist;
    switch (predicate) {
    case LLVMIntEQ:
        return net_eq(netlist, a, b);
    case LLVMIntNE:
        return net_not(netlist, net_eq(netlist, a, b));
    case LLVMIntUGT:
        return net_ult(netlist, b, a);
    case LLVMIntUGE:
        return net_not(netlist, net_ult(netlist, a, b));
    case LLVMIntULT:
        return net_ult(netlist, a, b);
    case LLVMIntULE:
        return net_not(netlist, net_ult(netlist, b, a));
    case LLVMIntSGT:
        return net_slt(netlist, b, a);
    case LLVMIntSGE:
        return net_not(netlist, net_slt(netlist, a, b));
    case LLVMIntSLT:
        return net_slt(netlist, a, b);
    default:
        return net_not(netlist, net_slt(netlist, b, a));
    }
}

static net_id compare_lane(struct lower *lower, LLVMValueRef instruction, net_id a, net_id b)
{
    return compare(lower, LLVMGetICmpPredicate(instruction), a, b);
}

static LLVMTypeRef lane_type(LLVMTypeRef type)
{
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type;
}

static net_id convert_lane(struct lower *lower, LLVMValueRef instruction, net_id a, net_id b)
{
    struct netlist *netlist = lower->netlist;
    uint32_t width = lower_width(lower, lane_type(LLVMTypeOf(instruction)));
    (void)b;
    switch (LLVMGetInstructionOpcode(instruction)) {
    case LLVMTrunc:
        return net_trunc(netlist, a, width);
    case LLVMZExt:
        return net_zext(netlist, a, width);
    default:
        return net_sext(netlist, a, width);
    }
}

static net_id defined(struct lower *lower, struct value value, LLVMTypeRef type)
{
    return value.net != NET_NONE ? value.net : net_constant(lower->netlist, lower_width(lower, lane_type(type)), 0);
}

/* One or two operands, lane by lane where they are vectors. */
static struct value by_lanes(struct lower *lower, LLVMValueRef instruction, lane_function function, uint32_t operands)
{
    LLVMValueRef left = LLVMGetOperand(instruction, 0), right = LLVMGetOperand(instruction, operands - 1);
    LLVMTypeRef type = LLVMTypeOf(left);
    struct value a = lower_value(lower, left), b = lower_value(lower, right);
    if (LLVMGetTypeKind(type) != LLVMVectorTypeKind)
        return value_of_net(function(lower, instruction, lower_net(lower, left), lower_net(lower, right)));
    uint32_t count = LLVMGetVectorSize(type);
    struct value *elements = arena_new(lower->arena, count, sizeof *elements);
    for (uint32_t i = 0; i < count; i++) {
        net_id x = defined(lower, a.elements != NULL ? a.elements[i] : a, type);
        net_id y = defined(lower, b.elements != NULL ? b.elements[i] : b, type);
        elements[i] = value_of_net(function(lower, instruction, x, y));
    }
    return (struct value){.elements = elements, .count = count};
}

static struct value select_value(struct lower *lower, LLVMValueRef instruction)
{
    LLVMValueRef condition = LLVMGetOperand(instruction, 0);
    struct value then = lower_value(lower, LLVMGetOperand(instruction, 1));
    struct value otherwise = lower_value(lower, LLVMGetOperand(instruction, 2));
    struct value chosen = lower_value(lower, condition);
    if (chosen.elements == NULL)
        return lower_choose(lower, lower_net(lower, condition), then, otherwise);
    struct value *elements = arena_new(lower->arena, chosen.count, sizeof *elements);
    for (uint32_t i = 0; i < chosen.count; i++) {
        struct value undefined = {0};
        elements[i] = lower_choose(lower, defined(lower, chosen.elements[i], LLVMTypeOf(condition)),
                                   then.elements != NULL ? then.elements[i] : undefined,
                                   otherwise.elements != NULL ? otherwise.elements[i] : undefined);
    }
    return (struct value){.elements = elements, .count = chosen.count};
}

/* Pointers are compared only with themselves. */
static struct value compare_value(struct lower *lower, LLVMValueRef instruction)
{
    if (LLVMGetTypeKind(LLVMTypeOf(LLVMGetOperand(instruction, 0))) == LLVMPointerTypeKind) {
        lower_error(lower, MESSAGE_POINTER, "pointers are compared");
        return value_of_net(net_constant(lower->netlist, 1, 0));
    }
    return by_lanes(lower, instruction, compare_lane, 2);
}

bool lower_arithmetic(struct lower *lower, LLVMValueRef instruction, struct value *result)
{
    switch (LLVMGetInstructionOpcode(instruction)) {
    case LLVMAdd:
    case LLVMSub:
    case LLVMMul:
    case LLVMAnd:
    case LLVMOr:
    case LLVMXor:
    case LLVMShl:
    case LLVMLShr:
    case LLVMAShr:
    case LLVMUDiv:
    case LLVMURem:
    case LLVMSDiv:
    case LLVMSRem:
        *result = by_lanes(lower, instruction, binary, 2);
        return true;
    case LLVMTrunc:
    case LLVMZExt:
    case LLVMSExt:
        *result = by_lanes(lower, instruction, convert_lane, 1);
        return true;
    case LLVMICmp:
        *result = compare_value(lower, instruction);
        return true;
    case LLVMSelect:
        *result = select_value(lower, instruction);
        return true;
    case LLVMFreeze:
        *result = lower_value(lower, LLVMGetOperand(instruction, 0));
        return true;
    case LLVMFAdd:
    case LLVMFSub:
    case LLVMFMul:
    case LLVMFDiv:
    case LLVMFRem:
    case LLVMFCmp:
    case LLVMFNeg:
    case LLVMUIToFP:
    case LLVMSIToFP:
    case LLVMFPToUI:
    case LLVMFPToSI:
    case LLVMFPExt:
    case LLVMFPTrunc:
        lower_error(lower, MESSAGE_FLOAT, "floating point; use integers");
        *result = value_of_net(net_constant(lower->netlist, 1, 0));
        return true;
    default:
        return false;
    }
}
