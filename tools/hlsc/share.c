/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/share.h"

#include "tools/hlsc/memory.h"
#include "tools/hlsc/net_store.h"

#define BIT_ZERO 0u
#define BIT_ONE  1u
#define NO_BIT   UINT32_MAX

/* A bit that something makes. Bits that are equal are one, by their number. */
struct share_bit {
    net_id node; /* in the netlist as it becomes; NET_NONE = a constant */
    uint32_t at;
};

/* The bit that an operation makes of others. */
struct share_key {
    uint32_t op, operands[3], bit; /* bit NO_BIT = an empty slot */
};

struct share {
    struct netlist *netlist;
    uint8_t *used;   /* by node, as the others below: those of before */
    uint32_t **bits; /* what its bits are */
    net_id *now;     /* what it becomes */
    uint32_t *own;   /* by node as it becomes: its first bit, 0 = none; not of what is shared bit by bit */
    uint32_t own_capacity;
    struct share_bit *made;
    uint32_t made_count, made_capacity;
    struct share_key *keys; /* by hash */
    uint32_t key_count, key_capacity;
};

static uint32_t new_bit(struct share *share, net_id node, uint32_t at)
{
    share->made = memory_grow(share->made, &share->made_capacity, share->made_count + 1, sizeof *share->made);
    share->made[share->made_count] = (struct share_bit){node, at};
    return share->made_count++;
}

static struct share_key *find_key(const struct share *share, const struct share_key *key)
{
    uint64_t hash = key->op;
    for (uint32_t i = 0; i < 3; i++)
        hash = (hash ^ key->operands[i]) * 0x9e3779b97f4a7c15u;
    for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
        struct share_key *slot = &share->keys[i & (share->key_capacity - 1)];
        if (slot->bit == NO_BIT || (slot->op == key->op && slot->operands[0] == key->operands[0] &&
                                    slot->operands[1] == key->operands[1] && slot->operands[2] == key->operands[2]))
            return slot;
    }
}

static void grow_keys(struct share *share)
{
    struct share_key *old = share->keys;
    uint32_t count = share->key_capacity;
    share->key_capacity = count == 0 ? 1024 : 2 * count;
    share->keys = memory_new(share->key_capacity, sizeof *share->keys);
    for (uint32_t i = 0; i < share->key_capacity; i++)
        share->keys[i].bit = NO_BIT;
    for (uint32_t i = 0; i < count; i++)
        if (old[i].bit != NO_BIT)
            *find_key(share, &old[i]) = old[i];
    free(old);
}

/* Raw wires: what folds nodes would move them. */
static net_id slice_of(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    struct net_node node = {.op = NET_SLICE, .width = (uint16_t)width, .count = 1, .low = low};
    return width == net_width(netlist, id) ? id : net_intern(netlist, &node, &id, NULL);
}

static net_id constant_of(struct netlist *netlist, const uint32_t *bits, uint32_t width)
{
    uint64_t words[NET_WIDTH_MAX / 64u] = {0};
    for (uint32_t i = 0; i < width; i++)
        words[i / 64] |= (uint64_t)(bits[i] == BIT_ONE) << i % 64;
    return net_constant_wide(netlist, width, words);
}

/* How many bits from the first one on lie side by side in one node. */
static uint32_t run_of(const struct share *share, const uint32_t *bits, uint32_t width)
{
    struct share_bit first = share->made[bits[0]];
    uint32_t run = 1;
    while (run < width && share->made[bits[run]].node == first.node &&
           (first.node == NET_NONE || share->made[bits[run]].at == first.at + run))
        run++;
    return run;
}

static net_id assemble(struct share *share, const uint32_t *bits, uint32_t width)
{
    struct netlist *netlist = share->netlist;
    net_id *parts = memory_new(width, sizeof *parts);
    uint32_t count = 0;
    for (uint32_t i = 0, run; i < width; i += run) {
        struct share_bit first = share->made[bits[i]];
        run = run_of(share, bits + i, width - i);
        parts[count++] =
            first.node == NET_NONE ? constant_of(netlist, bits + i, run) : slice_of(netlist, first.node, first.at, run);
    }
    struct net_node node = {.op = NET_CONCAT, .width = (uint16_t)width, .count = (uint16_t)count};
    net_id result = count == 1 ? parts[0] : net_intern(netlist, &node, parts, NULL);
    free(parts);
    return result;
}

/* A node whose bits are its own: as it is now, which others may have become, too. */
static void make_bits(struct share *share, net_id id, net_id now)
{
    uint32_t width = net_width(share->netlist, id), count = share->netlist->node_count;
    uint32_t known = share->own_capacity;
    share->own = memory_grow(share->own, &share->own_capacity, count, sizeof *share->own);
    memset(share->own + known, 0, (share->own_capacity - known) * sizeof *share->own);
    bool is_new = share->own[now] == 0;
    if (is_new)
        share->own[now] = share->made_count;
    for (uint32_t i = 0; i < width; i++)
        share->bits[id][i] = is_new ? new_bit(share, now, i) : share->own[now] + i;
}

static void share_constant(struct share *share, net_id id)
{
    uint32_t width = net_width(share->netlist, id);
    for (uint32_t i = 0; i < width; i++)
        share->bits[id][i] = net_constant_bits(share->netlist, id, i) & 1 ? BIT_ONE : BIT_ZERO;
}

static void share_wires(struct share *share, net_id id)
{
    const struct net_node *node = net_get(share->netlist, id);
    uint32_t *to = share->bits[id];
    for (uint32_t i = 0; i < node->count; i++) {
        net_id operand = net_operand(share->netlist, id, i);
        uint32_t low = node->op == NET_SLICE ? node->low : 0;
        uint32_t width = node->op == NET_SLICE ? node->width : net_width(share->netlist, operand);
        memcpy(to, share->bits[operand] + low, width * sizeof *to);
        to += width;
    }
}

static struct share_key key_of(const struct share *share, net_id id, uint32_t bit)
{
    const struct net_node *node = net_get(share->netlist, id);
    struct share_key key = {.op = node->op, .operands = {NO_BIT, NO_BIT, NO_BIT}};
    for (uint32_t i = 0; i < node->count; i++) {
        net_id operand = net_operand(share->netlist, id, i);
        key.operands[i] = share->bits[operand][node->op == NET_MUX && i == 0 ? 0 : bit];
    }
    bool swaps = node->op == NET_AND || node->op == NET_OR || node->op == NET_XOR;
    if (swaps && key.operands[0] > key.operands[1]) {
        uint32_t first = key.operands[0];
        key.operands[0] = key.operands[1];
        key.operands[1] = first;
    }
    return key;
}

/* The node for those bits that no other one makes. */
static net_id make_rest(struct share *share, net_id id, const uint32_t *rest, uint32_t count)
{
    struct netlist *netlist = share->netlist;
    struct net_node node = *net_get(netlist, id);
    net_id operands[3];
    uint32_t *bits = memory_new(count, sizeof *bits);
    for (uint32_t i = 0; i < node.count; i++) {
        const uint32_t *of = share->bits[net_operand(netlist, id, i)];
        bool select = node.op == NET_MUX && i == 0;
        for (uint32_t j = 0; j < count; j++)
            bits[j] = select ? of[0] : of[rest[j]];
        operands[i] = assemble(share, bits, select ? 1 : count);
    }
    free(bits);
    node.width = (uint16_t)count;
    return net_intern(netlist, &node, operands, NULL);
}

/* Each bit depends on the same bit of the operands, and on the select. */
static void share_bitwise(struct share *share, net_id id)
{
    uint32_t width = net_width(share->netlist, id), count = 0;
    uint32_t *rest = memory_new(width, sizeof *rest);
    for (uint32_t i = 0; i < width; i++) {
        if (2 * (share->key_count + 1) > share->key_capacity)
            grow_keys(share);
        struct share_key key = key_of(share, id, i), *slot = find_key(share, &key);
        if (slot->bit == NO_BIT) {
            *slot = key;
            slot->bit = new_bit(share, NET_NONE, 0);
            share->key_count++;
            rest[count++] = i;
        }
        share->bits[id][i] = slot->bit;
    }
    net_id made = count > 0 ? make_rest(share, id, rest, count) : NET_NONE;
    for (uint32_t i = 0; i < count; i++)
        share->made[share->bits[id][rest[i]]] = (struct share_bit){made, i};
    free(rest);
}

static void share_other(struct share *share, net_id id)
{
    struct netlist *netlist = share->netlist;
    struct net_node node = *net_get(netlist, id);
    net_id operands[3], now = id;
    for (uint32_t i = 0; i < node.count; i++)
        operands[i] = share->now[net_operand(netlist, id, i)];
    if (node.count > 0)
        now = net_intern(netlist, &node, operands, NULL);
    make_bits(share, id, now);
}

static void share_node(struct share *share, net_id id)
{
    struct netlist *netlist = share->netlist;
    const char *name = net_get(netlist, id)->name;
    uint32_t width = net_width(netlist, id);
    share->bits[id] = memory_new(width, sizeof *share->bits[id]);
    netlist->place = net_get(netlist, id)->place;
    switch ((enum net_op)net_get(netlist, id)->op) {
    case NET_CONSTANT:
        share_constant(share, id);
        break;
    case NET_CONCAT:
    case NET_SLICE:
        share_wires(share, id);
        break;
    case NET_NOT:
    case NET_AND:
    case NET_OR:
    case NET_XOR:
    case NET_MUX:
        share_bitwise(share, id);
        break;
    default:
        share_other(share, id);
    }
    share->now[id] = assemble(share, share->bits[id], width);
    if (name != NULL)
        net_name(netlist, share->now[id], name);
}

static void mark(net_id *net, void *context)
{
    struct share *share = context;
    share->used[*net] = 1;
}

static void replace(net_id *net, void *context)
{
    struct share *share = context;
    *net = share->now[*net];
}

void share_design(struct design *design)
{
    struct netlist *netlist = &design->netlist;
    uint32_t before = netlist->node_count;
    struct share share = {.netlist = netlist};
    share.used = memory_new(before, sizeof *share.used);
    share.bits = memory_new(before, sizeof *share.bits);
    share.now = memory_new(before, sizeof *share.now);
    new_bit(&share, NET_NONE, 0); /* BIT_ZERO and BIT_ONE */
    new_bit(&share, NET_NONE, 1);
    design_visit(design, mark, &share);
    share.used[NET_NONE] = 0;
    for (net_id id = before; id-- > 1;)
        for (uint32_t i = 0; share.used[id] && i < net_get(netlist, id)->count; i++)
            share.used[net_operand(netlist, id, i)] = 1;
    for (net_id id = 1; id < before; id++)
        if (share.used[id])
            share_node(&share, id);
    design_visit(design, replace, &share);
    for (net_id id = 0; id < before; id++)
        free(share.bits[id]);
    free(share.used);
    free(share.bits);
    free(share.now);
    free(share.own);
    free(share.made);
    free(share.keys);
}
