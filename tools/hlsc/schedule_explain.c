/* SPDX-License-Identifier: Apache-2.0 */
/* Says where the time goes: a path, operation by operation, with the lines that it comes from. */
#include "tools/hlsc/memory.h"
#include "tools/hlsc/schedule_store.h"

/* Times as if everything were in one stage. Only what depends on state counts when `state_only`. */
struct timing {
    const struct schedule *schedule;
    uint32_t *arrival; /* by node; 0 = does not depend on what counts */
    bool state_only;
};

static bool counts(const struct timing *timing, const struct net_node *node)
{
    return !timing->state_only || node->op == NET_REGISTER || node->op == NET_RAM_DATA;
}

static void time_all(struct timing *timing)
{
    const struct netlist *netlist = &timing->schedule->design->netlist;
    for (net_id id = 1; id < timing->schedule->node_count; id++) {
        const struct net_node *node = net_get(netlist, id);
        uint32_t latest = 0;
        for (uint32_t i = 0; i < node->count; i++) {
            uint32_t arrival = timing->arrival[net_operand(netlist, id, i)];
            latest = arrival > latest ? arrival : latest;
        }
        bool leaf = node->count == 0 && node->op != NET_CONSTANT && counts(timing, node);
        uint32_t delay = schedule_is_wire(node) ? 0 : delay_of(timing->schedule->delays, netlist, id);
        timing->arrival[id] = leaf ? delay : latest == 0 ? 0 : latest + delay;
    }
}

static const char *leaf_name(const struct design *design, const struct net_node *node)
{
    switch ((enum net_op)node->op) {
    case NET_REGISTER:
        return design->registers[node->index].name;
    case NET_RAM_DATA:
        return design->rams[node->index].name;
    case NET_STREAM_DATA:
    case NET_STREAM_VALID:
    case NET_STREAM_ROOM:
        return design->streams[node->index].name;
    default:
        return node->name;
    }
}

static void print_step(const struct design *design, net_id id, uint32_t arrival, FILE *messages)
{
    const struct net_node *node = net_get(&design->netlist, id);
    const char *name = leaf_name(design, node);
    fprintf(messages, "    %6.2f ns  ", arrival / 1000.0);
    if (node->place.file != NULL)
        fprintf(messages, "%s:%u: ", node->place.file, node->place.line);
    fprintf(messages, "%s%s%s, %u bits\n", net_op_name((enum net_op)node->op), name != NULL ? " " : "",
            name != NULL ? name : "", node->width);
}

/* From the path's beginning to `id`; wires are left out. */
static void print_path(const struct timing *timing, net_id id, FILE *messages)
{
    const struct design *design = timing->schedule->design;
    const struct net_node *node = net_get(&design->netlist, id);
    net_id before = NET_NONE;
    for (uint32_t i = 0; i < node->count; i++) {
        net_id operand = net_operand(&design->netlist, id, i);
        bool same = timing->arrival != timing->schedule->arrival ||
                    timing->schedule->stage[operand] == timing->schedule->stage[id];
        if (same && timing->arrival[operand] > 0 && !net_is_constant(&design->netlist, operand) &&
            (before == NET_NONE || timing->arrival[operand] > timing->arrival[before]))
            before = operand;
    }
    if (before != NET_NONE)
        print_path(timing, before, messages);
    if (!schedule_is_wire(node))
        print_step(design, id, timing->arrival[id], messages);
}

void schedule_print_path(const struct schedule *schedule, net_id end, FILE *messages)
{
    struct timing timing = {schedule, schedule->arrival, false};
    print_path(&timing, end, messages);
}

/* The slowest of the nets that have to be ready within the interval. */
static net_id slowest_state(const struct timing *timing, const char **name)
{
    const struct design *design = timing->schedule->design;
    net_id slowest = NET_NONE;
    for (uint32_t i = 0; i < design->register_count + design->ram_count; i++) {
        bool ram = i >= design->register_count;
        net_id end = ram ? design->rams[i - design->register_count].write_data : design->registers[i].next;
        if (end != NET_NONE && (slowest == NET_NONE || timing->arrival[end] > timing->arrival[slowest])) {
            slowest = end;
            *name = ram ? design->rams[i - design->register_count].name : design->registers[i].name;
        }
    }
    return slowest;
}

void schedule_explain(const struct schedule *schedule, enum schedule_failure failure, FILE *messages)
{
    const struct design *design = schedule->design;
    struct timing timing = {schedule, memory_new(schedule->node_count, sizeof *timing.arrival),
                            failure == SCHEDULE_RECURRENCE};
    time_all(&timing);
    const char *name = "STREAM_WAIT";
    net_id end = schedule->stage[design->wait] > 0 && failure == SCHEDULE_WAIT ? design->wait : NET_NONE;
    net_id state = slowest_state(&timing, &name);
    if (state != NET_NONE && (end == NET_NONE || timing.arrival[state] > timing.arrival[end]))
        end = state;
    fprintf(
        messages,
        "%s: error: the next activation needs `%s`, which takes %.2f ns; a stage has %.2f ns and the interval is at "
        "most %u. Compute less between a read of the state and its write, or in an earlier kernel:\n",
        design->source, name, end != NET_NONE ? timing.arrival[end] / 1000.0 : 0.0, schedule->loop_budget / 1000.0,
        schedule->interval);
    if (end != NET_NONE)
        print_path(&timing, end, messages);
    free(timing.arrival);
}
