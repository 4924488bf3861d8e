/* SPDX-License-Identifier: Apache-2.0 */
/* Logic. Masks and fills by constants become wires; path conditions that meet again cancel. */
#include <assert.h>

#include "tools/hlsc/bits.h"
#include "tools/hlsc/evaluate.h"
#include "tools/hlsc/memory.h"
#include "tools/hlsc/net_build.h"

net_id net_build(struct netlist *netlist, enum net_op op, uint32_t width, const net_id *operands, uint32_t count)
{
    struct net_node node = {.op = (uint8_t)op, .width = (uint16_t)width, .count = (uint16_t)count};
    for (uint32_t i = 0; i < count; i++)
        if (!net_is_constant(netlist, operands[i]))
            return net_intern(netlist, &node, operands, NULL);
    const uint64_t *values[3];
    uint64_t result[NET_WIDTH_MAX / 64u];
    assert(count <= 3);
    for (uint32_t i = 0; i < count; i++)
        values[i] = net_constant_words(netlist, operands[i]);
    evaluate_operation(netlist, &node, operands, values, result);
    return net_constant_wide(netlist, width, result);
}

void net_order(const struct netlist *netlist, net_id *a, net_id *b)
{
    bool turn = net_is_constant(netlist, *a) != net_is_constant(netlist, *b) ? net_is_constant(netlist, *a) : *a > *b;
    if (turn) {
        net_id first = *a;
        *a = *b;
        *b = first;
    }
}

bool net_is_zero(const struct netlist *netlist, net_id id)
{
    return net_get(netlist, id)->active == 0;
}

bool net_is_ones(const struct netlist *netlist, net_id id)
{
    if (!net_is_constant(netlist, id))
        return false;
    uint32_t width = net_width(netlist, id);
    for (uint32_t low = 0; low < width; low += 64)
        if (net_constant_bits(netlist, id, low) != bits_mask(width - low))
            return false;
    return true;
}

net_id net_ones(struct netlist *netlist, uint32_t width)
{
    return net_not(netlist, net_constant(netlist, width, 0));
}

/* The end of the run of equal bits of a constant that begins at `low`. */
static uint32_t run_end(const struct netlist *netlist, net_id constant, uint32_t low)
{
    uint32_t width = net_width(netlist, constant);
    uint64_t first = net_constant_bits(netlist, constant, low) & 1u;
    while (low < width) {
        uint64_t differs = net_constant_bits(netlist, constant, low) ^ (first != 0 ? ~(uint64_t)0 : 0);
        if (differs != 0) {
            uint32_t end = low + (uint32_t)__builtin_ctzll(differs);
            return end < width ? end : width;
        }
        low += 64;
    }
    return width;
}

/* AND or OR with a constant: each run of its bits either passes `id` or is what the constant says. */
static net_id mask_wires(struct netlist *netlist, net_id id, net_id constant, bool passes)
{
    uint32_t width = net_width(netlist, id), count = 0;
    net_id *parts = memory_new(width, sizeof *parts);
    for (uint32_t low = 0, end; low < width; low = end) {
        end = run_end(netlist, constant, low);
        bool bit = (net_constant_bits(netlist, constant, low) & 1u) != 0;
        parts[count++] = net_slice(netlist, bit == passes ? id : constant, low, end - low);
    }
    net_id result = net_concat(netlist, parts, count);
    free(parts);
    return result;
}

static bool is_not(const struct netlist *netlist, net_id id, net_id of)
{
    return (net_get(netlist, id)->op == NET_NOT && net_operand(netlist, id, 0) == of) ||
           (net_get(netlist, of)->op == NET_NOT && net_operand(netlist, of, 0) == id);
}

/* `id` has the operation `op` and `operand` is one of its operands. */
static bool takes(const struct netlist *netlist, net_id id, enum net_op op, net_id operand)
{
    return net_get(netlist, id)->op == op &&
           (net_operand(netlist, id, 0) == operand || net_operand(netlist, id, 1) == operand);
}

/* The operand of a two-operand node that is the complement of `of`: its index, or 2. */
static uint32_t complement_in(const struct netlist *netlist, net_id id, enum net_op op, net_id of)
{
    if (net_get(netlist, id)->op != op)
        return 2;
    return is_not(netlist, net_operand(netlist, id, 0), of)   ? 0
           : is_not(netlist, net_operand(netlist, id, 1), of) ? 1
                                                              : 2;
}

/* (a op b) dual (a op !b) = a, where `op` is the dual of the operation at hand. NET_NONE: not of this form. */
static net_id meet(const struct netlist *netlist, enum net_op op, net_id a, net_id b)
{
    if (net_get(netlist, a)->op != op || net_get(netlist, b)->op != op)
        return NET_NONE;
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t j = 0; j < 2; j++)
            if (net_operand(netlist, a, i) == net_operand(netlist, b, j) &&
                is_not(netlist, net_operand(netlist, a, 1 - i), net_operand(netlist, b, 1 - j)))
                return net_operand(netlist, a, i);
    return NET_NONE;
}

/* AND and OR, which are each other's mirror. `op` is the operation, `dual` the other one. */
static net_id and_or(struct netlist *netlist, enum net_op op, enum net_op dual, net_id a, net_id b)
{
    net_id common = meet(netlist, dual, a, b);
    if (common != NET_NONE)
        return common;
    for (uint32_t turn = 0; turn < 2; turn++, net_order(netlist, &a, &b)) {
        net_id x = turn == 0 ? a : b, y = turn == 0 ? b : a;
        if (takes(netlist, y, op, x))
            return y;
        if (takes(netlist, y, dual, x))
            return x;
        uint32_t i = complement_in(netlist, y, dual, x);
        if (i < 2) {
            net_id other = net_operand(netlist, y, 1 - i);
            return op == NET_AND ? net_and(netlist, x, other) : net_or(netlist, x, other);
        }
        if (complement_in(netlist, y, op, x) < 2)
            return op == NET_AND ? net_constant(netlist, net_width(netlist, a), 0)
                                 : net_ones(netlist, net_width(netlist, a));
    }
    net_id operands[2] = {a, b};
    return net_build(netlist, op, net_width(netlist, a), operands, 2);
}

/* AND or OR of concatenations of which parts are 0, as shifted fields are: wires. NET_NONE: it is none. */
static net_id wire_parts(struct netlist *netlist, enum net_op op, net_id a, net_id b)
{
    if (net_get(netlist, a)->op != NET_CONCAT && net_get(netlist, b)->op != NET_CONCAT)
        return NET_NONE;
    uint32_t width = net_width(netlist, a), count = 0, wires = 0;
    net_id *parts = memory_new(width, sizeof *parts);
    for (uint32_t low = 0, end; low < width; low = end) {
        uint32_t end_a = net_part_end(netlist, a, low), end_b = net_part_end(netlist, b, low);
        end = end_a < end_b ? end_a : end_b;
        net_id part_a = net_slice(netlist, a, low, end - low), part_b = net_slice(netlist, b, low, end - low);
        wires += net_is_zero(netlist, part_a) || net_is_zero(netlist, part_b);
        parts[count++] = op == NET_AND ? net_and(netlist, part_a, part_b) : net_or(netlist, part_a, part_b);
    }
    net_id result = wires > 0 ? net_concat(netlist, parts, count) : NET_NONE;
    free(parts);
    return result;
}

net_id net_not(struct netlist *netlist, net_id a)
{
    if (net_get(netlist, a)->op == NET_NOT)
        return net_operand(netlist, a, 0);
    return net_build(netlist, NET_NOT, net_width(netlist, a), &a, 1);
}

net_id net_and(struct netlist *netlist, net_id a, net_id b)
{
    assert(net_width(netlist, a) == net_width(netlist, b));
    net_order(netlist, &a, &b);
    if (a == b)
        return a;
    if (net_is_constant(netlist, b))
        return mask_wires(netlist, a, b, true);
    if (is_not(netlist, a, b))
        return net_constant(netlist, net_width(netlist, a), 0);
    uint32_t width = net_width(netlist, a);
    uint32_t active = net_get(netlist, a)->active, other = net_get(netlist, b)->active;
    active = active < other ? active : other;
    if (active == 0)
        return net_constant(netlist, width, 0);
    if (active < width)
        return net_zext(netlist, net_and(netlist, net_slice(netlist, a, 0, active), net_slice(netlist, b, 0, active)),
                        width);
    net_id wired = wire_parts(netlist, NET_AND, a, b);
    return wired != NET_NONE ? wired : and_or(netlist, NET_AND, NET_OR, a, b);
}

net_id net_or(struct netlist *netlist, net_id a, net_id b)
{
    assert(net_width(netlist, a) == net_width(netlist, b));
    net_order(netlist, &a, &b);
    if (a == b || net_is_zero(netlist, b))
        return a;
    if (net_is_zero(netlist, a))
        return b;
    if (net_is_constant(netlist, b))
        return mask_wires(netlist, a, b, false);
    if (is_not(netlist, a, b))
        return net_ones(netlist, net_width(netlist, a));
    net_id wired = wire_parts(netlist, NET_OR, a, b);
    return wired != NET_NONE ? wired : and_or(netlist, NET_OR, NET_AND, a, b);
}

net_id net_xor(struct netlist *netlist, net_id a, net_id b)
{
    assert(net_width(netlist, a) == net_width(netlist, b));
    net_order(netlist, &a, &b);
    if (a == b)
        return net_constant(netlist, net_width(netlist, a), 0);
    if (net_is_zero(netlist, b))
        return a;
    if (net_is_zero(netlist, a))
        return b;
    if (net_is_ones(netlist, b))
        return net_not(netlist, a);
    if (net_get(netlist, a)->op == NET_NOT)
        return net_not(netlist, net_xor(netlist, net_operand(netlist, a, 0), b));
    if (net_get(netlist, b)->op == NET_NOT)
        return net_not(netlist, net_xor(netlist, a, net_operand(netlist, b, 0)));
    net_id operands[2] = {a, b};
    return net_build(netlist, NET_XOR, net_width(netlist, a), operands, 2);
}

/* The parts of a concatenation that are not known to be 0, or a constant 1 when one is known not to be. */
static net_id any_parts(struct netlist *netlist, net_id a)
{
    uint32_t count = net_get(netlist, a)->count, kept = 0;
    net_id *parts = memory_new(count, sizeof *parts), result = NET_NONE;
    for (uint32_t i = 0; i < count && result == NET_NONE; i++) {
        net_id part = net_operand(netlist, a, i);
        bool again = kept > 0 && parts[kept - 1] == part; /* copies of a sign */
        if (net_is_constant(netlist, part) && !net_is_zero(netlist, part))
            result = net_constant(netlist, 1, 1);
        else if (!net_is_zero(netlist, part) && !again)
            parts[kept++] = part;
    }
    if (result == NET_NONE)
        result = kept < count ? net_concat(netlist, parts, kept) : a;
    free(parts);
    return result;
}

net_id net_any(struct netlist *netlist, net_id a)
{
    uint32_t width = net_width(netlist, a);
    if (width == 1)
        return a;
    if (net_is_constant(netlist, a))
        return net_constant(netlist, 1, !net_is_zero(netlist, a));
    if (net_get(netlist, a)->active < width)
        return net_any(netlist, net_slice(netlist, a, 0, net_get(netlist, a)->active));
    if (net_get(netlist, a)->op == NET_CONCAT) {
        net_id rest = any_parts(netlist, a);
        if (rest != a)
            return net_any(netlist, rest);
    }
    if (net_get(netlist, a)->op != NET_MUX)
        return net_build(netlist, NET_ANY, 1, &a, 1);
    net_id result = net_memo_find(netlist, a, 0, 0);
    if (result == NET_NONE) { /* a choice of one bit instead of many */
        net_id select = net_operand(netlist, a, 0), then = net_operand(netlist, a, 1);
        net_id otherwise = net_any(netlist, net_operand(netlist, a, 2));
        result = net_mux(netlist, select, net_any(netlist, then), otherwise);
        net_memo_add(netlist, a, 0, 0, result);
    }
    return result;
}
