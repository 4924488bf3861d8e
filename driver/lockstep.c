/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/lockstep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/native.h"

#define CYCLES_PER_ROUND 64u /* between two looks at doorbells and ports */
#define PIN_NAME_BYTES   96u

struct lockstep_port {
    struct hls_fifo *fifo;
    uint16_t stream;
    bool output;
    uint32_t bytes;
    uint8_t *valid, *ready;
    void *data;
};

struct lockstep_node {
    struct rtl rtl; /* object NULL = the shell's */
    const uint8_t *idle;
    struct lockstep_port *ports;
    size_t port_count;
};

/* A record that enters or leaves a FIFO at the cycle's end. */
struct lockstep_move {
    uint16_t stream;
    bool pushed;
};

struct lockstep {
    const struct rtl_graph *graph;
    struct lockstep_node *nodes;
    uint64_t modules[NATIVE_WORDS]; /* the nodes that are modules */
    struct lockstep_move *moves;    /* room for two of each stream */
    size_t move_count;
    _Atomic uint64_t cycles;
};

/* ---- made and destroyed ---- */

static int find_pin(const struct rtl *rtl, const char *stream, const char *suffix, uint32_t bits, void *value,
                    struct cipu_error *error)
{
    char name[PIN_NAME_BYTES];
    snprintf(name, sizeof name, "%s%s", stream, suffix);
    for (size_t i = 0; i < rtl->model->pin_count; i++) {
        if (strcmp(rtl->pins[i].name, name) == 0 && rtl->pins[i].bits == bits) {
            memcpy(value, &rtl->pins[i].value, sizeof rtl->pins[i].value);
            return 0;
        }
    }
    return cipu_fail(error, -EINVAL, "rtl card: module %s has no port %s of %u bits, expected as the graph has it",
                     rtl->model->name, name, bits);
}

static int connect(struct native_card *card, struct lockstep_node *node, const struct rtl_graph_port *from,
                   struct lockstep_port *port, struct cipu_error *error)
{
    *port = (struct lockstep_port){
        .fifo = &card->fifo[from->stream], .stream = from->stream, .output = from->output, .bytes = from->bytes};
    int result = find_pin(&node->rtl, from->name, "_valid", 1, &port->valid, error);
    if (result == 0)
        result = find_pin(&node->rtl, from->name, "_ready", 1, &port->ready, error);
    if (result == 0)
        result = find_pin(&node->rtl, from->name, "_data", from->bytes * 8, &port->data, error);
    return result;
}

static int create_node(struct native_card *card, struct lockstep_node *node, const struct rtl_graph_node *from,
                       struct cipu_error *error)
{
    int result = rtl_open(&node->rtl, from->model);
    if (result < 0)
        return result;
    node->ports = calloc(from->port_count, sizeof *node->ports);
    node->port_count = from->port_count;
    if (!node->ports)
        return -ENOMEM;
    result = find_pin(&node->rtl, "", "idle", 1, &node->idle, error);
    for (size_t i = 0; i < from->port_count && result == 0; i++)
        result = connect(card, node, &from->ports[i], &node->ports[i], error);
    return result;
}

int lockstep_create(struct native_card *card, const struct rtl_graph *graph, struct lockstep **lockstep,
                    struct cipu_error *error)
{
    struct lockstep *made = calloc(1, sizeof *made);
    *lockstep = made;
    if (!made)
        return -ENOMEM;
    made->graph = graph;
    made->nodes = calloc(graph->graph.node_count + 1, sizeof *made->nodes);
    made->moves = calloc(2 * graph->graph.stream_count + 1, sizeof *made->moves);
    if (!made->nodes || !made->moves)
        return -ENOMEM;
    for (size_t i = 0; i < graph->graph.node_count; i++) {
        if (!graph->nodes[i].model)
            continue;
        int result = create_node(card, &made->nodes[i], &graph->nodes[i], error);
        if (result < 0)
            return result;
        made->modules[i / 64] |= UINT64_C(1) << i % 64;
    }
    return 0;
}

void lockstep_destroy(struct lockstep *lockstep)
{
    if (!lockstep)
        return;
    for (size_t i = 0; lockstep->nodes && i < lockstep->graph->graph.node_count; i++) {
        rtl_close(&lockstep->nodes[i].rtl);
        free(lockstep->nodes[i].ports);
    }
    free(lockstep->nodes);
    free(lockstep->moves);
    free(lockstep);
}

void lockstep_reset(struct lockstep *lockstep)
{
    for (size_t i = 0; i < lockstep->graph->graph.node_count; i++)
        if (lockstep->nodes[i].rtl.object)
            rtl_reset(&lockstep->nodes[i].rtl);
    atomic_store(&lockstep->cycles, 0);
}

uint64_t lockstep_cycles(const struct lockstep *lockstep)
{
    return atomic_load_explicit(&lockstep->cycles, memory_order_relaxed);
}

/* ---- a cycle ---- */

static uint8_t *slot(const struct hls_fifo *fifo, uint32_t index)
{
    return fifo->slots + (size_t)(index & fifo->mask) * fifo->slot_bytes;
}

static void offer(const struct lockstep_port *port)
{
    uint32_t used = hls_fifo_used(port->fifo);
    if (port->output) {
        *port->ready = used <= port->fifo->mask;
    } else {
        *port->valid = used != 0;
        if (used)
            memcpy(port->data, slot(port->fifo, port->fifo->head), port->bytes);
    }
}

/* Whether a record passes the port in this cycle. */
static bool pass(struct lockstep *lockstep, const struct lockstep_port *port)
{
    if (!*port->valid || !*port->ready)
        return false;
    if (port->output)
        memcpy(slot(port->fifo, port->fifo->tail), port->data, port->bytes);
    lockstep->moves[lockstep->move_count++] = (struct lockstep_move){port->stream, port->output};
    return true;
}

/* Returns whether the module was clocked. */
static bool step(struct lockstep *lockstep, struct lockstep_node *node, struct native_activity *activity)
{
    bool moved = false, stalled = false;
    for (size_t i = 0; i < node->port_count; i++)
        offer(&node->ports[i]);
    rtl_settle(&node->rtl);
    if (*node->idle)
        return false;
    for (size_t i = 0; i < node->port_count; i++) {
        const struct lockstep_port *port = &node->ports[i];
        moved |= pass(lockstep, port);
        stalled |= port->output && *port->valid && !*port->ready;
    }
    rtl_tick(&node->rtl);
    native_account(activity, moved, stalled);
    return true;
}

static void commit(struct native_card *card)
{
    struct lockstep *lockstep = card->lockstep;
    for (size_t i = 0; i < lockstep->move_count; i++) {
        const struct lockstep_move *move = &lockstep->moves[i];
        const struct native_stream *stream = &card->graph->streams[move->stream];
        struct hls_fifo *fifo = &card->fifo[move->stream];
        atomic_fetch_add_explicit(move->pushed ? &fifo->tail : &fifo->head, 1, memory_order_release);
        native_make_ready(card, move->pushed ? stream->to : stream->from);
    }
    lockstep->move_count = 0;
}

static unsigned step_modules(struct native_card *card, const uint64_t *ready)
{
    struct lockstep *lockstep = card->lockstep;
    unsigned work = 0;
    for (unsigned word = 0; word < NATIVE_WORDS; word++) {
        for (uint64_t bits = ready[word] & lockstep->modules[word]; bits; bits &= bits - 1) {
            unsigned node = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (step(lockstep, &lockstep->nodes[node], &card->tasks[node].activity)) {
                native_make_ready(card, node);
                work++;
            }
        }
    }
    return work;
}

static unsigned step_shell(struct native_card *card, const uint64_t *ready)
{
    unsigned work = 0;
    for (unsigned word = 0; word < NATIVE_WORDS; word++) {
        for (uint64_t bits = ready[word] & ~card->lockstep->modules[word]; bits; bits &= bits - 1) {
            unsigned node = word * 64 + (unsigned)__builtin_ctzll(bits);
            struct native_task *task = &card->tasks[node];
            if (!task->run(task->context, &task->activity, 1))
                continue;
            work++;
            native_make_ready(card, node);
            for (unsigned i = 0; i < NATIVE_WORDS; i++)
                card->ready[i] |= task->neighbours[i];
        }
    }
    return work;
}

static unsigned cycle(struct native_card *card)
{
    uint64_t ready[NATIVE_WORDS];
    memcpy(ready, card->ready, sizeof ready);
    memset(card->ready, 0, sizeof card->ready);
    unsigned work = step_modules(card, ready);
    commit(card);
    work += step_shell(card, ready);
    struct lockstep *lockstep = card->lockstep;
    atomic_store_explicit(&lockstep->cycles, lockstep_cycles(lockstep) + 1, memory_order_relaxed);
    return work;
}

unsigned lockstep_round(struct native_card *card)
{
    unsigned work = 0, done = 1;
    for (unsigned i = 0; i < CYCLES_PER_ROUND && done; i++)
        work += done = cycle(card);
    return work;
}
