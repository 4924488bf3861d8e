/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was configured: ports, VPCs, functions, routes, and the look-ups the slow path needs. Every look-up is by VPC,
 * so VPCs with the same addresses never mix. One owner, no locks; pointers hold until the next change.
 */
#ifndef CIPU_NET_TABLES_H
#define CIPU_NET_TABLES_H

#include "hls/include/beat.h"
#include "runtime/net/prefix_map.h"

#define NET_VPCS_MAX    PREFIX_SCOPES
#define NET_MTU_DEFAULT 1500u
#define NET_MTU_MIN     576u /* RFC 791: what every host must accept */
#define NET_MTU_MAX     (PACKET_BYTES_MAX - 18u)
/* Outer headers less the inner Ethernet header that the inner MTU does not count: 14 + 20 + 8 + 8, 14 + 40 + 8 + 8. */
#define NET_OVERHEAD_IPV4 50u
#define NET_OVERHEAD_IPV6 70u

struct vpc {
    struct net_vpc setting;
    bool used;
    unsigned index; /* scope in the prefix maps */
    unsigned functions, routes;
    unsigned neighbours; /* counted by neighbour.c */
};

struct function {
    struct net_function setting;
    bool used;
    struct vpc *vpc;
};

struct tables {
    struct net_port ports[CARD_PORTS];
    bool port_used[CARD_PORTS];
    struct vpc *vpcs;           /* NET_VPCS_MAX */
    unsigned vpc_limit;         /* no VPC in use at or above this index */
    struct function *functions; /* CARD_FUNCTIONS */
    struct net_route *routes;
    size_t route_limit, route_capacity;
    uint32_t *route_free;
    size_t route_free_count;
    struct prefix_map route_map;    /* VPC, prefix -> index in routes */
    struct prefix_map local_map;    /* VPC, prefix -> function */
    struct prefix_map endpoint_map; /* VPC, tunnel endpoint -> number of routes that name it */
};

int tables_create(struct tables *tables, uint32_t seed);
void tables_destroy(struct tables *tables);

int tables_port_set(struct tables *tables, const struct net_port *port, struct cipu_error *error);
int tables_vpc_add(struct tables *tables, const struct net_vpc *vpc, struct cipu_error *error);
int tables_vpc_remove(struct tables *tables, const char *name, struct cipu_error *error);
int tables_function_add(struct tables *tables, const struct net_function *function, struct cipu_error *error);
int tables_function_remove(struct tables *tables, unsigned id, struct cipu_error *error);
int tables_route_add(struct tables *tables, const struct net_route *route, struct cipu_error *error);
int tables_route_remove(struct tables *tables, const char *vpc, const struct net_address *prefix,
                        struct cipu_error *error);

struct vpc *tables_vpc_by_name(const struct tables *tables, const char *name);
struct vpc *tables_vpc_by_vni(const struct tables *tables, uint32_t vni);
const struct function *tables_function(const struct tables *tables, unsigned id);

/* What serves an address of a VPC: a local function, or a route, whichever has the longer prefix (the function if they
 * are equal); at most one is not NULL. */
struct destination {
    const struct function *function;
    const struct net_route *route;
};
struct destination tables_find(const struct tables *tables, const struct vpc *vpc, const struct net_address *address);
bool tables_is_gateway(const struct vpc *vpc, const struct net_address *address);
/* The gateway of that family, of the subnet that holds `near` if there is one. */
const struct net_address *tables_gateway(const struct vpc *vpc, const struct net_address *near);
bool tables_is_endpoint(const struct tables *tables, const struct vpc *vpc, const struct net_address *endpoint);
bool tables_may_send_from(const struct function *function, const struct net_address *source);

/* The uplink that reaches a tunnel endpoint, and the next hop on it; NULL if none does. */
const struct net_port *tables_uplink(const struct tables *tables, const struct net_address *endpoint,
                                     struct net_address *next_hop);
/* The port's own address of that family; family 0 if it has none. */
const struct net_address *tables_port_address(const struct net_port *port, uint8_t family);
/* The access port that stands for the function; NULL if it is a virtual device's. */
const struct net_port *tables_access_port(const struct tables *tables, unsigned function);

/* The largest inner packet of a VPC: its own setting, or what fits every uplink. */
unsigned tables_vpc_mtu(const struct tables *tables, const struct vpc *vpc);
static inline unsigned net_tunnel_overhead(uint8_t family)
{
    return family == 4 ? NET_OVERHEAD_IPV4 : NET_OVERHEAD_IPV6;
}

#endif
