/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/flow_table.h"

#include <errno.h>
#include <stdlib.h>

#define READ_BATCH 256u

int flow_table_create(struct flow_table *table, uint32_t seed)
{
    *table = (struct flow_table){.seed = seed};
    table->flows = calloc(FLOW_ENTRIES, sizeof *table->flows);
    table->buckets = calloc(FLOW_BUCKETS, sizeof *table->buckets);
    table->unused = calloc(FLOW_ENTRIES, sizeof *table->unused);
    if (table->flows && table->buckets && table->unused)
        return 0;
    flow_table_destroy(table);
    return -ENOMEM;
}

void flow_table_destroy(struct flow_table *table)
{
    free(table->flows);
    free(table->buckets);
    free(table->unused);
    *table = (struct flow_table){.flows = NULL};
}

static uint32_t bucket_of(struct flow_hash hash)
{
    return hash.bucket & (FLOW_BUCKETS - 1);
}

static struct flow_way *way_of(const struct flow_table *table, struct flow_hash hash)
{
    struct flow_bucket *bucket = &table->buckets[bucket_of(hash)];
    for (unsigned i = 0; i < FLOW_WAYS; i++) {
        if (bucket->ways[i].tag == hash.tag)
            return &bucket->ways[i];
    }
    return NULL;
}

struct flow *flow_table_find(const struct flow_table *table, const struct flow_key *key)
{
    const struct flow_way *way = way_of(table, flow_hash(key, table->seed));
    if (!way || memcmp(&table->flows[way->entry].key, key, sizeof *key) != 0)
        return NULL;
    return &table->flows[way->entry];
}

static int take_way(const struct flow_table *table, struct flow_hash hash, unsigned *way)
{
    if (way_of(table, hash))
        return -ENOSPC;
    const struct flow_bucket *bucket = &table->buckets[bucket_of(hash)];
    for (*way = 0; *way < FLOW_WAYS; ++*way) {
        if (bucket->ways[*way].tag == 0)
            return 0;
    }
    return -ENOSPC;
}

static void write_way(struct flow_table *table, struct outbox *outbox, uint32_t bucket, unsigned way,
                      struct flow_way value)
{
    table->buckets[bucket].ways[way] = value;
    outbox_command(outbox, COMMAND_BUCKET_WRITE, bucket, way, &value, sizeof value);
}

int flow_table_add(struct flow_table *table, struct outbox *outbox, uint64_t now, const struct flow_key *key,
                   uint32_t action, const struct flow_owner *owner, struct flow **flow)
{
    if (flow_table_find(table, key))
        return -EEXIST;
    struct flow_hash hash = flow_hash(key, table->seed);
    unsigned way;
    if (table->owned[owner->owner] >= FLOW_OWNER_MAX || take_way(table, hash, &way) != 0 ||
        (table->unused_count == 0 && table->limit == FLOW_ENTRIES))
        return -ENOSPC;
    uint32_t index = table->unused_count > 0 ? table->unused[--table->unused_count] : table->limit++;
    struct flow *added = &table->flows[index];
    *added =
        (struct flow){.key = *key, .action = action, .owner = *owner, .active = now, .way = (uint8_t)way, .used = true};
    table->owned[owner->owner]++;
    table->count++;
    uint8_t entry[48];
    memcpy(entry, key, sizeof *key);
    memcpy(entry + sizeof *key, &action, sizeof action);
    outbox_command(outbox, COMMAND_FLOW_WRITE, index, 0, entry, sizeof entry);
    write_way(table, outbox, bucket_of(hash), way, (struct flow_way){.tag = hash.tag, .entry = index});
    *flow = added;
    return 0;
}

void flow_table_remove(struct flow_table *table, struct action_table *actions, struct outbox *outbox, uint64_t now,
                       struct flow *flow)
{
    write_way(table, outbox, bucket_of(flow_hash(&flow->key, table->seed)), flow->way, (struct flow_way){.tag = 0});
    action_release(actions, now, flow->action);
    table->owned[flow->owner.owner]--;
    table->count--;
    flow->used = false;
    table->unused[table->unused_count++] = flow_index(table, flow);
}

size_t flow_table_remove_if(struct flow_table *table, struct action_table *actions, struct outbox *outbox, uint64_t now,
                            flow_predicate unwanted, const void *context)
{
    uint32_t before = table->count;
    for (uint32_t i = 0; i < table->limit && table->count > 0; i++) {
        struct flow *flow = &table->flows[i];
        if (flow->used && unwanted(flow, context))
            flow_table_remove(table, actions, outbox, now, flow);
    }
    return before - table->count;
}

/* The completion holds the entry's last 20 bytes: action, last_seen, packets, bytes. */
static void take_counters(struct flow *flow, const uint8_t data[20], uint64_t now)
{
    uint32_t packets;
    uint64_t bytes;
    memcpy(&packets, data + 8, sizeof packets);
    memcpy(&bytes, data + 12, sizeof bytes);
    uint32_t more = packets - flow->card_packets;
    flow->packets += more;
    flow->bytes += bytes - flow->card_bytes;
    flow->card_packets = packets;
    flow->card_bytes = bytes;
    if (more != 0)
        flow->active = now;
}

static int read_batch(struct flow_table *table, struct outbox *outbox, uint64_t now, struct command_entry *commands,
                      uint32_t count)
{
    uint32_t indices[READ_BATCH];
    for (uint32_t i = 0; i < count; i++)
        indices[i] = commands[i].index;
    int status = outbox_flush(outbox);
    if (status == 0)
        status = cipu_host_command(outbox->host, commands, count);
    for (uint32_t i = 0; i < count && status == 0; i++)
        take_counters(&table->flows[indices[i]], commands[i].data, now);
    return status;
}

int flow_table_read(struct flow_table *table, struct outbox *outbox, uint64_t now, uint32_t first, uint32_t count)
{
    struct command_entry commands[READ_BATCH];
    if (first >= table->limit)
        return 0;
    uint32_t batch = 0, end = table->limit - first < count ? table->limit : first + count;
    for (uint32_t i = first; i < end; i++) {
        if (!table->flows[i].used)
            continue;
        commands[batch++] = (struct command_entry){.opcode = COMMAND_FLOW_READ, .target = TARGET_NET, .index = i};
        if (batch < READ_BATCH)
            continue;
        int status = read_batch(table, outbox, now, commands, batch);
        if (status != 0)
            return status;
        batch = 0;
    }
    return batch > 0 ? read_batch(table, outbox, now, commands, batch) : 0;
}

size_t flow_table_sweep(struct flow_table *table, struct action_table *actions, struct outbox *outbox, uint64_t now,
                        uint32_t budget, uint64_t idle_ms)
{
    size_t removed = 0;
    uint32_t first = table->cursor < table->limit ? table->cursor : 0;
    uint32_t end = table->limit - first < budget ? table->limit : first + budget;
    table->cursor = end;
    if (table->count == 0 || flow_table_read(table, outbox, now, first, end - first) != 0)
        return 0;
    for (uint32_t i = first; i < end; i++) {
        struct flow *flow = &table->flows[i];
        if (!flow->used || now - flow->active < idle_ms)
            continue;
        flow_table_remove(table, actions, outbox, now, flow);
        removed++;
    }
    return removed;
}
