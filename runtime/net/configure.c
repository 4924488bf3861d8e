/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the configuration, and the removal of the flows and neighbours that they make wrong. */
#include <errno.h>

#include "runtime/net/slow_path.h"

static void write_port(struct slow_path *path, const struct net_port *port)
{
    struct port_setting *setting = &path->port_settings[port->id];
    *setting = (struct port_setting){.mode = port->uplink ? PORT_UPLINK : PORT_ACCESS,
                                     .promiscuous = !port->uplink,
                                     .function = (uint16_t)(port->uplink ? 0 : port->function)};
    if (port->uplink) {
        memcpy(setting->mac, port->mac, 6);
        memcpy(setting->ipv4, port->ipv4.bytes, port->ipv4.family == 4 ? 4 : 0);
        memcpy(setting->ipv6, port->ipv6.bytes, port->ipv6.family == 6 ? 16 : 0);
    }
    outbox_command(&path->outbox, COMMAND_PORT_SET, port->id, 0, setting, sizeof *setting);
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

/* Flows of functions to the prefix, and all that came through the VPC's tunnels. */
static void route_changed(struct slow_path *path, const char *vpc, const struct net_address *prefix)
{
    uint32_t vni = tables_vpc_by_name(&path->tables, vpc)->setting.vni;
    struct scope scope = {.vni = vni, .prefixes = prefix, .prefix_count = 1};
    slow_path_drop_flows(path, touched_by_route, &scope);
}

static void function_changed(struct slow_path *path, const struct function *function)
{
    struct scope scope = {.vni = function->vpc->setting.vni,
                          .prefixes = function->setting.addresses,
                          .prefix_count = function->setting.address_count,
                          .function = function->setting.id};
    slow_path_drop_flows(path, touched_by_function, &scope);
}

size_t slow_path_flush(struct slow_path *path, uint32_t vni)
{
    struct scope scope = {.vni = vni};
    return slow_path_drop_flows(path, in_scope, &scope);
}

int slow_path_port_set(struct slow_path *path, const struct net_port *port, struct cipu_error *error)
{
    int status = tables_port_set(&path->tables, port, error);
    if (status != 0)
        return status;
    neighbour_forget(path, 0, port->id);
    slow_path_flush(path, 0);
    write_port(path, &path->tables.ports[port->id]);
    return 0;
}

int slow_path_vpc_remove(struct slow_path *path, const char *name, struct cipu_error *error)
{
    const struct vpc *vpc = tables_vpc_by_name(&path->tables, name);
    if (vpc && vpc->functions == 0 && vpc->routes == 0) {
        slow_path_flush(path, vpc->setting.vni);
        neighbour_forget(path, vpc->setting.vni, 0);
    }
    return tables_vpc_remove(&path->tables, name, error);
}

int slow_path_function_add(struct slow_path *path, const struct net_function *function, struct cipu_error *error)
{
    int status = tables_function_add(&path->tables, function, error);
    if (status == 0)
        function_changed(path, tables_function(&path->tables, function->id));
    return status;
}

int slow_path_function_remove(struct slow_path *path, unsigned id, struct cipu_error *error)
{
    const struct function *function = tables_function(&path->tables, id);
    if (function)
        function_changed(path, function);
    return tables_function_remove(&path->tables, id, error);
}

int slow_path_route_add(struct slow_path *path, const struct net_route *route, struct cipu_error *error)
{
    int status = tables_route_add(&path->tables, route, error);
    if (status == 0)
        route_changed(path, route->vpc, &route->prefix);
    return status;
}

int slow_path_route_remove(struct slow_path *path, const char *vpc, const struct net_address *prefix,
                           struct cipu_error *error)
{
    int status = tables_route_remove(&path->tables, vpc, prefix, error);
    if (status == 0)
        route_changed(path, vpc, prefix);
    return status;
}
