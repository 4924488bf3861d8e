/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of the chain, a beat at a time: first the commands that fill its tables, then the frames of a run. */
#ifndef CIPU_BENCH_CHAIN_BEAT_H
#define CIPU_BENCH_CHAIN_BEAT_H

#include "tools/bench/rtl_net.h"

struct chain_source {
    struct command_entry command[NET_COMMANDS_MAX];
    size_t commands, sent; /* commands */
    bool again;            /* the command's second part is next */
    const uint8_t *frame;  /* that is inside; NULL = none */
    uint32_t length, at;
};

struct chain_sink {
    size_t commands; /* that have come out */
    uint32_t length; /* of the packet so far */
    bool in_tail;    /* the next beat is one of rewrite.tail */
};

/* Takes up the commands of the load. */
void chain_source_fill(struct chain_source *source);
/* The next beat; false = there is none in this cycle. */
bool chain_source_beat(struct chain_source *source, struct net_place *place, struct beat *beat);
void chain_sink_beat(struct chain_sink *sink, struct net_place *place, const struct beat *beat);

#endif
