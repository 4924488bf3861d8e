/* SPDX-License-Identifier: Apache-2.0 */
/* The store of nodes: hash-consing, leaves, constants and what is known of each node's bits. */
#include "tools/hlsc/net.h"

#include <assert.h>
#include <string.h>

#include "tools/hlsc/bits.h"
#include "tools/hlsc/memory.h"
#include "tools/hlsc/net_store.h"

void net_init(struct netlist *netlist)
{
    memset(netlist, 0, sizeof *netlist);
    netlist->bucket_count = 1024;
    netlist->buckets = memory_new(netlist->bucket_count, sizeof *netlist->buckets);
    netlist->nodes = memory_grow(NULL, &netlist->node_capacity, 1, sizeof *netlist->nodes);
    memset(&netlist->nodes[0], 0, sizeof netlist->nodes[0]);
    netlist->node_count = 1;
}

void net_free(struct netlist *netlist)
{
    free(netlist->nodes);
    free(netlist->operands);
    free(netlist->words);
    free(netlist->buckets);
    free(netlist->slices);
    memset(netlist, 0, sizeof *netlist);
}

static uint64_t hash_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_node(const struct net_node *node, const net_id *operands, const uint64_t *words)
{
    uint64_t hash = hash_mix(hash_mix(node->op, node->width), (uint64_t)node->low << 32 | node->index);
    if (words != NULL) {
        for (uint32_t i = 0; i < bits_words(node->width); i++)
            hash = hash_mix(hash, words[i]);
    } else {
        hash = hash_mix(hash, node->value);
    }
    for (uint32_t i = 0; i < node->count; i++)
        hash = hash_mix(hash, operands[i]);
    return hash;
}

static bool same_node(const struct netlist *netlist, const struct net_node *node, const struct net_node *other,
                      const net_id *operands, const uint64_t *words)
{
    if (node->op != other->op || node->width != other->width || node->low != other->low ||
        node->index != other->index || node->count != other->count)
        return false;
    if (words != NULL)
        return bits_equal(words, netlist->words + other->value, node->width);
    return node->value == other->value && (node->count == 0 || memcmp(operands, netlist->operands + other->first,
                                                                      node->count * sizeof *operands) == 0);
}

static void rehash(struct netlist *netlist)
{
    netlist->bucket_count *= 2;
    free(netlist->buckets);
    netlist->buckets = memory_new(netlist->bucket_count, sizeof *netlist->buckets);
    for (net_id id = 1; id < netlist->node_count; id++) {
        struct net_node *node = &netlist->nodes[id];
        bool wide = node->op == NET_CONSTANT && node->width > 64;
        uint64_t hash = hash_node(node, netlist->operands + node->first, wide ? netlist->words + node->value : NULL);
        net_id *bucket = &netlist->buckets[hash & (netlist->bucket_count - 1)];
        node->chain = *bucket;
        *bucket = id;
    }
}

/* Known bits of a concatenation of at most 64 bits. */
static void know_concat(const struct netlist *netlist, struct net_node *node, const net_id *operands)
{
    uint32_t low = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct net_node *part = net_get(netlist, operands[i]);
        node->zeros |= part->zeros << low;
        node->ones |= part->ones << low;
        low += part->width;
    }
}

static uint32_t active_concat(const struct netlist *netlist, const struct net_node *node, const net_id *operands)
{
    uint32_t low = node->width;
    for (uint32_t i = node->count; i-- > 0;) {
        const struct net_node *part = net_get(netlist, operands[i]);
        low -= part->width;
        if (part->active != 0)
            return low + part->active;
    }
    return 0;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The number of low bits that may differ from 0. */
static uint32_t active_bits(const struct netlist *netlist, const struct net_node *node, const net_id *operands)
{
    const struct net_node *a = node->count > 0 ? net_get(netlist, operands[0]) : NULL;
    const struct net_node *b = node->count > 1 ? net_get(netlist, operands[1]) : NULL;
    switch ((enum net_op)node->op) {
    case NET_CONCAT:
        return active_concat(netlist, node, operands);
    case NET_SLICE:
        return smaller(node->width, a->active > node->low ? a->active - node->low : 0);
    case NET_AND:
        return smaller(a->active, b->active);
    case NET_OR:
    case NET_XOR:
        return larger(a->active, b->active);
    case NET_ADD:
        return smaller(node->width, larger(a->active, b->active) + 1);
    case NET_MUL:
        return smaller(node->width, a->active + b->active);
    case NET_LSHR:
        return a->active;
    case NET_MUX:
        return larger(b->active, net_get(netlist, operands[2])->active);
    default:
        return node->width;
    }
}

static void know_bits(const struct netlist *netlist, struct net_node *node, const net_id *operands)
{
    const struct net_node *a = node->count > 0 ? net_get(netlist, operands[0]) : NULL;
    const struct net_node *b = node->count > 1 ? net_get(netlist, operands[1]) : NULL;
    switch ((enum net_op)node->op) {
    case NET_CONCAT:
        know_concat(netlist, node, operands);
        break;
    case NET_SLICE:
        node->zeros = a->width <= 64 ? a->zeros >> node->low : 0;
        node->ones = a->width <= 64 ? a->ones >> node->low : 0;
        break;
    case NET_NOT:
        node->zeros = a->ones;
        node->ones = a->zeros;
        break;
    case NET_AND:
        node->zeros = a->zeros | b->zeros;
        node->ones = a->ones & b->ones;
        break;
    case NET_OR:
        node->zeros = a->zeros & b->zeros;
        node->ones = a->ones | b->ones;
        break;
    case NET_XOR:
        node->zeros = (a->zeros & b->zeros) | (a->ones & b->ones);
        node->ones = (a->zeros & b->ones) | (a->ones & b->zeros);
        break;
    case NET_MUX:
        node->zeros = b->zeros & net_get(netlist, operands[2])->zeros;
        node->ones = b->ones & net_get(netlist, operands[2])->ones;
        break;
    default:
        break;
    }
}

static void know(const struct netlist *netlist, struct net_node *node, const net_id *operands, const uint64_t *words)
{
    if (node->op == NET_CONSTANT) {
        node->active = bits_active(words != NULL ? words : &node->value, node->width);
        if (node->width <= 64) {
            node->ones = node->value;
            node->zeros = ~node->value & bits_mask(node->width);
        }
        return;
    }
    node->active = active_bits(netlist, node, operands);
    if (node->width <= 64) {
        know_bits(netlist, node, operands);
        uint64_t mask = bits_mask(node->width);
        node->zeros |= ~bits_mask(node->active == 0 ? 1 : node->active) | (node->active == 0 ? 1u : 0u);
        node->zeros &= mask;
        node->ones &= mask;
        node->active = smaller(node->active, bits_active(&(uint64_t){~node->zeros & mask}, node->width));
    }
}

net_id net_intern(struct netlist *netlist, const struct net_node *wanted, const net_id *operands, const uint64_t *words)
{
    assert(wanted->width > 0 && wanted->width <= NET_WIDTH_MAX);
    struct net_node node = *wanted;
    uint64_t hash = hash_node(&node, operands, words);
    net_id *bucket = &netlist->buckets[hash & (netlist->bucket_count - 1)];
    for (net_id id = *bucket; id != NET_NONE; id = netlist->nodes[id].chain)
        if (same_node(netlist, &node, &netlist->nodes[id], operands, words))
            return id;

    node.first = netlist->operand_count;
    netlist->operands = memory_grow(netlist->operands, &netlist->operand_capacity, netlist->operand_count + node.count,
                                    sizeof *netlist->operands);
    for (uint32_t i = 0; i < node.count; i++)
        netlist->operands[netlist->operand_count++] = operands[i];
    know(netlist, &node, operands, words);
    if (words != NULL) {
        uint32_t count = bits_words(node.width);
        netlist->words =
            memory_grow(netlist->words, &netlist->word_capacity, netlist->word_count + count, sizeof *netlist->words);
        memcpy(netlist->words + netlist->word_count, words, count * sizeof *words);
        node.value = netlist->word_count;
        netlist->word_count += count;
    }
    node.place = netlist->place;
    node.name = NULL;
    node.chain = *bucket;
    *bucket = netlist->node_count;
    netlist->nodes =
        memory_grow(netlist->nodes, &netlist->node_capacity, netlist->node_count + 1, sizeof *netlist->nodes);
    netlist->nodes[netlist->node_count++] = node;
    if (netlist->node_count > netlist->bucket_count)
        rehash(netlist);
    return netlist->node_count - 1;
}

net_id net_constant(struct netlist *netlist, uint32_t width, uint64_t value)
{
    if (width > 64) {
        uint64_t words[NET_WIDTH_MAX / 64u] = {value};
        return net_constant_wide(netlist, width, words);
    }
    struct net_node node = {.op = NET_CONSTANT, .width = (uint16_t)width, .value = value & bits_mask(width)};
    return net_intern(netlist, &node, NULL, NULL);
}

net_id net_constant_wide(struct netlist *netlist, uint32_t width, const uint64_t *words)
{
    if (width <= 64)
        return net_constant(netlist, width, words[0]);
    uint64_t trimmed[NET_WIDTH_MAX / 64u];
    memcpy(trimmed, words, bits_words(width) * sizeof *words);
    bits_trim(trimmed, width);
    struct net_node node = {.op = NET_CONSTANT, .width = (uint16_t)width};
    return net_intern(netlist, &node, NULL, trimmed);
}

bool net_is_constant(const struct netlist *netlist, net_id id)
{
    return net_get(netlist, id)->op == NET_CONSTANT;
}

const uint64_t *net_constant_words(const struct netlist *netlist, net_id id)
{
    const struct net_node *node = net_get(netlist, id);
    return node->width > 64 ? netlist->words + node->value : &node->value;
}

uint64_t net_constant_bits(const struct netlist *netlist, net_id id, uint32_t low)
{
    return bits_word_at(net_constant_words(netlist, id), bits_words(net_width(netlist, id)), low);
}

static net_id leaf(struct netlist *netlist, enum net_op op, uint32_t index, uint32_t low, uint32_t width)
{
    struct net_node node = {.op = (uint8_t)op, .width = (uint16_t)width, .low = low, .index = index};
    return net_intern(netlist, &node, NULL, NULL);
}

net_id net_stream_data(struct netlist *netlist, uint32_t stream, uint32_t width)
{
    return leaf(netlist, NET_STREAM_DATA, stream, 0, width);
}

net_id net_stream_valid(struct netlist *netlist, uint32_t stream)
{
    return leaf(netlist, NET_STREAM_VALID, stream, 0, 1);
}

net_id net_stream_room(struct netlist *netlist, uint32_t stream)
{
    return leaf(netlist, NET_STREAM_ROOM, stream, 0, 1);
}

net_id net_register(struct netlist *netlist, uint32_t index, uint32_t width)
{
    return leaf(netlist, NET_REGISTER, index, 0, width);
}

net_id net_ram_data(struct netlist *netlist, uint32_t ram, uint32_t port, uint32_t width)
{
    return leaf(netlist, NET_RAM_DATA, ram, port, width);
}

void net_name(struct netlist *netlist, net_id id, const char *name)
{
    struct net_node *node = &netlist->nodes[id];
    if (node->name == NULL && node->op != NET_CONSTANT)
        node->name = name;
}

const char *net_op_name(enum net_op op)
{
    static const char *const names[NET_OP_COUNT] = {
        [NET_INVALID] = "nothing",
        [NET_CONSTANT] = "constant",
        [NET_STREAM_DATA] = "record",
        [NET_STREAM_VALID] = "can read",
        [NET_STREAM_ROOM] = "can write",
        [NET_REGISTER] = "state",
        [NET_RAM_DATA] = "RAM word",
        [NET_CONCAT] = "concatenation",
        [NET_SLICE] = "slice",
        [NET_NOT] = "not",
        [NET_AND] = "and",
        [NET_OR] = "or",
        [NET_XOR] = "xor",
        [NET_ADD] = "add",
        [NET_SUB] = "subtract",
        [NET_MUL] = "multiply",
        [NET_EQ] = "equal",
        [NET_ULT] = "less",
        [NET_SLT] = "signed less",
        [NET_SHL] = "shift left",
        [NET_LSHR] = "shift right",
        [NET_ASHR] = "signed shift right",
        [NET_MUX] = "choice",
        [NET_ANY] = "not zero",
    };
    return names[op];
}
