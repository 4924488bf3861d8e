/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host handle for tests of the slow path without a card: it takes commands into tables as the card has them and keeps
 * the packets that were injected, each with the action that it would have got. Link it instead of the driver's host.
 */
#ifndef CIPU_TEST_RECORDED_HOST_H
#define CIPU_TEST_RECORDED_HOST_H

#include <stdbool.h>

#include "driver/host.h"
#include "hls/include/beat.h"
#include "hls/include/flow.h"

#define RECORDED_PACKETS 4096

struct recorded_packet {
    struct packet_entry entry;
    struct action action;
    uint8_t data[PACKET_BYTES_MAX];
};

struct cipu_host {
    struct flow_bucket *buckets;
    struct flow_entry *entries;
    struct action *actions;
    struct port_setting ports[2];
    uint32_t seed;
    struct recorded_packet *packets;
    size_t packet_count;
    size_t commands;
    int fail;          /* what the next commands return */
    bool ring_full;    /* injections are refused */
    bool out_of_order; /* a way named an entry that was not written before it */
};

struct cipu_host *recorded_host_create(void);
void recorded_host_destroy(struct cipu_host *host);

/* What the card would do with a packet of that key: its entry, or NULL for a miss. */
struct flow_entry *recorded_host_lookup(struct cipu_host *host, const struct flow_key *key);

/* Takes the oldest injected packet; false if there is none. */
bool recorded_host_take(struct cipu_host *host, struct recorded_packet *packet);

#endif
