/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a condition never holds, by trying all values of what it is made of: comparisons of one net with
 * constants are taken together, so that x == 1 and x == 2 exclude each other; all else is independent. What is true but
 * needs more than that is not proved.
 */
#include "tools/hlsc/lower.h"
#include "tools/hlsc/memory.h"

#include <string.h>

#define ATOMS_MAX 16u
#define NODES_MAX 4096u

struct atom {
    net_id net;
    net_id compared; /* with a constant; NET_NONE = independent */
    uint64_t bits;   /* by assignment, 64 at once */
};

struct proof {
    const struct netlist *netlist;
    net_id *nodes; /* ascending, so operands first */
    uint32_t node_count, node_capacity;
    uint64_t *values; /* by position in nodes */
    struct atom atoms[ATOMS_MAX];
    uint32_t atom_count;
    bool too_large;
};

static bool is_logic(const struct net_node *node)
{
    return node->width == 1 && (node->op == NET_NOT || node->op == NET_AND || node->op == NET_OR ||
                                node->op == NET_XOR || node->op == NET_MUX || node->op == NET_CONSTANT);
}

/* The position of a node, or where it would be. */
static uint32_t position(const struct proof *proof, net_id net)
{
    uint32_t low = 0, high = proof->node_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (proof->nodes[middle] < net)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What an atom compares with constants, if it does. */
static net_id compared(const struct netlist *netlist, net_id net)
{
    const struct net_node *node = net_get(netlist, net);
    if (node->op == NET_ANY)
        return net_width(netlist, net_operand(netlist, net, 0)) <= 64 ? net_operand(netlist, net, 0) : NET_NONE;
    if (node->op != NET_EQ && node->op != NET_ULT)
        return NET_NONE;
    net_id a = net_operand(netlist, net, 0), b = net_operand(netlist, net, 1);
    if (net_width(netlist, a) > 64 || net_is_constant(netlist, a) == net_is_constant(netlist, b))
        return NET_NONE;
    return net_is_constant(netlist, a) ? b : a;
}

static void collect(struct proof *proof, net_id net)
{
    const struct net_node *node = net_get(proof->netlist, net);
    uint32_t at = position(proof, net);
    if (proof->too_large || (at < proof->node_count && proof->nodes[at] == net))
        return;
    if (proof->node_count == NODES_MAX || (!is_logic(node) && proof->atom_count == ATOMS_MAX)) {
        proof->too_large = true;
        return;
    }
    proof->nodes = memory_grow(proof->nodes, &proof->node_capacity, proof->node_count + 1, sizeof *proof->nodes);
    memmove(proof->nodes + at + 1, proof->nodes + at, (proof->node_count - at) * sizeof *proof->nodes);
    proof->nodes[at] = net;
    proof->node_count++;
    if (!is_logic(node)) {
        proof->atoms[proof->atom_count++] = (struct atom){.net = net, .compared = compared(proof->netlist, net)};
        return;
    }
    for (uint32_t i = 0; i < node->count; i++)
        collect(proof, net_operand(proof->netlist, net, i));
}

static uint64_t value_of(const struct proof *proof, net_id net, uint32_t operand)
{
    return proof->values[position(proof, net_operand(proof->netlist, net, operand))];
}

static uint64_t evaluate(const struct proof *proof, net_id net)
{
    const struct net_node *node = net_get(proof->netlist, net);
    switch ((enum net_op)node->op) {
    case NET_CONSTANT:
        return net_constant_bits(proof->netlist, net, 0) != 0 ? ~(uint64_t)0 : 0;
    case NET_NOT:
        return ~value_of(proof, net, 0);
    case NET_AND:
        return value_of(proof, net, 0) & value_of(proof, net, 1);
    case NET_OR:
        return value_of(proof, net, 0) | value_of(proof, net, 1);
    case NET_XOR:
        return value_of(proof, net, 0) ^ value_of(proof, net, 1);
    default: {
        uint64_t select = value_of(proof, net, 0);
        return (select & value_of(proof, net, 1)) | (~select & value_of(proof, net, 2));
    }
    }
}

/* ---- which assignments are possible ---- */

static bool atom_holds(const struct proof *proof, const struct atom *atom, uint64_t value)
{
    const struct net_node *node = net_get(proof->netlist, atom->net);
    if (node->op == NET_ANY)
        return value != 0;
    net_id a = net_operand(proof->netlist, atom->net, 0), b = net_operand(proof->netlist, atom->net, 1);
    bool first = net_is_constant(proof->netlist, a);
    uint64_t constant = net_constant_bits(proof->netlist, first ? a : b, 0);
    if (node->op == NET_EQ)
        return value == constant;
    return first ? constant < value : value < constant;
}

/* The assignments in which all atoms over one net are what this value of it makes them. */
static uint64_t agreeing(const struct proof *proof, net_id net, uint64_t value)
{
    uint64_t agree = ~(uint64_t)0;
    for (uint32_t i = 0; i < proof->atom_count; i++) {
        if (proof->atoms[i].compared == net)
            agree &= atom_holds(proof, &proof->atoms[i], value) ? proof->atoms[i].bits : ~proof->atoms[i].bits;
    }
    return agree;
}

static uint64_t possible_values(const struct proof *proof, net_id net)
{
    uint32_t width = net_width(proof->netlist, net);
    uint64_t mask = width < 64 ? ((uint64_t)1 << width) - 1 : ~(uint64_t)0;
    uint64_t possible = agreeing(proof, net, 0) | agreeing(proof, net, mask);
    for (uint32_t i = 0; i < proof->atom_count; i++) {
        const struct atom *atom = &proof->atoms[i];
        if (atom->compared != net || net_get(proof->netlist, atom->net)->op == NET_ANY) {
            possible |= atom->compared == net ? agreeing(proof, net, 1) : 0;
            continue;
        }
        net_id a = net_operand(proof->netlist, atom->net, 0), b = net_operand(proof->netlist, atom->net, 1);
        uint64_t constant = net_constant_bits(proof->netlist, net_is_constant(proof->netlist, a) ? a : b, 0);
        for (uint64_t step = 0; step < 3; step++)
            possible |= agreeing(proof, net, (constant + step - 1) & mask);
    }
    return possible;
}

static uint64_t possible_assignments(const struct proof *proof)
{
    uint64_t possible = ~(uint64_t)0;
    for (uint32_t i = 0; i < proof->atom_count; i++) {
        bool first = proof->atoms[i].compared != NET_NONE;
        for (uint32_t j = 0; j < i; j++)
            first = first && proof->atoms[j].compared != proof->atoms[i].compared;
        if (first)
            possible &= possible_values(proof, proof->atoms[i].compared);
    }
    return possible;
}

static bool never(struct proof *proof, net_id net)
{
    static const uint64_t patterns[6] = {0xaaaaaaaaaaaaaaaau, 0xccccccccccccccccu, 0xf0f0f0f0f0f0f0f0u,
                                         0xff00ff00ff00ff00u, 0xffff0000ffff0000u, 0xffffffff00000000u};
    uint64_t rounds = proof->atom_count > 6 ? (uint64_t)1 << (proof->atom_count - 6) : 1;
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < proof->atom_count; i++) {
            struct atom *atom = &proof->atoms[i];
            atom->bits = i < 6 ? patterns[i] : (uint64_t)0 - (round >> (i - 6) & 1u);
            proof->values[position(proof, atom->net)] = atom->bits;
        }
        for (uint32_t i = 0; i < proof->node_count; i++) {
            if (is_logic(net_get(proof->netlist, proof->nodes[i])))
                proof->values[i] = evaluate(proof, proof->nodes[i]);
        }
        if ((proof->values[position(proof, net)] & possible_assignments(proof)) != 0)
            return false;
    }
    return true;
}

/* ---- whether atoms are independent ---- */

/* Bits of a leaf. */
struct source {
    net_id leaf;
    uint32_t low, width;
};

static bool find_source(const struct netlist *netlist, net_id net, struct source *source)
{
    const struct net_node *node = net_get(netlist, net);
    *source = (struct source){net, 0, node->width};
    if (node->op == NET_SLICE) {
        source->leaf = net_operand(netlist, net, 0);
        source->low = node->low;
    }
    enum net_op op = (enum net_op)net_get(netlist, source->leaf)->op;
    return op == NET_STREAM_DATA || op == NET_STREAM_VALID || op == NET_STREAM_ROOM || op == NET_REGISTER;
}

static bool apart(const struct source *a, const struct source *b)
{
    return a->leaf != b->leaf || a->low + a->width <= b->low || b->low + b->width <= a->low;
}

static bool independent(const struct proof *proof)
{
    struct source sources[ATOMS_MAX];
    for (uint32_t i = 0; i < proof->atom_count; i++) {
        const struct atom *atom = &proof->atoms[i];
        if (!find_source(proof->netlist, atom->compared != NET_NONE ? atom->compared : atom->net, &sources[i]))
            return false;
        for (uint32_t j = 0; j < i; j++) {
            bool together = atom->compared != NET_NONE && atom->compared == proof->atoms[j].compared;
            if (!together && !apart(&sources[i], &sources[j]))
                return false;
        }
    }
    return true;
}

enum lower_proof lower_prove_never(struct lower *lower, net_id net)
{
    struct proof proof = {.netlist = lower->netlist};
    enum lower_proof result = PROOF_UNKNOWN;
    collect(&proof, net);
    if (!proof.too_large) {
        proof.values = memory_new(proof.node_count, sizeof *proof.values);
        result = never(&proof, net) ? PROOF_NEVER : independent(&proof) ? PROOF_MAYBE : PROOF_UNKNOWN;
    }
    free(proof.nodes);
    free(proof.values);
    return result;
}
