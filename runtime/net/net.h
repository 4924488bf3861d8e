/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The overlay network's control plane: ports, VPCs, functions and routes, and the slow path that decides the first
 * packet of each flow, answers ARP, neighbour discovery and ICMP, and installs flows in the card.
 *
 * Threads: the slow path runs on a thread of its own from net_create to net_destroy. All functions may be called from
 * any thread; none blocks longer than a card command takes. Strings and structures are copied. Errors: negative errno;
 * `error` (may be NULL) says what was found and what was expected.
 */
#ifndef CIPU_NET_H
#define CIPU_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/host.h"
#include "hls/include/beat.h"
#include "hls/include/flow.h"

struct net;

#define NET_NAME_BYTES 64
#define NET_GATEWAYS   4
#define NET_ADDRESSES  16

struct net_address {
    uint8_t family;    /* 4, 6; 0 = none */
    uint8_t prefix;    /* bits */
    uint8_t bytes[16]; /* IPv4: the first 4 */
};

/* "10.0.0.1", "10.0.0.0/8", "fd00::1/64"; without a prefix: 32 or 128. */
int net_address_parse(const char *text, struct net_address *address, struct cipu_error *error);
void net_address_format(const struct net_address *address, bool with_prefix, char *text, size_t bytes);
int net_mac_parse(const char *text, uint8_t mac[6], struct cipu_error *error);
void net_mac_format(const uint8_t mac[6], char text[18]);

struct net_port {
    unsigned id;
    bool uplink;       /* else an access port that stands for `function` */
    unsigned function; /* access only */
    uint8_t mac[6];
    struct net_address ipv4, ipv6;         /* tunnel endpoints, with the underlay's prefix */
    struct net_address gateway4, gateway6; /* next hop for endpoints off that prefix */
    unsigned mtu;                          /* of the underlay, IP packet bytes; default 1500 */
};

struct net_vpc {
    char name[NET_NAME_BYTES];
    uint32_t vni;                              /* 1 .. 16777215, unique */
    uint8_t mac[6];                            /* of the gateway */
    struct net_address gateways[NET_GATEWAYS]; /* with prefix = the VPC's subnets */
    unsigned gateway_count;
    unsigned mtu; /* largest inner packet; 0 = what fits the uplink's MTU */
};

struct net_function {
    unsigned id; /* 0 .. CARD_FUNCTIONS - 2 */
    char name[NET_NAME_BYTES];
    char vpc[NET_NAME_BYTES];
    uint8_t mac[6];
    struct net_address addresses[NET_ADDRESSES]; /* what it may send from and is reached at */
    unsigned address_count;
};

struct net_route {
    char vpc[NET_NAME_BYTES];
    struct net_address prefix;
    struct net_address remote; /* the tunnel endpoint that serves it */
    bool has_mac;
    uint8_t mac[6]; /* destination MAC of routed inner frames; for a host route also the answer to ARP and ND */
};

struct net_flow {
    uint32_t index;
    struct flow_key key;
    struct action action;
    uint64_t packets, bytes;
    uint32_t idle_ms;
};

struct net_statistics {
    uint64_t flows, flows_installed, flows_expired, flows_refused;
    uint64_t misses, arp_answered, nd_answered, icmp_sent, dropped_no_route, dropped_spoofed, dropped_unresolved,
        dropped_other;
    uint64_t neighbours;
};

struct net_settings {
    uint32_t flow_idle_ms; /* a flow unused for this long is removed; 0 = 60000 */
};

int net_create(struct cipu_card *card, struct cipu_host *host, const struct net_settings *settings, struct net **net,
               struct cipu_error *error);
void net_destroy(struct net *net);

int net_port_set(struct net *net, const struct net_port *port, struct cipu_error *error);
int net_vpc_add(struct net *net, const struct net_vpc *vpc, struct cipu_error *error); /* -EEXIST, -EINVAL */
int net_vpc_remove(struct net *net, const char *name, struct cipu_error *error);       /* -ENOENT, -EBUSY */
int net_function_add(struct net *net, const struct net_function *function, struct cipu_error *error);
int net_function_remove(struct net *net, unsigned id, struct cipu_error *error);
int net_route_add(struct net *net, const struct net_route *route, struct cipu_error *error);
int net_route_remove(struct net *net, const char *vpc, const struct net_address *prefix, struct cipu_error *error);

/* The largest packet that a function of the VPC may send (for the device's MTU); negative errno. */
int net_vpc_mtu(struct net *net, const char *name);

/* Lists: call visit for each, stop when it returns false. The visitor must not call net. */
void net_each_port(struct net *net, bool (*visit)(void *context, const struct net_port *port), void *context);
void net_each_vpc(struct net *net, bool (*visit)(void *context, const struct net_vpc *vpc), void *context);
void net_each_function(struct net *net, bool (*visit)(void *context, const struct net_function *function),
                       void *context);
void net_each_route(struct net *net, bool (*visit)(void *context, const struct net_route *route), void *context);
/* Flows with counters read from the card, at most `limit` of them (0 = all). */
int net_each_flow(struct net *net, size_t limit, bool (*visit)(void *context, const struct net_flow *flow),
                  void *context);
int net_flow_flush(struct net *net, const char *vpc); /* NULL = all; returns how many */

void net_statistics(struct net *net, struct net_statistics *statistics);
/* The card's counter enum statistic: packets and bytes. */
int net_card_statistic(struct net *net, unsigned index, uint64_t *packets, uint64_t *bytes);

/* Packets of a function (ENDPOINT_FUNCTION) or port (ENDPOINT_PORT) for the slow path that found no room in its ring,
 * as far as the card told: with the source's next packet. */
uint32_t net_punts_dropped(struct net *net, enum endpoint source, unsigned id);

/* Events of the card (stopped queues, dropped packets) are handed to this handler on the slow path's thread. */
void net_on_event(struct net *net, cipu_event_handler handler, void *context);

#endif
