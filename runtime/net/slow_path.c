/* SPDX-License-Identifier: Apache-2.0 */
/* Decides packets: what function and VPC, whether it may, where to, by which action. */
#include <errno.h>

#include "hls/include/packet_key.h"
#include "runtime/net/slow_path.h"

#define OUTER_TTL 64

struct decision {
    struct action action;
    struct flow_key key;
    bool has_key;
    struct flow_owner owner;
    bool routed; /* through the VPC's gateway */
};

/* What is being decided: the packet as it was punted, and the tenant's frame in it. */
struct packet {
    const struct packet_entry *entry;
    const uint8_t *data;
    const struct origin *origin;
    const struct frame *frame;
};

struct rate_limit *slow_path_limit(struct slow_path *path, struct rate_limit limits[FLOW_OWNERS],
                                   const struct origin *origin)
{
    if (origin->function)
        return &limits[origin->function->setting.id];
    return origin->vpc ? &limits[CARD_FUNCTIONS + origin->vpc->index] : &path->underlay_limit;
}

/* ---- actions ---- */

static void to_function_action(const struct slow_path *path, const struct function *function, struct action *action)
{
    const struct net_port *access = tables_access_port(&path->tables, function->setting.id);
    action->destination = access ? ENDPOINT_PORT : ENDPOINT_FUNCTION;
    action->destination_id = (uint16_t)(access ? access->id : function->setting.id);
}

/* Fills in the encapsulation towards an endpoint. -EAGAIN: the next hop is being asked for, *key names it.
 * -EHOSTUNREACH. */
static int tunnel_action(struct slow_path *path, const struct vpc *vpc, const struct net_address *remote,
                         struct action *action, struct neighbour_key *key)
{
    struct net_address next_hop;
    const struct net_port *port = tables_uplink(&path->tables, remote, &next_hop);
    if (!port)
        return -EHOSTUNREACH;
    *key = (struct neighbour_key){.port = port->id, .address = next_hop};
    const uint8_t *mac = neighbour_resolve(path, key);
    if (!mac)
        return -EAGAIN;
    unsigned fits = port->mtu - net_tunnel_overhead(remote->family), wanted = tables_vpc_mtu(&path->tables, vpc);
    action->kind = remote->family == 4 ? ACTION_ENCAPSULATE_IPV4 : ACTION_ENCAPSULATE_IPV6;
    action->destination = ENDPOINT_PORT;
    action->destination_id = (uint16_t)port->id;
    action->mtu = (uint16_t)(wanted < fits ? wanted : fits);
    action->flags |= ACTION_DONT_FRAGMENT;
    action->vni = vpc->setting.vni;
    memcpy(action->outer_destination_mac, mac, 6);
    action->outer_ttl = OUTER_TTL;
    net_address_wide(remote, action->remote);
    return 0;
}

/* ---- frames of our own ---- */

static void send_once(struct slow_path *path, const struct action *action, enum endpoint source, unsigned source_id,
                      const uint8_t *frame, size_t length)
{
    uint32_t index;
    if (action_acquire(&path->actions, &path->outbox, path->now, action, &index) != 0) {
        path->statistics.dropped_other++;
        return;
    }
    outbox_packet(&path->outbox, source, source_id, index, frame, length);
    action_release(&path->actions, path->now, index);
}

void slow_path_to_port(struct slow_path *path, const struct net_port *port, const uint8_t *frame, size_t length)
{
    struct action action = {.kind = ACTION_FORWARD, .destination = ENDPOINT_PORT, .destination_id = (uint16_t)port->id};
    send_once(path, &action, ENDPOINT_HOST, 0, frame, length);
}

void slow_path_to_function(struct slow_path *path, const struct function *function, const uint8_t *frame, size_t length)
{
    struct action action = {.kind = ACTION_FORWARD};
    to_function_action(path, function, &action);
    send_once(path, &action, ENDPOINT_HOST, 0, frame, length);
}

void slow_path_to_tunnel(struct slow_path *path, const struct vpc *vpc, const struct net_address *remote,
                         const uint8_t *frame, size_t length)
{
    struct action action = {.kind = ACTION_DROP};
    struct neighbour_key key;
    int status = length <= PACKET_BYTES_MAX ? tunnel_action(path, vpc, remote, &action, &key) : -EMSGSIZE;
    if (status == -EAGAIN) {
        struct packet_entry entry = {.length = (uint16_t)length, .source = ENDPOINT_HOST};
        neighbour_wait(path, &key, vpc->setting.vni, remote, &entry, frame);
    } else if (status != 0) {
        path->statistics.dropped_unresolved++;
    } else {
        send_once(path, &action, ENDPOINT_HOST, 0, frame, length);
    }
}

void slow_path_answer(struct slow_path *path, const struct origin *origin, const uint8_t *frame, size_t length)
{
    if (origin->function)
        slow_path_to_function(path, origin->function, frame, length);
    else if (origin->vpc)
        slow_path_to_tunnel(path, origin->vpc, &origin->remote, frame, length);
    else
        slow_path_to_port(path, origin->port, frame, length);
}

void slow_path_resume(struct slow_path *path, const struct waiting_packet *packet)
{
    if (packet->vni == 0) {
        slow_path_packet(path, &packet->entry, packet->data);
        return;
    }
    const struct vpc *vpc = tables_vpc_by_vni(&path->tables, packet->vni);
    if (vpc)
        slow_path_to_tunnel(path, vpc, &packet->remote, packet->data, packet->entry.length);
}

/* ---- carrying a tenant's packet ---- */

struct fragment_target {
    struct slow_path *path;
    const struct packet *packet;
    uint32_t action;
};

static void send_fragment(void *context, const uint8_t *frame, size_t length)
{
    const struct fragment_target *target = context;
    const struct packet_entry *entry = target->packet->entry;
    bool from_function = target->packet->origin->function != NULL;
    outbox_packet(&target->path->outbox, from_function ? entry->source : ENDPOINT_HOST,
                  from_function ? entry->source_id : 0, target->action, frame, length);
}

/* A packet out of a tunnel is cut after its outer headers are gone, so its action no longer strips them. */
static void carry_fragments(struct slow_path *path, const struct packet *packet, const struct decision *decision)
{
    struct action action = decision->action;
    if (action.kind == ACTION_DECAPSULATE)
        action.kind = ACTION_FORWARD;
    unsigned inner_ecn = packet->frame->ip[1] & ECN_MASK;
    bool congestion = !packet->origin->function && packet->origin->outer_ecn == ECN_CONGESTION;
    if (congestion && inner_ecn == ECN_NOT_CAPABLE) { /* RFC 6040 section 4.2 */
        path->statistics.dropped_other++;
        return;
    }
    struct fragment_target target = {.path = path, .packet = packet};
    if (action_acquire(&path->actions, &path->outbox, path->now, &action, &target.action) != 0) {
        path->statistics.dropped_other++;
        return;
    }
    fragment_ipv4(packet->frame, action.mtu, congestion, send_fragment, &target);
    action_release(&path->actions, path->now, target.action);
}

static void install(struct slow_path *path, const struct packet *packet, const struct decision *decision,
                    uint32_t action)
{
    if (!decision->has_key)
        return;
    struct flow *flow = flow_table_find(&path->flows, &decision->key);
    if (!flow) {
        if (flow_table_add(&path->flows, &path->outbox, path->now, &decision->key, action, &decision->owner, &flow) !=
            0) {
            path->statistics.flows_refused++;
            return;
        }
        action_hold(&path->actions, action);
        path->statistics.flows_installed++;
    }
    flow->packets++;
    flow->bytes += packet->entry->length;
    flow->active = path->now;
}

static void carry(struct slow_path *path, const struct packet *packet, const struct decision *decision)
{
    const struct frame *frame = packet->frame;
    const struct action *action = &decision->action;
    if (decision->routed && frame->ttl <= 1) {
        icmp_send_error(path, packet->origin, frame, ICMP_TIME_EXCEEDED, 0);
        path->statistics.dropped_other++;
        return;
    }
    if (action->mtu != 0 && frame->ip_length > action->mtu) {
        if (!frame->dont_fragment) {
            carry_fragments(path, packet, decision);
            return;
        }
        icmp_send_error(path, packet->origin, frame, ICMP_TOO_BIG, action->mtu);
        path->statistics.dropped_other++;
        return;
    }
    /* The card's limit is the frame's: what a function appended to its packet is cut off, or it would come back for
     * ever. */
    size_t length = packet->entry->length;
    if (action->mtu != 0 && frame->length > action->mtu + FRAME_ETHERNET_BYTES) {
        if (!packet->origin->function) {
            path->statistics.dropped_other++;
            return;
        }
        length = FRAME_ETHERNET_BYTES + frame->ip_length;
    }
    uint32_t index;
    if (action_acquire(&path->actions, &path->outbox, path->now, action, &index) != 0) {
        path->statistics.flows_refused++;
        path->statistics.dropped_other++;
        return;
    }
    install(path, packet, decision, index);
    outbox_packet(&path->outbox, packet->entry->source, packet->entry->source_id, index, packet->data, length);
    action_release(&path->actions, path->now, index);
}

static void wait_or_drop(struct slow_path *path, const struct packet *packet, int status,
                         const struct neighbour_key *key)
{
    if (status == -EAGAIN)
        neighbour_wait(path, key, 0, NULL, packet->entry, packet->data);
    else
        path->statistics.dropped_unresolved++;
}

static void set_macs(struct action *action, const uint8_t source[6], const uint8_t destination[6])
{
    action->flags |= ACTION_SET_SOURCE_MAC | ACTION_SET_DESTINATION_MAC;
    memcpy(action->source_mac, source, 6);
    memcpy(action->destination_mac, destination, 6);
}

/* The destination MAC behind a route: its own, that of the frame when it was not for the gateway, or the answer of the
 * host. */
static int route_mac(struct slow_path *path, const struct packet *packet, const struct net_route *route, bool routed,
                     uint8_t mac[6], struct neighbour_key *key)
{
    bool host_route = route->prefix.prefix == net_address_bits(route->prefix.family);
    if (route->has_mac && (routed || host_route)) {
        memcpy(mac, route->mac, 6);
        return 0;
    }
    if (!routed) {
        memcpy(mac, frame_destination_mac(packet->frame), 6);
        return 0;
    }
    const struct vpc *vpc = packet->origin->vpc;
    if (!tables_gateway(vpc, &packet->frame->destination))
        return -EHOSTUNREACH;
    *key =
        (struct neighbour_key){.vni = vpc->setting.vni, .remote = route->remote, .address = packet->frame->destination};
    const uint8_t *known = neighbour_resolve(path, key);
    if (!known)
        return -EAGAIN;
    memcpy(mac, known, 6);
    return 0;
}

static void carry_to_route(struct slow_path *path, const struct packet *packet, const struct net_route *route,
                           struct decision *decision)
{
    const struct function *function = packet->origin->function;
    const struct vpc *vpc = packet->origin->vpc;
    uint8_t mac[6];
    struct neighbour_key key;
    int status = route_mac(path, packet, route, decision->routed, mac, &key);
    if (status == 0)
        status = tunnel_action(path, vpc, &route->remote, &decision->action, &key);
    if (status != 0) {
        wait_or_drop(path, packet, status, &key);
        return;
    }
    set_macs(&decision->action, decision->routed ? vpc->setting.mac : function->setting.mac, mac);
    carry(path, packet, decision);
}

static void carry_to_local(struct slow_path *path, const struct packet *packet, const struct function *target,
                           struct decision *decision)
{
    const struct function *function = packet->origin->function;
    const struct vpc *vpc = packet->origin->vpc;
    if (target == function) {
        path->statistics.dropped_other++;
        return;
    }
    decision->owner.function = (uint16_t)target->setting.id;
    decision->action.kind = ACTION_FORWARD;
    decision->action.mtu = (uint16_t)tables_vpc_mtu(&path->tables, vpc);
    to_function_action(path, target, &decision->action);
    set_macs(&decision->action, decision->routed ? vpc->setting.mac : function->setting.mac, target->setting.mac);
    carry(path, packet, decision);
}

/* RFC 2827: only its own MAC and addresses; a link-local address only towards the gateway. */
static bool source_allowed(const struct packet *packet, bool to_gateway)
{
    const struct function *function = packet->origin->function;
    return memcmp(frame_source_mac(packet->frame), function->setting.mac, 6) == 0 &&
           (tables_may_send_from(function, &packet->frame->source) ||
            (to_gateway && net_address_link_local(&packet->frame->source)));
}

/* The key that the card looked up, found by the card's own parser; packets that are the host's in any case have none.
 */
static bool card_key(const struct slow_path *path, const struct packet *packet, uint32_t domain, struct flow_key *key)
{
    const struct packet_entry *entry = packet->entry;
    struct headers headers;
    packet_headers(packet->data, entry->length, entry->source, entry->source_id, path->port_settings, &headers);
    *key = headers.match.key;
    return headers.verdict == VERDICT_LOOKUP && key->kind != FLOW_NONE && key->domain == domain;
}

static void start_decision(const struct slow_path *path, const struct packet *packet, uint32_t domain, unsigned owner,
                           struct decision *decision)
{
    const struct vpc *vpc = packet->origin->vpc;
    *decision = (struct decision){
        .action = {.flags = ACTION_KEEP_UNTAGGED},
        .owner = {.owner = (uint16_t)owner, .function = FLOW_NO_FUNCTION, .vni = vpc->setting.vni},
        .routed = memcmp(frame_destination_mac(packet->frame), vpc->setting.mac, 6) == 0,
    };
    decision->has_key = card_key(path, packet, domain, &decision->key);
    if (decision->routed)
        decision->action.flags |= ACTION_DECREMENT_TTL;
}

static void no_route(struct slow_path *path, const struct packet *packet, bool routed)
{
    path->statistics.dropped_no_route++;
    if (routed)
        icmp_send_error(path, packet->origin, packet->frame, ICMP_NO_ROUTE, 0);
}

static void ip_from_function(struct slow_path *path, const struct packet *packet)
{
    const struct frame *frame = packet->frame;
    const struct vpc *vpc = packet->origin->vpc;
    bool to_gateway = tables_is_gateway(vpc, &frame->destination);
    bool group = (frame_destination_mac(frame)[0] & 1) != 0 || !net_address_unicast(&frame->destination);
    if (group) {
        path->statistics.dropped_other++;
    } else if (!source_allowed(packet, to_gateway)) {
        path->statistics.dropped_spoofed++;
    } else if (to_gateway) {
        if (!icmp_answer_echo(path, packet->origin, frame, vpc->setting.mac))
            path->statistics.dropped_other++;
    } else {
        unsigned id = packet->origin->function->setting.id;
        struct decision decision;
        start_decision(path, packet, FLOW_DOMAIN_FUNCTION | id, id, &decision);
        struct destination destination = tables_find(&path->tables, vpc, &frame->destination);
        if (destination.function)
            carry_to_local(path, packet, destination.function, &decision);
        else if (destination.route)
            carry_to_route(path, packet, destination.route, &decision);
        else
            no_route(path, packet, decision.routed);
    }
}

static void from_function(struct slow_path *path, const struct packet_entry *entry, const uint8_t *data,
                          const struct frame *frame)
{
    const struct function *function = tables_function(&path->tables, entry->source_id);
    if (!function || frame_is_tagged(frame)) {
        path->statistics.dropped_other++;
        return;
    }
    struct origin origin = {.function = function, .vpc = function->vpc};
    struct packet packet = {.entry = entry, .data = data, .origin = &origin, .frame = frame};
    if (frame->type == FRAME_TYPE_ARP || frame_is_neighbour_message(frame))
        responder_handle(path, &origin, frame);
    else if (frame->family != 0)
        ip_from_function(path, &packet);
    else
        path->statistics.dropped_other++;
}

/* ---- from the network ---- */

/* A tunnel may not bring packets that claim to come from this card's functions or gateways. */
static bool tunnel_source_allowed(const struct slow_path *path, const struct packet *packet)
{
    const struct vpc *vpc = packet->origin->vpc;
    const struct net_address *source = &packet->frame->source;
    return net_address_unicast(source) && !tables_is_gateway(vpc, source) &&
           !tables_find(&path->tables, vpc, source).function;
}

static void carry_from_tunnel(struct slow_path *path, const struct packet *packet, const struct function *target)
{
    const struct vpc *vpc = packet->origin->vpc;
    const struct frame *frame = packet->frame;
    struct decision decision;
    start_decision(path, packet, FLOW_DOMAIN_VNI | vpc->setting.vni, CARD_FUNCTIONS + vpc->index, &decision);
    if (!decision.routed && memcmp(frame_destination_mac(frame), target->setting.mac, 6) != 0) {
        path->statistics.dropped_other++;
        return;
    }
    decision.owner.function = (uint16_t)target->setting.id;
    decision.action.kind = ACTION_DECAPSULATE;
    to_function_action(path, target, &decision.action);
    if (decision.routed)
        decision.action.mtu = (uint16_t)tables_vpc_mtu(&path->tables, vpc);
    set_macs(&decision.action, decision.routed ? vpc->setting.mac : frame_source_mac(frame), target->setting.mac);
    carry(path, packet, &decision);
}

static void ip_from_tunnel(struct slow_path *path, const struct packet *packet)
{
    const struct frame *frame = packet->frame;
    const struct vpc *vpc = packet->origin->vpc;
    if ((frame_destination_mac(frame)[0] & 1) != 0 || !net_address_unicast(&frame->destination)) {
        path->statistics.dropped_other++;
    } else if (!tunnel_source_allowed(path, packet)) {
        path->statistics.dropped_spoofed++;
    } else if (tables_is_gateway(vpc, &frame->destination)) {
        if (!icmp_answer_echo(path, packet->origin, frame, vpc->setting.mac))
            path->statistics.dropped_other++;
    } else {
        const struct function *target = tables_find(&path->tables, vpc, &frame->destination).function;
        if (target)
            carry_from_tunnel(path, packet, target);
        else
            no_route(path, packet, memcmp(frame_destination_mac(frame), vpc->setting.mac, 6) == 0);
    }
}

struct tunnel_packet {
    uint32_t vni;
    const uint8_t *inner;
    size_t inner_length;
};

static void from_tunnel(struct slow_path *path, const struct packet_entry *entry, const uint8_t *data,
                        const struct frame *outer, const struct net_port *port, const struct tunnel_packet *tunnel)
{
    const struct vpc *vpc = tables_vpc_by_vni(&path->tables, tunnel->vni);
    struct frame frame;
    if (!vpc || outer->options || frame_parse(tunnel->inner, tunnel->inner_length, &frame) != 0 ||
        frame_is_tagged(&frame)) {
        path->statistics.dropped_other++;
        return;
    }
    if (!tables_is_endpoint(&path->tables, vpc, &outer->source)) {
        path->statistics.dropped_spoofed++;
        return;
    }
    uint8_t traffic_class = outer->family == 4 ? outer->ip[1] : (uint8_t)(outer->ip[0] << 4 | outer->ip[1] >> 4);
    struct origin origin = {.vpc = vpc, .port = port, .remote = outer->source, .outer_ecn = traffic_class & ECN_MASK};
    struct packet packet = {.entry = entry, .data = data, .origin = &origin, .frame = &frame};
    if (frame.type == FRAME_TYPE_ARP || frame_is_neighbour_message(&frame))
        responder_handle(path, &origin, &frame);
    else if (frame.family != 0)
        ip_from_tunnel(path, &packet);
    else
        path->statistics.dropped_other++;
}

static void from_port(struct slow_path *path, const struct packet_entry *entry, const uint8_t *data,
                      const struct frame *frame)
{
    unsigned id = entry->source_id;
    if (id >= CARD_PORTS || !path->tables.port_used[id] || !path->tables.ports[id].uplink || frame_is_tagged(frame)) {
        path->statistics.dropped_other++;
        return;
    }
    const struct net_port *port = &path->tables.ports[id];
    struct origin origin = {.port = port};
    struct tunnel_packet tunnel;
    bool own =
        frame->family != 0 && net_address_same_host(tables_port_address(port, frame->family), &frame->destination);
    if (frame->type == FRAME_TYPE_ARP || frame_is_neighbour_message(frame))
        responder_handle(path, &origin, frame);
    else if (own && frame_vxlan(frame, &tunnel.vni, &tunnel.inner, &tunnel.inner_length))
        from_tunnel(path, entry, data, frame, port, &tunnel);
    else if (!own || !icmp_answer_echo(path, &origin, frame, port->mac))
        path->statistics.dropped_other++;
}

void slow_path_packet(struct slow_path *path, const struct packet_entry *entry, const uint8_t *data)
{
    struct frame frame;
    if (entry->reason == PUNT_MISS)
        path->statistics.misses++;
    if (entry->reason == PUNT_OPTIONS || frame_parse(data, entry->length, &frame) != 0)
        path->statistics.dropped_other++;
    else if (entry->source == ENDPOINT_FUNCTION)
        from_function(path, entry, data, &frame);
    else if (entry->source == ENDPOINT_PORT)
        from_port(path, entry, data, &frame);
    else
        path->statistics.dropped_other++;
}
