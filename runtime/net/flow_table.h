/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement of flows in the card's table (hls/include/flow.h). The host keeps a mirror of the buckets; a look-up goes
 * through it as the card's does. A flow that finds its bucket full, or its tag taken there, is refused: its packets go
 * on one by one. Order of writes: entry, then way; removal: way, after which the entry is free (commands and packets
 * are in one order).
 */
#ifndef CIPU_NET_FLOW_TABLE_H
#define CIPU_NET_FLOW_TABLE_H

#include "runtime/net/action_table.h"

/* Who caused flows: a function, or a VPC's tunnel side. One of them holds at most a quarter of the table. */
#define FLOW_OWNERS      (CARD_FUNCTIONS + 1024u)
#define FLOW_OWNER_MAX   (FLOW_ENTRIES / 4)
#define FLOW_NO_FUNCTION 0xffffu

struct flow_owner {
    uint16_t owner;    /* function, or CARD_FUNCTIONS + index of the VPC */
    uint16_t function; /* where its packets go if that is a local function, else FLOW_NO_FUNCTION */
    uint32_t vni;
};

struct flow {
    struct flow_key key;
    uint32_t action; /* held */
    struct flow_owner owner;
    uint32_t card_packets; /* as last read */
    uint64_t card_bytes;
    uint64_t packets, bytes; /* counted by the card until last read, and by the host */
    uint64_t active;         /* ms: when a packet was last seen */
    uint8_t way;
    bool used;
};

struct flow_table {
    struct flow *flows;          /* FLOW_ENTRIES, by entry index */
    struct flow_bucket *buckets; /* the mirror */
    uint32_t *unused;            /* entries below limit that are free */
    uint32_t unused_count;
    uint32_t limit; /* no entry at or above it was ever used */
    uint32_t count;
    uint32_t cursor; /* of the sweep */
    uint32_t seed;
    uint32_t owned[FLOW_OWNERS];
};

int flow_table_create(struct flow_table *table, uint32_t seed);
void flow_table_destroy(struct flow_table *table);

struct flow *flow_table_find(const struct flow_table *table, const struct flow_key *key);
static inline uint32_t flow_index(const struct flow_table *table, const struct flow *flow)
{
    return (uint32_t)(flow - table->flows);
}

/* Takes over the reference to the action when it succeeds. -EEXIST; -ENOSPC: refused. */
int flow_table_add(struct flow_table *table, struct outbox *outbox, uint64_t now, const struct flow_key *key,
                   uint32_t action, const struct flow_owner *owner, struct flow **flow);
void flow_table_remove(struct flow_table *table, struct action_table *actions, struct outbox *outbox, uint64_t now,
                       struct flow *flow);

/* Removes the flows for which `unwanted` is true; returns how many. */
typedef bool (*flow_predicate)(const struct flow *flow, const void *context);
size_t flow_table_remove_if(struct flow_table *table, struct action_table *actions, struct outbox *outbox, uint64_t now,
                            flow_predicate unwanted, const void *context);

/* Reads the counters of the used entries among first .. first + count - 1. 0 or a negative errno of the command. */
int flow_table_read(struct flow_table *table, struct outbox *outbox, uint64_t now, uint32_t first, uint32_t count);
/* Reads the counters of the next `budget` entries and removes the flows that were idle for idle_ms; returns how many.
 */
size_t flow_table_sweep(struct flow_table *table, struct action_table *actions, struct outbox *outbox, uint64_t now,
                        uint32_t budget, uint64_t idle_ms);

#endif
