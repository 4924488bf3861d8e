/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where paths meet. What differs is decided by the branches between the block and its dominator, and only by those: the
 * value at the end of the region is found backwards, each branch choosing between what its successors lead to. Ways
 * that do not lead into the block do not matter.
 */
#include "tools/hlsc/lower.h"
#include "tools/hlsc/memory.h"

#include <string.h>

struct block *gate_block(struct lower *lower, LLVMBasicBlockRef llvm)
{
    for (uint32_t i = 0; i < lower->block_count; i++) {
        if (lower->blocks[i].llvm == llvm)
            return &lower->blocks[i];
    }
    return NULL;
}

void gate_add_edge(struct lower *lower, struct block *from, struct block *to)
{
    to->reached = true;
    for (uint32_t i = 0; i < to->predecessor_count; i++) {
        if (to->predecessors[i] == from)
            return;
    }
    if (to->predecessor_count == to->predecessor_capacity) {
        uint32_t capacity = to->predecessor_capacity > 0 ? 2 * to->predecessor_capacity : 4;
        struct block **larger = arena_new(lower->arena, capacity, sizeof(struct block *));
        for (uint32_t i = 0; i < to->predecessor_count; i++)
            larger[i] = to->predecessors[i];
        to->predecessors = larger;
        to->predecessor_capacity = capacity;
    }
    to->predecessors[to->predecessor_count++] = from;
}

static struct block *common_dominator(struct block *a, struct block *b)
{
    while (a != b) {
        if (a->order > b->order)
            a = a->dominator;
        else
            b = b->dominator;
    }
    return a;
}

/* Marks the blocks between the dominator and the block that lead into it. */
static void mark(struct block *block, const struct block *dominator)
{
    for (uint32_t i = 0; i < block->predecessor_count; i++) {
        struct block *predecessor = block->predecessors[i];
        if (!predecessor->in_region) {
            predecessor->in_region = true;
            if (predecessor != dominator)
                mark(predecessor, dominator);
        }
    }
}

static void mark_region(struct lower *lower, struct block *block)
{
    for (uint32_t i = block->dominator->order; i < block->order; i++)
        lower->blocks[i].in_region = false;
    mark(block, block->dominator);
}

/* What the edges into `block` bring, by predecessor. */
struct arrival {
    const struct block *block;
    struct value (*value)(const void *source, const struct block *predecessor);
    const void *source;
    struct value elsewhere; /* what ways that do not lead into the block bring */
};

static struct value follow(const struct arrival *arrival, const struct block *from, const struct block *to)
{
    if (to == arrival->block)
        return arrival->value(arrival->source, from);
    return to->in_region && to->order < arrival->block->order ? to->merged : arrival->elsewhere;
}

static struct value choose_region(struct lower *lower, const struct arrival *arrival)
{
    const struct block *dominator = arrival->block->dominator;
    for (uint32_t i = arrival->block->order; i-- > dominator->order;) {
        struct block *from = &lower->blocks[i];
        if (!from->in_region)
            continue;
        uint32_t last = from->successor_count - 1;
        from->merged = follow(arrival, from, from->successors[last]);
        for (uint32_t s = last; s-- > 0;) {
            struct value then = follow(arrival, from, from->successors[s]);
            from->merged = lower_choose(lower, from->conditions[s], then, from->merged);
        }
    }
    return dominator->merged;
}

struct cell_source {
    uint32_t cell;
};

static struct value cell_value(const void *source, const struct block *predecessor)
{
    const struct cell_source *cell = source;
    return value_of_net(predecessor->cells[cell->cell]);
}

/* Ways into a block that bring the same: one condition serves every cell whose ways fall apart alike. */
struct group {
    const bool *members; /* by predecessor */
    net_id condition;
};

struct groups {
    struct group *groups;
    uint32_t count, capacity;
    bool *members; /* scratch */
};

struct member_source {
    struct lower *lower;
    const struct block *block;
    const bool *members;
};

static uint32_t predecessor_index(const struct block *block, const struct block *predecessor)
{
    uint32_t i = 0;
    while (block->predecessors[i] != predecessor)
        i++;
    return i;
}

static struct value member_value(const void *source, const struct block *predecessor)
{
    const struct member_source *from = source;
    uint32_t i = predecessor_index(from->block, predecessor);
    return value_of_net(net_constant(from->lower->netlist, 1, from->members[i]));
}

/* That a way of these members was taken. */
static net_id group_condition(struct lower *lower, const struct block *block, struct groups *groups)
{
    uint32_t ways = block->predecessor_count;
    for (uint32_t i = 0; i < groups->count; i++) {
        if (memcmp(groups->groups[i].members, groups->members, ways * sizeof *groups->members) == 0)
            return groups->groups[i].condition;
    }
    bool *members = arena_new(lower->arena, ways, sizeof *members);
    memcpy(members, groups->members, ways * sizeof *members);
    struct member_source source = {lower, block, members};
    struct arrival arrival = {.block = block, .value = member_value, .source = &source};
    groups->groups = memory_grow(groups->groups, &groups->capacity, groups->count + 1, sizeof *groups->groups);
    groups->groups[groups->count++] = (struct group){members, choose_region(lower, &arrival).net};
    return groups->groups[groups->count - 1].condition;
}

/* Different values and how often they come; more than these are left to the branches' own order. */
#define GROUPS_MAX 16u

struct values {
    net_id nets[GROUPS_MAX];
    uint32_t ways[GROUPS_MAX];
    uint32_t count;
};

static bool find_values(const struct block *block, uint32_t cell, struct values *values)
{
    values->count = 0;
    for (uint32_t i = 0; i < block->predecessor_count; i++) {
        net_id net = block->predecessors[i]->cells[cell];
        uint32_t v = 0;
        while (v < values->count && values->nets[v] != net)
            v++;
        if (net == NET_NONE)
            continue;
        if (v == GROUPS_MAX)
            return false;
        if (v == values->count) {
            values->nets[v] = net;
            values->ways[v] = 0;
            values->count++;
        }
        values->ways[v]++;
    }
    return true;
}

/* The value that comes in on most ways needs no condition. */
static net_id choose_values(struct lower *lower, const struct block *block, uint32_t cell, const struct values *values,
                            struct groups *groups)
{
    uint32_t most = 0;
    for (uint32_t v = 1; v < values->count; v++) {
        if (values->ways[v] > values->ways[most])
            most = v;
    }
    net_id chosen = values->nets[most];
    for (uint32_t v = 0; v < values->count; v++) {
        if (v == most)
            continue;
        for (uint32_t i = 0; i < block->predecessor_count; i++)
            groups->members[i] = block->predecessors[i]->cells[cell] == values->nets[v];
        chosen = lower_choose_net(lower, group_condition(lower, block, groups), values->nets[v], chosen);
    }
    return chosen;
}

static net_id join_cell(struct lower *lower, struct block *block, uint32_t cell, struct groups *groups)
{
    struct values values;
    bool few = find_values(block, cell, &values);
    if (few && values.count <= 1)
        return values.count == 1 ? values.nets[0] : NET_NONE;
    if (few && cell >= lower->port_cells && block->predecessor_count > 2 &&
        net_width(lower->netlist, values.nets[0]) > 1)
        return choose_values(lower, block, cell, &values, groups);
    struct cell_source source = {cell};
    struct arrival arrival = {.block = block, .value = cell_value, .source = &source};
    return choose_region(lower, &arrival).net;
}

static void join_cells(struct lower *lower, struct block *block)
{
    struct block **from = block->predecessors;
    struct groups groups = {0};
    groups.members = arena_new(lower->arena, block->predecessor_count, sizeof *groups.members);
    for (uint32_t cell = 0; cell < lower->cell_count; cell++) {
        bool differs = false;
        for (uint32_t i = 1; i < block->predecessor_count; i++)
            differs |= from[i]->cells[cell] != from[0]->cells[cell];
        lower->cells[cell] = differs ? join_cell(lower, block, cell, &groups) : from[0]->cells[cell];
    }
    free(groups.groups);
}

static struct value taken(const void *source, const struct block *predecessor)
{
    (void)predecessor;
    return value_of_net(*(const net_id *)source);
}

/* The dominator's path, and that the branches below it lead here. */
static net_id path_to(struct lower *lower, const struct block *block)
{
    net_id yes = net_constant(lower->netlist, 1, 1);
    struct value no = value_of_net(net_constant(lower->netlist, 1, 0));
    struct arrival arrival = {.block = block, .value = taken, .source = &yes, .elsewhere = no};
    return net_and(lower->netlist, block->dominator->path, choose_region(lower, &arrival).net);
}

void gate_enter(struct lower *lower, struct block *block)
{
    lower->block = block;
    block->cells = arena_new(lower->arena, lower->cell_count, sizeof *block->cells);
    if (block->predecessor_count == 0)
        return;
    block->dominator = block->predecessors[0];
    for (uint32_t i = 1; i < block->predecessor_count; i++)
        block->dominator = common_dominator(block->dominator, block->predecessors[i]);
    lower->cells = block->cells;
    mark_region(lower, block);
    block->path = path_to(lower, block);
    ram_complete(lower, block->predecessors, block->predecessor_count);
    join_cells(lower, block);
}

struct phi_source {
    struct lower *lower;
    LLVMValueRef phi;
};

static struct value phi_value(const void *source, const struct block *predecessor)
{
    const struct phi_source *from = source;
    for (uint32_t i = 0; i < LLVMCountIncoming(from->phi); i++) {
        if (LLVMGetIncomingBlock(from->phi, i) == predecessor->llvm)
            return lower_value(from->lower, LLVMGetIncomingValue(from->phi, i));
    }
    return (struct value){0};
}

void gate_phi(struct lower *lower, LLVMValueRef phi)
{
    const struct block *block = lower->block;
    struct phi_source source = {lower, phi};
    struct arrival arrival = {.block = block, .value = phi_value, .source = &source};
    struct value value =
        block->predecessor_count > 1 ? choose_region(lower, &arrival) : phi_value(&source, block->predecessors[0]);
    value_map_set(lower, phi, value);
}
