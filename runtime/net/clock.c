/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path's life and clock. */
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
    slow_path_flush(path, 0);
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
