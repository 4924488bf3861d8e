/* SPDX-License-Identifier: Apache-2.0 */
/* The rtl card's engine: cycles, and the host's calls that become accesses on its bus. */
#include "driver/rtl/rtl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/rtl/state.h"
#include "hls/include/registers.h"

#define CYCLES_PER_ROUND      64u
#define LOOK_ROUNDS           4096u /* between looks at ports' links and peers */
#define CYCLES_PER_MS         250000u
#define NANOSECONDS_PER_CYCLE 4u

extern const struct native_graph native_graph_card;

static void record_moved(void *context, uint16_t fifo)
{
    struct rtl_state *state = context;
    if (state->is_changed[fifo])
        return;
    state->is_changed[fifo] = true;
    state->changed[state->changed_count++] = fifo;
}

/* One cycle of a kernel without a module: one activation of it, shown the FIFOs as they were when the cycle began. */
static bool cycle_native(struct rtl_state *state, size_t number)
{
    const struct rtl_node *node = &state->nodes[number];
    struct hls_fifo *fifo = state->card->fifo;
    uint32_t hidden_tail[64], hidden_head[64];
    for (unsigned i = 0; i < node->input_count; i++) {
        struct hls_fifo *input = &fifo[node->inputs[i]];
        hidden_tail[i] = input->tail;
        atomic_store_explicit(&input->tail, state->view.tail[node->inputs[i]], memory_order_relaxed);
    }
    for (unsigned i = 0; i < node->output_count; i++) {
        struct hls_fifo *output = &fifo[node->outputs[i]];
        hidden_head[i] = output->head;
        atomic_store_explicit(&output->head, state->view.head[node->outputs[i]], memory_order_relaxed);
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

/* Whoever is at either end of a FIFO in which something moved may act in the next cycle. */
static void end_cycle(struct rtl_state *state)
{
    const struct native_stream *streams = state->card->graph->streams;
    memset(state->unit_woken, 0, sizeof state->unit_woken);
    for (size_t i = 0; i < state->changed_count; i++) {
        uint16_t fifo = state->changed[i];
        const uint16_t nodes[2] = {streams[fifo].from, streams[fifo].to};
        state->is_changed[fifo] = false;
        if (state->trace.watcher)
            rtl_trace_records(&state->trace, state->cycles, &state->view, fifo);
        state->view.head[fifo] = state->card->fifo[fifo].head;
        state->view.tail[fifo] = state->card->fifo[fifo].tail;
        for (unsigned end = 0; end < 2; end++) {
            if (state->fifo_units[fifo][end] != RTL_NO_UNIT)
                rtl_wake_unit(state, state->fifo_units[fifo][end]);
            else
                rtl_set_mark(state->next, nodes[end]);
        }
    }
    state->changed_count = 0;
    memcpy(state->active, state->next, sizeof state->active);
    memset(state->next, 0, sizeof state->next);
}

static unsigned run_native(struct rtl_state *state)
{
    unsigned work = 0;
    for (unsigned word = 0; word < NATIVE_WORDS; word++) {
        uint64_t bits = state->active[word] | state->card->ready[word];
        state->card->ready[word] = 0;
        for (; bits; bits &= bits - 1) {
            size_t number = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (state->nodes[number].is_shell)
                continue;
            if (state->nodes[number].unit != RTL_NO_UNIT) {
                rtl_wake_unit(state, state->nodes[number].unit);
            } else if (!state->view.reset && cycle_native(state, number)) {
                rtl_set_mark(state->next, number);
                work++;
            }
        }
    }
    return work;
}

static unsigned settle(struct rtl_state *state)
{
    unsigned evaluations = 0;
    for (size_t i = 0; i < state->unit_count; i++) {
        if (rtl_wires_settle(state, i))
            rtl_wake_unit(state, i);
        state->units[i].evaluated = false;
        if (!rtl_has_mark(state->unit_active, i))
            continue;
        rtl_unit_settle(&state->units[i], &state->view, rtl_has_mark(state->unit_woken, i));
        evaluations++;
    }
    return evaluations;
}

static unsigned finish(struct rtl_state *state)
{
    unsigned work = 0;
    for (size_t i = 0; i < state->unit_count; i++) {
        if (!rtl_has_mark(state->unit_active, i))
            continue;
        if (rtl_unit_finish(&state->units[i], &state->view))
            work++;
        else
            state->unit_active[i / 64] &= ~(UINT64_C(1) << i % 64);
        if (state->units[i].evaluated && !state->trace.waveform)
            rtl_tick(&state->units[i].rtl);
    }
    return work;
}

/* The modules reset themselves; the rest of the card goes with them: FIFOs, tables, what waits at the pins. */
static void clear(struct rtl_state *state)
{
    size_t bytes = state->card->graph->stream_count * sizeof(uint32_t);
    native_clear(state->card);
    memset(state->view.head, 0, bytes);
    memset(state->view.tail, 0, bytes);
    for (size_t i = 0; i < state->unit_count; i++)
        for (size_t n = 0; n < state->units[i].device_count; n++)
            if (state->units[i].devices[n].reset)
                state->units[i].devices[n].reset(state->units[i].devices[n].context);
}

/* Returns how much was done; units that wait for their bus do something. `always`: time passes even when nothing moves.
 */
static unsigned cycle(struct rtl_state *state, bool always)
{
    rtl_wires_begin(state);
    state->view.time_ns = state->cycles * NANOSECONDS_PER_CYCLE;
    for (size_t i = 0; i < state->unit_count && (state->view.reset || state->was_reset); i++)
        rtl_wake_unit(state, i);
    unsigned work = run_native(state);
    unsigned evaluations = settle(state);
    work += finish(state);
    if (state->trace.waveform && (evaluations || always))
        rtl_trace_edge(&state->trace, state->cycles, state->units, state->unit_count);
    if (state->view.reset && !state->was_reset)
        clear(state);
    state->was_reset = state->view.reset;
    end_cycle(state);
    /* A look at doorbells and ports that found nothing takes no time. */
    atomic_store_explicit(&state->cycles, state->cycles + (work || evaluations || always), memory_order_relaxed);
    atomic_store_explicit(&state->evaluations, state->evaluations + evaluations, memory_order_relaxed);
    return work;
}

/* Who outside has something for a module that rests? */
static void poll_devices(struct rtl_state *state)
{
    state->look = state->card->woken || ++state->rounds % LOOK_ROUNDS == 0;
    state->card->woken = false;
    for (size_t i = 0; i < state->unit_count; i++)
        for (size_t n = 0; n < state->units[i].device_count; n++) {
            const struct rtl_device *device = &state->units[i].devices[n];
            if (device->poll && device->poll(device->context))
                rtl_set_mark(state->unit_active, i);
        }
}

static unsigned sweep(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    unsigned work = 0;
    poll_devices(state);
    for (unsigned i = 0; i < CYCLES_PER_ROUND; i++) {
        unsigned done = cycle(state, false);
        if (!done)
            break;
        work += done;
    }
    return work;
}

static bool asked(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    return atomic_load(&state->registers.asked);
}

/* Simulated: the clock's cycles. */
static uint64_t card_time(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    return atomic_load_explicit(&state->cycles, memory_order_relaxed) * NANOSECONDS_PER_CYCLE;
}

static int prepare(struct native_card *card, const void *argument)
{
    const struct rtl_card_how *how = argument;
    struct rtl_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    card->engine_state = state;
    state->card = card;
    state->whole = how->whole;
    state->observer = how->observer;
    state->halted = how->halted;
    state->host_settings = rtl_host_settings;
    atomic_store(&card->pause, how->halted);
    return 0;
}

static int option(struct native_card *card, const char *key, const char *value, struct cipu_error *error)
{
    return rtl_option(card->engine_state, key, value, error);
}

static int create(struct native_card *card, struct cipu_error *error)
{
    struct rtl_state *state = card->engine_state;
    state->view.fifo = card->fifo;
    state->view.moved = record_moved;
    state->view.context = state;
    state->view.time_ms = &card->time_ms;
    int result = rtl_build(state, error);
    /* The reset of power-on is over before anybody may ask for something. */
    do {
        if (result == 0)
            cycle(state, true);
    } while (result == 0 && state->view.reset);
    return result;
}

static void destroy(struct native_card *card)
{
    struct rtl_state *state = card->engine_state;
    if (!state)
        return;
    waveform_close(state->trace.waveform);
    rtl_dismantle(state);
    free(state);
    card->engine_state = NULL;
}

static uint32_t access_register(struct cipu_card *base, enum rtl_access_kind kind, uint32_t offset, uint32_t value)
{
    struct rtl_state *state = ((struct native_card *)base)->engine_state;
    struct rtl_access access = {.kind = kind, .offset = offset, .value = value};
    if (offset > UINT16_MAX)
        return UINT32_MAX;
    rtl_registers_post(&state->registers, &access);
    while (state->halted && !access.done)
        rtl_card_step(base);
    rtl_registers_wait(&state->registers, &access);
    return access.value;
}

static uint32_t read_register(struct cipu_card *base, uint32_t offset)
{
    return access_register(base, RTL_READ, offset, 0);
}

static int reset(struct cipu_card *base)
{
    uint32_t offset = CARD_BLOCK_OFFSET + (uint32_t)offsetof(struct card_block, reset);
    access_register(base, RTL_WRITE, offset, 1);
    return access_register(base, RTL_READ_ZERO, offset, 0) ? -ETIMEDOUT : 0;
}

/* As of a native card, a reset is over when the write returns. */
static void write_register(struct cipu_card *base, uint32_t offset, uint32_t value)
{
    if (offset == CARD_BLOCK_OFFSET + offsetof(struct card_block, reset) && (value & 1))
        reset(base);
    else
        access_register(base, RTL_WRITE, offset, value);
}

static int open_card(const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    return rtl_card_open(&native_graph_card, rest, card, error);
}

const struct card_ops card_ops_rtl = {
    .scheme = "rtl",
    .open = open_card,
    .close = native_close,
    .read = read_register,
    .write = write_register,
    .doorbell = native_doorbell,
    .doorbell_word = native_doorbell_word,
    .doorbell_share = native_doorbell_share,
    .dma_map = native_dma_map,
    .dma_unmap = native_dma_unmap,
    .interrupt = native_interrupt,
    .attend = native_attend,
    .time = native_time,
    .reset = reset,
    .activity = native_activity,
    .capture = native_capture,
};

static const struct native_engine engine = {.ops = &card_ops_rtl,
                                            .prepare = prepare,
                                            .option = option,
                                            .options = rtl_options,
                                            .create = create,
                                            .sweep = sweep,
                                            .asked = asked,
                                            .time = card_time,
                                            .destroy = destroy};

int rtl_card_open(const struct native_graph *graph, const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    static const struct rtl_card_how how = {0};
    return rtl_card_open_as(&how, graph, rest, card, error);
}

int rtl_card_open_as(const struct rtl_card_how *how, const struct native_graph *graph, const char *rest,
                     struct cipu_card **card, struct cipu_error *error)
{
    return native_engine_open(&engine, how, graph, rest, card, error);
}

void rtl_card_step(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    struct rtl_state *state = card->engine_state;
    card->table = atomic_load(&card->map);
    card->generation = card->table->generation;
    card->time_ms = (uint32_t)(state->cycles / CYCLES_PER_MS);
    native_doorbell_pending(card, true);
    poll_devices(state);
    cycle(state, true);
}

void rtl_card_halt(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    native_pause(card);
    ((struct rtl_state *)card->engine_state)->halted = true;
}

static struct rtl_state *state_of(struct cipu_card *base)
{
    return ((struct native_card *)base)->engine_state;
}

void rtl_card_watch(struct cipu_card *base, const struct rtl_watcher *watcher)
{
    state_of(base)->trace.watcher = watcher;
}

int rtl_card_waveform(struct cipu_card *base, const char *path, uint64_t from, uint64_t count, struct cipu_error *error)
{
    struct rtl_state *state = state_of(base);
    return rtl_trace_open(&state->trace, path, from, count, state->units, state->unit_count, error);
}

void rtl_card_zero(struct cipu_card *base)
{
    struct rtl_state *state = state_of(base);
    state->cycles = 0;
    for (size_t i = 0; i < state->bus_count; i++)
        bus_reset(&state->buses[i].bus);
}

void rtl_card_run(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    struct rtl_state *state = card->engine_state;
    state->halted = false;
    native_resume(card);
}

void rtl_card_figures(struct cipu_card *base, struct rtl_card_figures *figures)
{
    struct native_card *card = (struct native_card *)base;
    struct rtl_state *state = card->engine_state;
    *figures = (struct rtl_card_figures){0};
    if (!state->halted)
        native_pause(card);
    figures->cycles = state->cycles;
    figures->evaluations = state->evaluations;
    figures->sleeps = atomic_load(&card->sleeps);
    for (size_t i = 0; i < state->bus_count; i++) {
        if (strcmp(state->buses[i].name, "host") != 0)
            continue;
        const struct bus_counters *counters = &state->buses[i].bus.counters;
        figures->host.reads += counters->reads;
        figures->host.read_requests += counters->read_requests;
        figures->host.completions += counters->completions;
        figures->host.read_bytes += counters->read_bytes;
        figures->host.writes += counters->writes;
        figures->host.write_packets += counters->write_packets;
        figures->host.write_bytes += counters->write_bytes;
        figures->host.error_responses += counters->error_responses;
    }
    if (!state->halted)
        native_resume(card);
}

uint64_t rtl_card_sleeps(struct cipu_card *base)
{
    return atomic_load(&((struct native_card *)base)->sleeps);
}
