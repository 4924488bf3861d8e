/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int tables_create(struct tables *tables, uint32_t seed)
{
    *tables = (struct tables){.vpc_limit = 0};
    tables->vpcs = calloc(NET_VPCS_MAX, sizeof *tables->vpcs);
    tables->functions = calloc(CARD_FUNCTIONS, sizeof *tables->functions);
    if (tables->vpcs && tables->functions && prefix_map_create(&tables->route_map, seed) == 0 &&
        prefix_map_create(&tables->local_map, seed) == 0 && prefix_map_create(&tables->endpoint_map, seed) == 0)
        return 0;
    tables_destroy(tables);
    return -ENOMEM;
}

void tables_destroy(struct tables *tables)
{
    prefix_map_destroy(&tables->route_map);
    prefix_map_destroy(&tables->local_map);
    prefix_map_destroy(&tables->endpoint_map);
    free(tables->vpcs);
    free(tables->functions);
    free(tables->routes);
    free(tables->route_free);
    *tables = (struct tables){.vpc_limit = 0};
}

static int check_name(const char name[NET_NAME_BYTES], const char *what, struct cipu_error *error)
{
    if (name[0] != 0 && memchr(name, 0, NET_NAME_BYTES))
        return 0;
    return cipu_fail(error, -EINVAL, "%s: expected a name of 1 to %d characters", what, NET_NAME_BYTES - 1);
}

static int check_mac(const uint8_t mac[6], const char *what, struct cipu_error *error)
{
    if (net_mac_unicast(mac))
        return 0;
    char text[18];
    net_mac_format(mac, text);
    return cipu_fail(error, -EINVAL, "%s: MAC %s: expected a unicast address", what, text);
}

/* One host's address: unicast. */
static int check_host(const struct net_address *address, const char *what, struct cipu_error *error)
{
    if ((address->family == 4 || address->family == 6) && address->prefix <= net_address_bits(address->family) &&
        net_address_unicast(address))
        return 0;
    char text[64];
    net_address_format(address, false, text, sizeof text);
    return cipu_fail(error, -EINVAL, "%s: address %s: expected a unicast address", what, text);
}

static int check_prefix(const struct net_address *prefix, const char *what, struct cipu_error *error)
{
    if ((prefix->family != 4 && prefix->family != 6) || prefix->prefix > net_address_bits(prefix->family))
        return cipu_fail(error, -EINVAL, "%s: expected an IPv4 or IPv6 prefix", what);
    struct net_address masked = net_address_masked(prefix, prefix->prefix);
    if (net_address_same_host(&masked, prefix))
        return 0;
    char text[64], expected[64];
    net_address_format(prefix, true, text, sizeof text);
    net_address_format(&masked, true, expected, sizeof expected);
    return cipu_fail(error, -EINVAL, "%s: %s has bits set beyond its prefix: expected %s or a single address", what,
                     text, expected);
}

static int check_mtu(unsigned mtu, const char *what, struct cipu_error *error)
{
    if (mtu >= NET_MTU_MIN && mtu <= NET_MTU_MAX)
        return 0;
    return cipu_fail(error, -EINVAL, "%s: MTU %u: expected %u to %u", what, mtu, NET_MTU_MIN, NET_MTU_MAX);
}

static int check_next_hop(const struct net_address *gateway, const struct net_address *own, unsigned port,
                          struct cipu_error *error)
{
    if (gateway->family == 0)
        return 0;
    if (gateway->family == own->family && net_address_contains(own, gateway) && !net_address_same_host(own, gateway))
        return 0;
    char text[64];
    net_address_format(gateway, false, text, sizeof text);
    return cipu_fail(error, -EINVAL, "port %u: gateway %s: expected another host of the port's own prefix", port, text);
}

static int check_uplink(const struct net_port *port, struct cipu_error *error)
{
    char what[32];
    snprintf(what, sizeof what, "port %u", port->id);
    int status = check_mac(port->mac, what, error);
    if (status == 0 && port->ipv4.family != 0)
        status = port->ipv4.family == 4 ? check_host(&port->ipv4, what, error)
                                        : cipu_fail(error, -EINVAL, "%s: ipv4: expected an IPv4 address", what);
    if (status == 0 && port->ipv6.family != 0)
        status = port->ipv6.family == 6 ? check_host(&port->ipv6, what, error)
                                        : cipu_fail(error, -EINVAL, "%s: ipv6: expected an IPv6 address", what);
    if (status == 0)
        status = check_next_hop(&port->gateway4, &port->ipv4, port->id, error);
    if (status == 0)
        status = check_next_hop(&port->gateway6, &port->ipv6, port->id, error);
    return status == 0 ? check_mtu(port->mtu, what, error) : status;
}

int tables_port_set(struct tables *tables, const struct net_port *port, struct cipu_error *error)
{
    if (port->id >= CARD_PORTS)
        return cipu_fail(error, -EINVAL, "port %u: expected 0 to %u", port->id, CARD_PORTS - 1);
    struct net_port setting = *port;
    if (setting.mtu == 0)
        setting.mtu = NET_MTU_DEFAULT;
    int status = 0;
    if (setting.uplink)
        status = check_uplink(&setting, error);
    else if (setting.function >= FUNCTION_HOST)
        status = cipu_fail(error, -EINVAL, "port %u: function %u: expected 0 to %u", port->id, setting.function,
                           FUNCTION_HOST - 1);
    for (unsigned i = 0; status == 0 && !setting.uplink && i < CARD_PORTS; i++) {
        if (i != port->id && tables->port_used[i] && !tables->ports[i].uplink &&
            tables->ports[i].function == setting.function)
            status =
                cipu_fail(error, -EEXIST, "port %u: function %u already has port %u", port->id, setting.function, i);
    }
    if (status != 0)
        return status;
    tables->ports[port->id] = setting;
    tables->port_used[port->id] = true;
    return 0;
}

static int check_gateways(const struct net_vpc *vpc, struct cipu_error *error)
{
    if (vpc->gateway_count > NET_GATEWAYS)
        return cipu_fail(error, -EINVAL, "VPC %s: %u gateways: expected at most %d", vpc->name, vpc->gateway_count,
                         NET_GATEWAYS);
    for (unsigned i = 0; i < vpc->gateway_count; i++) {
        int status = check_host(&vpc->gateways[i], vpc->name, error);
        if (status != 0)
            return status;
    }
    return 0;
}

int tables_vpc_add(struct tables *tables, const struct net_vpc *vpc, struct cipu_error *error)
{
    int status = check_name(vpc->name, "VPC", error);
    if (status == 0 && (vpc->vni == 0 || vpc->vni > 0xffffff))
        status = cipu_fail(error, -EINVAL, "VPC %s: VNI %u: expected 1 to 16777215", vpc->name, vpc->vni);
    if (status == 0)
        status = check_mac(vpc->mac, vpc->name, error);
    if (status == 0)
        status = check_gateways(vpc, error);
    if (status == 0 && vpc->mtu != 0)
        status = check_mtu(vpc->mtu, vpc->name, error);
    if (status != 0)
        return status;
    if (tables_vpc_by_name(tables, vpc->name))
        return cipu_fail(error, -EEXIST, "VPC %s exists", vpc->name);
    const struct vpc *same = tables_vpc_by_vni(tables, vpc->vni);
    if (same)
        return cipu_fail(error, -EEXIST, "VPC %s: VNI %u is the VNI of VPC %s", vpc->name, vpc->vni,
                         same->setting.name);
    for (unsigned i = 0; i < NET_VPCS_MAX; i++) {
        if (tables->vpcs[i].used)
            continue;
        tables->vpcs[i] = (struct vpc){.setting = *vpc, .used = true, .index = i};
        if (tables->vpc_limit <= i)
            tables->vpc_limit = i + 1;
        return 0;
    }
    return cipu_fail(error, -ENOSPC, "VPC %s: there are already %u VPCs", vpc->name, NET_VPCS_MAX);
}

static struct vpc *find_vpc(const struct tables *tables, const char *name, struct cipu_error *error)
{
    struct vpc *vpc = tables_vpc_by_name(tables, name);
    if (!vpc)
        cipu_fail(error, -ENOENT, "there is no VPC %.63s", name);
    return vpc;
}

int tables_vpc_remove(struct tables *tables, const char *name, struct cipu_error *error)
{
    struct vpc *vpc = find_vpc(tables, name, error);
    if (!vpc)
        return -ENOENT;
    if (vpc->functions != 0 || vpc->routes != 0)
        return cipu_fail(error, -EBUSY, "VPC %s still has %u functions and %u routes", name, vpc->functions,
                         vpc->routes);
    vpc->used = false;
    return 0;
}

static int check_function(const struct tables *tables, const struct net_function *function, const struct vpc *vpc,
                          struct cipu_error *error)
{
    if (function->address_count > NET_ADDRESSES)
        return cipu_fail(error, -EINVAL, "function %s: %u addresses: expected at most %d", function->name,
                         function->address_count, NET_ADDRESSES);
    if (memcmp(function->mac, vpc->setting.mac, 6) == 0)
        return cipu_fail(error, -EEXIST, "function %s: its MAC is that of the gateway of VPC %s", function->name,
                         vpc->setting.name);
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct function *other = &tables->functions[i];
        if (!other->used)
            continue;
        if (strcmp(other->setting.name, function->name) == 0)
            return cipu_fail(error, -EEXIST, "function %s exists with id %u", function->name, i);
        if (other->vpc == vpc && memcmp(other->setting.mac, function->mac, 6) == 0)
            return cipu_fail(error, -EEXIST, "function %s: its MAC is that of function %s", function->name,
                             other->setting.name);
    }
    for (unsigned i = 0; i < function->address_count; i++) {
        int status = check_prefix(&function->addresses[i], function->name, error);
        if (status != 0)
            return status;
        for (unsigned j = 0; j < vpc->setting.gateway_count; j++) {
            if (net_address_same_host(&function->addresses[i], &vpc->setting.gateways[j]))
                return cipu_fail(error, -EEXIST, "function %s: one of its addresses is a gateway of VPC %s",
                                 function->name, vpc->setting.name);
        }
    }
    return 0;
}

static void remove_local(struct tables *tables, const struct vpc *vpc, const struct net_function *function,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        prefix_map_remove(&tables->local_map, vpc->index, &function->addresses[i]);
}

int tables_function_add(struct tables *tables, const struct net_function *function, struct cipu_error *error)
{
    if (function->id >= FUNCTION_HOST)
        return cipu_fail(error, -EINVAL, "function %u: expected an id of 0 to %u", function->id, FUNCTION_HOST - 1);
    if (tables->functions[function->id].used)
        return cipu_fail(error, -EEXIST, "function %u exists", function->id);
    int status = check_name(function->name, "function", error);
    if (status == 0)
        status = check_name(function->vpc, "function's VPC", error);
    if (status == 0)
        status = check_mac(function->mac, function->name, error);
    if (status != 0)
        return status;
    struct vpc *vpc = find_vpc(tables, function->vpc, error);
    if (!vpc)
        return -ENOENT;
    status = check_function(tables, function, vpc, error);
    if (status != 0)
        return status;
    for (unsigned i = 0; i < function->address_count; i++) {
        status = prefix_map_add(&tables->local_map, vpc->index, &function->addresses[i], function->id);
        if (status == 0)
            continue;
        remove_local(tables, vpc, function, i);
        char text[64];
        net_address_format(&function->addresses[i], true, text, sizeof text);
        return cipu_fail(error, status, "function %s: address %s: %s", function->name, text,
                         status == -EEXIST ? "already in use in its VPC" : "out of memory");
    }
    tables->functions[function->id] = (struct function){.setting = *function, .used = true, .vpc = vpc};
    vpc->functions++;
    return 0;
}

int tables_function_remove(struct tables *tables, unsigned id, struct cipu_error *error)
{
    if (id >= CARD_FUNCTIONS || !tables->functions[id].used)
        return cipu_fail(error, -ENOENT, "there is no function %u", id);
    struct function *function = &tables->functions[id];
    remove_local(tables, function->vpc, &function->setting, function->setting.address_count);
    function->vpc->functions--;
    *function = (struct function){.used = false};
    return 0;
}

static int route_slot(struct tables *tables, uint32_t *index)
{
    if (tables->route_free_count > 0) {
        *index = tables->route_free[--tables->route_free_count];
        return 0;
    }
    if (tables->route_limit == tables->route_capacity) {
        size_t capacity = tables->route_capacity ? 2 * tables->route_capacity : 64;
        struct net_route *routes = realloc(tables->routes, capacity * sizeof *routes);
        if (!routes)
            return -ENOMEM;
        tables->routes = routes;
        uint32_t *unused = realloc(tables->route_free, capacity * sizeof *unused);
        if (!unused)
            return -ENOMEM;
        tables->route_free = unused;
        tables->route_capacity = capacity;
    }
    *index = (uint32_t)tables->route_limit++;
    return 0;
}

static void route_slot_free(struct tables *tables, uint32_t index)
{
    tables->routes[index].prefix.family = 0;
    tables->route_free[tables->route_free_count++] = index;
}

static int endpoint_add(struct tables *tables, const struct vpc *vpc, const struct net_address *endpoint)
{
    uint32_t *uses = prefix_map_exact(&tables->endpoint_map, vpc->index, endpoint);
    if (!uses)
        return prefix_map_add(&tables->endpoint_map, vpc->index, endpoint, 1);
    ++*uses;
    return 0;
}

static void endpoint_remove(struct tables *tables, const struct vpc *vpc, const struct net_address *endpoint)
{
    uint32_t *uses = prefix_map_exact(&tables->endpoint_map, vpc->index, endpoint);
    if (uses && --*uses == 0)
        prefix_map_remove(&tables->endpoint_map, vpc->index, endpoint);
}

static int insert_route(struct tables *tables, struct vpc *vpc, const struct net_route *route)
{
    uint32_t index;
    int status = route_slot(tables, &index);
    if (status != 0)
        return status;
    status = prefix_map_add(&tables->route_map, vpc->index, &route->prefix, index);
    if (status == 0) {
        status = endpoint_add(tables, vpc, &route->remote);
        if (status != 0)
            prefix_map_remove(&tables->route_map, vpc->index, &route->prefix);
    }
    if (status != 0) {
        route_slot_free(tables, index);
        return status;
    }
    tables->routes[index] = *route;
    vpc->routes++;
    return 0;
}

int tables_route_add(struct tables *tables, const struct net_route *route, struct cipu_error *error)
{
    int status = check_name(route->vpc, "route's VPC", error);
    if (status != 0)
        return status;
    struct vpc *vpc = find_vpc(tables, route->vpc, error);
    if (!vpc)
        return -ENOENT;
    status = check_prefix(&route->prefix, "route", error);
    if (status == 0)
        status = check_host(&route->remote, "route's tunnel endpoint", error);
    if (status == 0 && route->has_mac)
        status = check_mac(route->mac, "route", error);
    if (status != 0)
        return status;
    struct net_route setting = *route;
    setting.remote = net_address_of(route->remote.family, route->remote.bytes);
    status = insert_route(tables, vpc, &setting);
    if (status == 0)
        return 0;
    char text[64];
    net_address_format(&route->prefix, true, text, sizeof text);
    return cipu_fail(error, status, "route %s of VPC %s: %s", text, route->vpc,
                     status == -EEXIST ? "exists" : "out of memory");
}

int tables_route_remove(struct tables *tables, const char *name, const struct net_address *prefix,
                        struct cipu_error *error)
{
    struct vpc *vpc = find_vpc(tables, name, error);
    if (!vpc)
        return -ENOENT;
    int status = check_prefix(prefix, "route", error);
    if (status != 0)
        return status;
    const uint32_t *value = prefix_map_exact(&tables->route_map, vpc->index, prefix);
    if (!value) {
        char text[64];
        net_address_format(prefix, true, text, sizeof text);
        return cipu_fail(error, -ENOENT, "VPC %s has no route %s", name, text);
    }
    uint32_t index = *value;
    prefix_map_remove(&tables->route_map, vpc->index, prefix);
    endpoint_remove(tables, vpc, &tables->routes[index].remote);
    route_slot_free(tables, index);
    vpc->routes--;
    return 0;
}
