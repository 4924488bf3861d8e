/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from (scope, prefix) to a number with longest-prefix match: a hash table, and per scope and family a count of
 * the entries of each prefix length, so that a lookup hashes once for each length in use. One owner, no locks.
 */
#ifndef CIPU_NET_PREFIX_MAP_H
#define CIPU_NET_PREFIX_MAP_H

#include "runtime/net/address.h"

#define PREFIX_SCOPES 1024u /* VPCs */

struct prefix_slot {
    struct net_address prefix; /* family 0: empty */
    uint16_t scope;
    uint32_t value;
};

struct prefix_map {
    struct prefix_slot *slots; /* open addressing, linear probing */
    size_t capacity;           /* power of two */
    size_t count;
    uint32_t seed;
    uint32_t (*lengths)[33 + 129]; /* [scope][IPv4 length, or 33 + IPv6 length] */
};

int prefix_map_create(struct prefix_map *map, uint32_t seed); /* 0, -ENOMEM */
void prefix_map_destroy(struct prefix_map *map);

/* The prefix's host bits must be zero. -EEXIST, -ENOMEM. */
int prefix_map_add(struct prefix_map *map, unsigned scope, const struct net_address *prefix, uint32_t value);
int prefix_map_remove(struct prefix_map *map, unsigned scope, const struct net_address *prefix); /* -ENOENT */

/* The value of exactly this prefix (writable until the map changes), NULL if there is none. */
uint32_t *prefix_map_exact(const struct prefix_map *map, unsigned scope, const struct net_address *prefix);
/* The entry of the longest prefix that contains the address, NULL if there is none. */
const struct prefix_slot *prefix_map_longest(const struct prefix_map *map, unsigned scope,
                                             const struct net_address *address);

#endif
