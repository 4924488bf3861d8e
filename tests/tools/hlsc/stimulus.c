/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/stimulus.h"

#include <string.h>

#include "tools/hlsc/memory.h"

/* xorshift64*; Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" */
uint64_t stimulus_random(struct stimulus *stimulus)
{
    stimulus->seed ^= stimulus->seed >> 12;
    stimulus->seed ^= stimulus->seed << 25;
    stimulus->seed ^= stimulus->seed >> 27;
    return stimulus->seed * 0x2545f4914f6cdd1du;
}

static uint32_t below(struct stimulus *stimulus, uint32_t limit)
{
    return (uint32_t)(stimulus_random(stimulus) >> 33) % limit;
}

static bool chance(struct stimulus *stimulus, uint32_t percent)
{
    return below(stimulus, 100) < percent;
}

/* ---- what the design compares ---- */

static void add_goal(struct stimulus *stimulus, struct stimulus_goal goal)
{
    stimulus->goals =
        memory_grow(stimulus->goals, &stimulus->goal_capacity, stimulus->goal_count + 1, sizeof *stimulus->goals);
    stimulus->goals[stimulus->goal_count++] = goal;
}

static void add_value(struct stimulus *stimulus, uint64_t value)
{
    stimulus->values =
        memory_grow(stimulus->values, &stimulus->value_capacity, stimulus->value_count + 1, sizeof *stimulus->values);
    stimulus->values[stimulus->value_count++] = value;
}

static void find_goals(struct stimulus *stimulus, net_id net, uint64_t value, uint32_t depth)
{
    const struct netlist *netlist = &stimulus->design->netlist;
    const struct net_node *node = net_get(netlist, net);
    if (node->op == NET_CONCAT) {
        for (uint32_t i = 0, low = 0; i < node->count && low < 64; i++) {
            net_id part = net_operand(netlist, net, i);
            find_goals(stimulus, part, value >> low, depth);
            low += net_width(netlist, part);
        }
    } else if (node->op == NET_SLICE && net_get(netlist, net_operand(netlist, net, 0))->op == NET_STREAM_DATA) {
        struct stimulus_goal goal = {
            .stream = net_get(netlist, net_operand(netlist, net, 0))->index,
            .low = node->low,
            .width = node->width,
            .value = value,
        };
        add_goal(stimulus, goal);
    } else if (node->op == NET_MUX && depth > 0) {
        find_goals(stimulus, net_operand(netlist, net, 1), value, depth - 1);
        find_goals(stimulus, net_operand(netlist, net, 2), value, depth - 1);
    }
}

/* The bits of a record that a net is, behind extension by zeros. */
static const struct net_node *part_of_record(const struct netlist *netlist, net_id net)
{
    const struct net_node *node = net_get(netlist, net);
    if (node->op == NET_CONCAT) {
        net = net_operand(netlist, net, 0);
        node = net_get(netlist, net);
    }
    bool part = node->op == NET_SLICE && net_get(netlist, net_operand(netlist, net, 0))->op == NET_STREAM_DATA;
    return part ? node : NULL;
}

static void find_copy(struct stimulus *stimulus, net_id a, net_id b)
{
    const struct netlist *netlist = &stimulus->design->netlist;
    const struct net_node *to = part_of_record(netlist, a), *from = part_of_record(netlist, b);
    if (to == NULL || from == NULL)
        return;
    struct stimulus_goal goal = {
        .stream = net_get(netlist, netlist->operands[to->first])->index,
        .low = to->low,
        .width = to->width,
        .copies = true,
        .from = from->low,
    };
    if (net_get(netlist, netlist->operands[from->first])->index == goal.stream)
        add_goal(stimulus, goal);
}

static void find_comparisons(struct stimulus *stimulus)
{
    const struct netlist *netlist = &stimulus->design->netlist;
    for (net_id net = 1; net < netlist->node_count; net++) {
        const struct net_node *node = net_get(netlist, net);
        if (node->op != NET_EQ && node->op != NET_ULT)
            continue;
        find_copy(stimulus, net_operand(netlist, net, 0), net_operand(netlist, net, 1));
        for (uint32_t side = 0; side < 2; side++) {
            net_id constant = net_operand(netlist, net, side);
            if (net_is_constant(netlist, constant) && net_width(netlist, constant) <= 64) {
                uint64_t value = net_constant_bits(netlist, constant, 0);
                find_goals(stimulus, net_operand(netlist, net, 1 - side), value, 8);
                add_value(stimulus, value);
            }
        }
    }
}

void stimulus_init(struct stimulus *stimulus, const struct design *design, uint64_t seed)
{
    memset(stimulus, 0, sizeof *stimulus);
    stimulus->design = design;
    stimulus->seed = seed | 1u;
    stimulus->ready_percent = 100;
    find_comparisons(stimulus);
    add_value(stimulus, 0);
}

void stimulus_free(struct stimulus *stimulus)
{
    free(stimulus->goals);
    free(stimulus->values);
}

/* ---- records ---- */

static void set_bits(uint8_t *record, uint32_t bytes, uint32_t low, uint32_t width, uint64_t value)
{
    for (uint32_t i = 0; i < width && i < 64; i++) {
        uint32_t bit = low + i;
        if (bit / 8 >= bytes)
            break;
        record[bit / 8] = (uint8_t)((record[bit / 8] & ~(1u << bit % 8)) | (value >> i & 1u) << bit % 8);
    }
}

static uint64_t get_bits(const uint8_t *record, uint32_t bytes, uint32_t low, uint32_t width)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < width && i < 64 && (low + i) / 8 < bytes; i++)
        value |= (uint64_t)(record[(low + i) / 8] >> (low + i) % 8 & 1u) << i;
    return value;
}

static void set_number(struct stimulus *stimulus, uint8_t *record, uint32_t bytes)
{
    uint32_t width = 8u << below(stimulus, 3);
    uint32_t low = below(stimulus, bytes * 8 / width + 1) * width;
    uint64_t value = chance(stimulus, 50) ? stimulus->values[below(stimulus, stimulus->value_count)]
                                          : stimulus_random(stimulus) >> (32 + below(stimulus, 31));
    if (chance(stimulus, 30))
        value = __builtin_bswap64(value) >> (64 - width);
    set_bits(record, bytes, low, width, value);
}

void stimulus_record(struct stimulus *stimulus, uint32_t index, uint8_t *record)
{
    uint32_t bytes = stimulus->design->streams[index].bytes, kind = below(stimulus, 50);
    if (kind == 0) {
        for (uint32_t i = 0; i < bytes; i++)
            record[i] = (uint8_t)stimulus_random(stimulus);
    } else if (kind <= 2) {
        for (uint32_t i = 0; i < bytes; i++)
            record[i] = (uint8_t)(chance(stimulus, 70) ? 0 : stimulus_random(stimulus) >> 56);
    }
    for (uint32_t i = below(stimulus, 4); i > 0; i--)
        set_number(stimulus, record, bytes);
    for (uint32_t i = stimulus->goal_count > 0 ? below(stimulus, 8) : 0; i > 0; i--) {
        const struct stimulus_goal *goal = &stimulus->goals[below(stimulus, stimulus->goal_count)];
        uint64_t value = goal->copies ? get_bits(record, bytes, goal->from, goal->width) : goal->value;
        if (goal->stream == index)
            set_bits(record, bytes, goal->low, goal->width, value + (chance(stimulus, 10) ? 1 : 0));
    }
}

void stimulus_next(struct stimulus *stimulus, struct interpreter_stream *streams)
{
    const struct design *design = stimulus->design;
    if (chance(stimulus, 2))
        stimulus->ready_percent = chance(stimulus, 60) ? 100 : 30 + below(stimulus, 70);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        bool input = design->streams[i].direction == STREAM_INPUT, waiting = streams[i].ready && !streams[i].fired;
        if (input && waiting)
            continue; /* a record stays until it is read */
        streams[i].ready = chance(stimulus, stimulus->ready_percent);
        if (input && streams[i].ready)
            stimulus_record(stimulus, i, streams[i].record);
    }
}
