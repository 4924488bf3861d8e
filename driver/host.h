/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a card's rings: commands, packets and events (hls/include/host_ring.h). Works on every card
 * through card.h.
 *
 * Threads: commands from any thread (serialised inside). Packets and events: one thread at a time calls receive, inject
 * and events; it waits on cipu_host_fd.
 */
#ifndef CIPU_HOST_H
#define CIPU_HOST_H

#include "driver/card.h"
#include "hls/include/host_ring.h"

struct cipu_host;

/* Allocates ring memory (a memfd mapped into the card in the host's window), starts the rings. */
int cipu_host_open(struct cipu_card *card, struct cipu_host **host, struct cipu_error *error);
void cipu_host_close(struct cipu_host *host);

/* Sends `count` commands in order and waits for all their completions, which replace the commands. Returns 0 when all
 * have status OK, -EIO when one has not (see status), -ETIMEDOUT after 2 s without progress. Many commands in one call
 * are pipelined. */
int cipu_host_command(struct cipu_host *host, struct command_entry *commands, size_t count);

/* Readable when there may be packets or events: an eventfd that the caller's event loop watches and cipu_host_receive
 * clears. */
int cipu_host_fd(const struct cipu_host *host);

typedef void (*cipu_packet_handler)(void *context, const struct packet_entry *entry, const uint8_t *data);
typedef void (*cipu_event_handler)(void *context, const struct event_entry *event);

/* Hands at most `budget` punted packets and all events to the handlers; data is valid (copied out of the ring before
 * any check) during the call only. Returns the number of packets. */
int cipu_host_receive(struct cipu_host *host, unsigned budget, cipu_packet_handler packet, cipu_event_handler event,
                      void *context);

/* Sends a packet into the card: entry->action says what becomes of it. -EAGAIN when the ring is full (count it and
 * drop). */
int cipu_host_inject(struct cipu_host *host, const struct packet_entry *entry, const uint8_t *data);

/* Records that the card dropped because a ring was full. */
uint32_t cipu_host_dropped(const struct cipu_host *host, enum host_ring ring);

/* The bus address of guest address 0 of a function: function << CIPU_WINDOW_SHIFT. */
#define CIPU_WINDOW_SHIFT 40
#define CIPU_WINDOW_BYTES (UINT64_C(1) << CIPU_WINDOW_SHIFT)

#endif
