/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated card on its own, with a cable at each port, and packets that are sent into it one at a time. One thread,
 * but for the card's own. Errors are negative errno with a readable line.
 */
#ifndef CIPU_CARD_SESSION_H
#define CIPU_CARD_SESSION_H

#include <stdbool.h>

#include "driver/host.h"
#include "driver/port.h"
#include "driver/rtl/rtl.h"
#include "hls/include/flow.h"
#include "hls/include/packet.h"
#include "hls/include/packet_key.h"
#include "runtime/net/flow_table.h"

enum session_action { SESSION_FORWARD, SESSION_DROP, SESSION_PUNT };

struct session {
    struct cipu_card *card;
    struct cipu_host *host;
    char folder[32]; /* of the cables' sockets */
    int epoll;
    struct port peers[CARD_PORTS]; /* the cables' other ends */
    bool has_peers[CARD_PORTS];
    unsigned port; /* packets enter here */
    enum session_action action;
    struct flow_table flows;
    struct outbox outbox;
    uint32_t action_index;
};

/* What became of a packet. */
struct session_result {
    bool moved;                /* something moved in the card at all */
    unsigned sent[CARD_PORTS]; /* packets that left, by port */
    unsigned punted;           /* packets that the host was handed */
    uint8_t punt_reason;       /* of the last of them */
    uint32_t length;           /* of the last that left */
    uint8_t bytes[PACKET_BYTES_MAX];
};

int session_open(struct session *session, unsigned port, enum session_action action, struct cipu_error *error);
void session_close(struct session *session);

/* Makes sure that the packet's flow is in the table, with the session's action; nothing for one that can have none. */
int session_add_flow(struct session *session, const uint8_t *frame, uint32_t length, struct cipu_error *error);

/* Returns when the card is at rest. */
void session_settle(struct session *session);

/* Sends one packet and returns when the card is at rest again. */
int session_send(struct session *session, const uint8_t *frame, uint32_t length, struct session_result *result,
                 struct cipu_error *error);

#endif
