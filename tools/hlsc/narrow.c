/* SPDX-License-Identifier: Apache-2.0 */
/*
 * High bits that are 0 at first, and stay 0 whenever they are, are never anything else. What is learnt of one register
 * may do for the next, so this goes on until nothing changes.
 */
#include "tools/hlsc/narrow.h"

#include "tools/hlsc/memory.h"

#define ROUNDS_MAX 8u

/* Assumed of one register: its bits from `low` on are 0. */
struct assumption {
    const struct netlist *netlist;
    uint32_t index;
    uint32_t low;
};

static bool zeros(const struct assumption *assumption, net_id id, uint32_t from, uint32_t to);

static bool constant_zeros(const struct netlist *netlist, net_id id, uint32_t from, uint32_t to)
{
    for (uint32_t bit = from; bit < to; bit++)
        if ((net_constant_bits(netlist, id, bit) & 1u) != 0)
            return false;
    return true;
}

static bool concat_zeros(const struct assumption *assumption, net_id id, uint32_t from, uint32_t to)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < net_get(assumption->netlist, id)->count; i++) {
        net_id part = net_operand(assumption->netlist, id, i);
        uint32_t end = at + net_width(assumption->netlist, part);
        uint32_t first = from > at ? from : at, last = to < end ? to : end;
        if (first < last && !zeros(assumption, part, first - at, last - at))
            return false;
        at = end;
    }
    return true;
}

/* Bits from..to-1 of a net are 0 under the assumption; false where that is not plain to see. */
static bool zeros(const struct assumption *assumption, net_id id, uint32_t from, uint32_t to)
{
    const struct netlist *netlist = assumption->netlist;
    const struct net_node *node = net_get(netlist, id);
    if (from >= node->active)
        return true;
    switch ((enum net_op)node->op) {
    case NET_CONSTANT:
        return constant_zeros(netlist, id, from, to);
    case NET_REGISTER:
        return node->index == assumption->index && from >= assumption->low;
    case NET_CONCAT:
        return concat_zeros(assumption, id, from, to);
    case NET_SLICE:
        return zeros(assumption, net_operand(netlist, id, 0), from + node->low, to + node->low);
    case NET_AND:
        return zeros(assumption, net_operand(netlist, id, 0), from, to) ||
               zeros(assumption, net_operand(netlist, id, 1), from, to);
    case NET_OR:
    case NET_XOR:
        return zeros(assumption, net_operand(netlist, id, 0), from, to) &&
               zeros(assumption, net_operand(netlist, id, 1), from, to);
    case NET_MUX:
        return zeros(assumption, net_operand(netlist, id, 1), from, to) &&
               zeros(assumption, net_operand(netlist, id, 2), from, to);
    default:
        return false;
    }
}

/* How many bits of a register may ever differ from 0; at least one is kept. */
static uint32_t needed_bits(const struct design *design, uint32_t index)
{
    const struct design_register *state = &design->registers[index];
    struct assumption assumption = {&design->netlist, index, 1};
    uint32_t initial = net_get(&design->netlist, state->initial)->active;
    assumption.low = initial > 1 ? initial : 1;
    while (assumption.low < state->width && !zeros(&assumption, state->next, assumption.low, state->width))
        assumption.low++;
    return assumption.low;
}

struct narrowing {
    struct design *design;
    net_id *now;      /* by node: what it is when narrowed */
    uint32_t *needed; /* by node: its bits from here on are not used; 0 = it is not used */
};

static void need(struct narrowing *narrowing, net_id id, uint32_t bits)
{
    uint32_t width = net_width(&narrowing->design->netlist, id);
    bits = bits < width ? bits : width;
    if (narrowing->needed[id] < bits)
        narrowing->needed[id] = bits;
}

static void need_parts(struct narrowing *narrowing, net_id id)
{
    const struct netlist *netlist = &narrowing->design->netlist;
    uint32_t bits = narrowing->needed[id];
    for (uint32_t i = 0, at = 0; i < net_get(netlist, id)->count && at < bits; i++) {
        net_id part = net_operand(netlist, id, i);
        need(narrowing, part, bits - at);
        at += net_width(netlist, part);
    }
}

/* Which bits of its operands an operation needs for those that are needed of it. */
static void need_operands(struct narrowing *narrowing, net_id id)
{
    const struct netlist *netlist = &narrowing->design->netlist;
    const struct net_node *node = net_get(netlist, id);
    uint32_t bits = narrowing->needed[id];
    bool low = node->op == NET_NOT || node->op == NET_AND || node->op == NET_OR || node->op == NET_XOR ||
               node->op == NET_ADD || node->op == NET_SUB || node->op == NET_MUL;
    if (node->op == NET_CONCAT) {
        need_parts(narrowing, id);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        bool of_value = low || (node->op == NET_MUX && i > 0) || (node->op == NET_SHL && i == 0);
        uint32_t all = net_width(netlist, net_operand(netlist, id, i));
        need(narrowing, net_operand(netlist, id, i), of_value ? bits : node->op == NET_SLICE ? node->low + bits : all);
    }
}

static void need_end(net_id *net, void *context)
{
    struct narrowing *narrowing = context;
    if (*net != NET_NONE)
        need(narrowing, *net, NET_WIDTH_MAX);
}

static void find_needed(struct narrowing *narrowing)
{
    design_visit(narrowing->design, need_end, narrowing);
    for (net_id id = narrowing->design->netlist.node_count; id-- > 1;)
        if (narrowing->needed[id] > 0)
            need_operands(narrowing, id);
}

static void replace(net_id *net, void *context)
{
    const struct narrowing *narrowing = context;
    *net = narrowing->now[*net];
}

static net_id rebuild(struct narrowing *narrowing, net_id id)
{
    struct netlist *netlist = &narrowing->design->netlist;
    const struct net_node *node = net_get(netlist, id);
    if (node->op == NET_REGISTER) {
        uint32_t of = node->width;
        net_id leaf = net_register(netlist, node->index, narrowing->design->registers[node->index].width);
        return net_zext(netlist, leaf, of);
    }
    uint32_t count = node->count, width = node->width, bits = narrowing->needed[id];
    enum net_op op = (enum net_op)node->op;
    bool sum = op == NET_ADD || op == NET_SUB || op == NET_MUL || op == NET_SHL;
    if (count == 0)
        return id;
    net_id *operands = memory_new(count, sizeof *operands);
    for (uint32_t i = 0; i < count; i++) {
        operands[i] = narrowing->now[net_operand(netlist, id, i)];
        if (sum && (op != NET_SHL || i == 0))
            operands[i] = net_slice(netlist, operands[i], 0, bits);
    }
    netlist->place = net_get(netlist, id)->place;
    const char *name = net_get(netlist, id)->name;
    net_id result = net_rebuild(netlist, id, operands);
    if (name != NULL)
        net_name(netlist, result, name);
    free(operands);
    return net_zext(netlist, result, width);
}

static void rebuild_all(struct design *design)
{
    uint32_t count = design->netlist.node_count;
    struct narrowing narrowing = {design, memory_new(count, sizeof *narrowing.now),
                                  memory_new(count, sizeof *narrowing.needed)};
    find_needed(&narrowing);
    for (net_id id = 1; id < count; id++)
        if (narrowing.needed[id] > 0)
            narrowing.now[id] = rebuild(&narrowing, id);
    design_visit(design, replace, &narrowing);
    for (uint32_t i = 0; i < design->register_count; i++) {
        struct design_register *state = &design->registers[i];
        state->next = net_slice(&design->netlist, state->next, 0, state->width);
        state->initial = net_slice(&design->netlist, state->initial, 0, state->width);
    }
    free(narrowing.now);
    free(narrowing.needed);
}

void narrow_design(struct design *design)
{
    bool changed = true;
    for (uint32_t round = 0; changed && round < ROUNDS_MAX; round++) {
        changed = round == 0;
        for (uint32_t i = 0; i < design->register_count; i++) {
            uint32_t width = needed_bits(design, i);
            changed |= width < design->registers[i].width;
            design->registers[i].width = width;
        }
        if (changed)
            rebuild_all(design);
    }
}
