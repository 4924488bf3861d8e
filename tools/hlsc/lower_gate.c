/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where paths meet. What differs is decided by the branches between the block and its dominator, and only by those: the
 * value at the end of the region is found backwards, each branch choosing between what its successors lead to. Ways
 * that do not lead into the block do not matter.
 */
#include "tools/hlsc/lower.h"

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

static void join_cells(struct lower *lower, struct block *block)
{
    struct block **from = block->predecessors;
    for (uint32_t cell = 0; cell < lower->cell_count; cell++) {
        net_id first = from[0]->cells[cell];
        bool differs = false;
        for (uint32_t i = 1; i < block->predecessor_count; i++)
            differs |= from[i]->cells[cell] != first;
        if (differs) {
            struct cell_source source = {cell};
            struct arrival arrival = {.block = block, .value = cell_value, .source = &source};
            first = choose_region(lower, &arrival).net;
        }
        lower->cells[cell] = first;
    }
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
