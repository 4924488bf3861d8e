/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network kernels of card.cfg with the test at their ends: packets in, packets out, commands. Packets are cut into
 * beats and put together again; every record that comes out is checked against what beat.h promises.
 */
#ifndef CIPU_TEST_NET_CARD_H
#define CIPU_TEST_NET_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/flow.h"
#include "hls/include/host_ring.h"
#include "tools/bench/graph_run.h"

enum net_input { NET_PORT0, NET_PORT1, NET_FUNCTION, NET_HOST, NET_INPUTS };
enum net_output { NET_TO_PORT0, NET_TO_PORT1, NET_TO_FUNCTION, NET_TO_HOST, NET_OUTPUTS };

struct net_packet {
    enum net_output output;
    struct beat_meta meta; /* of the first beat; error of the last */
    size_t length;
    uint8_t bytes[PACKET_BYTES_MAX];
};

struct net_card;

/* Called for each packet that comes out; the packet is only valid during the call. */
typedef void (*net_receiver)(void *context, const struct net_packet *packet);

/* `copying`: the graph whose records are copied in and out. NULL: no memory. */
struct net_card *net_card_create(bool copying, net_receiver receiver, void *context);
void net_card_destroy(struct net_card *card);

/* The sideband's length, bytes and last are filled in; meta gives the rest. `error` is set in the last beat. */
void net_card_send(struct net_card *card, enum net_input input, const void *bytes, size_t length,
                   const struct beat_meta *meta, bool error);

/* Sends a command without waiting; completions are counted and the newest is kept. */
void net_card_command_send(struct net_card *card, const struct command_entry *entry);

/* Sends a command, runs until it completes, and replaces the entry by its completion. */
void net_card_command(struct net_card *card, struct command_entry *entry);
int net_card_set(struct net_card *card, uint16_t opcode, uint32_t index, uint32_t argument, const void *data,
                 size_t bytes);

/* How many activations a visit has at most: a random number from 1 to this one; the default is 64. */
void net_card_budget(struct net_card *card, unsigned most);

/* Runs until nothing moves any more. */
void net_card_run(struct net_card *card);

struct net_counter {
    uint64_t packets, bytes;
};
struct net_counter net_card_statistic(struct net_card *card, uint32_t index);

/* Places a flow as the host does: first entry, then way. `entry` is the caller's choice. False: the bucket is full. */
bool net_card_flow(struct net_card *card, const struct flow_key *key, uint32_t seed, uint32_t entry, uint32_t action);

/* Complaints about records that broke a promise, since the start. */
unsigned net_card_faults(const struct net_card *card);

#endif
