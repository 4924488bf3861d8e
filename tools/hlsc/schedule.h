/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a design into the stages of a pipeline that takes an activation every `interval` cycles.
 *
 *   state   A register is read in one stage and written at that stage's end, at most interval - 1 stages later.
 *   RAM     A port's address is in stage s, its word in s + 1. The write is at most `interval` stages behind the
 * address; where it falls on the edge of another activation's read, that word is forwarded. Or the RAM is guarded: its
 *           addresses are in stage 0, and an activation waits until no earlier one that writes the same word is under
 * way. wait    In stage 0, as are all reads of streams. output  Pushed into a FIFO in the stage where both record and
 * decision are there.
 *
 * Wires (slices, concatenations, constants) take no time and have no stage: what is carried from stage to stage is the
 * bits of the nodes behind them.
 */
#ifndef CIPU_HLSC_SCHEDULE_H
#define CIPU_HLSC_SCHEDULE_H

#include <stdio.h>

#include "tools/hlsc/delay.h"
#include "tools/hlsc/design.h"

struct schedule_options {
    uint32_t budget;       /* ps for a stage */
    uint32_t loop_budget;  /* ps for what cannot be cut into stages, where `budget` is not enough */
    uint32_t interval_max; /* cycles for an activation, at most */
    uint32_t register_max; /* bits of all registers; more is an error */
};

#define SCHEDULE_UNUSED 0xffffu

struct schedule_register {
    uint32_t read, write; /* stages */
};

struct schedule_ram {
    bool guarded;
    uint32_t address[DESIGN_RAM_READS]; /* stages, by read port */
    uint32_t write;                     /* stage */
};

struct schedule {
    const struct design *design;
    const struct delay_table *delays;
    uint32_t budget, loop_budget; /* ps */
    uint32_t interval;
    uint32_t stages;
    uint32_t node_count; /* of the netlist when it was scheduled */
    uint32_t *stage;     /* by node; of wires: that of their latest source */
    uint32_t *arrival;   /* by node: ps after the clock edge */
    uint8_t *loops;      /* by node: enum loop_flags */
    uint16_t **last;     /* by node, NULL for wires and unused ones: by bit, the last stage that uses it */
    struct schedule_register *registers;
    struct schedule_ram *rams;
    uint32_t *push;         /* stages, by stream; outputs */
    net_id longest;         /* the node that is ready last within its stage */
    uint32_t pipeline_bits; /* carried between stages */
    uint32_t state_bits;
};

static inline bool schedule_is_wire(const struct net_node *node)
{
    return node->op == NET_SLICE || node->op == NET_CONCAT || node->op == NET_CONSTANT;
}

/* Fills `schedule`, which schedule_free empties. The design is narrowed and balanced on the way. Returns 0, or -1
 * when the design does not fit: then the reason has been written to `messages`, with the paths that are too long. */
int schedule_design(struct schedule *schedule, struct design *design, const struct delay_table *delays,
                    const struct schedule_options *options, FILE *messages);
void schedule_free(struct schedule *schedule);

/* A node that is no wire, used anywhere. */
static inline bool schedule_is_source(const struct schedule *schedule, net_id id)
{
    return schedule->last[id] != NULL;
}

/* What a node has to be ready by. */
static inline uint32_t schedule_budget(const struct schedule *schedule, net_id id)
{
    return schedule->loops[id] != 0 ? schedule->loop_budget : schedule->budget;
}

/* The stage up to which a source needs no copy: its own, of state the one in which it is written. */
uint32_t schedule_settled(const struct schedule *schedule, net_id id);

/* The longest path to a node within its stage, one line of text an operation. */
void schedule_print_path(const struct schedule *schedule, net_id end, FILE *messages);

#endif
