/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/card/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define PUNTS_PER_LOOK  64u
#define LOOK_MS         2u
#define START_LOOKS_MAX 500u /* a packet that moves nothing within a second never will */

static const uint8_t host_mac[6] = {0x02, 0, 0, 0, 0, 0x01};

static int port_set(struct session *session, uint32_t port)
{
    struct port_setting setting = {.mode = PORT_UPLINK, .promiscuous = 1};
    memcpy(setting.mac, host_mac, sizeof host_mac);
    struct command_entry command = {.opcode = COMMAND_PORT_SET, .target = TARGET_NET, .index = port};
    memcpy(command.data, &setting, sizeof setting);
    return cipu_host_command(session->host, &command, 1);
}

static int write_action(struct session *session)
{
    struct action action = {.kind = session->action == SESSION_FORWARD ? ACTION_FORWARD : ACTION_DROP,
                            .destination = ENDPOINT_PORT,
                            .destination_id = (uint16_t)(CARD_PORTS - 1 - session->port)};
    session->action_index = 1;
    outbox_command(&session->outbox, COMMAND_ACTION_WRITE, session->action_index, 0, &action, sizeof action);
    return outbox_flush(&session->outbox);
}

static int open_card(struct session *session, struct cipu_error *error)
{
    char uri[128], spec[64];
    snprintf(uri, sizeof uri, "rtl:?port0=unix:%s/0&port1=unix:%s/1", session->folder, session->folder);
    int result = cipu_card_open(uri, &session->card, error);
    for (unsigned i = 0; result == 0 && i < CARD_PORTS; i++) {
        snprintf(spec, sizeof spec, "unix:%s/%u", session->folder, i);
        session->has_peers[i] = true;
        result = port_open(&session->peers[i], spec, session->epoll, error);
    }
    return result < 0 ? result : cipu_host_open(session->card, &session->host, error);
}

int session_open(struct session *session, unsigned port, enum session_action action, struct cipu_error *error)
{
    memset(session, 0, sizeof *session);
    session->port = port;
    session->action = action;
    session->epoll = epoll_create1(EPOLL_CLOEXEC);
    strcpy(session->folder, "/tmp/cipu-card.XXXXXX");
    if (session->epoll < 0 || !mkdtemp(session->folder)) {
        session->folder[0] = 0;
        return cipu_fail(error, -errno, "no folder for sockets in /tmp: %s", strerror(errno));
    }
    int result = flow_table_create(&session->flows, 0);
    if (result < 0)
        return cipu_fail(error, result, "no memory for the flow table");
    result = open_card(session, error);
    if (result < 0)
        return result;
    session->outbox.host = session->host;
    for (unsigned i = 0; result == 0 && i < CARD_PORTS; i++)
        result = port_set(session, i);
    if (result == 0)
        result = write_action(session);
    return result < 0 ? cipu_fail(error, result, "the card refused its first commands: %s", strerror(-result)) : 0;
}

void session_close(struct session *session)
{
    if (session->host)
        cipu_host_close(session->host);
    for (unsigned i = 0; i < CARD_PORTS; i++)
        if (session->has_peers[i])
            port_close(&session->peers[i]);
    if (session->card)
        cipu_card_close(session->card);
    flow_table_destroy(&session->flows);
    if (session->epoll >= 0)
        close(session->epoll);
    if (session->folder[0])
        rmdir(session->folder);
}

int session_add_flow(struct session *session, const uint8_t *frame, uint32_t length, struct cipu_error *error)
{
    struct port_setting ports[CARD_PORTS] = {0};
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        ports[i].mode = PORT_UPLINK;
        ports[i].promiscuous = 1;
        memcpy(ports[i].mac, host_mac, sizeof host_mac);
    }
    struct headers headers;
    packet_headers(frame, length, ENDPOINT_PORT, session->port, ports, &headers);
    const struct flow_key *key = &headers.match.key;
    if (session->action == SESSION_PUNT || headers.verdict != VERDICT_LOOKUP || key->kind == FLOW_NONE)
        return 0;
    const struct flow_owner owner = {.function = FLOW_NO_FUNCTION};
    struct flow *flow;
    int result = flow_table_add(&session->flows, &session->outbox, 0, key, session->action_index, &owner, &flow);
    if (result == 0 || result == -EEXIST)
        result = outbox_flush(&session->outbox);
    return result < 0 ? cipu_fail(error, result, "no place for the packet's flow: %s", strerror(-result)) : 0;
}

static void nap(void)
{
    struct timespec time = {0, LOOK_MS * 1000000};
    nanosleep(&time, NULL);
}

static struct rtl_card_figures figures_of(struct session *session)
{
    struct rtl_card_figures figures;
    rtl_card_figures(session->card, &figures);
    return figures;
}

static void punted(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct session_result *result = context;
    result->punted++;
    result->punt_reason = entry->reason;
    result->length = entry->length;
    memcpy(result->bytes, data, entry->length);
}

static void event(void *context, const struct event_entry *entry)
{
    (void)context;
    (void)entry;
}

/* How much there was. */
static unsigned look(struct session *session, struct session_result *result)
{
    unsigned count = cipu_host_receive(session->host, PUNTS_PER_LOOK, punted, event, result);
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        struct port *peer = &session->peers[i];
        const uint8_t *frame;
        uint32_t length;
        while (peer->ops->receive(peer, &frame, &length)) {
            result->sent[i]++;
            result->length = length < sizeof result->bytes ? length : sizeof result->bytes;
            memcpy(result->bytes, frame, result->length);
            peer->ops->release(peer);
            count++;
        }
    }
    return count;
}

/* Until nothing came out, and the clock has stood since the card slept before: what a look gives back to the card wakes
 * it. What comes out goes to `result` if there is one. */
static void settle(struct session *session, struct session_result *result)
{
    struct rtl_card_figures last, now = figures_of(session);
    unsigned found;
    do {
        last = now;
        do
            nap();
        while (rtl_card_sleeps(session->card) == last.sleeps);
        found = result ? look(session, result) : 0;
        now = figures_of(session);
    } while (found || now.cycles != last.cycles);
}

void session_settle(struct session *session)
{
    settle(session, NULL);
}

int session_send(struct session *session, const uint8_t *frame, uint32_t length, struct session_result *result,
                 struct cipu_error *error)
{
    struct port *peer = &session->peers[session->port];
    memset(result, 0, sizeof *result);
    if (length < PACKET_BYTES_MIN || length > PACKET_BYTES_MAX)
        return cipu_fail(error, -EMSGSIZE, "a packet of %u bytes, expected %u to %u", length, PACKET_BYTES_MIN,
                         PACKET_BYTES_MAX);
    if (peer->ops->wake)
        peer->ops->wake(peer);
    uint8_t *place = peer->ops->reserve(peer);
    if (!place)
        return cipu_fail(error, -ENOBUFS, "the cable to port %u has no room", session->port);
    uint64_t before = figures_of(session).cycles, now = before;
    memcpy(place, frame, length);
    peer->ops->commit(peer, length);
    peer->ops->flush(peer);
    for (unsigned i = 0; i < START_LOOKS_MAX && now == before; i++) {
        nap();
        now = figures_of(session).cycles;
    }
    result->moved = now != before;
    settle(session, result);
    return 0;
}
