/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the slow path wants of the card: commands first, then packets, sent together, so that a burst of misses costs
 * one round trip. Packets are only sent when every command before them succeeded: an action line that was not written
 * may still hold another tenant's action.
 */
#ifndef CIPU_NET_OUTBOX_H
#define CIPU_NET_OUTBOX_H

#include <stdbool.h>

#include "driver/host.h"
#include "hls/include/beat.h"

#define OUTBOX_COMMANDS 512u
#define OUTBOX_PACKETS  128u
#define OUTBOX_BYTES    (32u * PACKET_BYTES_MAX)

struct outbox {
    struct cipu_host *host;
    struct command_entry commands[OUTBOX_COMMANDS];
    unsigned command_count;
    struct packet_entry packets[OUTBOX_PACKETS];
    unsigned packet_count;
    size_t bytes;
    bool broken;   /* a command failed since the owner last looked: the card's tables are not what was meant */
    uint64_t lost; /* packets that were not sent */
    uint8_t data[OUTBOX_BYTES];
};

void outbox_command(struct outbox *outbox, unsigned opcode, uint32_t index, uint32_t argument, const void *data,
                    size_t bytes);
/* The packet leaves as if it came from (source, source_id); `length` of PACKET_BYTES_MIN to PACKET_BYTES_MAX, else it
 * is lost. */
void outbox_packet(struct outbox *outbox, enum endpoint source, unsigned source_id, uint32_t action,
                   const uint8_t *data, size_t length);
/* 0 or the error of the commands. */
int outbox_flush(struct outbox *outbox);

#endif
