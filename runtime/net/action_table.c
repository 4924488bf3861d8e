/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/action_table.h"

#include <errno.h>
#include <stdlib.h>

int action_table_create(struct action_table *table, uint32_t seed)
{
    *table = (struct action_table){.limit = 1, .seed = seed};
    table->lines = calloc(FLOW_ACTIONS, sizeof *table->lines);
    table->heads = calloc(FLOW_ACTIONS, sizeof *table->heads);
    if (table->lines && table->heads)
        return 0;
    action_table_destroy(table);
    return -ENOMEM;
}

void action_table_destroy(struct action_table *table)
{
    free(table->lines);
    free(table->heads);
    *table = (struct action_table){.lines = NULL};
}

static uint32_t *hash_head(const struct action_table *table, const struct action *action)
{
    struct flow_key key;
    uint32_t rest;
    memcpy(&key, action, sizeof key);
    memcpy(&rest, (const uint8_t *)action + sizeof key, sizeof rest);
    return &table->heads[flow_hash(&key, table->seed ^ rest).bucket % FLOW_ACTIONS];
}

static void chain_insert(struct action_table *table, uint32_t index)
{
    uint32_t *head = hash_head(table, &table->lines[index].action);
    table->lines[index].chain = *head;
    *head = index;
}

static void chain_remove(struct action_table *table, uint32_t index)
{
    uint32_t *link = hash_head(table, &table->lines[index].action);
    while (*link != index)
        link = &table->lines[*link].chain;
    *link = table->lines[index].chain;
}

static void rest_remove(struct action_table *table, struct action_line *line)
{
    *(line->newer ? &table->lines[line->newer].older : &table->newest) = line->older;
    *(line->older ? &table->lines[line->older].newer : &table->oldest) = line->newer;
    line->newer = line->older = 0;
}

static void rest_append(struct action_table *table, uint32_t index)
{
    table->lines[index].older = table->newest;
    *(table->newest ? &table->lines[table->newest].newer : &table->oldest) = index;
    table->newest = index;
}

static uint32_t find(const struct action_table *table, const struct action *action)
{
    uint32_t index = *hash_head(table, action);
    while (index != 0 && memcmp(&table->lines[index].action, action, sizeof *action) != 0)
        index = table->lines[index].chain;
    return index;
}

/* A line to overwrite, out of all lists; 0 if there is none. */
static uint32_t take_line(struct action_table *table, uint64_t now)
{
    uint32_t index = table->oldest;
    if (index != 0 && now - table->lines[index].released >= ACTION_REST_MS) {
        rest_remove(table, &table->lines[index]);
        chain_remove(table, index);
        return index;
    }
    return table->limit < FLOW_ACTIONS ? table->limit++ : 0;
}

int action_acquire(struct action_table *table, struct outbox *outbox, uint64_t now, const struct action *action,
                   uint32_t *index)
{
    uint32_t found = find(table, action);
    if (found == 0) {
        found = take_line(table, now);
        if (found == 0)
            return -ENOSPC;
        table->lines[found] = (struct action_line){.action = *action};
        chain_insert(table, found);
        outbox_command(outbox, COMMAND_ACTION_WRITE, found, 0, action, sizeof *action);
    } else if (table->lines[found].references == 0) {
        rest_remove(table, &table->lines[found]);
    }
    table->lines[found].references++;
    *index = found;
    return 0;
}

void action_hold(struct action_table *table, uint32_t index)
{
    table->lines[index].references++;
}

void action_release(struct action_table *table, uint64_t now, uint32_t index)
{
    struct action_line *line = &table->lines[index];
    if (--line->references > 0)
        return;
    line->released = now;
    rest_append(table, index);
}

void action_change(struct action_table *table, struct outbox *outbox, uint32_t index, const struct action *action)
{
    chain_remove(table, index);
    table->lines[index].action = *action;
    chain_insert(table, index);
    outbox_command(outbox, COMMAND_ACTION_WRITE, index, 0, action, sizeof *action);
}

void action_table_forget(struct action_table *table)
{
    memset(table->lines, 0, table->limit * sizeof *table->lines);
    memset(table->heads, 0, FLOW_ACTIONS * sizeof *table->heads);
    table->limit = 1;
    table->oldest = table->newest = 0;
}
