/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/neighbour.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/net/slow_path.h"

int neighbour_table_create(struct neighbour_table *table, uint32_t seed)
{
    *table = (struct neighbour_table){.seed = seed, .next_due = UINT64_MAX};
    table->entries = calloc(NEIGHBOURS_MAX, sizeof *table->entries);
    return table->entries ? 0 : -ENOMEM;
}

/* Returns how many there were. */
static uint32_t free_waiting(struct neighbour *neighbour)
{
    uint32_t count = neighbour->waiting_count;
    while (neighbour->waiting) {
        struct waiting_packet *next = neighbour->waiting->next;
        free(neighbour->waiting);
        neighbour->waiting = next;
    }
    neighbour->waiting_count = 0;
    return count;
}

void neighbour_table_destroy(struct neighbour_table *table)
{
    for (uint32_t i = 0; i < table->limit; i++)
        free_waiting(&table->entries[i]);
    free(table->entries);
    *table = (struct neighbour_table){.entries = NULL};
}

static bool same_address(const struct net_address *left, const struct net_address *right)
{
    return left->family == right->family && (left->family == 0 || net_address_same_host(left, right));
}

static bool same_key(const struct neighbour_key *left, const struct neighbour_key *right)
{
    return left->vni == right->vni && left->port == right->port && same_address(&left->remote, &right->remote) &&
           same_address(&left->address, &right->address);
}

static uint32_t *hash_head(struct neighbour_table *table, const struct neighbour_key *key)
{
    struct flow_key mixed = {.domain = key->vni << 2 ^ key->port, .kind = key->address.family};
    memcpy(mixed.source, key->remote.bytes, key->remote.family == 0 ? 0 : net_address_bytes(key->remote.family));
    memcpy(mixed.destination, key->address.bytes, net_address_bytes(key->address.family));
    return &table->heads[flow_hash(&mixed, table->seed).bucket % NEIGHBOURS_MAX];
}

static struct neighbour *find(struct neighbour_table *table, const struct neighbour_key *key)
{
    uint32_t index = *hash_head(table, key);
    while (index != 0 && !same_key(&table->entries[index - 1].key, key))
        index = table->entries[index - 1].chain;
    return index != 0 ? &table->entries[index - 1] : NULL;
}

static void unlink_entry(struct neighbour_table *table, struct neighbour *neighbour)
{
    uint32_t own = (uint32_t)(neighbour - table->entries) + 1;
    uint32_t *link = hash_head(table, &neighbour->key);
    while (*link != own)
        link = &table->entries[*link - 1].chain;
    *link = neighbour->chain;
}

static void remove_entry(struct slow_path *path, struct neighbour *neighbour)
{
    path->statistics.dropped_unresolved += free_waiting(neighbour);
    struct neighbour_table *table = &path->neighbours;
    struct vpc *vpc = neighbour->key.vni != 0 ? tables_vpc_by_vni(&path->tables, neighbour->key.vni) : NULL;
    if (vpc)
        vpc->neighbours--;
    unlink_entry(table, neighbour);
    *neighbour = (struct neighbour){.state = NEIGHBOUR_NONE};
    table->count--;
    table->unused[table->unused_count++] = (uint32_t)(neighbour - table->entries);
}

static struct neighbour *create(struct slow_path *path, const struct neighbour_key *key)
{
    struct neighbour_table *table = &path->neighbours;
    struct vpc *vpc = key->vni != 0 ? tables_vpc_by_vni(&path->tables, key->vni) : NULL;
    if (table->count == NEIGHBOURS_MAX || (vpc && vpc->neighbours == NEIGHBOURS_PER_VPC))
        return NULL;
    uint32_t index = table->unused_count > 0 ? table->unused[--table->unused_count] : table->limit++;
    uint32_t *head = hash_head(table, key);
    table->entries[index] = (struct neighbour){.key = *key, .state = NEIGHBOUR_ASKED, .chain = *head};
    *head = index + 1;
    table->count++;
    if (vpc)
        vpc->neighbours++;
    return &table->entries[index];
}

static void solicit(struct slow_path *path, const struct neighbour *neighbour)
{
    uint8_t frame[FRAME_NEIGHBOUR_BYTES];
    const struct neighbour_key *key = &neighbour->key;
    const uint8_t *to_mac = neighbour->state == NEIGHBOUR_PROBED ? neighbour->mac : NULL;
    if (key->vni == 0) {
        const struct net_port *port = &path->tables.ports[key->port];
        const struct net_address *own = tables_port_address(port, key->address.family);
        size_t bytes = frame_put_solicitation(frame, port->mac, own, &key->address, to_mac);
        slow_path_to_port(path, port, frame, bytes);
        return;
    }
    const struct vpc *vpc = tables_vpc_by_vni(&path->tables, key->vni);
    const struct net_address *gateway = vpc ? tables_gateway(vpc, &key->address) : NULL;
    if (!gateway)
        return;
    size_t bytes = frame_put_solicitation(frame, vpc->setting.mac, gateway, &key->address, to_mac);
    slow_path_to_tunnel(path, vpc, &key->remote, frame, bytes);
}

static void set_due(struct slow_path *path, struct neighbour *neighbour, uint64_t wait)
{
    neighbour->due = path->now + wait;
    if (neighbour->due < path->neighbours.next_due)
        path->neighbours.next_due = neighbour->due;
}

static void ask(struct slow_path *path, struct neighbour *neighbour, enum neighbour_state state)
{
    neighbour->state = (uint8_t)state;
    neighbour->tries++;
    set_due(path, neighbour, NEIGHBOUR_RETRY_MS);
    solicit(path, neighbour);
}

const uint8_t *neighbour_resolve(struct slow_path *path, const struct neighbour_key *key)
{
    struct neighbour *neighbour = find(&path->neighbours, key);
    if (!neighbour) {
        neighbour = create(path, key);
        if (neighbour) {
            neighbour->used = path->now;
            ask(path, neighbour, NEIGHBOUR_ASKED);
        }
        return NULL;
    }
    neighbour->used = path->now;
    return neighbour->state == NEIGHBOUR_ASKED ? NULL : neighbour->mac;
}

void neighbour_wait(struct slow_path *path, const struct neighbour_key *key, uint32_t vni,
                    const struct net_address *remote, const struct packet_entry *entry, const uint8_t *data)
{
    struct neighbour *neighbour = find(&path->neighbours, key);
    struct waiting_packet *packet = neighbour ? malloc(sizeof *packet + entry->length) : NULL;
    if (!packet) {
        path->statistics.dropped_unresolved++;
        return;
    }
    if (neighbour->waiting_count == NEIGHBOUR_WAITING_MAX) {
        struct waiting_packet *oldest = neighbour->waiting;
        neighbour->waiting = oldest->next;
        free(oldest);
        neighbour->waiting_count--;
        path->statistics.dropped_unresolved++;
    }
    packet->next = NULL;
    packet->vni = vni;
    packet->remote = remote ? *remote : (struct net_address){.family = 0};
    packet->entry = *entry;
    memcpy(packet->data, data, entry->length);
    struct waiting_packet **link = &neighbour->waiting;
    while (*link)
        link = &(*link)->next;
    *link = packet;
    neighbour->waiting_count++;
}

/* ---- flows that use a neighbour ---- */

static bool action_uses(const struct slow_path *path, const struct action *action, const struct neighbour *neighbour)
{
    if (action->kind != ACTION_ENCAPSULATE_IPV4 && action->kind != ACTION_ENCAPSULATE_IPV6)
        return false;
    const struct neighbour_key *key = &neighbour->key;
    struct net_address remote = net_address_from_wide(action->kind == ACTION_ENCAPSULATE_IPV4 ? 4 : 6, action->remote);
    if (key->vni != 0)
        return action->vni == key->vni && same_address(&remote, &key->remote) &&
               memcmp(action->destination_mac, neighbour->mac, 6) == 0;
    struct net_address next_hop;
    return action->destination_id == key->port && remote.family == key->address.family &&
           tables_uplink(&path->tables, &remote, &next_hop) && net_address_same_host(&next_hop, &key->address);
}

static bool in_use(const struct slow_path *path, const struct neighbour *neighbour)
{
    for (uint32_t i = 1; i < path->actions.limit; i++) {
        const struct action_line *line = &path->actions.lines[i];
        if (line->references > 0 && action_uses(path, &line->action, neighbour))
            return true;
    }
    return false;
}

struct dependants {
    const struct slow_path *path;
    const struct neighbour *neighbour;
};

static bool flow_depends(const struct flow *flow, const void *context)
{
    const struct dependants *dependants = context;
    const struct neighbour_key *key = &dependants->neighbour->key;
    if (key->vni != 0) {
        struct net_address destination =
            net_address_from_wide(flow->key.kind == FLOW_IPV4 ? 4 : 6, flow->key.destination);
        return flow->owner.vni == key->vni && same_address(&destination, &key->address);
    }
    return action_uses(dependants->path, &dependants->path->actions.lines[flow->action].action, dependants->neighbour);
}

static void remove_flows(struct slow_path *path, const struct neighbour *neighbour)
{
    struct dependants dependants = {path, neighbour};
    slow_path_drop_flows(path, flow_depends, &dependants);
}

/* A next hop's new MAC goes into the action lines in place; behind a tunnel the flows are decided anew. */
static void moved(struct slow_path *path, const struct neighbour *neighbour, const uint8_t mac[6])
{
    if (neighbour->key.vni != 0) {
        remove_flows(path, neighbour);
        return;
    }
    for (uint32_t i = 1; i < path->actions.limit; i++) {
        struct action action = path->actions.lines[i].action;
        if (path->actions.lines[i].references == 0 || !action_uses(path, &action, neighbour))
            continue;
        memcpy(action.outer_destination_mac, mac, 6);
        action_change(&path->actions, &path->outbox, i, &action);
    }
}

void neighbour_learn(struct slow_path *path, const struct neighbour_key *key, const uint8_t mac[6])
{
    struct neighbour *neighbour = find(&path->neighbours, key);
    if (!neighbour || !net_mac_unicast(mac))
        return;
    if (neighbour->state != NEIGHBOUR_ASKED && memcmp(neighbour->mac, mac, 6) != 0)
        moved(path, neighbour, mac);
    memcpy(neighbour->mac, mac, 6);
    neighbour->state = NEIGHBOUR_KNOWN;
    neighbour->tries = 0;
    set_due(path, neighbour, NEIGHBOUR_REACHABLE_MS);
    struct waiting_packet *packet = neighbour->waiting;
    neighbour->waiting = NULL;
    neighbour->waiting_count = 0;
    while (packet) {
        struct waiting_packet *next = packet->next;
        slow_path_resume(path, packet);
        free(packet);
        packet = next;
    }
}

static void step(struct slow_path *path, struct neighbour *neighbour)
{
    if (neighbour->state == NEIGHBOUR_KNOWN) {
        bool recent = path->now - neighbour->used < NEIGHBOUR_REACHABLE_MS;
        if (recent || in_use(path, neighbour))
            ask(path, neighbour, NEIGHBOUR_PROBED);
        else
            remove_entry(path, neighbour);
    } else if (neighbour->tries < NEIGHBOUR_TRIES) {
        ask(path, neighbour, neighbour->state);
    } else {
        if (neighbour->state == NEIGHBOUR_PROBED)
            remove_flows(path, neighbour);
        remove_entry(path, neighbour);
    }
}

void neighbour_tick(struct slow_path *path)
{
    struct neighbour_table *table = &path->neighbours;
    if (path->now < table->next_due)
        return;
    table->next_due = UINT64_MAX;
    for (uint32_t i = 0; i < table->limit; i++) {
        struct neighbour *neighbour = &table->entries[i];
        if (neighbour->state != NEIGHBOUR_NONE && neighbour->due <= path->now)
            step(path, neighbour);
        if (neighbour->state != NEIGHBOUR_NONE && neighbour->due < table->next_due)
            table->next_due = neighbour->due;
    }
}

int64_t neighbour_next(const struct slow_path *path)
{
    uint64_t due = path->neighbours.next_due;
    if (path->neighbours.count == 0)
        return -1;
    return due > path->now ? (int64_t)(due - path->now) : 0;
}

void neighbour_forget(struct slow_path *path, uint32_t vni, uint32_t port)
{
    for (uint32_t i = 0; i < path->neighbours.limit; i++) {
        struct neighbour *neighbour = &path->neighbours.entries[i];
        if (neighbour->state != NEIGHBOUR_NONE && neighbour->key.vni == vni && neighbour->key.port == port)
            remove_entry(path, neighbour);
    }
}
