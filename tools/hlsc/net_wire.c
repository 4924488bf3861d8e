/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes that cost nothing in hardware, and choices. Slices move towards the leaves, so that only the bits in use exist;
 * concatenations join what belongs together again, so that a record that is chosen as a whole is one wide choice. Wide
 * sums are not sliced: C takes them apart into bytes and joins them again, and a sum for each would remain.
 */
#include <assert.h>
#include <string.h>

#include "tools/hlsc/bits.h"
#include "tools/hlsc/memory.h"
#include "tools/hlsc/net_build.h"

#define NARROW_SUM 6u /* bits: one look-up table for each, or little more */

/* A list of parts under construction. */
struct parts {
    net_id *ids;
    uint32_t count, capacity;
};

static void parts_push(struct parts *parts, net_id id)
{
    parts->ids = memory_grow(parts->ids, &parts->capacity, parts->count + 1, sizeof *parts->ids);
    parts->ids[parts->count++] = id;
}

static net_id join_constants(struct netlist *netlist, net_id low, net_id high)
{
    uint64_t words[NET_WIDTH_MAX / 64u + 1] = {0};
    uint32_t low_width = net_width(netlist, low), high_width = net_width(netlist, high);
    bits_place(words, 0, net_constant_words(netlist, low), low_width);
    bits_place(words, low_width, net_constant_words(netlist, high), high_width);
    return net_constant_wide(netlist, low_width + high_width, words);
}

static net_id slice_source(const struct netlist *netlist, net_id id, uint32_t *low)
{
    const struct net_node *node = net_get(netlist, id);
    *low = node->op == NET_SLICE ? node->low : 0;
    return node->op == NET_SLICE ? net_operand(netlist, id, 0) : id;
}

/* The two neighbours as one node, or NET_NONE. */
static net_id join(struct netlist *netlist, net_id low, net_id high)
{
    if (net_is_constant(netlist, low) && net_is_constant(netlist, high))
        return join_constants(netlist, low, high);
    uint32_t first, second;
    net_id source = slice_source(netlist, low, &first);
    if (net_get(netlist, high)->op != NET_SLICE || slice_source(netlist, high, &second) != source || low == source ||
        second != first + net_width(netlist, low))
        return NET_NONE;
    return net_slice(netlist, source, first, net_width(netlist, low) + net_width(netlist, high));
}

static void parts_join(struct netlist *netlist, struct parts *parts, net_id id)
{
    net_id joined = parts->count > 0 ? join(netlist, parts->ids[parts->count - 1], id) : NET_NONE;
    if (joined != NET_NONE)
        parts->ids[parts->count - 1] = joined;
    else
        parts_push(parts, id);
}

/* The select of a choice, NET_NONE for anything else. */
static net_id select_of(const struct netlist *netlist, net_id id)
{
    return net_get(netlist, id)->op == NET_MUX ? net_operand(netlist, id, 0) : NET_NONE;
}

/* Neighbouring choices by one select become one. */
static void join_choices(struct netlist *netlist, struct parts *parts)
{
    struct parts joined = {0}, sides[2] = {{0}, {0}};
    for (uint32_t i = 0, end; i < parts->count; i = end) {
        net_id select = select_of(netlist, parts->ids[i]);
        for (end = i + 1; select != NET_NONE && end < parts->count && select_of(netlist, parts->ids[end]) == select;)
            end++;
        if (end == i + 1) {
            parts_push(&joined, parts->ids[i]);
            continue;
        }
        sides[0].count = sides[1].count = 0;
        for (uint32_t j = i; j < end; j++) {
            parts_push(&sides[0], net_operand(netlist, parts->ids[j], 1));
            parts_push(&sides[1], net_operand(netlist, parts->ids[j], 2));
        }
        net_id then = net_concat(netlist, sides[0].ids, sides[0].count);
        net_id otherwise = net_concat(netlist, sides[1].ids, sides[1].count);
        parts_push(&joined, net_mux(netlist, select, then, otherwise));
    }
    free(sides[0].ids);
    free(sides[1].ids);
    free(parts->ids);
    *parts = joined;
}

net_id net_concat(struct netlist *netlist, const net_id *given, uint32_t count)
{
    assert(count > 0);
    if (count == 1)
        return given[0];
    struct parts parts = {0};
    for (uint32_t i = 0; i < count; i++) {
        net_id id = given[i];
        if (net_get(netlist, id)->op != NET_CONCAT) {
            parts_join(netlist, &parts, id);
            continue;
        }
        for (uint32_t j = 0; j < net_get(netlist, id)->count; j++)
            parts_join(netlist, &parts, net_operand(netlist, id, j));
    }
    join_choices(netlist, &parts);
    uint32_t width = 0;
    for (uint32_t i = 0; i < parts.count; i++)
        width += net_width(netlist, parts.ids[i]);
    assert(width <= NET_WIDTH_MAX);
    struct net_node node = {.op = NET_CONCAT, .width = (uint16_t)width, .count = (uint16_t)parts.count};
    net_id result = parts.count == 1 ? parts.ids[0] : net_intern(netlist, &node, parts.ids, NULL);
    free(parts.ids);
    return result;
}

/* What was made before of slices, and of net_any (width 0): a graph that is asked again and again is walked once. */
struct net_slice_memo {
    net_id id, result;
    uint16_t low, width;
};

static uint32_t memo_hash(net_id id, uint32_t low, uint32_t width)
{
    uint64_t key = ((uint64_t)id << 32 | low << 16 | width) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

static struct net_slice_memo *memo_find(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    uint32_t i = memo_hash(id, low, width);
    for (;; i++) {
        struct net_slice_memo *memo = &netlist->slices[i & (netlist->slice_capacity - 1)];
        if (memo->id == NET_NONE || (memo->id == id && memo->low == low && memo->width == width))
            return memo;
    }
}

static void memo_grow(struct netlist *netlist)
{
    struct net_slice_memo *old = netlist->slices;
    uint32_t count = netlist->slice_capacity;
    netlist->slice_capacity = count == 0 ? 1024 : 2 * count;
    netlist->slices = memory_new(netlist->slice_capacity, sizeof *netlist->slices);
    for (uint32_t i = 0; i < count; i++)
        if (old[i].id != NET_NONE)
            *memo_find(netlist, old[i].id, old[i].low, old[i].width) = old[i];
    free(old);
}

void net_memo_add(struct netlist *netlist, net_id id, uint32_t low, uint32_t width, net_id result)
{
    if (2 * (netlist->slice_count + 1) > netlist->slice_capacity)
        memo_grow(netlist);
    struct net_slice_memo *memo = memo_find(netlist, id, low, width);
    netlist->slice_count += memo->id == NET_NONE;
    *memo = (struct net_slice_memo){id, result, (uint16_t)low, (uint16_t)width};
}

net_id net_memo_find(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    return netlist->slice_capacity != 0 ? memo_find(netlist, id, low, width)->result : NET_NONE;
}

static net_id slice_constant(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    uint64_t words[NET_WIDTH_MAX / 64u];
    bits_extract(words, width, net_constant_words(netlist, id), net_width(netlist, id), low);
    return net_constant_wide(netlist, width, words);
}

static net_id slice_concat(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    struct parts parts = {0};
    uint32_t at = 0, count = net_get(netlist, id)->count;
    for (uint32_t i = 0; i < count && at < low + width; i++) {
        net_id part = net_operand(netlist, id, i);
        uint32_t end = at + net_width(netlist, part);
        uint32_t from = low > at ? low : at, to = low + width < end ? low + width : end;
        if (from < to)
            parts_push(&parts, net_slice(netlist, part, from - at, to - from));
        at = end;
    }
    net_id result = net_concat(netlist, parts.ids, parts.count);
    free(parts.ids);
    return result;
}

static net_id slice_node(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    struct net_node node = {.op = NET_SLICE, .width = (uint16_t)width, .count = 1, .low = low};
    return net_intern(netlist, &node, &id, NULL);
}

/* Sums of a few bits are cheaper than waiting for all. */
static net_id slice_sum(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    uint32_t end = low + width;
    if (end > NARROW_SUM || end == net_width(netlist, id))
        return slice_node(netlist, id, low, width);
    bool add = net_get(netlist, id)->op == NET_ADD;
    net_id a = net_operand(netlist, id, 0), b = net_operand(netlist, id, 1);
    a = net_slice(netlist, a, 0, end);
    b = net_slice(netlist, b, 0, end);
    return net_slice(netlist, add ? net_add(netlist, a, b) : net_sub(netlist, a, b), low, width);
}

static net_id slice_bitwise(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    enum net_op op = (enum net_op)net_get(netlist, id)->op;
    net_id a = net_operand(netlist, id, 0), b = net_operand(netlist, id, 1);
    a = net_slice(netlist, a, low, width);
    b = net_slice(netlist, b, low, width);
    return op == NET_AND ? net_and(netlist, a, b) : op == NET_OR ? net_or(netlist, a, b) : net_xor(netlist, a, b);
}

static net_id slice_choice(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    net_id select = net_operand(netlist, id, 0), then = net_operand(netlist, id, 1);
    net_id otherwise = net_operand(netlist, id, 2);
    then = net_slice(netlist, then, low, width);
    otherwise = net_slice(netlist, otherwise, low, width);
    return net_mux(netlist, select, then, otherwise);
}

static net_id slice_push(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    switch ((enum net_op)net_get(netlist, id)->op) {
    case NET_CONCAT:
        return slice_concat(netlist, id, low, width);
    case NET_NOT:
        return net_not(netlist, net_slice(netlist, net_operand(netlist, id, 0), low, width));
    case NET_AND:
    case NET_OR:
    case NET_XOR:
        return slice_bitwise(netlist, id, low, width);
    case NET_ADD:
    case NET_SUB:
        return slice_sum(netlist, id, low, width);
    case NET_MUX:
        return slice_choice(netlist, id, low, width);
    default:
        return slice_node(netlist, id, low, width);
    }
}

net_id net_slice(struct netlist *netlist, net_id id, uint32_t low, uint32_t width)
{
    const struct net_node *node = net_get(netlist, id);
    assert(width > 0 && low + width <= node->width);
    if (low == 0 && width == node->width)
        return id;
    if (node->op == NET_CONSTANT)
        return slice_constant(netlist, id, low, width);
    if (node->op == NET_SLICE)
        return net_slice(netlist, net_operand(netlist, id, 0), node->low + low, width);
    if (low >= node->active)
        return net_constant(netlist, width, 0);
    if (low + width > node->active)
        return net_zext(netlist, net_slice(netlist, id, low, node->active - low), width);
    net_id result = net_memo_find(netlist, id, low, width);
    if (result != NET_NONE)
        return result;
    result = slice_push(netlist, id, low, width);
    net_memo_add(netlist, id, low, width, result);
    return result;
}

net_id net_zext(struct netlist *netlist, net_id id, uint32_t width)
{
    uint32_t from = net_width(netlist, id);
    assert(width >= from);
    if (width == from)
        return id;
    net_id parts[2] = {id, net_constant(netlist, width - from, 0)};
    return net_concat(netlist, parts, 2);
}

net_id net_sext(struct netlist *netlist, net_id id, uint32_t width)
{
    uint32_t from = net_width(netlist, id);
    assert(width >= from);
    if (width == from)
        return id;
    struct parts parts = {0};
    net_id sign = net_slice(netlist, id, from - 1, 1);
    parts_push(&parts, id);
    for (uint32_t i = from; i < width; i++)
        parts_push(&parts, sign);
    net_id result = net_concat(netlist, parts.ids, parts.count);
    free(parts.ids);
    return result;
}

net_id net_trunc(struct netlist *netlist, net_id id, uint32_t width)
{
    return net_slice(netlist, id, 0, width);
}

net_id net_insert(struct netlist *netlist, net_id whole, uint32_t low, net_id part)
{
    uint32_t width = net_width(netlist, whole), end = low + net_width(netlist, part);
    net_id parts[3];
    uint32_t count = 0;
    assert(end <= width);
    if (low > 0)
        parts[count++] = net_slice(netlist, whole, 0, low);
    parts[count++] = part;
    if (end < width)
        parts[count++] = net_slice(netlist, whole, end, width - end);
    return net_concat(netlist, parts, count);
}

uint32_t net_part_end(const struct netlist *netlist, net_id id, uint32_t low)
{
    const struct net_node *node = net_get(netlist, id);
    if (node->op != NET_CONCAT)
        return node->width;
    uint32_t end = 0;
    for (uint32_t i = 0; i < node->count && end <= low; i++)
        end += net_width(netlist, net_operand(netlist, id, i));
    return end;
}

/* A choice between two concatenations that have parts in common is one between what differs. NET_NONE: they have none.
 */
static net_id choose_parts(struct netlist *netlist, net_id select, net_id then, net_id otherwise)
{
    struct parts parts = {0};
    uint32_t width = net_width(netlist, then), differs = 0; /* from here to `low` they do */
    for (uint32_t low = 0, end; low < width; low = end) {
        uint32_t a = net_part_end(netlist, then, low), b = net_part_end(netlist, otherwise, low);
        end = a < b ? a : b;
        net_id part = net_slice(netlist, then, low, end - low);
        if (part == net_slice(netlist, otherwise, low, end - low)) {
            if (differs < low)
                parts_push(&parts, net_mux(netlist, select, net_slice(netlist, then, differs, low - differs),
                                           net_slice(netlist, otherwise, differs, low - differs)));
            parts_push(&parts, part);
            differs = end;
        }
    }
    net_id result = NET_NONE;
    if (differs > 0) {
        if (differs < width)
            parts_push(&parts, net_mux(netlist, select, net_slice(netlist, then, differs, width - differs),
                                       net_slice(netlist, otherwise, differs, width - differs)));
        result = net_concat(netlist, parts.ids, parts.count);
    }
    free(parts.ids);
    return result;
}

/* The other operand of an AND or OR that has `one`; NET_NONE: it has not, or is no such operation. */
static net_id other_operand(const struct netlist *netlist, net_id id, enum net_op op, net_id one)
{
    if (net_get(netlist, id)->op != op)
        return NET_NONE;
    net_id a = net_operand(netlist, id, 0), b = net_operand(netlist, id, 1);
    return a == one ? b : b == one ? a : NET_NONE;
}

/* A choice between x and x with something: `differs` is chosen where `when` holds. NET_NONE: it is none. */
static net_id choose_with(struct netlist *netlist, net_id when, net_id differs, net_id plain)
{
    net_id other = other_operand(netlist, differs, NET_OR, plain);
    if (other != NET_NONE)
        return net_or(netlist, plain, net_and(netlist, when, other));
    other = other_operand(netlist, differs, NET_AND, plain);
    if (other != NET_NONE)
        return net_and(netlist, plain, net_or(netlist, net_not(netlist, when), other));
    return NET_NONE;
}

/* A choice of one bit is logic where one side is known, or is part of the other. */
static net_id choose_bit(struct netlist *netlist, net_id select, net_id then, net_id otherwise)
{
    net_id zero = net_constant(netlist, 1, 0), one = net_constant(netlist, 1, 1);
    if (then == one || then == select)
        return net_or(netlist, select, otherwise);
    if (then == zero)
        return net_and(netlist, net_not(netlist, select), otherwise);
    if (otherwise == one)
        return net_or(netlist, net_not(netlist, select), then);
    if (otherwise == zero || otherwise == select)
        return net_and(netlist, select, then);
    for (uint32_t i = 0; i < 2; i++) { /* what both sides ask for */
        enum net_op op = (enum net_op)net_get(netlist, then)->op;
        net_id common = op == NET_AND || op == NET_OR ? net_operand(netlist, then, i) : NET_NONE;
        net_id other = common != NET_NONE ? other_operand(netlist, otherwise, op, common) : NET_NONE;
        if (other == NET_NONE)
            continue;
        net_id rest = net_mux(netlist, select, net_operand(netlist, then, 1 - i), other);
        return op == NET_AND ? net_and(netlist, common, rest) : net_or(netlist, common, rest);
    }
    net_id folded = choose_with(netlist, select, then, otherwise);
    return folded != NET_NONE ? folded : choose_with(netlist, net_not(netlist, select), otherwise, then);
}

/* What `id` is when `select` has the value `holds`. */
static net_id under(const struct netlist *netlist, net_id id, net_id select, bool holds)
{
    while (select_of(netlist, id) == select)
        id = net_operand(netlist, id, holds ? 1 : 2);
    return id;
}

net_id net_mux(struct netlist *netlist, net_id select, net_id then, net_id otherwise)
{
    assert(net_width(netlist, select) == 1 && net_width(netlist, then) == net_width(netlist, otherwise));
    if (net_is_constant(netlist, select))
        return net_constant_bits(netlist, select, 0) != 0 ? then : otherwise;
    if (net_get(netlist, select)->op == NET_NOT)
        return net_mux(netlist, net_operand(netlist, select, 0), otherwise, then);
    then = under(netlist, then, select, true);
    otherwise = under(netlist, otherwise, select, false);
    if (then == otherwise)
        return then;
    uint32_t width = net_width(netlist, then);
    net_id bit = width == 1 ? choose_bit(netlist, select, then, otherwise) : NET_NONE;
    if (bit != NET_NONE)
        return bit;
    bool wires = net_get(netlist, then)->op == NET_CONCAT || net_get(netlist, otherwise)->op == NET_CONCAT;
    net_id parts = wires ? choose_parts(netlist, select, then, otherwise) : NET_NONE;
    if (parts != NET_NONE)
        return parts;
    uint32_t active = net_get(netlist, then)->active, other = net_get(netlist, otherwise)->active;
    active = active > other ? active : other;
    if (active < width) {
        net_id narrow =
            net_mux(netlist, select, net_slice(netlist, then, 0, active), net_slice(netlist, otherwise, 0, active));
        return net_zext(netlist, narrow, width);
    }
    net_id inner = select_of(netlist, then);
    if (inner != NET_NONE && net_operand(netlist, then, 2) == otherwise)
        return net_mux(netlist, net_and(netlist, select, inner), net_operand(netlist, then, 1), otherwise);
    if (inner != NET_NONE && net_operand(netlist, then, 1) == otherwise)
        return net_mux(netlist, net_and(netlist, select, net_not(netlist, inner)), net_operand(netlist, then, 2),
                       otherwise);
    inner = select_of(netlist, otherwise);
    if (inner != NET_NONE && net_operand(netlist, otherwise, 1) == then)
        return net_mux(netlist, net_or(netlist, select, inner), then, net_operand(netlist, otherwise, 2));
    if (inner != NET_NONE && net_operand(netlist, otherwise, 2) == then)
        return net_mux(netlist, net_or(netlist, select, net_not(netlist, inner)), then,
                       net_operand(netlist, otherwise, 1));
    net_id operands[3] = {select, then, otherwise};
    struct net_node node = {.op = NET_MUX, .width = (uint16_t)width, .count = 3};
    return net_intern(netlist, &node, operands, NULL);
}
