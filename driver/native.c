/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a native card out of a graph: FIFOs, tasks, the shell's blocks, ports; and takes it apart again. */
#include "driver/native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/native_uri.h"
#include "hls/include/flow.h"

extern const struct native_graph native_graph_card;

/* Streams that a test's graph leaves open: nothing comes from there, nothing goes there. */
static unsigned run_open(void *context, struct native_activity *activity, unsigned budget)
{
    (void)context, (void)activity, (void)budget;
    return 0;
}

static int create_open(struct native_card *card, size_t node, struct cipu_error *error)
{
    (void)error;
    card->tasks[node].run = run_open;
    return 0;
}

static const struct {
    const char *prefix; /* of the shell instance's name */
    int (*create)(struct native_card *card, size_t node, struct cipu_error *error);
} block_kinds[] = {
    {"open", create_open},
    {"port", native_port_create},
    {"doorbell", native_doorbell_create},
    {"registers", native_registers_create},
    {"dma_read_", native_dma_read_create},
    {"dma_write_", native_dma_write_create},
    {"memory_", native_memory_create},
    {"interrupt_", native_interrupt_create},
    {"timer_", native_timer_create},
};

struct hls_fifo *native_shell_fifo(const struct native_card *card, size_t node, const char *port)
{
    const struct native_graph *graph = card->graph;
    for (size_t i = 0; i < graph->shell_count; i++)
        if (graph->shell[i].node == node && strcmp(graph->shell[i].port, port) == 0)
            return &card->fifo[graph->shell[i].stream];
    return NULL;
}

unsigned native_channel(const struct native_card *card, size_t node)
{
    return (unsigned)strtoul(strrchr(card->graph->nodes[node].name, '_') + 1, NULL, 10);
}

static int create_fifos(struct native_card *card)
{
    const struct native_graph *graph = card->graph;
    size_t bytes = 64;
    for (size_t i = 0; i < graph->stream_count; i++)
        bytes += (size_t)graph->streams[i].slot_bytes * graph->streams[i].depth;
    card->object = aligned_alloc(64, (graph->object_bytes + 63) / 64 * 64);
    card->slots = aligned_alloc(64, bytes);
    if (!card->object || !card->slots)
        return -ENOMEM;
    memset(card->object, 0, graph->object_bytes);
    memset(card->slots, 0, bytes);
    card->fifo = card->object;
    uint8_t *next = card->slots;
    for (size_t i = 0; i < graph->stream_count; i++) {
        const struct native_stream *stream = &graph->streams[i];
        card->fifo[i].slots = next;
        card->fifo[i].mask = stream->depth - 1;
        card->fifo[i].slot_bytes = stream->slot_bytes;
        next += (size_t)stream->slot_bytes * stream->depth;
    }
    return 0;
}

static int create_block(struct native_card *card, size_t node, struct cipu_error *error)
{
    const char *name = card->graph->nodes[node].name;
    for (size_t i = 0; i < sizeof block_kinds / sizeof block_kinds[0]; i++)
        if (strncmp(name, block_kinds[i].prefix, strlen(block_kinds[i].prefix)) == 0)
            return block_kinds[i].create(card, node, error);
    return cipu_fail(error, -EINVAL, "graph %s: the native card has no shell instance '%s'", card->graph->name, name);
}

static int create_tasks(struct native_card *card, struct cipu_error *error)
{
    const struct native_graph *graph = card->graph;
    if (graph->node_count > NATIVE_NODES_MAX)
        return cipu_fail(error, -EINVAL, "graph %s has %zu nodes, the native card runs %u", graph->name,
                         graph->node_count, NATIVE_NODES_MAX);
    card->tasks = calloc(graph->node_count + 1, sizeof *card->tasks);
    card->blocks = calloc(graph->node_count + 1, sizeof *card->blocks);
    card->resets = calloc(graph->node_count + 1, sizeof *card->resets);
    if (!card->tasks || !card->blocks || !card->resets)
        return -ENOMEM;
    for (size_t i = 0; i < graph->stream_count; i++) {
        unsigned from = graph->streams[i].from, to = graph->streams[i].to;
        bool fetches = strncmp(graph->nodes[from].name, "dma_read_", 9) == 0, tokens = from - to <= 2;
        if (to < from && (fetches || tokens) && !card->tasks[from].back) {
            card->tasks[from].back = &card->fifo[i];
            card->tasks[from].before = to;
        }
        card->tasks[from].neighbours[to / 64] |= UINT64_C(1) << to % 64;
        card->tasks[to].neighbours[from / 64] |= UINT64_C(1) << from % 64;
    }
    for (size_t i = 0; i < graph->node_count; i++) {
        card->tasks[i].run = graph->nodes[i].run;
        card->tasks[i].context = card->object;
        int result = graph->nodes[i].run ? 0 : create_block(card, i, error);
        if (result < 0)
            return result;
        native_make_ready(card, i);
    }
    return native_dma_moves_create(card, error);
}

void native_close(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    native_thread_stop(card);
    if (card->engine->destroy)
        card->engine->destroy(card);
    native_capture(base, -1, -1, NULL);
    for (unsigned i = 0; i < CARD_PORTS; i++)
        port_close(&card->ports[i]);
    native_map_free(card);
    native_doorbell_free(card);
    native_attend_free(card);
    native_interrupt_free(card);
    for (size_t i = 0; card->blocks && i < card->graph->node_count; i++)
        free(card->blocks[i]);
    if (card->memory)
        munmap(card->memory, (size_t)CARD_MEMORY_LINES * 64);
    if (card->wake_fd >= 0)
        close(card->wake_fd);
    if (card->epoll >= 0)
        close(card->epoll);
    free(card->resets);
    free(card->blocks);
    free(card->tasks);
    free(card->slots);
    free(card->object);
    pthread_mutex_destroy(&card->settings_lock);
    pthread_mutex_destroy(&card->lock);
    pthread_cond_destroy(&card->pause_changed);
    pthread_mutex_destroy(&card->pause_lock);
    free(card);
}

static int create_descriptors(struct native_card *card, struct cipu_error *error)
{
    struct epoll_event event = {.events = EPOLLIN};
    card->epoll = epoll_create1(EPOLL_CLOEXEC);
    card->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (card->epoll < 0 || card->wake_fd < 0 || epoll_ctl(card->epoll, EPOLL_CTL_ADD, card->wake_fd, &event) < 0) {
        int code = -errno;
        return cipu_fail(error, code, "native card: %s", strerror(-code));
    }
    return 0;
}

static int open_ports(struct native_card *card, const struct native_uri *uri, struct cipu_error *error)
{
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        if (card->port_node == NATIVE_NODES_MAX && strcmp(uri->port[i], "none") != 0)
            return cipu_fail(error, -EINVAL, "graph %s has no ports, expected port%u=none", card->graph->name, i);
        int result = port_open(&card->ports[i], uri->port[i], card->poll_always ? -1 : card->epoll, error);
        if (result < 0)
            return result;
    }
    return 0;
}

static int build(struct native_card *card, const char *rest, struct cipu_error *error)
{
    struct native_uri uri;
    int result = native_uri_parse(card, rest, &uri, error);
    if (result < 0)
        return result;
    card->poll_always = uri.poll_always;
    card->cpu = uri.cpu;
    if ((result = create_descriptors(card, error)) < 0 || (result = native_map_init(card)) < 0 ||
        (result = create_fifos(card)) < 0 || (result = create_tasks(card, error)) < 0 ||
        (card->engine->create && (result = card->engine->create(card, error)) < 0) ||
        (result = open_ports(card, &uri, error)) < 0)
        return result;
    return native_thread_start(card, error);
}

static int native_reset(struct cipu_card *base);

size_t native_activity(struct cipu_card *base, struct cipu_kernel_activity *activity, size_t count)
{
    struct native_card *card = (struct native_card *)base;
    const struct native_graph *graph = card->graph;
    for (size_t i = 0; i < count && i < graph->node_count; i++) {
        activity[i].name = graph->nodes[i].name;
        activity[i].activations = atomic_load_explicit(&card->tasks[i].activity.activations, memory_order_relaxed);
        activity[i].stalls = atomic_load_explicit(&card->tasks[i].activity.stalls, memory_order_relaxed);
    }
    /* The thread itself: its rounds, and how often it slept. */
    if (count > graph->node_count) {
        activity[graph->node_count] =
            (struct cipu_kernel_activity){"thread", atomic_load_explicit(&card->rounds, memory_order_relaxed),
                                          atomic_load_explicit(&card->sleeps, memory_order_relaxed)};
    }
    return graph->node_count + 1;
}

static int native_open(const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    return native_card_open(&native_graph_card, rest, card, error);
}

const struct card_ops card_ops_native = {
    .scheme = "native",
    .open = native_open,
    .close = native_close,
    .read = native_register_read,
    .write = native_register_write,
    .doorbell = native_doorbell,
    .doorbell_word = native_doorbell_word,
    .doorbell_share = native_doorbell_share,
    .dma_map = native_dma_map,
    .dma_unmap = native_dma_unmap,
    .interrupt = native_interrupt,
    .attend = native_attend,
    .time = native_time,
    .reset = native_reset,
    .activity = native_activity,
    .capture = native_capture,
};

static const struct native_engine native_engine = {.ops = &card_ops_native, .sweep = native_sweep};

int native_card_open(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                     struct cipu_error *error)
{
    return native_engine_open(&native_engine, NULL, graph, rest, card, error);
}

int native_engine_open(const struct native_engine *engine, const void *argument, const struct native_graph *graph,
                       const char *rest, struct cipu_card **card, struct cipu_error *error)
{
    struct native_card *native = aligned_alloc(64, (sizeof *native + 63) / 64 * 64);
    if (!native)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    memset(native, 0, sizeof *native);
    native->base.ops = engine->ops;
    native->engine = engine;
    native->graph = graph;
    native->epoll = native->wake_fd = native->doorbell_fd = -1;
    native->doorbell_node = native->registers_node = native->port_node = NATIVE_NODES_MAX;
    pthread_mutex_init(&native->pause_lock, NULL);
    pthread_cond_init(&native->pause_changed, NULL);
    pthread_mutex_init(&native->lock, NULL);
    pthread_mutex_init(&native->settings_lock, NULL);
    if (error)
        error->text[0] = 0;
    int result = native_interrupt_init(native, error);
    if (result == 0 && engine->prepare)
        result = engine->prepare(native, argument);
    if (result == 0)
        result = build(native, rest, error);
    if (result < 0) {
        if (error && !error->text[0])
            cipu_fail(error, result, "native card: %s", strerror(-result));
        native_close(&native->base);
        return result;
    }
    *card = &native->base;
    return 0;
}

void native_clear(struct native_card *card)
{
    const struct native_graph *graph = card->graph;
    /* The FIFOs stand at the object's beginning: only their indices go back to zero. */
    size_t fifos = graph->stream_count * sizeof(struct hls_fifo);
    memset((uint8_t *)card->object + fifos, 0, graph->object_bytes - fifos);
    for (size_t i = 0; i < graph->stream_count; i++)
        card->fifo[i].head = card->fifo[i].tail = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        atomic_store(&card->tasks[i].activity.activations, 0);
        atomic_store(&card->tasks[i].activity.stalls, 0);
        if (card->resets[i])
            card->resets[i](card->blocks[i]);
        native_make_ready(card, i);
    }
    native_interrupt_reset(card);
    native_registers_reset(card);
}

static int native_reset(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    pthread_mutex_lock(&card->lock);
    native_pause(card);
    native_clear(card);
    native_resume(card);
    pthread_mutex_unlock(&card->lock);
    return 0;
}
