/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the network pipeline, from port 0 to port 1: what is to be done to them, the table that says so, and
 * frames of any size. A load is the same for a part of the pipeline and for a whole card.
 */
#ifndef CIPU_BENCH_NET_LOAD_H
#define CIPU_BENCH_NET_LOAD_H

#include <stddef.h>

#include "hls/include/host_ring.h"
#include "hls/include/packet.h"

enum net_kind {
    NET_FORWARD,
    NET_ENCAPSULATE_IPV4,
    NET_ENCAPSULATE_IPV6,
    NET_DECAPSULATE_IPV4,
    NET_DECAPSULATE_IPV6,
    NET_KINDS,
};

#define NET_FLOWS        16u /* of each kind; packets take turns */
#define NET_COMMANDS_MAX (CARD_PORTS + NET_KINDS * (1u + 2u * NET_FLOWS))
#define NET_FRAME_MAX    (1518u + ENCAPSULATION_IPV6_BYTES)

const char *net_kind_name(enum net_kind kind);

/* The commands that install ports, flows and actions, in order; returns how many. Their lines do not meet in a cache of
 * 1024 sets. */
size_t net_load_commands(struct command_entry commands[NET_COMMANDS_MAX]);

/* `length` is that of the frame which is not in a tunnel. Only the headers are written: the payload stays as it is.
 * Returns the frame's length as it enters the card. */
uint32_t net_load_frame(enum net_kind kind, unsigned flow, uint32_t length, uint8_t frame[NET_FRAME_MAX]);

/* As it leaves. */
uint32_t net_load_length_out(enum net_kind kind, uint32_t length);

#endif
