/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's search trees do the balancing: ranges that overlap compare as equal, so a lookup finds any overlap.
 */
#include "runtime/device/interval_map.h"

#include <errno.h>
#include <search.h>

static int compare(const void *left, const void *right)
{
    const struct interval *a = left, *b = right;
    return a->last < b->first ? -1 : a->first > b->last;
}

bool interval_make(uint64_t first, uint64_t length, struct interval *interval)
{
    interval->first = first;
    interval->last = first + (length - 1);
    return length > 0 && interval->last >= first;
}

int interval_map_insert(struct interval_map *map, struct interval *interval)
{
    struct interval **node = tsearch(interval, &map->root, compare);
    if (!node)
        return -ENOMEM;
    if (*node != interval)
        return -EEXIST;
    map->count++;
    return 0;
}

void interval_map_remove(struct interval_map *map, struct interval *interval)
{
    if (tdelete(interval, &map->root, compare))
        map->count--;
}

struct interval *interval_map_overlap(const struct interval_map *map, const struct interval *range)
{
    struct interval **node = tfind(range, &map->root, compare);
    return node ? *node : NULL;
}

struct interval *interval_map_find(const struct interval_map *map, uint64_t address)
{
    return interval_map_overlap(map, &(struct interval){address, address});
}

static void keep(void *interval)
{
    (void)interval;
}

void interval_map_clear(struct interval_map *map, void (*release)(void *interval))
{
    tdestroy(map->root, release ? release : keep);
    map->root = NULL;
    map->count = 0;
}

struct visit {
    void (*call)(struct interval *interval, void *context);
    void *context;
};

static void visit_node(const void *node, VISIT order, void *closure)
{
    const struct visit *visit = closure;
    if (order == postorder || order == leaf)
        visit->call(*(struct interval *const *)node, visit->context);
}

void interval_map_each(const struct interval_map *map, void (*visit)(struct interval *interval, void *context),
                       void *context)
{
    twalk_r(map->root, visit_node, &(struct visit){visit, context});
}
