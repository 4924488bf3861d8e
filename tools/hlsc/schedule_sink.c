/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves operations to later stages where that saves registers: when what they need is carried on anyway, or is narrower
 * than what they make. From the last operation to the first, so that whole cones move; nothing becomes later than its
 * stage's budget, and the stages of state, RAMs and outputs stay as they are.
 */
#include "tools/hlsc/memory.h"
#include "tools/hlsc/schedule_store.h"

#define ROUNDS 2u

/* A use of a source: by an operation, or where it leaves the netlist (then `stage` and `start` say when). */
struct use {
    net_id consumer; /* NET_NONE = an end */
    uint32_t stage;
    uint32_t start; /* ps: there before this */
};

struct uses {
    struct use *all;
    uint32_t count, capacity;
};

struct sink {
    struct schedule *schedule;
    const struct netlist *netlist;
    struct uses *uses;  /* by node */
    uint32_t *required; /* by node: ps by which it has to be ready within its stage */
    uint32_t weight;    /* of bits that have to be carried further, in eighths */
};

static void add_use(struct sink *sink, net_id id, const struct use *use)
{
    const struct net_node *node = net_get(sink->netlist, id);
    if (node->op == NET_CONSTANT)
        return;
    if (schedule_is_wire(node)) {
        for (uint32_t i = 0; i < node->count; i++)
            add_use(sink, net_operand(sink->netlist, id, i), use);
        return;
    }
    struct uses *uses = &sink->uses[id];
    if (use->consumer != NET_NONE && uses->count > 0 && uses->all[uses->count - 1].consumer == use->consumer)
        return;
    uses->all = memory_grow(uses->all, &uses->capacity, uses->count + 1, sizeof *uses->all);
    uses->all[uses->count++] = *use;
}

static void add_end(struct sink *sink, net_id id, uint32_t stage, uint32_t setup)
{
    if (id == NET_NONE)
        return;
    struct use use = {NET_NONE, stage, schedule_budget(sink->schedule, id) - setup};
    add_use(sink, id, &use);
}

static void add_ends(struct sink *sink)
{
    const struct schedule *schedule = sink->schedule;
    const struct design *design = schedule->design;
    add_end(sink, design->wait, 0, 0);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        add_end(sink, design->streams[i].fire, schedule->push[i], 0);
        add_end(sink, design->streams[i].data, schedule->push[i], 0);
    }
    for (uint32_t i = 0; i < design->register_count; i++)
        add_end(sink, design->registers[i].next, schedule->registers[i].write, 0);
    for (uint32_t i = 0; i < design->ram_count; i++) {
        const struct design_ram *ram = &design->rams[i];
        const struct schedule_ram *placed = &schedule->rams[i];
        for (uint32_t port = 0; port < ram->read_count; port++)
            add_end(sink, ram->reads[port].address, placed->address[port],
                    placed->guarded ? 0 : schedule->delays->ram_address);
        /* A guard compares addresses from stage 0 on. */
        add_end(sink, ram->write_address, placed->guarded ? 0 : placed->write, 0);
        add_end(sink, ram->write_enable, placed->write, 0);
        add_end(sink, ram->write_data, placed->write, 0);
    }
}

static void find_uses(struct sink *sink)
{
    add_ends(sink);
    for (net_id id = 1; id < sink->schedule->node_count; id++) {
        struct use use = {id, 0, 0};
        for (uint32_t i = 0; schedule_is_source(sink->schedule, id) && i < net_get(sink->netlist, id)->count; i++)
            add_use(sink, net_operand(sink->netlist, id, i), &use);
    }
}

/* The first stage that uses a source, and the time by which it has to be ready if it is made there. */
static uint32_t first_use(const struct sink *sink, net_id id, uint32_t *required)
{
    const struct schedule *schedule = sink->schedule;
    const struct uses *uses = &sink->uses[id];
    uint32_t first = SCHEDULE_UNUSED;
    *required = schedule_budget(schedule, id);
    for (uint32_t i = 0; i < uses->count; i++) {
        const struct use *use = &uses->all[i];
        bool end = use->consumer == NET_NONE;
        uint32_t stage = end ? use->stage : schedule->stage[use->consumer];
        uint32_t start =
            end ? use->start : sink->required[use->consumer] - delay_of(schedule->delays, sink->netlist, use->consumer);
        if (stage < first) {
            first = stage;
            *required = schedule_budget(schedule, id);
        }
        if (stage == first && start < *required)
            *required = start;
    }
    return first;
}

/* Bits of a net that have to be carried one stage further if they are used in `stage`. `apply`: they are. */
static uint32_t carry(struct sink *sink, net_id id, uint32_t low, uint32_t width, uint32_t stage, bool apply)
{
    struct schedule *schedule = sink->schedule;
    const struct net_node *node = net_get(sink->netlist, id);
    uint32_t bits = 0;
    if (node->op == NET_CONSTANT)
        return 0;
    if (node->op == NET_SLICE)
        return carry(sink, net_operand(sink->netlist, id, 0), low + node->low, width, stage, apply);
    if (node->op == NET_CONCAT) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < node->count && at < low + width; i++) {
            net_id part = net_operand(sink->netlist, id, i);
            uint32_t end = at + net_width(sink->netlist, part);
            uint32_t from = low > at ? low : at, to = low + width < end ? low + width : end;
            if (from < to)
                bits += carry(sink, part, from - at, to - from, stage, apply);
            at = end;
        }
        return bits;
    }
    uint32_t settled = schedule_settled(schedule, id);
    for (uint32_t bit = low; bit < low + width; bit++) {
        bits += schedule->last[id][bit] < stage && settled < stage;
        if (apply && schedule->last[id][bit] < stage)
            schedule->last[id][bit] = (uint16_t)stage;
    }
    return bits;
}

static uint32_t carry_operands(struct sink *sink, net_id id, uint32_t stage, bool apply)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < net_get(sink->netlist, id)->count; i++) {
        net_id operand = net_operand(sink->netlist, id, i);
        bits += carry(sink, operand, 0, net_width(sink->netlist, operand), stage, apply);
    }
    return bits;
}

static uint32_t used_bits(const struct sink *sink, net_id id)
{
    uint32_t bits = 0;
    for (uint32_t bit = 0; bit < net_width(sink->netlist, id); bit++)
        bits += sink->schedule->last[id][bit] != SCHEDULE_UNUSED;
    return bits;
}

/* As far as each step saves registers, or costs none. */
static void move(struct sink *sink, net_id id)
{
    struct schedule *schedule = sink->schedule;
    uint32_t required, first = first_use(sink, id, &required);
    uint32_t delay = delay_of(schedule->delays, sink->netlist, id), saved = used_bits(sink, id);
    bool fits = schedule->delays->clock + delay <= required;
    uint32_t stage = schedule->stage[id], best = stage, limit = fits || first == 0 ? first : first - 1;
    int64_t balance = 0;
    for (uint32_t to = stage + 1; to <= limit; to++) {
        balance += (int64_t)carry_operands(sink, id, to, false) * sink->weight / 8 - saved;
        if (balance <= 0) {
            best = to;
            balance = 0;
            carry_operands(sink, id, to, true);
            schedule->stage[id] = to;
        }
    }
    sink->required[id] = best == first ? required : schedule_budget(schedule, id);
}

static void sink_all(struct sink *sink)
{
    for (net_id id = sink->schedule->node_count; id-- > 1;) {
        if (!schedule_is_source(sink->schedule, id))
            continue;
        if (net_get(sink->netlist, id)->count > 0)
            move(sink, id);
    }
}

static void settle(struct sink *sink, uint32_t weight)
{
    sink->weight = weight;
    sink_all(sink);
    schedule_time(sink->schedule);
    schedule_carry(sink->schedule);
}

/* Neighbours share what they need, so carrying it may cost less than each alone would pay: how much less is tried. */
void schedule_sink(struct schedule *schedule)
{
    static const uint32_t weights[] = {8, 4, 2, 1, 0};
    struct sink sink = {.schedule = schedule, .netlist = &schedule->design->netlist};
    size_t bytes = schedule->node_count * sizeof *schedule->stage;
    uint32_t *early = memory_new(1, bytes), *best = memory_new(1, bytes), least = UINT32_MAX;
    memcpy(early, schedule->stage, bytes);
    sink.uses = memory_new(schedule->node_count, sizeof *sink.uses);
    sink.required = memory_new(schedule->node_count, sizeof *sink.required);
    find_uses(&sink);
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        memcpy(schedule->stage, early, bytes);
        schedule_time(schedule);
        schedule_carry(schedule);
        settle(&sink, weights[i]);
        for (uint32_t round = 0; round < ROUNDS; round++)
            settle(&sink, 8);
        if (schedule->pipeline_bits < least) {
            least = schedule->pipeline_bits;
            memcpy(best, schedule->stage, bytes);
        }
    }
    memcpy(schedule->stage, best, bytes);
    schedule_time(schedule);
    schedule_carry(schedule);
    for (net_id id = 0; id < schedule->node_count; id++)
        free(sink.uses[id].all);
    free(sink.uses);
    free(sink.required);
    free(early);
    free(best);
}
