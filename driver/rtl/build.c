/* SPDX-License-Identifier: Apache-2.0 */
/* Which modules an rtl card has, which FIFOs they are joined to, and what stands at their other pins. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/rtl/state.h"

extern const struct rtl_model rtl_model_dma_read, rtl_model_dma_write, rtl_model_card_memory, rtl_model_ethernet_rx_0,
    rtl_model_ethernet_rx_1, rtl_model_ethernet_tx, rtl_model_interrupts, rtl_model_register_file, rtl_model_doorbells,
    rtl_model_timer, rtl_model_reset_control, rtl_model_stream_monitors;

/* HBM through its switch, 160 to 240 ns. */
static const struct bus_settings card_settings = {.read_latency = 40,
                                                  .write_latency = 20,
                                                  .spread = 20,
                                                  .rate = BUS_LINE_BYTES,
                                                  .reorder = true,
                                                  .reads_max = 64,
                                                  .seed = 2};

static int list_fifos(struct rtl_state *state)
{
    const struct native_graph *graph = state->card->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        struct rtl_node *node = &state->nodes[n];
        node->unit = RTL_NO_UNIT;
        /* A test's open ends are run like kernels without a module. */
        bool open = strncmp(graph->nodes[n].name, "open", 4) == 0;
        node->is_shell = (!graph->nodes[n].kernel && !open) || state->whole;
        node->inputs = calloc(graph->stream_count + 1, sizeof *node->inputs);
        node->outputs = calloc(graph->stream_count + 1, sizeof *node->outputs);
        if (!node->inputs || !node->outputs)
            return -ENOMEM;
        for (size_t i = 0; i < graph->stream_count; i++) {
            if (graph->streams[i].to == n)
                node->inputs[node->input_count++] = (uint16_t)i;
            if (graph->streams[i].from == n)
                node->outputs[node->output_count++] = (uint16_t)i;
        }
        if (node->input_count > 64 || node->output_count > 64)
            return -EINVAL;
    }
    return 0;
}

/* A stream's name is from.port:to.port. */
static void port_name(const struct native_stream *stream, bool input, char *name, size_t bytes)
{
    const char *colon = strchr(stream->name, ':'), *start = input ? colon + 1 : stream->name;
    const char *dot = strchr(start, '.');
    snprintf(name, bytes, "%.*s", input ? (int)strlen(dot + 1) : (int)(colon - dot - 1), dot + 1);
}

static int join(struct rtl_state *state, size_t unit, const char *name, uint32_t index, uint16_t fifo, bool input)
{
    state->fifo_units[fifo][input] = (uint16_t)unit;
    return rtl_unit_join(&state->units[unit], name, index, fifo, input);
}

/* All streams of a node to the ports of the same names. */
static int join_node(struct rtl_state *state, size_t number, size_t unit, uint32_t index)
{
    const struct native_graph *graph = state->card->graph;
    struct rtl_node *node = &state->nodes[number];
    int result = 0;
    node->unit = (uint16_t)unit;
    for (unsigned i = 0; result == 0 && i < node->input_count + node->output_count; i++) {
        bool input = i < node->input_count;
        uint16_t fifo = input ? node->inputs[i] : node->outputs[i - node->input_count];
        char name[64];
        port_name(&graph->streams[fifo], input, name, sizeof name);
        result = join(state, unit, name, index, fifo, input);
    }
    return result;
}

/* The new unit is the last one. */
static int add_unit(struct rtl_state *state, const struct rtl_model *model, const char *name, struct cipu_error *error)
{
    int result = rtl_unit_open(&state->units[state->unit_count], model, name, error);
    state->unit_count += result == 0;
    return result;
}

/* A module of the shell: nodes PREFIX0, PREFIX1, ... are its channels, or the node of that very name is all of it. */
static int add_shell_unit(struct rtl_state *state, const struct rtl_model *model, const char *prefix,
                          struct cipu_error *error)
{
    const struct native_graph *graph = state->card->graph;
    size_t length = strlen(prefix), unit = state->unit_count;
    int result = add_unit(state, model, model->name, error);
    for (size_t n = 0; result == 0 && n < graph->node_count; n++) {
        if (graph->nodes[n].kernel || strncmp(graph->nodes[n].name, prefix, length) != 0)
            continue;
        state->units[unit].activity = &state->card->tasks[n].activity;
        result = join_node(state, n, unit, (uint32_t)strtoul(graph->nodes[n].name + length, NULL, 10));
    }
    return result;
}

static int add_bus(struct rtl_state *state, struct rtl_unit *unit, const char *prefix, bool host)
{
    struct rtl_bus *bus = &state->buses[state->bus_count++];
    struct bus_memory memory = host ? rtl_memory_bus(&state->memory) : rtl_memory_card(state->card);
    bus->name = host ? "host" : "memory";
    bus->observer = state->observer;
    rtl_unit_add(unit, rtl_bus_device(bus));
    return rtl_bus_open(bus, &unit->rtl, prefix, host ? &state->host_settings : &card_settings, &memory,
                        &state->cycles);
}

/* No request enters a module on the bus while the card is about to be reset; its data is counted from `monitor` on. */
static void mark_joins(struct rtl_state *state, struct rtl_unit *unit, unsigned monitor)
{
    const struct native_graph *graph = state->card->graph;
    for (size_t i = 0; i < unit->join_count; i++) {
        struct rtl_join *join = &unit->joins[i];
        const struct native_stream *stream = &graph->streams[join->fifo];
        char name[64];
        port_name(stream, join->input, name, sizeof name);
        join->gated = join->input && strcmp(name, "request") == 0;
        const char *node = graph->nodes[join->input ? stream->to : stream->from].name;
        if (strcmp(name, "data") == 0)
            join->monitor = (uint8_t)(monitor + strtoul(strrchr(node, '_') + 1, NULL, 10));
    }
}

static int add_bus_units(struct rtl_state *state, struct cipu_error *error)
{
    static const struct {
        const char *prefix;
        const struct rtl_model *model;
        bool host;
        unsigned monitor;
    } kinds[RTL_BUSES_MAX] = {{"dma_read_", &rtl_model_dma_read, true, MONITOR_DMA_READ},
                              {"dma_write_", &rtl_model_dma_write, true, MONITOR_DMA_WRITE},
                              {"memory_", &rtl_model_card_memory, false, MONITOR_STREAMS}};
    for (size_t i = 0; i < RTL_BUSES_MAX; i++) {
        struct rtl_unit *unit = &state->units[state->unit_count];
        int result = add_shell_unit(state, kinds[i].model, kinds[i].prefix, error);
        if (result == 0)
            result = add_bus(state, unit, "bus", kinds[i].host);
        if (result < 0)
            return result;
        state->wires.bus_units[i] = unit;
        mark_joins(state, unit, kinds[i].monitor);
    }
    return 0;
}

/* What leaves the shell for a stream that the graph does not have is lost. */
static void leave_open(struct rtl_unit *unit, const char *const *streams, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rtl_stream stream = rtl_stream(&unit->rtl, streams[i], 0, 0);
        rtl_accept(&stream, true);
    }
}

static void open_mac(struct rtl_state *state, unsigned port)
{
    struct rtl_mac *mac = &state->macs[port];
    mac->card = state->card;
    mac->observer = state->observer;
    mac->look = &state->look;
    mac->port = &state->card->ports[port];
    mac->number = port;
}

/* One direction of a port; its stream is rx0, tx0, rx1, ... of the node "port". */
static int add_port_unit(struct rtl_state *state, unsigned port, bool receive, struct cipu_error *error)
{
    static const struct rtl_model *const receivers[CARD_PORTS] = {&rtl_model_ethernet_rx_0, &rtl_model_ethernet_rx_1};
    const struct native_graph *graph = state->card->graph;
    struct rtl_unit *unit = &state->units[state->unit_count];
    char instance[32];
    snprintf(instance, sizeof instance, "ethernet_%s_%u", receive ? "rx" : "tx", port);
    int result = add_unit(state, receive ? receivers[port] : &rtl_model_ethernet_tx, instance, error);
    char name[8];
    snprintf(name, sizeof name, "%s%u", receive ? "rx" : "tx", port);
    for (size_t i = 0; result == 0 && i < graph->shell_count; i++) {
        if (strcmp(graph->shell[i].port, name) != 0)
            continue;
        unit->activity = &state->card->tasks[graph->shell[i].node].activity;
        result = join(state, state->unit_count - 1, receive ? "out" : "in", 0, graph->shell[i].stream, !receive);
    }
    if (result < 0)
        return result;
    if (unit->join_count)
        unit->joins[0].monitor = (uint8_t)((receive ? MONITOR_RECEIVE : MONITOR_SEND) + port);
    struct rtl_mac *mac = &state->macs[port];
    const char *packets = receive ? "received_packets" : "sent_packets";
    const char *dropped = receive ? "received_dropped" : "send_dropped";
    state->wires.counters[port][receive ? 0 : 2] = rtl_pin(&unit->rtl, packets, 32);
    state->wires.counters[port][receive ? 1 : 3] = rtl_pin(&unit->rtl, dropped, 32);
    if (receive) {
        leave_open(unit, (const char *const[]){"out"}, 1);
        rtl_mac_receive_open(mac, &unit->rtl, "mac", 0);
        rtl_unit_add(unit, rtl_mac_receiver(mac));
    } else {
        rtl_mac_transmit_open(mac, &unit->rtl, "mac", 0);
        rtl_unit_add(unit, rtl_mac_transmitter(mac));
        state->wires.tx_quiesce[port] = rtl_pin(&unit->rtl, "quiesce", 1);
        state->wires.tx_between[port] = rtl_pin(&unit->rtl, "between", 1);
    }
    return 0;
}

static void add_registers(struct rtl_state *state, struct rtl_unit *unit)
{
    if (!state->whole)
        leave_open(unit, (const char *const[]){"rings"}, 1);
    state->registers.observer = state->observer;
    rtl_registers_open(&state->registers, state->card, &unit->rtl, &state->cycles);
    rtl_unit_add(unit, rtl_registers_device(&state->registers));
}

static void add_doorbells(struct rtl_state *state, struct rtl_unit *unit, const char *prefix)
{
    if (!state->whole)
        leave_open(unit, (const char *const[]){"receive", "transmit", "host", "block", "nvme"}, 5);
    rtl_doorbells_open(&state->doorbells, state->card, &unit->rtl, prefix);
    rtl_unit_add(unit, rtl_doorbells_device(&state->doorbells));
}

static void add_messages(struct rtl_state *state, struct rtl_unit *unit)
{
    state->messages.observer = state->observer;
    rtl_messages_open(&state->messages, state->card, &unit->rtl, state->message_window);
    rtl_unit_add(unit, rtl_messages_device(&state->messages));
}

/* In the order in which they settle: who has a wire to another one comes before it. */
static int add_shell(struct rtl_state *state, struct cipu_error *error)
{
    struct rtl_unit *units = state->units;
    int result = add_bus_units(state, error);
    for (unsigned port = 0; result == 0 && port < CARD_PORTS; port++) {
        open_mac(state, port);
        result = add_port_unit(state, port, true, error);
        if (result == 0)
            result = add_port_unit(state, port, false, error);
    }
    size_t interrupts = state->unit_count;
    if (result == 0 && (result = add_shell_unit(state, &rtl_model_interrupts, "interrupt_", error)) == 0)
        add_messages(state, &units[interrupts]);
    state->wires.monitors = state->unit_count;
    if (result == 0)
        result = add_unit(state, &rtl_model_stream_monitors, "stream_monitors", error);
    state->wires.registers = state->unit_count;
    if (result == 0 && (result = add_shell_unit(state, &rtl_model_register_file, "registers", error)) == 0)
        add_registers(state, &units[state->wires.registers]);
    state->wires.doorbells = state->unit_count;
    if (result == 0 && (result = add_shell_unit(state, &rtl_model_doorbells, "doorbell", error)) == 0)
        add_doorbells(state, &units[state->wires.doorbells], "write");
    if (result == 0)
        result = add_shell_unit(state, &rtl_model_timer, "timer_", error);
    state->wires.reset = state->unit_count;
    if (result == 0 && (result = add_unit(state, &rtl_model_reset_control, "reset_control", error)) == 0)
        units[state->wires.reset].core_rst = NULL;
    return result;
}

static int add_kernels(struct rtl_state *state, struct cipu_error *error)
{
    const struct native_graph *graph = state->card->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        for (const struct rtl_kernel *kernel = rtl_kernels; kernel->kernel; kernel++) {
            if (!graph->nodes[n].kernel || strcmp(kernel->kernel, graph->nodes[n].kernel) != 0)
                continue;
            struct rtl_unit *unit = &state->units[state->unit_count];
            int result = add_unit(state, kernel->model, graph->nodes[n].name, error);
            if (result == 0)
                result = join_node(state, n, state->unit_count - 1, 0);
            if (result < 0)
                return result;
            unit->activity = &state->card->tasks[n].activity;
        }
    }
    return 0;
}

/* hw/shell/card.sv with its graph: everything stands at its pins. */
static int add_whole(struct rtl_state *state, struct cipu_error *error)
{
    struct rtl_unit *unit = &state->units[0];
    int result = add_unit(state, state->whole, "card", error);
    if (result == 0)
        result = add_bus(state, unit, "host", true);
    if (result == 0)
        result = add_bus(state, unit, "memory", false);
    if (result < 0)
        return result;
    unit->core_rst = NULL;
    for (unsigned port = 0; port < CARD_PORTS; port++) {
        open_mac(state, port);
        rtl_mac_receive_open(&state->macs[port], &unit->rtl, "mac_rx", port);
        rtl_unit_add(unit, rtl_mac_receiver(&state->macs[port]));
        rtl_mac_transmit_open(&state->macs[port], &unit->rtl, "mac_tx", port);
        rtl_unit_add(unit, rtl_mac_transmitter(&state->macs[port]));
    }
    add_messages(state, unit);
    add_registers(state, unit);
    add_doorbells(state, unit, "doorbell");
    return 0;
}

int rtl_build(struct rtl_state *state, struct cipu_error *error)
{
    const struct native_graph *graph = state->card->graph;
    state->memory.card = state->card;
    state->nodes = calloc(graph->node_count + 1, sizeof *state->nodes);
    state->fifo_units = malloc((graph->stream_count + 1) * sizeof *state->fifo_units);
    state->units = calloc(RTL_UNITS_MAX, sizeof *state->units);
    state->changed = calloc(graph->stream_count + 1, sizeof *state->changed);
    state->is_changed = calloc(graph->stream_count + 1, sizeof *state->is_changed);
    state->view.head = calloc(graph->stream_count + 1, sizeof(uint32_t));
    state->view.tail = calloc(graph->stream_count + 1, sizeof(uint32_t));
    if (!state->nodes || !state->fifo_units || !state->units || !state->changed || !state->is_changed ||
        !state->view.head || !state->view.tail)
        return -ENOMEM;
    for (size_t i = 0; i < graph->stream_count; i++)
        state->fifo_units[i][0] = state->fifo_units[i][1] = RTL_NO_UNIT;
    int result = list_fifos(state);
    if (result == 0)
        result = state->whole ? add_whole(state, error) : add_shell(state, error);
    if (result == 0 && !state->whole)
        result = add_kernels(state, error);
    if (result == 0)
        rtl_wires_open(state);
    return result;
}

void rtl_dismantle(struct rtl_state *state)
{
    for (size_t i = 0; i < state->bus_count; i++)
        rtl_bus_close(&state->buses[i]);
    if (state->registers.card)
        rtl_registers_close(&state->registers);
    for (size_t i = 0; i < state->unit_count; i++)
        rtl_unit_close(&state->units[i]);
    for (size_t i = 0; state->nodes && i < state->card->graph->node_count; i++) {
        free(state->nodes[i].inputs);
        free(state->nodes[i].outputs);
    }
    free(state->nodes);
    free(state->fifo_units);
    free(state->units);
    free(state->view.head);
    free(state->view.tail);
    free(state->changed);
    free(state->is_changed);
}
