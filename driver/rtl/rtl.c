/* SPDX-License-Identifier: Apache-2.0 */
/* The rtl card's engine: which nodes are units, and the cycles. */
#include "driver/rtl/rtl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/rtl/memory.h"
#include "driver/rtl/trace.h"
#include "driver/rtl/unit.h"

#define CYCLES_PER_ROUND 64u
#define UNITS_MAX        NATIVE_NODES_MAX
#define NO_UNIT          UINT16_MAX

extern const struct native_graph native_graph_card;
extern const struct rtl_model rtl_model_dma_read, rtl_model_dma_write, rtl_model_card_memory;

/* PCIe as a host's root complex answers, at 250 MHz: 0.9 to 1 us for a read. */
struct bus_settings rtl_host_bus = {.read_latency = 220,
                                    .write_latency = 60,
                                    .spread = 30,
                                    .rate = BUS_LINE_BYTES,
                                    .reorder = true,
                                    .one_read_per_id = true,
                                    .reads_max = 32,
                                    .seed = 1};

/* HBM through its switch, 160 to 240 ns. */
static const struct bus_settings card_bus = {.read_latency = 40,
                                             .write_latency = 20,
                                             .spread = 20,
                                             .rate = BUS_LINE_BYTES,
                                             .reorder = true,
                                             .reads_max = 64,
                                             .seed = 2};

enum bus_kind { BUS_HOST, BUS_CARD };

/* Nodes PREFIX0, PREFIX1, ... are the channels of one module. */
static const struct {
    const char *prefix;
    const struct rtl_model *model;
    enum bus_kind bus;
} shell_units[] = {
    {"dma_read_", &rtl_model_dma_read, BUS_HOST},
    {"dma_write_", &rtl_model_dma_write, BUS_HOST},
    {"memory_", &rtl_model_card_memory, BUS_CARD},
};

struct rtl_node {
    uint16_t unit; /* NO_UNIT = runs natively */
    uint16_t *inputs, *outputs;
    uint16_t input_count, output_count;
};

struct rtl_state {
    struct native_card *card;
    struct rtl_node *nodes;
    struct rtl_unit *units;
    size_t unit_count;
    struct rtl_memory memory;
    struct rtl_view view;
    struct rtl_trace trace;
    uint16_t *changed; /* FIFOs in which a record moved in this cycle */
    size_t changed_count;
    bool *is_changed;
    uint64_t active[NATIVE_WORDS], next[NATIVE_WORDS];
    uint64_t unit_active[UNITS_MAX / 64], unit_woken[UNITS_MAX / 64];
    _Atomic uint64_t cycles, evaluations;
};

static void set_bit(uint64_t *bits, size_t bit)
{
    bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void record_moved(void *context, uint16_t fifo)
{
    struct rtl_state *state = context;
    if (state->is_changed[fifo])
        return;
    state->is_changed[fifo] = true;
    state->changed[state->changed_count++] = fifo;
}

/* One cycle of a node without a module: one activation of the native kernel or block, shown the FIFOs as they were when
 * the cycle began. The ports' block moves what it can, so it is shown one record and one free place of each at most. */
static bool cycle_native(struct rtl_state *state, size_t number)
{
    const struct rtl_node *node = &state->nodes[number];
    struct hls_fifo *fifo = state->card->fifo;
    bool one = number == state->card->port_node;
    uint32_t hidden_tail[64], hidden_head[64];
    for (unsigned i = 0; i < node->input_count; i++) {
        struct hls_fifo *input = &fifo[node->inputs[i]];
        uint32_t head = state->view.head[node->inputs[i]], tail = state->view.tail[node->inputs[i]];
        hidden_tail[i] = input->tail;
        atomic_store_explicit(&input->tail, one && head != tail ? head + 1 : tail, memory_order_relaxed);
    }
    for (unsigned i = 0; i < node->output_count; i++) {
        struct hls_fifo *output = &fifo[node->outputs[i]];
        uint32_t head = state->view.head[node->outputs[i]], tail = state->view.tail[node->outputs[i]];
        hidden_head[i] = output->head;
        atomic_store_explicit(&output->head, one && tail - head <= output->mask ? tail - output->mask : head,
                              memory_order_relaxed);
    }
    struct native_task *task = &state->card->tasks[number];
    bool done = task->run(task->context, &task->activity, 1) != 0;
    for (unsigned i = 0; i < node->input_count; i++) {
        struct hls_fifo *input = &fifo[node->inputs[i]];
        atomic_store_explicit(&input->tail, hidden_tail[i], memory_order_relaxed);
        if (input->head != state->view.head[node->inputs[i]])
            record_moved(state, node->inputs[i]);
    }
    for (unsigned i = 0; i < node->output_count; i++) {
        struct hls_fifo *output = &fifo[node->outputs[i]];
        atomic_store_explicit(&output->head, hidden_head[i], memory_order_relaxed);
        if (output->tail != state->view.tail[node->outputs[i]])
            record_moved(state, node->outputs[i]);
    }
    return done;
}

/* Nodes on both sides of a FIFO in which something moved may act in the next cycle. */
static void end_cycle(struct rtl_state *state)
{
    const struct native_stream *streams = state->card->graph->streams;
    for (size_t i = 0; i < state->changed_count; i++) {
        uint16_t fifo = state->changed[i];
        state->is_changed[fifo] = false;
        if (state->trace.observer)
            rtl_trace_records(&state->trace, state->cycles, &state->view, fifo);
        state->view.head[fifo] = state->card->fifo[fifo].head;
        state->view.tail[fifo] = state->card->fifo[fifo].tail;
        set_bit(state->next, streams[fifo].from);
        set_bit(state->next, streams[fifo].to);
    }
    state->changed_count = 0;
    memcpy(state->active, state->next, sizeof state->active);
    memset(state->next, 0, sizeof state->next);
}

/* Returns how much was done; units that wait for their bus do something. */
static unsigned cycle(struct rtl_state *state)
{
    unsigned work = 0, evaluations = 0;
    for (unsigned word = 0; word < NATIVE_WORDS; word++) {
        uint64_t bits = state->active[word] | state->card->ready[word];
        state->card->ready[word] = 0;
        for (; bits; bits &= bits - 1) {
            size_t number = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (state->nodes[number].unit != NO_UNIT) {
                set_bit(state->unit_active, state->nodes[number].unit);
                set_bit(state->unit_woken, state->nodes[number].unit);
            } else if (cycle_native(state, number)) {
                set_bit(state->next, number);
                work++;
            }
        }
    }
    for (size_t i = 0; i < state->unit_count; i++) {
        if (!(state->unit_active[i / 64] >> i % 64 & 1))
            continue;
        evaluations++;
        struct rtl_unit *unit = &state->units[i];
        if (rtl_unit_cycle(unit, &state->view, state->unit_woken[i / 64] >> i % 64 & 1))
            work++;
        else
            state->unit_active[i / 64] &= ~(UINT64_C(1) << i % 64);
        if (unit->evaluated && !state->trace.waveform)
            rtl_tick(&unit->rtl);
    }
    memset(state->unit_woken, 0, sizeof state->unit_woken);
    if (state->trace.waveform && evaluations)
        rtl_trace_edge(&state->trace, state->cycles, state->units, state->unit_count);
    end_cycle(state);
    /* A look at doorbells and ports that found nothing takes no time. */
    atomic_store_explicit(&state->cycles, state->cycles + (work || evaluations), memory_order_relaxed);
    atomic_store_explicit(&state->evaluations, state->evaluations + evaluations, memory_order_relaxed);
    return work;
}

static unsigned sweep(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    unsigned work = 0;
    for (unsigned i = 0; i < CYCLES_PER_ROUND; i++) {
        unsigned done = cycle(state);
        if (!done)
            break;
        work += done;
    }
    return work;
}

static void reset(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    for (size_t i = 0; i < state->unit_count; i++)
        rtl_unit_reset(&state->units[i]);
    memset(state->view.head, 0, card->graph->stream_count * sizeof *state->view.head);
    memset(state->view.tail, 0, card->graph->stream_count * sizeof *state->view.tail);
    memset(state->active, 0, sizeof state->active);
    memset(state->unit_active, 0, sizeof state->unit_active);
}

static void destroy(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    if (!state)
        return;
    waveform_close(state->trace.waveform);
    for (size_t i = 0; i < state->unit_count; i++)
        rtl_unit_close(&state->units[i]);
    for (size_t i = 0; state->nodes && i < card->graph->node_count; i++) {
        free(state->nodes[i].inputs);
        free(state->nodes[i].outputs);
    }
    free(state->nodes);
    free(state->units);
    free(state->view.head);
    free(state->view.tail);
    free(state->changed);
    free(state->is_changed);
    free(state);
    card->engine_state = NULL;
}

static int list_fifos(struct rtl_state *state)
{
    const struct native_graph *graph = state->card->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        struct rtl_node *node = &state->nodes[n];
        node->unit = NO_UNIT;
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
        result = rtl_unit_join(&state->units[unit], name, index, fifo, input);
    }
    return result;
}

static int create_unit(struct rtl_state *state, const struct rtl_model *model, const char *name, size_t node,
                       struct cipu_error *error)
{
    struct rtl_unit *unit = &state->units[state->unit_count];
    int result = rtl_unit_open(unit, model, name, error);
    if (result < 0)
        return result;
    unit->activity = &state->card->tasks[node].activity;
    state->unit_count++;
    return 0;
}

static int add_bus(struct rtl_state *state, struct rtl_unit *unit, enum bus_kind kind)
{
    bool host = kind == BUS_HOST;
    struct bus_memory memory = host ? rtl_memory_bus(&state->memory) : rtl_memory_card(state->card);
    unit->host_bus = host;
    return rtl_unit_add_bus(unit, host ? &rtl_host_bus : &card_bus, &memory);
}

static int create_shell_units(struct rtl_state *state, struct cipu_error *error)
{
    const struct native_graph *graph = state->card->graph;
    for (size_t kind = 0; kind < sizeof shell_units / sizeof shell_units[0]; kind++) {
        size_t length = strlen(shell_units[kind].prefix), unit = NO_UNIT;
        for (size_t n = 0; n < graph->node_count; n++) {
            if (graph->nodes[n].kernel || strncmp(graph->nodes[n].name, shell_units[kind].prefix, length) != 0)
                continue;
            int result = 0;
            if (unit == NO_UNIT) {
                unit = state->unit_count;
                result = create_unit(state, shell_units[kind].model, shell_units[kind].model->name, n, error);
                if (result == 0)
                    result = add_bus(state, &state->units[unit], shell_units[kind].bus);
            }
            if (result == 0)
                result = join_node(state, n, unit, (uint32_t)strtoul(graph->nodes[n].name + length, NULL, 10));
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static int create_kernel_units(struct rtl_state *state, struct cipu_error *error)
{
    const struct native_graph *graph = state->card->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        for (const struct rtl_kernel *kernel = rtl_kernels; kernel->kernel; kernel++) {
            if (!graph->nodes[n].kernel || strcmp(kernel->kernel, graph->nodes[n].kernel) != 0)
                continue;
            int result = create_unit(state, kernel->model, graph->nodes[n].name, n, error);
            if (result == 0)
                result = join_node(state, n, state->unit_count - 1, 0);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static int create(struct native_card *card, struct cipu_error *error)
{
    const struct native_graph *graph = card->graph;
    struct rtl_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    card->engine_state = state;
    state->card = card;
    state->memory.card = card;
    state->nodes = calloc(graph->node_count + 1, sizeof *state->nodes);
    state->units = calloc(UNITS_MAX, sizeof *state->units);
    state->changed = calloc(graph->stream_count + 1, sizeof *state->changed);
    state->is_changed = calloc(graph->stream_count + 1, sizeof *state->is_changed);
    state->view = (struct rtl_view){calloc(graph->stream_count + 1, sizeof(uint32_t)),
                                    calloc(graph->stream_count + 1, sizeof(uint32_t)),
                                    card->fifo,
                                    record_moved,
                                    state,
                                    &card->time_ms};
    if (!state->nodes || !state->units || !state->changed || !state->is_changed || !state->view.head ||
        !state->view.tail)
        return -ENOMEM;
    int result = list_fifos(state);
    if (result == 0)
        result = create_shell_units(state, error);
    return result < 0 ? result : create_kernel_units(state, error);
}

static int open_card(const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    return rtl_card_open(&native_graph_card, rest, card, error);
}

/* A card that it opens has the native card's table. */
const struct card_ops card_ops_rtl = {
    .scheme = "rtl",
    .open = open_card,
};

static const struct native_engine engine = {.create = create, .sweep = sweep, .reset = reset, .destroy = destroy};

int rtl_card_open(const struct native_graph *graph, const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    return native_engine_open(&engine, graph, rest, card, error);
}

void rtl_card_halt(struct cipu_card *base)
{
    native_pause((struct native_card *)base);
}

void rtl_card_step(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    card->table = atomic_load(&card->map);
    card->generation = card->table->generation;
    if (card->doorbell_node < NATIVE_NODES_MAX && native_doorbell_pending(card, false))
        native_make_ready(card, card->doorbell_node);
    cycle(card->engine_state);
}

void rtl_card_observe(struct cipu_card *base, const struct rtl_observer *observer)
{
    ((struct rtl_state *)((struct native_card *)base)->engine_state)->trace.observer = observer;
}

int rtl_card_waveform(struct cipu_card *base, const char *path, uint64_t from, uint64_t count, struct cipu_error *error)
{
    struct rtl_state *state = ((struct native_card *)base)->engine_state;
    return rtl_trace_open(&state->trace, path, from, count, state->units, state->unit_count, error);
}

void rtl_card_zero(struct cipu_card *base)
{
    struct rtl_state *state = ((struct native_card *)base)->engine_state;
    state->cycles = 0;
    for (size_t i = 0; i < state->unit_count; i++)
        if (state->units[i].bus)
            bus_reset(state->units[i].bus);
}

void rtl_card_run(struct cipu_card *base)
{
    native_resume((struct native_card *)base);
}

void rtl_card_figures(struct cipu_card *base, struct rtl_card_figures *figures)
{
    struct native_card *card = (struct native_card *)base;
    struct rtl_state *state = card->engine_state;
    *figures = (struct rtl_card_figures){0};
    bool halted = atomic_load(&card->pause);
    if (!halted)
        native_pause(card);
    figures->cycles = state->cycles;
    figures->evaluations = state->evaluations;
    for (size_t i = 0; i < state->unit_count; i++) {
        if (!state->units[i].host_bus)
            continue;
        const struct bus_counters *counters = &state->units[i].bus->counters;
        figures->host.reads += counters->reads;
        figures->host.read_requests += counters->read_requests;
        figures->host.completions += counters->completions;
        figures->host.read_bytes += counters->read_bytes;
        figures->host.writes += counters->writes;
        figures->host.write_packets += counters->write_packets;
        figures->host.write_bytes += counters->write_bytes;
        figures->host.error_responses += counters->error_responses;
    }
    if (!halted)
        native_resume(card);
}
