/* SPDX-License-Identifier: Apache-2.0 */
/* The look-ups of the tables. */
#include "runtime/net/tables.h"

struct vpc *tables_vpc_by_name(const struct tables *tables, const char *name)
{
    for (unsigned i = 0; i < tables->vpc_limit; i++) {
        if (tables->vpcs[i].used && strcmp(tables->vpcs[i].setting.name, name) == 0)
            return &tables->vpcs[i];
    }
    return NULL;
}

struct vpc *tables_vpc_by_vni(const struct tables *tables, uint32_t vni)
{
    for (unsigned i = 0; i < tables->vpc_limit; i++) {
        if (tables->vpcs[i].used && tables->vpcs[i].setting.vni == vni)
            return &tables->vpcs[i];
    }
    return NULL;
}

const struct function *tables_function(const struct tables *tables, unsigned id)
{
    return id < CARD_FUNCTIONS && tables->functions[id].used ? &tables->functions[id] : NULL;
}

struct destination tables_find(const struct tables *tables, const struct vpc *vpc, const struct net_address *address)
{
    const struct prefix_slot *local = prefix_map_longest(&tables->local_map, vpc->index, address);
    const struct prefix_slot *route = prefix_map_longest(&tables->route_map, vpc->index, address);
    if (local && (!route || local->prefix.prefix >= route->prefix.prefix))
        return (struct destination){.function = tables_function(tables, local->value)};
    return (struct destination){.route = route ? &tables->routes[route->value] : NULL};
}

bool tables_is_gateway(const struct vpc *vpc, const struct net_address *address)
{
    for (unsigned i = 0; i < vpc->setting.gateway_count; i++) {
        if (net_address_same_host(&vpc->setting.gateways[i], address))
            return true;
    }
    return false;
}

const struct net_address *tables_gateway(const struct vpc *vpc, const struct net_address *near)
{
    const struct net_address *found = NULL;
    for (unsigned i = 0; i < vpc->setting.gateway_count; i++) {
        const struct net_address *gateway = &vpc->setting.gateways[i];
        if (net_address_contains(gateway, near))
            return gateway;
        if (gateway->family == near->family && !found)
            found = gateway;
    }
    return found;
}

bool tables_is_endpoint(const struct tables *tables, const struct vpc *vpc, const struct net_address *endpoint)
{
    return prefix_map_exact(&tables->endpoint_map, vpc->index, endpoint) != NULL;
}

bool tables_may_send_from(const struct function *function, const struct net_address *source)
{
    for (unsigned i = 0; i < function->setting.address_count; i++) {
        if (net_address_contains(&function->setting.addresses[i], source))
            return true;
    }
    return false;
}

const struct net_address *tables_port_address(const struct net_port *port, uint8_t family)
{
    return family == 4 ? &port->ipv4 : &port->ipv6;
}

const struct net_port *tables_uplink(const struct tables *tables, const struct net_address *endpoint,
                                     struct net_address *next_hop)
{
    const struct net_port *by_gateway = NULL;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        const struct net_port *port = &tables->ports[i];
        if (!tables->port_used[i] || !port->uplink)
            continue;
        const struct net_address *own = tables_port_address(port, endpoint->family);
        if (own->family == 0 || net_address_same_host(own, endpoint))
            continue;
        if (net_address_contains(own, endpoint)) {
            *next_hop = *endpoint;
            return port;
        }
        const struct net_address *gateway = endpoint->family == 4 ? &port->gateway4 : &port->gateway6;
        if (gateway->family != 0 && !by_gateway) {
            by_gateway = port;
            *next_hop = net_address_of(gateway->family, gateway->bytes);
        }
    }
    return by_gateway;
}

const struct net_port *tables_access_port(const struct tables *tables, unsigned function)
{
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        if (tables->port_used[i] && !tables->ports[i].uplink && tables->ports[i].function == function)
            return &tables->ports[i];
    }
    return NULL;
}

unsigned tables_vpc_mtu(const struct tables *tables, const struct vpc *vpc)
{
    if (vpc->setting.mtu != 0)
        return vpc->setting.mtu;
    unsigned smallest = 0;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        const struct net_port *port = &tables->ports[i];
        if (!tables->port_used[i] || !port->uplink)
            continue;
        unsigned fits = port->mtu - net_tunnel_overhead(port->ipv6.family != 0 ? 6 : 4);
        if (smallest == 0 || fits < smallest)
            smallest = fits;
    }
    return smallest != 0 ? smallest : NET_MTU_DEFAULT;
}
