/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network's public face: a lock around the slow path, and the thread that runs it. The thread holds the lock while
 * it decides packets; a turnstile before the lock lets callers in between two bursts.
 */
#include "runtime/net/net.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "runtime/net/slow_path.h"

#define FLOW_IDLE_MS_DEFAULT 60000u
#define PACKET_BUDGET        64u
#define FLOW_LIST_BATCH      256u

struct event_queue {
    struct event_entry *events;
    size_t count, capacity;
};

struct net {
    struct cipu_host *host;
    struct slow_path *path;
    pthread_mutex_t turnstile, lock;
    pthread_t thread;
    int wake;
    atomic_bool stop;
    cipu_event_handler event_handler; /* under lock */
    void *event_context;
    struct event_queue events;                          /* of the thread */
    uint32_t source_drops[CARD_FUNCTIONS + CARD_PORTS]; /* what each lost of the punt ring; under lock */
};

static uint64_t milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void enter(struct net *net)
{
    pthread_mutex_lock(&net->turnstile);
    pthread_mutex_lock(&net->lock);
    pthread_mutex_unlock(&net->turnstile);
    net->path->now = milliseconds();
}

static void leave(struct net *net)
{
    pthread_mutex_unlock(&net->lock);
}

static void wake(struct net *net)
{
    uint64_t one = 1;
    ssize_t written = write(net->wake, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

/* ---- the thread ---- */

/* Where source_drops has a source; -1 = nowhere. */
static int drops_of(unsigned source, unsigned id)
{
    if (source == ENDPOINT_FUNCTION && id < CARD_FUNCTIONS)
        return (int)id;
    return source == ENDPOINT_PORT && id < CARD_PORTS ? (int)(CARD_FUNCTIONS + id) : -1;
}

static void on_packet(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct net *net = context;
    int source = drops_of(entry->source, entry->source_id);
    if (source >= 0)
        net->source_drops[source] = entry->dropped;
    slow_path_packet(net->path, entry, data);
}

/* Events wait until the lock is free: their handler may call back. */
static void on_event(void *context, const struct event_entry *event)
{
    struct net *net = context;
    struct event_queue *queue = &net->events;
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? 2 * queue->capacity : 64;
        struct event_entry *events = realloc(queue->events, capacity * sizeof *events);
        if (!events)
            return;
        queue->events = events;
        queue->capacity = capacity;
    }
    queue->events[queue->count++] = *event;
}

/* One burst; returns how long to wait for the next, in ms. */
static int work(struct net *net)
{
    enter(net);
    int packets = cipu_host_receive(net->host, PACKET_BUDGET, on_packet, on_event, net);
    slow_path_tick(net->path);
    int64_t next = slow_path_next_tick(net->path);
    cipu_event_handler handler = net->event_handler;
    void *context = net->event_context;
    leave(net);
    for (size_t i = 0; i < net->events.count && handler; i++)
        handler(context, &net->events.events[i]);
    net->events.count = 0;
    if (packets >= (int)PACKET_BUDGET)
        return 0;
    return next > INT_MAX ? INT_MAX : (int)next;
}

static void *run(void *argument)
{
    struct net *net = argument;
    while (!atomic_load(&net->stop)) {
        struct pollfd fds[2] = {{.fd = cipu_host_fd(net->host), .events = POLLIN}, {.fd = net->wake, .events = POLLIN}};
        int timeout = work(net);
        if (poll(fds, 2, timeout) > 0 && (fds[1].revents & POLLIN)) {
            uint64_t count;
            ssize_t got = read(net->wake, &count, sizeof count);
            (void)got; /* only clears the counter */
        }
    }
    return NULL;
}

/* ---- life ---- */

static int start(struct net *net, const struct net_settings *settings)
{
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return -EIO;
    uint64_t idle = settings && settings->flow_idle_ms != 0 ? settings->flow_idle_ms : FLOW_IDLE_MS_DEFAULT;
    int status = slow_path_create(net->host, seed, idle, &net->path);
    if (status != 0)
        return status;
    net->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    status = net->wake < 0 ? -errno : -pthread_create(&net->thread, NULL, run, net);
    if (status == 0)
        return 0;
    if (net->wake >= 0)
        close(net->wake);
    slow_path_destroy(net->path);
    return status;
}

int net_create(struct cipu_card *card, struct cipu_host *host, const struct net_settings *settings, struct net **net,
               struct cipu_error *error)
{
    (void)card; /* everything the slow path needs goes through the host's rings */
    struct net *created = calloc(1, sizeof *created);
    if (!created)
        return cipu_fail(error, -ENOMEM, "network: out of memory");
    created->host = host;
    pthread_mutex_init(&created->turnstile, NULL);
    pthread_mutex_init(&created->lock, NULL);
    int status = start(created, settings);
    if (status != 0) {
        pthread_mutex_destroy(&created->turnstile);
        pthread_mutex_destroy(&created->lock);
        free(created);
        return cipu_fail(error, status, "network: the slow path did not start: %s", strerror(-status));
    }
    *net = created;
    return 0;
}

void net_destroy(struct net *net)
{
    if (!net)
        return;
    atomic_store(&net->stop, true);
    wake(net);
    pthread_join(net->thread, NULL);
    close(net->wake);
    slow_path_destroy(net->path);
    pthread_mutex_destroy(&net->turnstile);
    pthread_mutex_destroy(&net->lock);
    free(net->events.events);
    free(net);
}

/* Sends what a change wants of the card; the thread looks at its timers again. */
static int finish(struct net *net, int status, struct cipu_error *error)
{
    int sent = outbox_flush(&net->path->outbox);
    leave(net);
    wake(net);
    if (status == 0 && sent != 0)
        return cipu_fail(error, sent, "the card refused a change of the network: %s", strerror(-sent));
    return status;
}

/* ---- ports, VPCs, functions, routes ---- */

int net_port_set(struct net *net, const struct net_port *port, struct cipu_error *error)
{
    enter(net);
    return finish(net, slow_path_port_set(net->path, port, error), error);
}

int net_vpc_add(struct net *net, const struct net_vpc *vpc, struct cipu_error *error)
{
    enter(net);
    return finish(net, tables_vpc_add(&net->path->tables, vpc, error), error);
}

int net_vpc_remove(struct net *net, const char *name, struct cipu_error *error)
{
    enter(net);
    return finish(net, slow_path_vpc_remove(net->path, name, error), error);
}

int net_function_add(struct net *net, const struct net_function *function, struct cipu_error *error)
{
    enter(net);
    return finish(net, slow_path_function_add(net->path, function, error), error);
}

int net_function_remove(struct net *net, unsigned id, struct cipu_error *error)
{
    enter(net);
    return finish(net, slow_path_function_remove(net->path, id, error), error);
}

int net_route_add(struct net *net, const struct net_route *route, struct cipu_error *error)
{
    enter(net);
    return finish(net, slow_path_route_add(net->path, route, error), error);
}

int net_route_remove(struct net *net, const char *vpc, const struct net_address *prefix, struct cipu_error *error)
{
    enter(net);
    return finish(net, slow_path_route_remove(net->path, vpc, prefix, error), error);
}

int net_vpc_mtu(struct net *net, const char *name)
{
    enter(net);
    const struct vpc *vpc = tables_vpc_by_name(&net->path->tables, name);
    int mtu = vpc ? (int)tables_vpc_mtu(&net->path->tables, vpc) : -ENOENT;
    leave(net);
    return mtu;
}

/* ---- lists ---- */

void net_each_port(struct net *net, bool (*visit)(void *context, const struct net_port *port), void *context)
{
    enter(net);
    const struct tables *tables = &net->path->tables;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        if (tables->port_used[i] && !visit(context, &tables->ports[i]))
            break;
    }
    leave(net);
}

void net_each_vpc(struct net *net, bool (*visit)(void *context, const struct net_vpc *vpc), void *context)
{
    enter(net);
    const struct tables *tables = &net->path->tables;
    for (unsigned i = 0; i < tables->vpc_limit; i++) {
        if (tables->vpcs[i].used && !visit(context, &tables->vpcs[i].setting))
            break;
    }
    leave(net);
}

void net_each_function(struct net *net, bool (*visit)(void *context, const struct net_function *function),
                       void *context)
{
    enter(net);
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct function *function = tables_function(&net->path->tables, i);
        if (function && !visit(context, &function->setting))
            break;
    }
    leave(net);
}

void net_each_route(struct net *net, bool (*visit)(void *context, const struct net_route *route), void *context)
{
    enter(net);
    const struct tables *tables = &net->path->tables;
    for (size_t i = 0; i < tables->route_limit; i++) {
        if (tables->routes[i].prefix.family != 0 && !visit(context, &tables->routes[i]))
            break;
    }
    leave(net);
}

static void describe(const struct slow_path *path, const struct flow *flow, struct net_flow *described)
{
    *described = (struct net_flow){.index = flow_index(&path->flows, flow),
                                   .key = flow->key,
                                   .action = path->actions.lines[flow->action].action,
                                   .packets = flow->packets,
                                   .bytes = flow->bytes,
                                   .idle_ms = (uint32_t)(path->now - flow->active)};
}

/* Reads the counters of the next entries and copies their flows; *count of them. */
static int copy_flows(struct net *net, uint32_t first, struct net_flow flows[FLOW_LIST_BATCH], size_t *count, bool *end)
{
    enter(net);
    struct slow_path *path = net->path;
    int status = flow_table_read(&path->flows, &path->outbox, path->now, first, FLOW_LIST_BATCH);
    *count = 0;
    for (uint32_t i = first; status == 0 && i < first + FLOW_LIST_BATCH && i < path->flows.limit; i++) {
        if (path->flows.flows[i].used)
            describe(path, &path->flows.flows[i], &flows[(*count)++]);
    }
    *end = first + FLOW_LIST_BATCH >= path->flows.limit;
    leave(net);
    return status;
}

int net_each_flow(struct net *net, size_t limit, bool (*visit)(void *context, const struct net_flow *flow),
                  void *context)
{
    struct net_flow *flows = calloc(FLOW_LIST_BATCH, sizeof *flows);
    if (!flows)
        return -ENOMEM;
    int status = 0;
    size_t visited = 0;
    bool end = false;
    for (uint32_t first = 0; !end && status == 0; first += FLOW_LIST_BATCH) {
        size_t count = 0;
        status = copy_flows(net, first, flows, &count, &end);
        for (size_t i = 0; i < count; i++) {
            if ((limit != 0 && visited++ == limit) || !visit(context, &flows[i])) {
                end = true;
                break;
            }
        }
    }
    free(flows);
    return status;
}

int net_flow_flush(struct net *net, const char *name)
{
    enter(net);
    const struct vpc *vpc = name ? tables_vpc_by_name(&net->path->tables, name) : NULL;
    int removed = -ENOENT;
    if (vpc || !name)
        removed = (int)slow_path_flush(net->path, vpc ? vpc->setting.vni : 0);
    int status = finish(net, 0, NULL);
    return status != 0 ? status : removed;
}

/* ---- statistics and events ---- */

void net_statistics(struct net *net, struct net_statistics *statistics)
{
    enter(net);
    *statistics = net->path->statistics;
    statistics->flows = net->path->flows.count;
    statistics->neighbours = net->path->neighbours.count;
    statistics->dropped_other += net->path->outbox.lost;
    leave(net);
}

int net_card_statistic(struct net *net, unsigned index, uint64_t *packets, uint64_t *bytes)
{
    struct command_entry command = {.opcode = COMMAND_STATISTIC_READ, .target = TARGET_NET, .index = index};
    int status = cipu_host_command(net->host, &command, 1);
    if (status != 0)
        return status;
    memcpy(packets, command.data, sizeof *packets);
    memcpy(bytes, command.data + 8, sizeof *bytes);
    return 0;
}

uint32_t net_punts_dropped(struct net *net, enum endpoint source, unsigned id)
{
    int index = drops_of(source, id);
    enter(net);
    uint32_t count = index >= 0 ? net->source_drops[index] : 0;
    leave(net);
    return count;
}

void net_on_event(struct net *net, cipu_event_handler handler, void *context)
{
    enter(net);
    net->event_handler = handler;
    net->event_context = context;
    leave(net);
}
