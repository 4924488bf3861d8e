/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long operations take, in picoseconds: rough figures for an FPGA of the UltraScale+ family, wires included. They
 * come from a text file (delays.txt says in which form); the budget for a stage leaves the rest of the clock period to
 * what they do not know.
 */
#ifndef CIPU_HLSC_DELAY_H
#define CIPU_HLSC_DELAY_H

#include "tools/hlsc/net.h"

#define DELAY_BUDGET_DEFAULT 2000u /* ps */

struct delay_row {
    uint32_t fixed, per_bit, per_level; /* ps; levels = log2 of the width, rounded up */
};

struct delay_table {
    struct delay_row rows[NET_OP_COUNT];
    uint32_t clock;       /* register to register: clock to output and setup */
    uint32_t constant;    /* equality with a constant, per level of six bits */
    uint32_t ram_address; /* setup */
    uint32_t bypass;      /* the choice between a RAM's word and one on its way into it */
};

/* Reads a table. Returns 0, or -1 with a message in `error`. */
int delay_read(struct delay_table *table, const char *path, char *error, size_t error_bytes);

/* An operation's or leaf's own delay. */
uint32_t delay_of(const struct delay_table *table, const struct netlist *netlist, net_id id);

#endif
