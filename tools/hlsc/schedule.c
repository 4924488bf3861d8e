/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is put as early as it can be. The stages of state and of RAM addresses begin at 0 and are raised until all
 * rules hold: each rule only raises, and what follows from higher stages is only higher, so this ends at the least
 * solution, or beyond SCHEDULE_STAGES_MAX when there is none.
 */
#include "tools/hlsc/schedule.h"

#include "tools/hlsc/balance.h"
#include "tools/hlsc/loops.h"
#include "tools/hlsc/memory.h"
#include "tools/hlsc/narrow.h"
#include "tools/hlsc/schedule_store.h"
#include "tools/hlsc/share.h"

#define LOOP_BUDGET_STEP 250u /* ps */

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t leaf_stage(const struct schedule *schedule, const struct net_node *node)
{
    if (node->op == NET_REGISTER)
        return schedule->registers[node->index].read;
    return node->op == NET_RAM_DATA ? schedule->rams[node->index].address[node->low] + 1 : 0;
}

static uint32_t leaf_arrival(const struct schedule *schedule, net_id id)
{
    const struct net_node *node = net_get(&schedule->design->netlist, id);
    uint32_t arrival = node->op == NET_CONSTANT ? 0 : delay_of(schedule->delays, &schedule->design->netlist, id);
    bool forwarded = node->op == NET_RAM_DATA && !schedule->rams[node->index].guarded &&
                     schedule->design->rams[node->index].write_enable != NET_NONE;
    return forwarded ? arrival + schedule->delays->bypass : arrival;
}

static void place_node(struct schedule *schedule, net_id id)
{
    const struct netlist *netlist = &schedule->design->netlist;
    const struct net_node *node = net_get(netlist, id);
    uint32_t stage = 0, arrival = schedule->delays->clock;
    if (node->count == 0) {
        schedule->stage[id] = leaf_stage(schedule, node);
        schedule->arrival[id] = leaf_arrival(schedule, id);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++)
        stage = larger(stage, schedule->stage[net_operand(netlist, id, i)]);
    for (uint32_t i = 0; i < node->count; i++) {
        net_id operand = net_operand(netlist, id, i);
        if (schedule->stage[operand] == stage)
            arrival = larger(arrival, schedule->arrival[operand]);
    }
    uint32_t delay = schedule_is_wire(node) ? 0 : delay_of(schedule->delays, netlist, id);
    if (arrival + delay > schedule_budget(schedule, id) && arrival > schedule->delays->clock) {
        stage++;
        arrival = schedule->delays->clock;
    }
    schedule->stage[id] = stage;
    schedule->arrival[id] = arrival + delay;
}

void schedule_place(struct schedule *schedule)
{
    for (net_id id = 1; id < schedule->node_count; id++)
        place_node(schedule, id);
}

void schedule_time(struct schedule *schedule)
{
    const struct netlist *netlist = &schedule->design->netlist;
    for (net_id id = 1; id < schedule->node_count; id++) {
        const struct net_node *node = net_get(netlist, id);
        uint32_t stage = 0, arrival = 0;
        if (node->count == 0)
            continue;
        for (uint32_t i = 0; i < node->count && schedule_is_wire(node); i++)
            stage = larger(stage, schedule->stage[net_operand(netlist, id, i)]);
        if (schedule_is_wire(node))
            schedule->stage[id] = stage;
        else
            arrival = schedule->delays->clock;
        for (uint32_t i = 0; i < node->count; i++) {
            net_id operand = net_operand(netlist, id, i);
            if (schedule->stage[operand] == schedule->stage[id])
                arrival = larger(arrival, schedule->arrival[operand]);
        }
        schedule->arrival[id] = schedule_is_wire(node) ? arrival : arrival + delay_of(schedule->delays, netlist, id);
    }
}

static bool raise(uint32_t *stage, uint32_t least)
{
    bool raised = least > *stage;
    if (raised)
        *stage = least;
    return raised;
}

/* The stage in which a net is there early enough for `setup`. */
static uint32_t stage_with_setup(const struct schedule *schedule, net_id id, uint32_t setup)
{
    return schedule->stage[id] + (schedule->arrival[id] + setup > schedule_budget(schedule, id));
}

static bool raise_registers(struct schedule *schedule)
{
    bool raised = false;
    for (uint32_t i = 0; i < schedule->design->register_count; i++) {
        struct schedule_register *placed = &schedule->registers[i];
        raise(&placed->write, larger(placed->read, schedule->stage[schedule->design->registers[i].next]));
        raised |= placed->write >= schedule->interval && raise(&placed->read, placed->write - schedule->interval + 1);
    }
    return raised;
}

static uint32_t write_stage(const struct schedule *schedule, const struct design_ram *ram)
{
    if (ram->write_enable == NET_NONE)
        return 0;
    return larger(larger(schedule->stage[ram->write_enable], schedule->stage[ram->write_address]),
                  schedule->stage[ram->write_data]);
}

static bool raise_ram(struct schedule *schedule, uint32_t index)
{
    const struct design_ram *ram = &schedule->design->rams[index];
    struct schedule_ram *placed = &schedule->rams[index];
    bool raised = false;
    raise(&placed->write, write_stage(schedule, ram));
    for (uint32_t i = 0; i < ram->read_count; i++) {
        uint32_t setup = placed->guarded ? 0 : schedule->delays->ram_address;
        raised |= raise(&placed->address[i], stage_with_setup(schedule, ram->reads[i].address, setup));
        if (ram->write_enable == NET_NONE)
            continue;
        raise(&placed->write, placed->address[i]);
        if (!placed->guarded && placed->write > schedule->interval)
            raised |= raise(&placed->address[i], placed->write - schedule->interval);
    }
    return raised;
}

static uint32_t levels(uint32_t count)
{
    return count <= 1 ? 0 : 32u - (uint32_t)__builtin_clz(count - 1u);
}

/* A guard compares its addresses with those under way before an activation begins. */
static bool guard_fits(const struct schedule *schedule, uint32_t index)
{
    const struct design_ram *ram = &schedule->design->rams[index];
    const struct schedule_ram *placed = &schedule->rams[index];
    const struct delay_row *equal = &schedule->delays->rows[NET_EQ], *or = &schedule->delays->rows[NET_OR];
    uint32_t compare = equal->fixed + equal->per_level * levels(design_address_width(ram->words));
    uint32_t join = or->fixed * (1 + levels(placed->write * ram->read_count));
    for (uint32_t port = 0; port < ram->read_count; port++)
        if (placed->address[port] > 0 ||
            schedule->arrival[ram->reads[port].address] + compare + join > schedule->loop_budget)
            return false;
    return schedule->stage[ram->write_address] == 0;
}

/* What has to be known in stage 0 is. */
static enum schedule_failure check_first_stage(const struct schedule *schedule)
{
    const struct design *design = schedule->design;
    if (schedule->stage[design->wait] > 0)
        return SCHEDULE_WAIT;
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        if (stream->direction == STREAM_INPUT && stream->fire != NET_NONE && schedule->stage[stream->fire] > 0)
            return SCHEDULE_WAIT;
    }
    for (uint32_t i = 0; i < design->ram_count; i++)
        if (schedule->rams[i].guarded && !guard_fits(schedule, i))
            return SCHEDULE_GUARD;
    return SCHEDULE_FITS;
}

static bool beyond_limit(const struct schedule *schedule)
{
    for (uint32_t i = 0; i < schedule->design->register_count; i++)
        if (schedule->registers[i].write > SCHEDULE_STAGES_MAX)
            return true;
    for (uint32_t i = 0; i < schedule->design->ram_count; i++)
        for (uint32_t port = 0; port < schedule->design->rams[i].read_count; port++)
            if (schedule->rams[i].address[port] > SCHEDULE_STAGES_MAX)
                return true;
    return false;
}

/* Raises all stages until the rules hold for the interval and the guards as they are. */
static enum schedule_failure solve(struct schedule *schedule)
{
    const struct design *design = schedule->design;
    memset(schedule->registers, 0, design->register_count * sizeof *schedule->registers);
    for (uint32_t i = 0; i < design->ram_count; i++)
        schedule->rams[i] = (struct schedule_ram){.guarded = schedule->rams[i].guarded};
    for (;;) {
        schedule_place(schedule);
        bool raised = raise_registers(schedule);
        for (uint32_t i = 0; i < design->ram_count; i++)
            raised |= raise_ram(schedule, i);
        enum schedule_failure failure = check_first_stage(schedule);
        if (failure != SCHEDULE_FITS)
            return failure;
        if (beyond_limit(schedule))
            return SCHEDULE_RECURRENCE;
        if (!raised)
            return SCHEDULE_FITS;
    }
}

static void guard_all(struct schedule *schedule, bool guarded)
{
    for (uint32_t i = 0; i < schedule->design->ram_count; i++)
        schedule->rams[i].guarded = guarded && schedule->design->rams[i].write_enable != NET_NONE;
}

/* Guards are worth less than a longer interval: with them only activations of one word wait for each other. As few as
 * needed remain. */
static enum schedule_failure solve_guarded(struct schedule *schedule)
{
    uint32_t count = schedule->design->ram_count;
    bool *possible = memory_new(count, sizeof *possible);
    for (uint32_t i = 0; i < count; i++) { /* those whose addresses come late cannot be guarded */
        guard_all(schedule, false);
        schedule->rams[i].guarded = schedule->design->rams[i].write_enable != NET_NONE;
        possible[i] = schedule->rams[i].guarded && solve(schedule) != SCHEDULE_GUARD;
    }
    for (uint32_t i = 0; i < count; i++)
        schedule->rams[i].guarded = possible[i];
    enum schedule_failure failure = solve(schedule);
    for (uint32_t i = 0; failure == SCHEDULE_FITS && i < count; i++) {
        if (!schedule->rams[i].guarded)
            continue;
        schedule->rams[i].guarded = false;
        if (solve(schedule) != SCHEDULE_FITS)
            schedule->rams[i].guarded = true;
    }
    free(possible);
    return failure == SCHEDULE_FITS ? solve(schedule) : failure;
}

/* The shortest interval that is possible. Loops get more of the clock period before activations wait for each other,
 * and guards come before a longer interval. On failure the schedule is that of the longest interval without guards. */
static enum schedule_failure solve_interval(struct schedule *schedule, const struct schedule_options *options)
{
    for (schedule->interval = 1; schedule->interval <= options->interval_max; schedule->interval++) {
        for (uint32_t guarded = 0; guarded < 2; guarded++) {
            for (schedule->loop_budget = options->budget; schedule->loop_budget <= options->loop_budget;
                 schedule->loop_budget += LOOP_BUDGET_STEP) {
                guard_all(schedule, false);
                if ((guarded ? solve_guarded(schedule) : solve(schedule)) == SCHEDULE_FITS)
                    return SCHEDULE_FITS;
            }
        }
    }
    schedule->interval = options->interval_max;
    schedule->loop_budget = options->loop_budget;
    guard_all(schedule, false);
    return solve(schedule);
}

static void find_ends(struct schedule *schedule)
{
    const struct design *design = schedule->design;
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        if (stream->direction == STREAM_OUTPUT && stream->fire != NET_NONE)
            schedule->push[i] = larger(schedule->stage[stream->fire], schedule->stage[stream->data]);
        schedule->stages = larger(schedule->stages, schedule->push[i] + 1);
    }
    for (uint32_t i = 0; i < design->register_count; i++)
        schedule->stages = larger(schedule->stages, schedule->registers[i].write + 1);
    for (uint32_t i = 0; i < design->ram_count; i++)
        schedule->stages = larger(schedule->stages, schedule->rams[i].write + 1);
}

/* The node with the longest path, and the one that misses its budget most, NET_NONE if none does. */
static net_id find_longest(struct schedule *schedule)
{
    net_id late = NET_NONE;
    uint32_t most = 0;
    for (net_id id = 1; id < schedule->node_count; id++) {
        uint32_t arrival = schedule->arrival[id], budget = schedule_budget(schedule, id);
        if (!schedule_is_source(schedule, id))
            continue;
        if (schedule->longest == NET_NONE || arrival > schedule->arrival[schedule->longest])
            schedule->longest = id;
        if (arrival > budget && arrival - budget > most) {
            late = id;
            most = arrival - budget;
        }
    }
    return late;
}

static int check_limits(struct schedule *schedule, const struct schedule_options *options, FILE *messages)
{
    const struct design *design = schedule->design;
    uint32_t bits = schedule->pipeline_bits + schedule->state_bits;
    net_id late = find_longest(schedule);
    if (late != NET_NONE) {
        fprintf(messages, "%s: error: one operation takes longer than the %.2f ns of a stage:\n", design->source,
                schedule_budget(schedule, late) / 1000.0);
        schedule_print_path(schedule, late, messages);
        return -1;
    }
    if (bits > options->register_max) {
        fprintf(
            messages,
            "%s: error: %u bits of registers (%u state, %u carried through %u stages), more than the %u allowed; keep "
            "large arrays in a RAM (128 words or more), or use records late that are needed late\n",
            design->source, bits, schedule->state_bits, schedule->pipeline_bits, schedule->stages,
            options->register_max);
        return -1;
    }
    return 0;
}

int schedule_design(struct schedule *schedule, struct design *design, const struct delay_table *delays,
                    const struct schedule_options *options, FILE *messages)
{
    memset(schedule, 0, sizeof *schedule);
    narrow_design(design);
    balance_design(design, delays);
    share_design(design);
    schedule->design = design;
    schedule->delays = delays;
    schedule->budget = options->budget;
    schedule->node_count = design->netlist.node_count;
    schedule->loops = loops_find(design);
    schedule->stage = memory_new(schedule->node_count, sizeof *schedule->stage);
    schedule->arrival = memory_new(schedule->node_count, sizeof *schedule->arrival);
    schedule->last = memory_new(schedule->node_count, sizeof *schedule->last);
    schedule->registers = memory_new(design->register_count, sizeof *schedule->registers);
    schedule->rams = memory_new(design->ram_count, sizeof *schedule->rams);
    schedule->push = memory_new(design->stream_count, sizeof *schedule->push);
    enum schedule_failure failure = solve_interval(schedule, options);
    if (failure != SCHEDULE_FITS) {
        schedule_explain(schedule, failure, messages);
        return -1;
    }
    find_ends(schedule);
    schedule_carry(schedule);
    schedule_sink(schedule);
    return check_limits(schedule, options, messages);
}

void schedule_free(struct schedule *schedule)
{
    for (net_id id = 0; id < schedule->node_count; id++)
        free(schedule->last[id]);
    free(schedule->last);
    free(schedule->loops);
    free(schedule->stage);
    free(schedule->arrival);
    free(schedule->registers);
    free(schedule->rams);
    free(schedule->push);
}
