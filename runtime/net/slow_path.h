/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow path: what becomes of a packet for which the card has no flow. Everything here runs under one lock, with
 * time passed in, so that it can be tested without a thread.
 */
#ifndef CIPU_NET_SLOW_PATH_H
#define CIPU_NET_SLOW_PATH_H

#include "runtime/net/flow_table.h"
#include "runtime/net/frame.h"
#include "runtime/net/neighbour.h"
#include "runtime/net/rate_limit.h"
#include "runtime/net/tables.h"

struct slow_path {
    uint64_t now; /* ms, monotonic; set by the caller */
    uint64_t flow_idle_ms;
    uint64_t last_sweep;
    struct tables tables;
    struct port_setting port_settings[CARD_PORTS]; /* as the card has them */
    struct action_table actions;
    struct flow_table flows;
    struct neighbour_table neighbours;
    struct rate_limit error_limit[FLOW_OWNERS]; /* ICMP errors, ARP and ND passed on; by who caused them */
    struct rate_limit echo_limit[FLOW_OWNERS];
    struct rate_limit underlay_limit;
    struct net_statistics statistics;
    struct outbox outbox;
};

/* Where a packet came from, and so where answers go. */
struct origin {
    const struct function *function; /* sent by a function; else by the network */
    const struct vpc *vpc;           /* NULL: the underlay itself */
    const struct net_port *port;     /* not by a function: the uplink */
    struct net_address remote;       /* through a tunnel: its other end */
    uint8_t outer_ecn;
};

int slow_path_create(struct cipu_host *host, uint32_t seed, uint64_t flow_idle_ms, struct slow_path **path);
void slow_path_destroy(struct slow_path *path);

/* Changes of the configuration; they remove the flows that used what is gone. The rest of the tables' functions serve
 * as they are: a new VPC changes nothing for packets. */
int slow_path_port_set(struct slow_path *path, const struct net_port *port, struct cipu_error *error);
int slow_path_vpc_remove(struct slow_path *path, const char *name, struct cipu_error *error);
int slow_path_function_add(struct slow_path *path, const struct net_function *function, struct cipu_error *error);
int slow_path_function_remove(struct slow_path *path, unsigned id, struct cipu_error *error);
int slow_path_route_add(struct slow_path *path, const struct net_route *route, struct cipu_error *error);
int slow_path_route_remove(struct slow_path *path, const char *vpc, const struct net_address *prefix,
                           struct cipu_error *error);
/* Removes the flows of a VPC, 0 = all; returns how many. */
size_t slow_path_flush(struct slow_path *path, uint32_t vni);

/* Decides one punted packet. What it wants of the card is in the outbox until outbox_flush. */
void slow_path_packet(struct slow_path *path, const struct packet_entry *entry, const uint8_t *data);
/* Sweeps flows, neighbours; repairs the card's tables after a failed command. Flushes. */
void slow_path_tick(struct slow_path *path);
/* ms until the next slow_path_tick; -1 if nothing is pending. */
int64_t slow_path_next_tick(const struct slow_path *path);

/* ---- used among the parts of the slow path ---- */

/* Sends a complete frame to where a packet came from. */
void slow_path_answer(struct slow_path *path, const struct origin *origin, const uint8_t *frame, size_t length);
void slow_path_to_function(struct slow_path *path, const struct function *function, const uint8_t *frame,
                           size_t length);
void slow_path_to_tunnel(struct slow_path *path, const struct vpc *vpc, const struct net_address *remote,
                         const uint8_t *frame, size_t length);
void slow_path_to_port(struct slow_path *path, const struct net_port *port, const uint8_t *frame, size_t length);
/* A packet that waited can go on. */
void slow_path_resume(struct slow_path *path, const struct waiting_packet *packet);

struct rate_limit *slow_path_limit(struct slow_path *path, struct rate_limit limits[FLOW_OWNERS],
                                   const struct origin *origin);

/* responder.c: ARP and neighbour discovery. */
void responder_handle(struct slow_path *path, const struct origin *origin, const struct frame *frame);

/* icmp.c */
enum icmp_error { ICMP_NO_ROUTE, ICMP_TIME_EXCEEDED, ICMP_TOO_BIG };
void icmp_send_error(struct slow_path *path, const struct origin *origin, const struct frame *frame,
                     enum icmp_error error, unsigned mtu);
/* Answers an echo request for our own address (of `mac`); false if the packet is none. */
bool icmp_answer_echo(struct slow_path *path, const struct origin *origin, const struct frame *frame,
                      const uint8_t mac[6]);

/* fragment.c: cuts an IPv4 packet (RFC 791 section 3.2). `congestion`: mark the fragments CE. */
typedef void (*fragment_handler)(void *context, const uint8_t *frame, size_t length);
void fragment_ipv4(const struct frame *frame, unsigned mtu, bool congestion, fragment_handler handler, void *context);

size_t slow_path_drop_flows(struct slow_path *path, flow_predicate unwanted, const void *context);

#endif
