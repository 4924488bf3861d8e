/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card's action lines, shared by everything that wants the same action and counted. A line that nobody holds stays
 * valid (and may be taken up again) until it is reused, at the earliest ACTION_REST_MS later: packets that were sent to
 * the card with its index overtake no command, but a command may overtake them.
 */
#ifndef CIPU_NET_ACTION_TABLE_H
#define CIPU_NET_ACTION_TABLE_H

#include "hls/include/flow.h"
#include "runtime/net/outbox.h"

#define ACTION_REST_MS 2000u

struct action_line {
    struct action action;
    uint32_t references;
    uint32_t chain;        /* next line of the same hash; 0 = none */
    uint32_t newer, older; /* neighbours in the list of resting lines; 0 = none */
    uint64_t released;     /* ms */
};

struct action_table {
    struct action_line *lines; /* FLOW_ACTIONS; line 0 is never used */
    uint32_t *heads;           /* by hash */
    uint32_t limit;            /* no line at or above it was ever used */
    uint32_t oldest, newest;   /* resting lines */
    uint32_t seed;
};

int action_table_create(struct action_table *table, uint32_t seed);
void action_table_destroy(struct action_table *table);

/* Finds or writes the action and holds it. -ENOSPC when all lines are held or resting. */
int action_acquire(struct action_table *table, struct outbox *outbox, uint64_t now, const struct action *action,
                   uint32_t *index);
void action_hold(struct action_table *table, uint32_t index); /* one more reference to a held line */
void action_release(struct action_table *table, uint64_t now, uint32_t index);
/* Changes a line, held or resting, for all who use it. */
void action_change(struct action_table *table, struct outbox *outbox, uint32_t index, const struct action *action);
/* Forgets all lines: after this each action is written anew before it is used. */
void action_table_forget(struct action_table *table);

#endif
