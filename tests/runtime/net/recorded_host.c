/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/net/recorded_host.h"

#include <errno.h>
#include <stdlib.h>

struct cipu_host *recorded_host_create(void)
{
    struct cipu_host *host = calloc(1, sizeof *host);
    host->buckets = calloc(FLOW_BUCKETS, sizeof *host->buckets);
    host->entries = calloc(FLOW_ENTRIES, sizeof *host->entries);
    host->actions = calloc(FLOW_ACTIONS, sizeof *host->actions);
    host->packets = calloc(RECORDED_PACKETS, sizeof *host->packets);
    return host;
}

void recorded_host_destroy(struct cipu_host *host)
{
    free(host->buckets);
    free(host->entries);
    free(host->actions);
    free(host->packets);
    free(host);
}

struct flow_entry *recorded_host_lookup(struct cipu_host *host, const struct flow_key *key)
{
    struct flow_hash hash = flow_hash(key, host->seed);
    const struct flow_bucket *bucket = &host->buckets[hash.bucket & (FLOW_BUCKETS - 1)];
    for (unsigned i = 0; i < FLOW_WAYS; i++) {
        if (bucket->ways[i].tag != hash.tag)
            continue;
        struct flow_entry *entry = &host->entries[bucket->ways[i].entry];
        return memcmp(&entry->key, key, sizeof *key) == 0 ? entry : NULL;
    }
    return NULL;
}

static void write_flow(struct cipu_host *host, const struct command_entry *command)
{
    struct flow_entry *entry = &host->entries[command->index];
    *entry = (struct flow_entry){.action = 0};
    memcpy(&entry->key, command->data, sizeof entry->key);
    memcpy(&entry->action, command->data + sizeof entry->key, sizeof entry->action);
}

static void write_way(struct cipu_host *host, const struct command_entry *command)
{
    struct flow_way way;
    memcpy(&way, command->data, sizeof way);
    host->buckets[command->index].ways[command->argument] = way;
    if (way.tag == 0)
        return;
    struct flow_hash hash = flow_hash(&host->entries[way.entry].key, host->seed);
    if (hash.tag != way.tag || (hash.bucket & (FLOW_BUCKETS - 1)) != command->index)
        host->out_of_order = true;
}

static bool run(struct cipu_host *host, struct command_entry *command)
{
    switch (command->opcode) {
    case COMMAND_SEED_SET:
        host->seed = command->argument;
        return true;
    case COMMAND_PORT_SET:
        memcpy(&host->ports[command->index], command->data, sizeof host->ports[0]);
        return true;
    case COMMAND_BUCKET_WRITE:
        write_way(host, command);
        return true;
    case COMMAND_FLOW_WRITE:
        write_flow(host, command);
        return true;
    case COMMAND_FLOW_READ:
        memcpy(command->data, (const uint8_t *)&host->entries[command->index] + sizeof(struct flow_key), 20);
        return true;
    case COMMAND_ACTION_WRITE:
        memcpy(&host->actions[command->index], command->data, sizeof host->actions[0]);
        return true;
    default:
        return false;
    }
}

int cipu_host_command(struct cipu_host *host, struct command_entry *commands, size_t count)
{
    int status = host->fail;
    for (size_t i = 0; i < count && status == 0; i++) {
        host->commands++;
        if (!run(host, &commands[i]))
            status = -EIO;
    }
    return status;
}

int cipu_host_inject(struct cipu_host *host, const struct packet_entry *entry, const uint8_t *data)
{
    if (host->ring_full || host->packet_count == RECORDED_PACKETS)
        return -EAGAIN;
    struct recorded_packet *packet = &host->packets[host->packet_count++];
    packet->entry = *entry;
    packet->action = host->actions[entry->action];
    memcpy(packet->data, data, entry->length);
    return 0;
}

bool recorded_host_take(struct cipu_host *host, struct recorded_packet *packet)
{
    if (host->packet_count == 0)
        return false;
    *packet = host->packets[0];
    host->packet_count--;
    memmove(host->packets, host->packets + 1, host->packet_count * sizeof *host->packets);
    return true;
}
