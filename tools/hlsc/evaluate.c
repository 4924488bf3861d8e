/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/evaluate.h"

#include <string.h>

#include "tools/hlsc/bits.h"

/* A shift's amount, at most the width. */
static uint32_t shift_amount(const uint64_t *amount, uint32_t amount_width, uint32_t width)
{
    bool beyond = bits_active(amount, amount_width) > 32 || amount[0] > width;
    return beyond ? width : (uint32_t)amount[0];
}

static void evaluate_logic(enum net_op op, uint32_t width, const uint64_t *a, const uint64_t *b, uint64_t *result)
{
    for (uint32_t i = 0; i < bits_words(width); i++) {
        if (op == NET_NOT)
            result[i] = ~a[i];
        else if (op == NET_AND)
            result[i] = a[i] & b[i];
        else if (op == NET_OR)
            result[i] = a[i] | b[i];
        else
            result[i] = a[i] ^ b[i];
    }
    bits_trim(result, width);
}

static void evaluate_concat(const struct netlist *netlist, const struct net_node *node, const net_id *operands,
                            const uint64_t *const *values, uint64_t *result)
{
    uint32_t low = 0;
    bits_clear(result, node->width);
    for (uint32_t i = 0; i < node->count; i++) {
        uint32_t width = net_width(netlist, operands[i]);
        bits_place(result, low, values[i], width);
        low += width;
    }
}

static void evaluate_shift(enum net_op op, uint32_t width, const uint64_t *a, uint32_t amount, uint64_t *result)
{
    if (op == NET_SHL)
        bits_shl(result, a, amount, width);
    else
        bits_shr(result, a, amount, width, op == NET_ASHR);
}

void evaluate_operation(const struct netlist *netlist, const struct net_node *node, const net_id *operands,
                        const uint64_t *const *values, uint64_t *result)
{
    uint32_t width = node->width, from = net_width(netlist, operands[0]);
    const uint64_t *a = values[0], *b = values[node->count > 1 ? 1 : 0];
    switch ((enum net_op)node->op) {
    case NET_CONCAT:
        evaluate_concat(netlist, node, operands, values, result);
        break;
    case NET_SLICE:
        bits_extract(result, width, a, from, node->low);
        break;
    case NET_NOT:
    case NET_AND:
    case NET_OR:
    case NET_XOR:
        evaluate_logic((enum net_op)node->op, width, a, b, result);
        break;
    case NET_ADD:
        bits_add(result, a, b, width);
        break;
    case NET_SUB:
        bits_sub(result, a, b, width);
        break;
    case NET_MUL:
        bits_mul(result, a, b, width);
        break;
    case NET_EQ:
        result[0] = bits_equal(a, b, from);
        break;
    case NET_ULT:
        result[0] = bits_less(a, b, from);
        break;
    case NET_SLT:
        result[0] = bits_signed_less(a, b, from);
        break;
    case NET_SHL:
    case NET_LSHR:
    case NET_ASHR:
        evaluate_shift((enum net_op)node->op, width, a, shift_amount(b, net_width(netlist, operands[1]), width),
                       result);
        break;
    case NET_MUX:
        memcpy(result, values[0][0] != 0 ? values[1] : values[2], bits_words(width) * sizeof *result);
        break;
    case NET_ANY:
        result[0] = !bits_zero(a, from);
        break;
    default:
        bits_clear(result, width);
        break;
    }
}
