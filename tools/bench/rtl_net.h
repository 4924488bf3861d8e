/* SPDX-License-Identifier: Apache-2.0 */
/* A load of packets (tools/bench/net_load.h) through Verilated modules, cycle by cycle, and where it can run. */
#ifndef CIPU_BENCH_RTL_NET_H
#define CIPU_BENCH_RTL_NET_H

#include <stdbool.h>

#include "tools/bench/net_load.h"

/* `each` packets of each size from `first` to `last`, as fast as they are taken, behind `lead` ones of the last: a
 * window of three beats is there later than one of a single beat, and that is latency, not a bubble. */
struct net_run {
    enum net_kind kind;
    uint32_t first, last;
    unsigned each, lead;
    unsigned total, made, gone; /* packets */
    uint64_t *entered, *left;   /* by packet: the cycles in which its first beat entered and its last one left */
    uint8_t frame[NET_FRAME_MAX];
};

void net_run_open(struct net_run *run, enum net_kind kind, uint32_t first, uint32_t last, unsigned each, unsigned lead);
void net_run_close(struct net_run *run);
uint32_t net_run_length(const struct net_run *run, unsigned packet);

/* The next frame, which enters in this cycle, and its length; NULL = there is none. Valid until the next call. */
const uint8_t *net_run_next(struct net_run *run, uint64_t cycle, uint32_t *length);
/* A frame has left; stops the program when it is not as it should be. */
void net_run_take(struct net_run *run, uint64_t cycle, uint32_t length);

/* Where a run can take place. Each call of `step` is a cycle. */
struct net_place {
    const char *name;
    void (*step)(struct net_place *place);
    struct net_run *run; /* NULL = nothing enters */
    uint64_t cycle;
    void *state;
};

void net_place_run(struct net_place *place, struct net_run *run);

/* split to rewrite, as tools/bench/chain.cfg joins them; on the rtl card's engine. The tables are filled. */
void rtl_chain_open(struct net_place *place);
void rtl_chain_close(struct net_place *place);

/* The same graph as one model, with the card memory's module beside it. */
void rtl_one_open(struct net_place *place);
void rtl_one_close(struct net_place *place);

/* The whole card, from port to port. The tables are filled. */
void rtl_whole_open(struct net_place *place);
void rtl_whole_close(struct net_place *place);
/* In the next cycle every module is evaluated, whether it has anything to do or not. */
void rtl_whole_wake(struct net_place *place);

/* Stops the program. */
__attribute__((noreturn, format(printf, 1, 2))) void rtl_net_fail(const char *format, ...);

#endif
