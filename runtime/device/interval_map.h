/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A balanced tree of address ranges that do not overlap. Ranges may end at 2^64. Each range is embedded in the owner's
 * structure as its first member. Not thread-safe.
 */
#ifndef CIPU_INTERVAL_MAP_H
#define CIPU_INTERVAL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
    uint64_t first;
    uint64_t last; /* inclusive, >= first */
};

struct interval_map {
    void *root;
    size_t count;
};

/* True and *interval set when length > 0 and first + length <= 2^64. */
bool interval_make(uint64_t first, uint64_t length, struct interval *interval);

/* -EEXIST when it overlaps, -ENOMEM. The map does not own the interval. */
int interval_map_insert(struct interval_map *map, struct interval *interval);
void interval_map_remove(struct interval_map *map, struct interval *interval);

/* Any interval that overlaps `range`, or NULL. */
struct interval *interval_map_overlap(const struct interval_map *map, const struct interval *range);

/* The one that holds `address`, or NULL. */
struct interval *interval_map_find(const struct interval_map *map, uint64_t address);

/* Calls release for each interval and empties the map. */
void interval_map_clear(struct interval_map *map, void (*release)(void *interval));

/* In ascending order. The visitor must not change the map. */
void interval_map_each(const struct interval_map *map, void (*visit)(struct interval *interval, void *context),
                       void *context);

#endif
