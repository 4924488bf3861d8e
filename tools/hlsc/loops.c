/* SPDX-License-Identifier: Apache-2.0 */
/* State is registers and RAMs, in this order: sets of it are bit vectors. */
#include "tools/hlsc/loops.h"

#include "tools/hlsc/bits.h"
#include "tools/hlsc/memory.h"

struct loops {
    const struct design *design;
    uint32_t state_count, words;
    uint64_t *from;  /* by node: state whose value it depends on */
    uint64_t *to;    /* by node: state whose next value depends on it */
    uint64_t *reach; /* by state: what its value has an effect on, sooner or later; itself too */
};

static uint64_t *set_of(uint64_t *sets, const struct loops *loops, uint32_t i)
{
    return sets + (size_t)i * loops->words;
}

static void set_add(uint64_t *set, uint32_t element)
{
    set[element / 64u] |= (uint64_t)1 << (element % 64u);
}

static bool set_join(uint64_t *set, const uint64_t *other, uint32_t words)
{
    bool changed = false;
    for (uint32_t i = 0; i < words; i++) {
        changed |= (other[i] & ~set[i]) != 0;
        set[i] |= other[i];
    }
    return changed;
}

static bool sets_meet(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++)
        if ((a[i] & b[i]) != 0)
            return true;
    return false;
}

/* The nets that make a state's next value; NET_NONE where it has fewer. */
static void next_of(const struct design *design, uint32_t state, net_id nets[3])
{
    nets[0] = nets[1] = nets[2] = NET_NONE;
    if (state < design->register_count) {
        nets[0] = design->registers[state].next;
        return;
    }
    const struct design_ram *ram = &design->rams[state - design->register_count];
    if (ram->write_enable != NET_NONE) {
        nets[0] = ram->write_enable;
        nets[1] = ram->write_address;
        nets[2] = ram->write_data;
    }
}

static void find_sources(struct loops *loops)
{
    const struct netlist *netlist = &loops->design->netlist;
    for (net_id id = 1; id < netlist->node_count; id++) {
        const struct net_node *node = net_get(netlist, id);
        uint64_t *set = set_of(loops->from, loops, id);
        if (node->op == NET_REGISTER)
            set_add(set, node->index);
        else if (node->op == NET_RAM_DATA)
            set_add(set, loops->design->register_count + node->index);
        for (uint32_t i = 0; i < node->count; i++)
            set_join(set, set_of(loops->from, loops, net_operand(netlist, id, i)), loops->words);
    }
}

static void find_sinks(struct loops *loops)
{
    const struct netlist *netlist = &loops->design->netlist;
    for (uint32_t state = 0; state < loops->state_count; state++) {
        net_id nets[3];
        next_of(loops->design, state, nets);
        for (uint32_t i = 0; i < 3; i++)
            set_add(set_of(loops->to, loops, nets[i]), state);
    }
    for (net_id id = netlist->node_count; id-- > 1;) {
        const struct net_node *node = net_get(netlist, id);
        for (uint32_t i = 0; i < node->count; i++)
            set_join(set_of(loops->to, loops, net_operand(netlist, id, i)), set_of(loops->to, loops, id), loops->words);
    }
}

static void find_reach(struct loops *loops)
{
    for (uint32_t state = 0; state < loops->state_count; state++) {
        net_id nets[3];
        next_of(loops->design, state, nets);
        for (uint32_t i = 0; i < 3; i++)
            for (uint32_t source = 0; nets[i] != NET_NONE && source < loops->state_count; source++)
                if (bits_get(set_of(loops->from, loops, nets[i]), source))
                    set_add(set_of(loops->reach, loops, source), state);
        set_add(set_of(loops->reach, loops, state), state);
    }
    for (uint32_t via = 0; via < loops->state_count; via++)
        for (uint32_t state = 0; state < loops->state_count; state++)
            if (bits_get(set_of(loops->reach, loops, state), via))
                set_join(set_of(loops->reach, loops, state), set_of(loops->reach, loops, via), loops->words);
}

/* A node is in a loop when some state that depends on it has an effect on some state that it depends on. */
static void mark_state(struct loops *loops, uint8_t *flags)
{
    for (net_id id = 1; id < loops->design->netlist.node_count; id++) {
        const uint64_t *from = set_of(loops->from, loops, id), *to = set_of(loops->to, loops, id);
        for (uint32_t state = 0; state < loops->state_count && flags[id] == 0; state++)
            if (bits_get(to, state) && sets_meet(set_of(loops->reach, loops, state), from, loops->words))
                flags[id] |= LOOP_STATE;
    }
}

static void mark_first(const struct design *design, uint8_t *flags, net_id id)
{
    if (id == NET_NONE || (flags[id] & LOOP_FIRST) != 0)
        return;
    flags[id] |= LOOP_FIRST;
    const struct net_node *node = net_get(&design->netlist, id);
    for (uint32_t i = 0; i < node->count; i++)
        mark_first(design, flags, net_operand(&design->netlist, id, i));
    if (node->op == NET_REGISTER)
        mark_first(design, flags, design->registers[node->index].next);
}

uint8_t *loops_find(const struct design *design)
{
    struct loops loops = {.design = design, .state_count = design->register_count + design->ram_count};
    uint32_t nodes = design->netlist.node_count;
    uint8_t *flags = memory_new(nodes, sizeof *flags);
    loops.words = bits_words(loops.state_count + 1);
    loops.from = memory_new((size_t)nodes * loops.words, sizeof *loops.from);
    loops.to = memory_new((size_t)nodes * loops.words, sizeof *loops.to);
    loops.reach = memory_new((size_t)loops.state_count * loops.words, sizeof *loops.reach);
    find_sources(&loops);
    find_sinks(&loops);
    find_reach(&loops);
    mark_state(&loops, flags);
    mark_first(design, flags, design->wait);
    for (uint32_t i = 0; i < design->stream_count; i++)
        if (design->streams[i].direction == STREAM_INPUT)
            mark_first(design, flags, design->streams[i].fire);
    free(loops.from);
    free(loops.to);
    free(loops.reach);
    return flags;
}
