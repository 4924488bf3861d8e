/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what was found and the action into one command for the rewriter: checks, edits, outer headers, destination. */
#include "hls/apply/encapsulation.h"
#include "hls/include/dma.h"
#include "hls/include/net.h"

static_assert((uint32_t)ACTION_SET_SOURCE_MAC == (uint32_t)EDIT_SOURCE_MAC, "an action's flag that is an edit");
static_assert((uint32_t)ACTION_SET_DESTINATION_MAC == (uint32_t)EDIT_DESTINATION_MAC,
              "an action's flag that is an edit");

struct apply_state {
    struct apply_port port[CARD_PORTS];
};

/* What an action does to a packet that nothing speaks against. */
struct apply_kind {
    uint8_t operation; /* enum rewrite_operation */
    uint8_t fate;      /* enum statistic */
    uint8_t added;     /* bytes in front of the frame */
    uint8_t shift;     /* of the rewrite plan */
};

/* By enum action_kind. */
static const struct apply_kind apply_kind_of[8] = {
    {REWRITE_DROP, STATISTIC_DROP_ACTION, 0, 0},
    {REWRITE_PASS, STATISTIC_FORWARDED, 0, 0},
    {REWRITE_ENCAPSULATE_IPV4, STATISTIC_ENCAPSULATED, ENCAPSULATION_IPV4_BYTES, 64u - ENCAPSULATION_IPV4_BYTES},
    {REWRITE_ENCAPSULATE_IPV6, STATISTIC_ENCAPSULATED, ENCAPSULATION_IPV6_BYTES, 128u - ENCAPSULATION_IPV6_BYTES},
    {REWRITE_STRIP, STATISTIC_DECAPSULATED, 0, 0},
    {REWRITE_PASS, STATISTIC_PUNTED, 0, 0},
    {REWRITE_DROP, STATISTIC_DROP_ACTION, 0, 0},
    {REWRITE_DROP, STATISTIC_DROP_ACTION, 0, 0},
};

#define APPLY_KIND(kind)    (1u << (kind))
#define APPLY_KINDS_TUNNEL  (APPLY_KIND(ACTION_DECAPSULATE) | APPLY_KIND(ACTION_PUNT))
#define APPLY_KINDS_OUTSIDE (APPLY_KIND(ACTION_FORWARD) | APPLY_KIND(ACTION_PUNT))

struct apply_decision {
    uint8_t operation; /* enum rewrite_operation */
    uint8_t fate;      /* enum statistic */
    uint8_t reason;    /* enum punt_reason */
    bool delivered;    /* as the action says; else dropped or punted as it came */
};

HLS_INLINE void apply_port_set(struct apply_port *port, const struct packet_match *match)
{
    struct port_setting setting;
    HLS_COPY(&setting, match, sizeof setting);
    HLS_COPY(port->mac, setting.mac, 6);
    HLS_COPY(port->ipv4, setting.ipv4, 4);
    HLS_COPY(port->ipv6, setting.ipv6, 16);
    uint32_t any = 0;
    for (uint32_t i = 0; i < 16; i++)
        any |= setting.ipv6[i];
    port->has_ipv4 = hls_be32(setting.ipv4) != 0;
    port->has_ipv6 = any != 0;
    port->ipv4_sum = (uint32_t)hls_be16(setting.ipv4) + hls_be16(setting.ipv4 + 2);
    port->vxlan_port = setting.vxlan_port == 0 ? VXLAN_UDP_PORT : setting.vxlan_port;
}

/* RFC 6040, figure 4: the inner ECN field after decapsulation. An outer CE on a packet that is not ECN capable is a
 * drop. */
HLS_INLINE uint32_t apply_decapsulated_ecn(uint32_t inner, uint32_t outer)
{
    uint32_t result = inner;
    if (inner != ECN_NOT_CAPABLE && outer == ECN_CONGESTION)
        result = ECN_CONGESTION;
    else if (inner != ECN_NOT_CAPABLE && inner != ECN_CONGESTION && outer == ECN_CAPABLE_1)
        result = ECN_CAPABLE_1;
    return result;
}

HLS_INLINE struct apply_decision apply_drop(uint8_t fate)
{
    struct apply_decision decision = {REWRITE_DROP, fate, PUNT_NONE, false};
    return decision;
}

HLS_INLINE struct apply_decision apply_punt(uint8_t reason)
{
    struct apply_decision decision = {REWRITE_PASS, STATISTIC_PUNTED, reason, false};
    return decision;
}

/* Which kinds of action can be done to the packet: a packet in a tunnel can only be decapsulated. */
HLS_INLINE uint32_t apply_kinds(const struct headers *headers, const struct apply_port *port)
{
    uint32_t over = (port->has_ipv4 ? APPLY_KIND(ACTION_ENCAPSULATE_IPV4) : 0u) |
                    (port->has_ipv6 ? APPLY_KIND(ACTION_ENCAPSULATE_IPV6) : 0u);
    return headers->inner != 0 ? APPLY_KINDS_TUNNEL : APPLY_KINDS_OUTSIDE | over;
}

HLS_INLINE struct apply_decision apply_decide(const struct headers *headers, const struct action *action,
                                              const struct apply_port *port)
{
    bool ip = headers->match.key.kind != FLOW_NONE;
    uint32_t length = headers->frame_length, kind = action->kind & 7u;
    uint32_t most = ((action->mtu - 1u) & 0xffffu) + 1u + headers->network; /* no MTU: more than any frame has */
    struct apply_kind does = apply_kind_of[kind];
    struct apply_decision decision = {does.operation, does.fate, PUNT_NONE, true};
    if (HLS_SELDOM(headers->verdict == VERDICT_DROP))
        decision = apply_drop(headers->detail);
    else if (HLS_SELDOM(headers->verdict == VERDICT_PUNT))
        decision = apply_punt(headers->detail);
    else if (HLS_SELDOM((apply_kinds(headers, port) >> kind & 1u) == 0))
        decision = apply_drop(STATISTIC_DROP_ACTION);
    else if (HLS_SELDOM(kind == ACTION_PUNT))
        decision = apply_punt(PUNT_ACTION);
    else if (HLS_SELDOM((action->flags & ACTION_KEEP_UNTAGGED) != 0 && headers->tags != 0))
        decision = apply_drop(STATISTIC_DROP_VLAN);
    else if (HLS_SELDOM(headers->outer_ecn == ECN_CONGESTION && ip &&
                        (headers->traffic_class & ECN_MASK) == ECN_NOT_CAPABLE))
        decision = apply_drop(STATISTIC_DROP_ECN);
    else if (HLS_SELDOM((action->flags & ACTION_DECREMENT_TTL) != 0 && ip && headers->ttl <= 1))
        decision = apply_punt(PUNT_TTL);
    else if (HLS_SELDOM(length + does.added > PACKET_BYTES_MAX || length > most))
        decision = apply_punt(PUNT_MTU);
    else if (HLS_SELDOM(headers->verdict == VERDICT_ACTION))
        decision.fate = STATISTIC_INJECTED;
    return decision;
}

/* The row of a statistic by source or destination. */
HLS_INLINE uint8_t apply_row(uint32_t endpoint, uint32_t id)
{
    uint32_t row = STATISTIC_ROW_NONE;
    if (endpoint == ENDPOINT_FUNCTION)
        row = id & (CARD_FUNCTIONS - 1u);
    else if (endpoint == ENDPOINT_PORT)
        row = STATISTIC_ROW_PORT + (id & (CARD_PORTS - 1u));
    return (uint8_t)row;
}

/* TTL and ECN of the (inner) IP header. */
HLS_INLINE void apply_ip_edits(struct rewrite_plan *plan, const struct headers *headers, const struct action *action)
{
    bool ipv6 = headers->match.key.kind == FLOW_IPV6;
    uint32_t ecn = headers->traffic_class & ECN_MASK;
    uint32_t new_ecn = headers->inner != 0 ? apply_decapsulated_ecn(ecn, headers->outer_ecn) : ecn;
    bool decrement = (action->flags & ACTION_DECREMENT_TTL) != 0;
    if (headers->match.key.kind != FLOW_NONE && (decrement || HLS_SELDOM(new_ecn != ecn))) {
        uint32_t shift = ipv6 ? 4u : 0u; /* the traffic class lies across two bytes of the IPv6 header */
        uint32_t before = headers->second_byte;
        uint32_t after = (before & ~(ECN_MASK << shift) & 0xffu) | new_ecn << shift;
        uint32_t ttl = decrement ? headers->ttl - 1u : headers->ttl;
        uint32_t checksum = net_checksum_change(headers->checksum, (uint32_t)headers->ttl << 8, ttl << 8);
        plan->edits = (uint8_t)(plan->edits | (ipv6 ? EDIT_IPV6 : EDIT_IPV4));
        plan->second_byte = (uint8_t)after;
        plan->ttl = (uint8_t)ttl;
        plan->checksum = (uint16_t)net_checksum_change(checksum, before, after);
    }
}

HLS_INLINE struct encapsulation apply_values(const struct headers *headers, const struct action *action)
{
    bool ip = headers->match.key.kind != FLOW_NONE;
    uint32_t inner = ip ? headers->traffic_class : 0u;
    uint32_t dscp =
        ip && (action->flags & ACTION_INHERIT_DSCP) != 0 ? inner & ~ECN_MASK : (uint32_t)action->outer_dscp << 2;
    /* RFC 6040, section 4.1, normal mode: the outer ECN field is the inner one. */
    struct encapsulation values = {headers->frame_length, (dscp & 0xfcu) | (inner & ECN_MASK), headers->hash};
    return values;
}

/* What is particular to each operation; returns the packet's length as it leaves. */
HLS_INLINE uint32_t apply_operation(struct rewrite_command *command, const struct headers *headers,
                                    const struct action *action, const struct apply_port *port)
{
    struct rewrite_plan *plan = &command->plan;
    uint32_t kind = action->kind & 7u;
    struct apply_kind does = apply_kind_of[kind];
    uint32_t length = headers->frame_length + (uint32_t)does.added;
    plan->network = (uint8_t)(does.added + headers->network);
    plan->shift = does.shift;
    if (kind == ACTION_ENCAPSULATE_IPV4) {
        struct encapsulation values = apply_values(headers, action);
        encapsulation_ipv4(command->header, action, port, &values);
    } else if (kind == ACTION_ENCAPSULATE_IPV6) {
        struct encapsulation values = apply_values(headers, action);
        encapsulation_ipv6(command->header, action, port, &values);
    } else if (kind == ACTION_DECAPSULATE) {
        if ((uint32_t)headers->inner + length != headers->meta.length)
            plan->edits |= EDIT_CUT;
        if (headers->inner >= BEAT_BYTES)
            plan->operation = REWRITE_STRIP_LONG;
        plan->shift = headers->inner & (BEAT_BYTES - 1u);
    }
    return length;
}

/* The first beat's sideband; on the way to the host it says why. The rewriter sets `last` and `error`. */
HLS_INLINE void apply_meta(struct beat_meta *meta, const struct headers *headers, const struct action *action,
                           const struct apply_decision *decision, uint32_t length)
{
    bool punted = decision->fate == STATISTIC_PUNTED;
    HLS_COPY(meta, &headers->meta, sizeof *meta); /* source and source_id stay */
    meta->bytes = (uint8_t)(length < BEAT_BYTES ? length : BEAT_BYTES);
    meta->last = 0;
    meta->error = 0;
    meta->flags = headers->meta.flags & BEAT_CHECKSUM_VALID;
    meta->length = (uint16_t)length;
    meta->destination = punted ? (uint8_t)ENDPOINT_HOST : action->destination;
    meta->destination_id = punted ? (uint16_t)0 : action->destination_id;
    meta->checksum_start = PUNT_NONE;
    if (HLS_SELDOM(meta->destination == ENDPOINT_HOST))
        meta->checksum_start = punted ? decision->reason : (uint16_t)PUNT_ACTION;
    meta->checksum_offset = 0;
}

HLS_INLINE void apply_packet(const struct apply_state *state, const struct headers *headers,
                             const struct action *action, struct rewrite_command *command)
{
    const struct apply_port *port = &state->port[action->destination_id & (CARD_PORTS - 1u)];
    struct rewrite_plan *plan = &command->plan;
    struct apply_decision decision = apply_decide(headers, action, port);

    HLS_ZERO(command, sizeof *command);
    plan->operation = decision.operation;
    uint32_t length = headers->meta.length;
    if (!HLS_SELDOM(!decision.delivered)) {
        plan->edits = action->flags & (EDIT_SOURCE_MAC | EDIT_DESTINATION_MAC);
        HLS_COPY(plan->destination_mac, action->destination_mac, 6);
        HLS_COPY(plan->source_mac, action->source_mac, 6);
        length = apply_operation(command, headers, action, port);
        apply_ip_edits(plan, headers, action);
        plan->fate.destination_row = apply_row(action->destination, action->destination_id);
    } else {
        plan->fate.destination_row = STATISTIC_ROW_NONE;
    }
    apply_meta(&plan->meta, headers, action, &decision, length);
    plan->fate.kind = FATE_PACKET;
    plan->fate.fate = decision.fate;
    plan->fate.reason = decision.reason;
    plan->fate.length = headers->meta.length;
    /* What the host injects with an action was counted when it came in, or comes from the host itself. */
    plan->fate.source_row = STATISTIC_ROW_NONE;
    if ((headers->meta.flags & BEAT_ACTION) == 0)
        plan->fate.source_row = apply_row(headers->meta.source, headers->meta.source_id);
}

HLS_INLINE void apply_command(struct apply_state *state, const struct headers *headers, struct rewrite_command *command)
{
    struct rewrite_plan *plan = &command->plan;
    if (headers->opcode == COMMAND_PORT_SET)
        apply_port_set(&state->port[headers->hash & (CARD_PORTS - 1u)], &headers->match);
    HLS_ZERO(command, sizeof *command);
    HLS_COPY(&plan->meta, &headers->meta, sizeof plan->meta);
    plan->operation = REWRITE_PASS;
    plan->fate.kind = headers->opcode == COMMAND_STATISTIC_READ ? FATE_READ : FATE_UNTOLD;
    plan->fate.index = (uint16_t)headers->hash;
}

STEP(apply, struct apply_state *state, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct rewrite_command, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, found, line);
    STREAM_OPEN(struct rewrite_command, command, out);
    if (HLS_SELDOM(headers->verdict == VERDICT_COMMAND)) {
        apply_command(state, headers, command);
    } else {
        HLS_RECORD(struct action, action, found->data);
        apply_packet(state, headers, action, command);
    }
    STREAM_PUSH(struct rewrite_command, command, out);
    STEP_END;
}
