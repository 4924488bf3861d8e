/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/prefix_map.h"

#include <errno.h>
#include <stdlib.h>

#define CAPACITY_MIN 64u

int prefix_map_create(struct prefix_map *map, uint32_t seed)
{
    *map = (struct prefix_map){.capacity = CAPACITY_MIN, .seed = seed};
    map->slots = calloc(CAPACITY_MIN, sizeof *map->slots);
    map->lengths = calloc(PREFIX_SCOPES, sizeof *map->lengths);
    if (map->slots && map->lengths)
        return 0;
    prefix_map_destroy(map);
    return -ENOMEM;
}

void prefix_map_destroy(struct prefix_map *map)
{
    free(map->slots);
    free(map->lengths);
    *map = (struct prefix_map){.slots = NULL};
}

static uint32_t *length_counter(const struct prefix_map *map, unsigned scope, const struct net_address *prefix)
{
    return &map->lengths[scope][(prefix->family == 4 ? 0u : 33u) + prefix->prefix];
}

/* Keys come partly from guests' packets: the card's seeded hash serves here too. */
static size_t home_slot(const struct prefix_map *map, unsigned scope, const struct net_address *prefix)
{
    struct flow_key key = {.domain = scope, .kind = prefix->family, .protocol = prefix->prefix};
    memcpy(key.source, prefix->bytes, net_address_bytes(prefix->family));
    return flow_hash(&key, map->seed).bucket & (map->capacity - 1);
}

static bool slot_is(const struct prefix_slot *slot, unsigned scope, const struct net_address *prefix)
{
    return slot->scope == scope && slot->prefix.prefix == prefix->prefix &&
           net_address_same_host(&slot->prefix, prefix);
}

/* The slot that holds the prefix, or the empty one where it belongs. */
static struct prefix_slot *find(const struct prefix_map *map, unsigned scope, const struct net_address *prefix)
{
    size_t index = home_slot(map, scope, prefix);
    while (map->slots[index].prefix.family != 0 && !slot_is(&map->slots[index], scope, prefix))
        index = (index + 1) & (map->capacity - 1);
    return &map->slots[index];
}

static int grow(struct prefix_map *map)
{
    struct prefix_map larger = *map;
    larger.capacity = 2 * map->capacity;
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].prefix.family != 0)
            *find(&larger, map->slots[i].scope, &map->slots[i].prefix) = map->slots[i];
    }
    free(map->slots);
    *map = larger;
    return 0;
}

int prefix_map_add(struct prefix_map *map, unsigned scope, const struct net_address *prefix, uint32_t value)
{
    if (2 * (map->count + 1) > map->capacity && grow(map) != 0)
        return -ENOMEM;
    struct prefix_slot *slot = find(map, scope, prefix);
    if (slot->prefix.family != 0)
        return -EEXIST;
    *slot = (struct prefix_slot){.prefix = *prefix, .scope = (uint16_t)scope, .value = value};
    map->count++;
    ++*length_counter(map, scope, prefix);
    return 0;
}

int prefix_map_remove(struct prefix_map *map, unsigned scope, const struct net_address *prefix)
{
    struct prefix_slot *slot = find(map, scope, prefix);
    if (slot->prefix.family == 0)
        return -ENOENT;
    map->count--;
    --*length_counter(map, scope, prefix);
    /* Close the gap: move back every later slot of the run whose home is not beyond the gap. */
    size_t gap = (size_t)(slot - map->slots), mask = map->capacity - 1;
    for (size_t next = (gap + 1) & mask; map->slots[next].prefix.family != 0; next = (next + 1) & mask) {
        size_t home = home_slot(map, map->slots[next].scope, &map->slots[next].prefix);
        if (((next - home) & mask) >= ((next - gap) & mask)) {
            map->slots[gap] = map->slots[next];
            gap = next;
        }
    }
    map->slots[gap] = (struct prefix_slot){.value = 0};
    return 0;
}

uint32_t *prefix_map_exact(const struct prefix_map *map, unsigned scope, const struct net_address *prefix)
{
    struct prefix_slot *slot = find(map, scope, prefix);
    return slot->prefix.family != 0 ? &slot->value : NULL;
}

const struct prefix_slot *prefix_map_longest(const struct prefix_map *map, unsigned scope,
                                             const struct net_address *address)
{
    for (unsigned left = net_address_bits(address->family) + 1; left > 0; left--) {
        struct net_address prefix = {.family = address->family, .prefix = (uint8_t)(left - 1)};
        if (*length_counter(map, scope, &prefix) == 0)
            continue;
        prefix = net_address_masked(address, left - 1);
        const struct prefix_slot *slot = find(map, scope, &prefix);
        if (slot->prefix.family != 0)
            return slot;
    }
    return NULL;
}
