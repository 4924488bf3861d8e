/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP and neighbour discovery. Guests are answered for the gateway, for functions of their VPC and for host routes with
 * a MAC; what only the far side of a tunnel can know is passed on to it, and its answer is delivered. Peers are
 * answered through the tunnel for local functions and gateways, and on the underlay for the port's own addresses.
 */
#include "runtime/net/slow_path.h"

#define PASSED_ON_PER_SECOND 100u
#define PASSED_ON_BURST      20u

struct question {
    struct slow_path *path;
    const struct origin *origin;
    const struct frame *frame;
    struct frame_neighbour message;
};

static void answer(const struct question *question, const uint8_t mac[6], bool router)
{
    uint8_t frame[FRAME_NEIGHBOUR_BYTES];
    struct net_statistics *statistics = &question->path->statistics;
    size_t length = frame_put_answer(frame, &question->message, question->message.sender_mac, mac, router);
    slow_path_answer(question->path, question->origin, frame, length);
    ++*(question->message.family == 4 ? &statistics->arp_answered : &statistics->nd_answered);
}

static void drop(const struct question *question)
{
    question->path->statistics.dropped_other++;
}

/* ---- asked by a function ---- */

static bool guest_is_honest(const struct question *question)
{
    const struct frame_neighbour *message = &question->message;
    const struct function *function = question->origin->function;
    return memcmp(frame_source_mac(question->frame), function->setting.mac, 6) == 0 &&
           memcmp(message->sender_mac, function->setting.mac, 6) == 0 &&
           (net_address_unspecified(&message->sender) || net_address_link_local(&message->sender) ||
            tables_may_send_from(function, &message->sender));
}

static void pass_on(const struct question *question, const struct net_route *route)
{
    struct slow_path *path = question->path;
    struct rate_limit *limit = slow_path_limit(path, path->error_limit, question->origin);
    if (rate_limit_take(limit, path->now, PASSED_ON_PER_SECOND, PASSED_ON_BURST))
        slow_path_to_tunnel(path, question->origin->vpc, &route->remote, question->frame->data,
                            question->frame->length);
    else
        drop(question);
}

static void asked_by_function(const struct question *question)
{
    const struct frame_neighbour *message = &question->message;
    const struct vpc *vpc = question->origin->vpc;
    const struct net_address *target = &message->target;
    if (!guest_is_honest(question)) {
        question->path->statistics.dropped_spoofed++;
        return;
    }
    /* RFC 5227 and RFC 4862: probes and announcements of the function's own addresses stay unanswered. */
    bool own =
        tables_may_send_from(question->origin->function, target) || net_address_same_host(&message->sender, target);
    if (!message->solicitation || own) {
        drop(question);
        return;
    }
    if (tables_is_gateway(vpc, target)) {
        answer(question, vpc->setting.mac, true);
        return;
    }
    struct destination destination = tables_find(&question->path->tables, vpc, target);
    const struct net_route *route = destination.route;
    if (destination.function)
        answer(question, destination.function->setting.mac, false);
    else if (!route)
        question->path->statistics.dropped_no_route++;
    else if (route->has_mac && route->prefix.prefix == net_address_bits(route->prefix.family))
        answer(question, route->mac, false);
    else
        pass_on(question, route);
}

/* ---- from a tunnel ---- */

static void asked_by_peer(const struct question *question)
{
    const struct frame_neighbour *message = &question->message;
    const struct vpc *vpc = question->origin->vpc;
    /* The gateway of another card has the same address and asks with it; nobody else may use a local address. */
    bool gateway_asks =
        tables_is_gateway(vpc, &message->sender) && memcmp(message->sender_mac, vpc->setting.mac, 6) == 0;
    bool local = !net_address_unspecified(&message->sender) &&
                 tables_find(&question->path->tables, vpc, &message->sender).function != NULL;
    if (local || (tables_is_gateway(vpc, &message->sender) && !gateway_asks)) {
        question->path->statistics.dropped_spoofed++;
        return;
    }
    if (net_address_same_host(&message->sender, &message->target)) {
        drop(question);
        return;
    }
    const struct function *function = tables_find(&question->path->tables, vpc, &message->target).function;
    if (tables_is_gateway(vpc, &message->target))
        answer(question, vpc->setting.mac, true);
    else if (function)
        answer(question, function->setting.mac, false);
    else
        drop(question);
}

static const struct function *function_with_mac(const struct tables *tables, const struct vpc *vpc,
                                                const uint8_t mac[6])
{
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct function *function = tables_function(tables, i);
        if (function && function->vpc == vpc && memcmp(function->setting.mac, mac, 6) == 0)
            return function;
    }
    return NULL;
}

/* Only the endpoint that serves an address may say who has it. */
static void answered_by_peer(const struct question *question)
{
    struct slow_path *path = question->path;
    const struct frame_neighbour *message = &question->message;
    const struct origin *origin = question->origin;
    const struct net_route *route = tables_find(&path->tables, origin->vpc, &message->sender).route;
    if (!route || !net_address_same_host(&route->remote, &origin->remote)) {
        path->statistics.dropped_spoofed++;
        return;
    }
    const uint8_t *to = frame_destination_mac(question->frame);
    if (memcmp(to, origin->vpc->setting.mac, 6) == 0) {
        struct neighbour_key key = {
            .vni = origin->vpc->setting.vni, .remote = origin->remote, .address = message->sender};
        neighbour_learn(path, &key, message->sender_mac);
        return;
    }
    const struct function *function = function_with_mac(&path->tables, origin->vpc, to);
    if (function)
        slow_path_to_function(path, function, question->frame->data, question->frame->length);
    else
        drop(question);
}

/* ---- on the underlay ---- */

static void on_underlay(const struct question *question)
{
    const struct frame_neighbour *message = &question->message;
    const struct net_port *port = question->origin->port;
    const struct net_address *own = tables_port_address(port, message->family);
    bool ours = own->family != 0 && net_address_same_host(own, &message->target);
    if (own->family != 0 && net_address_same_host(own, &message->sender)) {
        drop(question);
        return;
    }
    if (!net_address_unspecified(&message->sender)) {
        struct neighbour_key key = {.port = port->id, .address = message->sender};
        neighbour_learn(question->path, &key, message->sender_mac);
    }
    if (message->solicitation && ours)
        answer(question, port->mac, false);
}

void responder_handle(struct slow_path *path, const struct origin *origin, const struct frame *frame)
{
    struct question question = {.path = path, .origin = origin, .frame = frame};
    if (!frame_neighbour_read(frame, &question.message))
        drop(&question);
    else if (origin->function)
        asked_by_function(&question);
    else if (!origin->vpc)
        on_underlay(&question);
    else if (question.message.solicitation)
        asked_by_peer(&question);
    else
        answered_by_peer(&question);
}
