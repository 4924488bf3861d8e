/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which MAC: next hops of tunnel endpoints on an uplink, and hosts behind a tunnel to which the VPC's gateway
 * routes (when their route names no MAC). Resolved by ARP or ND; packets wait in bounded queues. A neighbour that flows
 * use is asked again every NEIGHBOUR_REACHABLE_MS; when it moves its flows follow, when it is silent they are removed.
 */
#ifndef CIPU_NET_NEIGHBOUR_H
#define CIPU_NET_NEIGHBOUR_H

#include "driver/host.h"
#include "hls/include/beat.h"
#include "runtime/net/address.h"

struct slow_path;

/* Room for what the tenants of all functions may ask for, and 256 next hops. */
#define NEIGHBOURS_MAX         (CARD_FUNCTIONS * NEIGHBOURS_PER_VPC)
#define NEIGHBOURS_PER_VPC     256u /* a VPC's tenants decide which hosts are asked for */
#define NEIGHBOUR_WAITING_MAX  4u   /* packets per neighbour; the oldest goes first */
#define NEIGHBOUR_RETRY_MS     1000u
#define NEIGHBOUR_TRIES        3u
#define NEIGHBOUR_REACHABLE_MS 30000u

struct neighbour_key {
    uint32_t vni;              /* 0: a neighbour on an uplink */
    uint32_t port;             /* of the uplink; 0 behind a tunnel */
    struct net_address remote; /* the tunnel's endpoint; none on an uplink */
    struct net_address address;
};

enum neighbour_state { NEIGHBOUR_NONE = 0, NEIGHBOUR_ASKED, NEIGHBOUR_KNOWN, NEIGHBOUR_PROBED };

/* A packet that waits: one that was punted and is decided again, or, with a VNI, a frame for a tunnel. */
struct waiting_packet {
    struct waiting_packet *next;
    uint32_t vni;
    struct net_address remote;
    struct packet_entry entry; /* with length */
    uint8_t data[];
};

struct neighbour {
    struct neighbour_key key;
    uint8_t state; /* enum neighbour_state */
    uint8_t mac[6];
    uint32_t tries;
    uint64_t due;  /* ms: what comes next comes then */
    uint64_t used; /* ms: last asked for */
    struct waiting_packet *waiting;
    uint32_t waiting_count;
    uint32_t chain; /* next of the same hash: index + 1; 0 = none */
};

struct neighbour_table {
    struct neighbour *entries; /* NEIGHBOURS_MAX */
    uint32_t heads[NEIGHBOURS_MAX];
    uint32_t unused[NEIGHBOURS_MAX]; /* entries below limit that are free */
    uint32_t unused_count;
    uint32_t limit; /* no entry at or above it was ever used */
    uint32_t count;
    uint32_t seed;
    uint64_t next_due; /* ms: no neighbour is due before */
};

int neighbour_table_create(struct neighbour_table *table, uint32_t seed);
void neighbour_table_destroy(struct neighbour_table *table);

/* The MAC, or NULL when it is not known yet: then it is being asked for, and packets may wait. */
const uint8_t *neighbour_resolve(struct slow_path *path, const struct neighbour_key *key);

/* Queues a copy of the packet until the neighbour answers; counts it as dropped when it cannot wait. */
void neighbour_wait(struct slow_path *path, const struct neighbour_key *key, uint32_t vni,
                    const struct net_address *remote, const struct packet_entry *entry, const uint8_t *data);

/* Someone says that the neighbour has this MAC. Only neighbours that were asked for are learnt. */
void neighbour_learn(struct slow_path *path, const struct neighbour_key *key, const uint8_t mac[6]);

/* Retries, probes, expiry. */
void neighbour_tick(struct slow_path *path);
/* ms until neighbour_tick has something to do; -1 if never. */
int64_t neighbour_next(const struct slow_path *path);

/* Forgets all neighbours on an uplink (vni 0) or of a VPC; packets that wait are dropped. */
void neighbour_forget(struct slow_path *path, uint32_t vni, uint32_t port);

#endif
