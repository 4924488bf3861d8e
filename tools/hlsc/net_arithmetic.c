/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic, comparison and shifts, each as narrow as what is known of the operands allows. */
#include <assert.h>

#include "tools/hlsc/bits.h"
#include "tools/hlsc/memory.h"
#include "tools/hlsc/net_build.h"

static uint32_t active(const struct netlist *netlist, net_id id)
{
    return net_get(netlist, id)->active;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static net_id build2(struct netlist *netlist, enum net_op op, uint32_t width, net_id a, net_id b)
{
    net_id operands[2] = {a, b};
    return net_build(netlist, op, width, operands, 2);
}

/* Low bits that are known to be 0, at most width - 1. */
static uint32_t zeros_below(const struct netlist *netlist, net_id id)
{
    const struct net_node *node = net_get(netlist, id);
    uint32_t zeros = 0;
    if (node->op == NET_CONCAT && net_is_zero(netlist, net_operand(netlist, id, 0)))
        zeros = net_width(netlist, net_operand(netlist, id, 0));
    else if (node->width <= 64)
        zeros = ~node->zeros == 0 ? 0 : (uint32_t)__builtin_ctzll(~node->zeros);
    return zeros < node->width ? zeros : node->width - 1u;
}

/* Where one addend has zeros at the low end, the other passes there. */
static net_id add_above(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t zeros_a = zeros_below(netlist, a), zeros_b = zeros_below(netlist, b);
    uint32_t low = larger(zeros_a, zeros_b), width = net_width(netlist, a);
    if (low == 0)
        return NET_NONE;
    net_id high = net_add(netlist, net_slice(netlist, a, low, width - low), net_slice(netlist, b, low, width - low));
    net_id parts[2] = {net_slice(netlist, zeros_a >= low ? b : a, 0, low), high};
    return net_concat(netlist, parts, 2);
}

net_id net_add(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a);
    assert(width == net_width(netlist, b));
    net_order(netlist, &a, &b);
    if (net_is_zero(netlist, b))
        return a;
    if (net_is_zero(netlist, a))
        return b;
    if (width == 1)
        return net_xor(netlist, a, b);
    if (net_is_constant(netlist, b) && net_get(netlist, a)->op == NET_ADD &&
        net_is_constant(netlist, net_operand(netlist, a, 1)))
        return net_add(netlist, net_operand(netlist, a, 0), net_add(netlist, net_operand(netlist, a, 1), b));
    uint32_t needed = larger(active(netlist, a), active(netlist, b)) + 1;
    if (needed < width)
        return net_zext(netlist, net_add(netlist, net_slice(netlist, a, 0, needed), net_slice(netlist, b, 0, needed)),
                        width);
    net_id above = add_above(netlist, a, b);
    return above != NET_NONE ? above : build2(netlist, NET_ADD, width, a, b);
}

net_id net_sub(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a);
    assert(width == net_width(netlist, b));
    if (a == b)
        return net_constant(netlist, width, 0);
    if (net_is_zero(netlist, b))
        return a;
    if (width == 1)
        return net_xor(netlist, a, b);
    if (net_is_constant(netlist, b)) /* one form for additions of constants */
        return net_add(netlist, a, build2(netlist, NET_SUB, width, net_constant(netlist, width, 0), b));
    return build2(netlist, NET_SUB, width, a, b);
}

/* The exponent of a constant power of two, the width for anything else. */
static uint32_t power(const struct netlist *netlist, net_id id)
{
    uint32_t width = net_width(netlist, id);
    if (!net_is_constant(netlist, id) || net_is_zero(netlist, id))
        return width;
    const uint64_t *words = net_constant_words(netlist, id);
    uint32_t exponent = active(netlist, id) - 1, ones = 0;
    for (uint32_t i = 0; i < bits_words(width); i++)
        ones += (uint32_t)__builtin_popcountll(words[i]);
    return ones == 1 ? exponent : width;
}

net_id net_mul(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a);
    assert(width == net_width(netlist, b));
    net_order(netlist, &a, &b);
    if (net_is_zero(netlist, a) || net_is_zero(netlist, b))
        return net_constant(netlist, width, 0);
    if (power(netlist, b) < width)
        return net_shl(netlist, a, net_constant(netlist, 32, power(netlist, b)));
    uint32_t needed = active(netlist, a) + active(netlist, b);
    if (needed < width)
        return net_zext(netlist, net_mul(netlist, net_slice(netlist, a, 0, needed), net_slice(netlist, b, 0, needed)),
                        width);
    return build2(netlist, NET_MUL, width, a, b);
}

/* Known bits exclude equality. */
static bool never_equal(const struct netlist *netlist, net_id a, net_id b)
{
    const struct net_node *x = net_get(netlist, a), *y = net_get(netlist, b);
    return x->width <= 64 && ((x->zeros & y->ones) | (x->ones & y->zeros)) != 0;
}

/* Compares a concatenation part by part where a part of both sides is constant. NET_NONE: no such part. */
static net_id equal_parts(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a), count = 0;
    bool dropped = false, differ = false;
    if (net_get(netlist, a)->op != NET_CONCAT && net_get(netlist, b)->op != NET_CONCAT)
        return NET_NONE;
    net_id *left = memory_new(2 * (size_t)width, sizeof *left), *right = left + width;
    for (uint32_t low = 0, end; low < width && !differ; low = end) {
        uint32_t end_a = net_part_end(netlist, a, low), end_b = net_part_end(netlist, b, low);
        end = end_a < end_b ? end_a : end_b;
        net_id part_a = net_slice(netlist, a, low, end - low), part_b = net_slice(netlist, b, low, end - low);
        if (part_a == part_b) {
            dropped = true;
        } else {
            differ = net_is_constant(netlist, part_a) && net_is_constant(netlist, part_b);
            left[count] = part_a;
            right[count++] = part_b;
        }
    }
    net_id result = NET_NONE;
    if (differ || (dropped && count == 0))
        result = net_constant(netlist, 1, !differ);
    else if (dropped)
        result = net_eq(netlist, net_concat(netlist, left, count), net_concat(netlist, right, count));
    free(left);
    return result;
}

/* A choice between constants, compared with a constant, is its select. NET_NONE: not of this form. */
static net_id equal_choice(struct netlist *netlist, net_id a, net_id b)
{
    if (net_get(netlist, a)->op != NET_MUX || !net_is_constant(netlist, b))
        return NET_NONE;
    net_id select = net_operand(netlist, a, 0), then = net_operand(netlist, a, 1);
    net_id otherwise = net_operand(netlist, a, 2);
    if (!net_is_constant(netlist, then) && !net_is_constant(netlist, otherwise))
        return NET_NONE;
    then = net_eq(netlist, then, b);
    otherwise = net_eq(netlist, otherwise, b);
    return net_mux(netlist, select, then, otherwise);
}

net_id net_eq(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a);
    assert(width == net_width(netlist, b));
    net_order(netlist, &a, &b);
    if (a == b)
        return net_constant(netlist, 1, 1);
    if (never_equal(netlist, a, b))
        return net_constant(netlist, 1, 0);
    if (width == 1)
        return net_not(netlist, net_xor(netlist, a, b));
    uint32_t needed = larger(active(netlist, a), active(netlist, b));
    if (needed < width)
        return net_eq(netlist, net_slice(netlist, a, 0, needed), net_slice(netlist, b, 0, needed));
    net_id folded = equal_parts(netlist, a, b);
    if (folded == NET_NONE)
        folded = equal_choice(netlist, a, b);
    if (folded != NET_NONE)
        return folded;
    if (net_is_zero(netlist, b))
        return net_not(netlist, net_any(netlist, a));
    return build2(netlist, NET_EQ, 1, a, b);
}

net_id net_ult(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a);
    assert(width == net_width(netlist, b));
    if (a == b || net_is_zero(netlist, b))
        return net_constant(netlist, 1, 0);
    uint32_t needed = larger(active(netlist, a), active(netlist, b));
    if (needed < width)
        return net_ult(netlist, net_slice(netlist, a, 0, needed), net_slice(netlist, b, 0, needed));
    if (net_is_zero(netlist, a))
        return net_any(netlist, b);
    if (net_is_ones(netlist, a))
        return net_constant(netlist, 1, 0);
    if (width == 1)
        return net_and(netlist, net_not(netlist, a), b);
    uint32_t exponent = power(netlist, b);
    if (exponent < width)
        return net_not(netlist, net_any(netlist, net_slice(netlist, a, exponent, width - exponent)));
    if (net_is_ones(netlist, b))
        return net_not(netlist, net_eq(netlist, a, b));
    if (net_is_constant(netlist, a)) { /* 2^k - 1 < b */
        exponent = power(netlist, net_add(netlist, a, net_constant(netlist, width, 1)));
        if (exponent < width)
            return net_any(netlist, net_slice(netlist, b, exponent, width - exponent));
    }
    return build2(netlist, NET_ULT, 1, a, b);
}

net_id net_slt(struct netlist *netlist, net_id a, net_id b)
{
    uint32_t width = net_width(netlist, a);
    assert(width == net_width(netlist, b));
    if (a == b)
        return net_constant(netlist, 1, 0);
    if (active(netlist, a) < width && active(netlist, b) < width)
        return net_ult(netlist, a, b);
    if (net_is_zero(netlist, b))
        return net_slice(netlist, a, width - 1, 1);
    if (net_is_ones(netlist, a)) /* -1 < b */
        return net_not(netlist, net_slice(netlist, b, width - 1, 1));
    return build2(netlist, NET_SLT, 1, a, b);
}

/* A constant amount, at most `width`. */
static uint32_t constant_amount(const struct netlist *netlist, net_id amount, uint32_t width)
{
    uint64_t low = net_constant_bits(netlist, amount, 0);
    return active(netlist, amount) > 32 || low > width ? width : (uint32_t)low;
}

static net_id narrow_amount(struct netlist *netlist, net_id amount)
{
    return net_slice(netlist, amount, 0, active(netlist, amount));
}

net_id net_shl(struct netlist *netlist, net_id a, net_id amount)
{
    uint32_t width = net_width(netlist, a);
    if (net_is_zero(netlist, a) || net_is_zero(netlist, amount))
        return a;
    if (!net_is_constant(netlist, amount))
        return build2(netlist, NET_SHL, width, a, narrow_amount(netlist, amount));
    uint32_t by = constant_amount(netlist, amount, width);
    net_id zeros = net_constant(netlist, by, 0);
    if (by == width)
        return zeros;
    net_id parts[2] = {zeros, net_slice(netlist, a, 0, width - by)};
    return net_concat(netlist, parts, 2);
}

net_id net_lshr(struct netlist *netlist, net_id a, net_id amount)
{
    uint32_t width = net_width(netlist, a);
    if (net_is_zero(netlist, a) || net_is_zero(netlist, amount))
        return a;
    if (net_is_constant(netlist, amount)) {
        uint32_t by = constant_amount(netlist, amount, width);
        return by == width ? net_constant(netlist, width, 0)
                           : net_zext(netlist, net_slice(netlist, a, by, width - by), width);
    }
    uint32_t needed = active(netlist, a);
    net_id by = narrow_amount(netlist, amount);
    return net_zext(netlist, build2(netlist, NET_LSHR, needed, net_slice(netlist, a, 0, needed), by), width);
}

net_id net_ashr(struct netlist *netlist, net_id a, net_id amount)
{
    uint32_t width = net_width(netlist, a);
    if (active(netlist, a) < width || net_is_zero(netlist, amount))
        return net_lshr(netlist, a, amount);
    if (!net_is_constant(netlist, amount))
        return build2(netlist, NET_ASHR, width, a, narrow_amount(netlist, amount));
    uint32_t by = constant_amount(netlist, amount, width - 1);
    return net_sext(netlist, net_slice(netlist, a, by, width - by), width);
}

net_id net_rebuild(struct netlist *netlist, net_id id, const net_id *operands)
{
    const struct net_node *node = net_get(netlist, id);
    switch ((enum net_op)node->op) {
    case NET_CONCAT:
        return net_concat(netlist, operands, node->count);
    case NET_SLICE:
        return net_slice(netlist, operands[0], node->low, node->width);
    case NET_NOT:
        return net_not(netlist, operands[0]);
    case NET_AND:
        return net_and(netlist, operands[0], operands[1]);
    case NET_OR:
        return net_or(netlist, operands[0], operands[1]);
    case NET_XOR:
        return net_xor(netlist, operands[0], operands[1]);
    case NET_ADD:
        return net_add(netlist, operands[0], operands[1]);
    case NET_SUB:
        return net_sub(netlist, operands[0], operands[1]);
    case NET_MUL:
        return net_mul(netlist, operands[0], operands[1]);
    case NET_EQ:
        return net_eq(netlist, operands[0], operands[1]);
    case NET_ULT:
        return net_ult(netlist, operands[0], operands[1]);
    case NET_SLT:
        return net_slt(netlist, operands[0], operands[1]);
    case NET_SHL:
        return net_shl(netlist, operands[0], operands[1]);
    case NET_LSHR:
        return net_lshr(netlist, operands[0], operands[1]);
    case NET_ASHR:
        return net_ashr(netlist, operands[0], operands[1]);
    case NET_MUX:
        return net_mux(netlist, operands[0], operands[1], operands[2]);
    case NET_ANY:
        return net_any(netlist, operands[0]);
    default:
        return id;
    }
}
