/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path's life and clock, and the removal of flows that a change of the tables makes wrong. */
#include <errno.h>
#include <stdlib.h>

#include "runtime/net/slow_path.h"

#define SWEEP_TICK_MS   100u
#define SWEEP_PERIOD_MS 5000u /* every flow's 32-bit packet counter is read at least this often */

int slow_path_create(struct cipu_host *host, uint32_t seed, uint64_t flow_idle_ms, struct slow_path **path)
{
    struct slow_path *created = calloc(1, sizeof *created);
    if (!created)
        return -ENOMEM;
    created->flow_idle_ms = flow_idle_ms;
    created->outbox.host = host;
    if (tables_create(&created->tables, seed) != 0 || action_table_create(&created->actions, seed) != 0 ||
        flow_table_create(&created->flows, seed) != 0 || neighbour_table_create(&created->neighbours, seed) != 0) {
        slow_path_destroy(created);
        return -ENOMEM;
    }
    outbox_command(&created->outbox, COMMAND_SEED_SET, 0, seed, "", 0);
    int status = outbox_flush(&created->outbox);
    if (status != 0) {
        slow_path_destroy(created);
        return status;
    }
    *path = created;
    return 0;
}

void slow_path_destroy(struct slow_path *path)
{
    if (!path)
        return;
    neighbour_table_destroy(&path->neighbours);
    flow_table_destroy(&path->flows);
    action_table_destroy(&path->actions);
    tables_destroy(&path->tables);
    free(path);
}

size_t slow_path_drop_flows(struct slow_path *path, flow_predicate unwanted, const void *context)
{
    return flow_table_remove_if(&path->flows, &path->actions, &path->outbox, path->now, unwanted, context);
}

struct scope {
    uint32_t vni; /* 0 = all */
    const struct net_address *prefixes;
    unsigned prefix_count;
    unsigned function; /* or FLOW_NO_FUNCTION */
};

static bool in_prefixes(const struct scope *scope, const struct flow *flow, const uint8_t wide[16])
{
    struct net_address address = net_address_from_wide(flow->key.kind == FLOW_IPV4 ? 4 : 6, wide);
    for (unsigned i = 0; i < scope->prefix_count; i++) {
        if (net_address_contains(&scope->prefixes[i], &address))
            return true;
    }
    return false;
}

static bool in_scope(const struct flow *flow, const void *context)
{
    const struct scope *scope = context;
    return scope->vni == 0 || flow->owner.vni == scope->vni;
}

static bool touched_by_route(const struct flow *flow, const void *context)
{
    const struct scope *scope = context;
    return in_scope(flow, scope) &&
           (flow->owner.owner >= CARD_FUNCTIONS || in_prefixes(scope, flow, flow->key.destination));
}

static bool touched_by_function(const struct flow *flow, const void *context)
{
    const struct scope *scope = context;
    return flow->owner.owner == scope->function || flow->owner.function == scope->function ||
           (in_scope(flow, scope) &&
            (in_prefixes(scope, flow, flow->key.destination) || in_prefixes(scope, flow, flow->key.source)));
}

void slow_path_route_changed(struct slow_path *path, uint32_t vni, const struct net_address *prefix)
{
    struct scope scope = {.vni = vni, .prefixes = prefix, .prefix_count = 1};
    slow_path_drop_flows(path, touched_by_route, &scope);
}

void slow_path_function_changed(struct slow_path *path, const struct net_function *function, uint32_t vni)
{
    struct scope scope = {
        .vni = vni, .prefixes = function->addresses, .prefix_count = function->address_count, .function = function->id};
    slow_path_drop_flows(path, touched_by_function, &scope);
}

size_t slow_path_vpc_flush(struct slow_path *path, uint32_t vni)
{
    struct scope scope = {.vni = vni};
    return slow_path_drop_flows(path, in_scope, &scope);
}

static uint64_t sweep_tick(const struct slow_path *path)
{
    uint64_t tick = path->flow_idle_ms / 8;
    return tick < 10 ? 10 : tick > SWEEP_TICK_MS ? SWEEP_TICK_MS : tick;
}

static void sweep(struct slow_path *path)
{
    uint64_t elapsed = path->now - path->last_sweep;
    if (elapsed < sweep_tick(path))
        return;
    path->last_sweep = path->now;
    uint64_t period = path->flow_idle_ms / 4 < SWEEP_PERIOD_MS ? path->flow_idle_ms / 4 + 1 : SWEEP_PERIOD_MS;
    uint64_t share = elapsed < period ? path->flows.limit * elapsed / period + 1 : path->flows.limit;
    path->statistics.flows_expired +=
        flow_table_sweep(&path->flows, &path->actions, &path->outbox, path->now, (uint32_t)share, path->flow_idle_ms);
}

/* After a failed command nobody knows what the card holds: empty it; flows come back with their packets. */
static void repair(struct slow_path *path)
{
    path->outbox.broken = false;
    slow_path_vpc_flush(path, 0);
    if (outbox_flush(&path->outbox) == 0)
        action_table_forget(&path->actions);
}

void slow_path_tick(struct slow_path *path)
{
    if (path->outbox.broken)
        repair(path);
    sweep(path);
    neighbour_tick(path);
    outbox_flush(&path->outbox);
}

int64_t slow_path_next_tick(const struct slow_path *path)
{
    int64_t next = neighbour_next(path);
    int64_t tick = (int64_t)sweep_tick(path);
    if (path->outbox.broken && (next < 0 || next > 1000))
        next = 1000;
    if (path->flows.count > 0 && (next < 0 || next > tick))
        next = tick;
    return next;
}
