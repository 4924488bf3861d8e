/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bits are carried from stage to stage. Bits of the operations behind all wires are followed, so a field of a
 * record that is needed late costs its own bits, not the record's.
 */
#include "tools/hlsc/memory.h"
#include "tools/hlsc/schedule_store.h"

uint32_t schedule_settled(const struct schedule *schedule, net_id id)
{
    const struct net_node *node = net_get(&schedule->design->netlist, id);
    return node->op == NET_REGISTER ? schedule->registers[node->index].write : schedule->stage[id];
}

static void use_operands(struct schedule *schedule, net_id id);

/* Bits low..low+width-1 of a net are used in a stage. */
static void use(struct schedule *schedule, net_id id, uint32_t low, uint32_t width, uint32_t stage)
{
    const struct netlist *netlist = &schedule->design->netlist;
    const struct net_node *node = net_get(netlist, id);
    if (node->op == NET_CONSTANT)
        return;
    if (node->op == NET_SLICE) {
        use(schedule, net_operand(netlist, id, 0), low + node->low, width, stage);
        return;
    }
    if (node->op == NET_CONCAT) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < node->count && at < low + width; i++) {
            net_id part = net_operand(netlist, id, i);
            uint32_t end = at + net_width(netlist, part);
            uint32_t from = low > at ? low : at, to = low + width < end ? low + width : end;
            if (from < to)
                use(schedule, part, from - at, to - from, stage);
            at = end;
        }
        return;
    }
    if (schedule->last[id] == NULL) {
        schedule->last[id] = memory_new(node->width, sizeof *schedule->last[id]);
        for (uint32_t bit = 0; bit < node->width; bit++)
            schedule->last[id][bit] = SCHEDULE_UNUSED;
        use_operands(schedule, id);
    }
    for (uint32_t bit = low; bit < low + width; bit++)
        if (schedule->last[id][bit] == SCHEDULE_UNUSED || schedule->last[id][bit] < stage)
            schedule->last[id][bit] = (uint16_t)stage;
}

static void use_operands(struct schedule *schedule, net_id id)
{
    const struct netlist *netlist = &schedule->design->netlist;
    for (uint32_t i = 0; i < net_get(netlist, id)->count; i++) {
        net_id operand = net_operand(netlist, id, i);
        use(schedule, operand, 0, net_width(netlist, operand), schedule->stage[id]);
    }
}

static void use_all(struct schedule *schedule, net_id id, uint32_t stage)
{
    if (id != NET_NONE)
        use(schedule, id, 0, net_width(&schedule->design->netlist, id), stage);
}

static void use_ram(struct schedule *schedule, const struct design_ram *ram, const struct schedule_ram *placed)
{
    for (uint32_t i = 0; i < ram->read_count; i++)
        use_all(schedule, ram->reads[i].address, placed->address[i]);
    for (uint32_t i = 0; placed->guarded && i < ram->read_count; i++)
        use_all(schedule, ram->reads[i].address, 0);
    use_all(schedule, ram->write_enable, placed->write);
    use_all(schedule, ram->write_address, placed->write);
    use_all(schedule, ram->write_data, placed->write);
}

static void count_bits(struct schedule *schedule, net_id id)
{
    uint32_t settled = schedule_settled(schedule, id);
    for (uint32_t bit = 0; bit < net_width(&schedule->design->netlist, id); bit++) {
        uint16_t last = schedule->last[id][bit];
        if (last != SCHEDULE_UNUSED && last > settled)
            schedule->pipeline_bits += last - settled;
    }
}

void schedule_carry(struct schedule *schedule)
{
    const struct design *design = schedule->design;
    for (net_id id = 0; id < schedule->node_count; id++) {
        free(schedule->last[id]);
        schedule->last[id] = NULL;
    }
    schedule->pipeline_bits = schedule->state_bits = 0;
    use_all(schedule, design->wait, 0);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        use_all(schedule, design->streams[i].fire, schedule->push[i]);
        if (design->streams[i].fire != NET_NONE)
            use_all(schedule, design->streams[i].data, schedule->push[i]);
    }
    for (uint32_t i = 0; i < design->register_count; i++) {
        use_all(schedule, design->registers[i].next, schedule->registers[i].write);
        schedule->state_bits += design->registers[i].width;
    }
    for (uint32_t i = 0; i < design->ram_count; i++)
        use_ram(schedule, &design->rams[i], &schedule->rams[i]);
    for (net_id id = 1; id < schedule->node_count; id++)
        if (schedule->last[id] != NULL)
            count_bits(schedule, id);
}
