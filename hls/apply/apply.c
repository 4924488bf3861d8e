/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what was found and the action into one command for the rewriter: checks, edits, outer headers, destination. */
#include "hls/apply/encapsulation.h"
#include "hls/include/dma.h"
#include "hls/include/net.h"

static_assert((uint32_t)ACTION_SET_SOURCE_MAC == (uint32_t)EDIT_SOURCE_MAC, "flags of an action that are edits");
static_assert((uint32_t)ACTION_SET_DESTINATION_MAC == (uint32_t)EDIT_DESTINATION_MAC, "flags of an action that are edits");

struct apply_state {
    struct apply_port port[CARD_PORTS];
};

struct apply_decision {
    uint8_t operation; /* enum rewrite_operation */
    uint8_t fate;      /* enum statistic */
    uint8_t reason;    /* enum punt_reason */
};

HLS_INLINE void apply_port_set(struct apply_port *port, const struct packet_match *match)
{
    struct port_setting setting;
    HLS_COPY(&setting, match, sizeof setting);
    HLS_COPY(port->mac, setting.mac, 6);
    hls_put_be16(port->vxlan_port, setting.vxlan_port == 0 ? VXLAN_UDP_PORT : setting.vxlan_port);
    HLS_COPY(port->ipv4, setting.ipv4, 4);
    HLS_COPY(port->ipv6, setting.ipv6, 16);
    uint32_t any = 0;
    for (uint32_t i = 0; i < 16; i++)
        any |= setting.ipv6[i];
    port->has_ipv4 = hls_be32(setting.ipv4) != 0;
    port->has_ipv6 = any != 0;
}

HLS_INLINE uint32_t apply_ecn(const struct headers *headers)
{
    return headers->traffic_class & ECN_MASK;
}

/* RFC 6040, figure 4: the inner ECN field after decapsulation. An outer CE on a packet that is not ECN capable is a drop. */
HLS_INLINE uint32_t apply_decapsulated_ecn(uint32_t inner, uint32_t outer)
{
    uint32_t result = inner;
    if (inner != ECN_NOT_CAPABLE && outer == ECN_CONGESTION)
        result = ECN_CONGESTION;
    else if (inner != ECN_NOT_CAPABLE && inner != ECN_CONGESTION && outer == ECN_CAPABLE_1)
        result = ECN_CAPABLE_1;
    return result;
}

/* Can this action be done to this packet at all? */
HLS_INLINE bool apply_possible(const struct headers *headers, const struct action *action, const struct apply_port *port)
{
    bool over_ipv4 = action->kind == ACTION_ENCAPSULATE_IPV4;
    bool over_ipv6 = action->kind == ACTION_ENCAPSULATE_IPV6;
    bool tunnel = headers->inner != 0;
    bool to_port = action->destination == ENDPOINT_PORT;
    return net_action_valid(action) && tunnel == (action->kind == ACTION_DECAPSULATE) &&
           (!over_ipv4 || (to_port && port->has_ipv4)) && (!over_ipv6 || (to_port && port->has_ipv6));
}

HLS_INLINE struct apply_decision apply_drop(uint8_t fate)
{
    struct apply_decision decision = {REWRITE_DROP, fate, PUNT_NONE};
    return decision;
}

HLS_INLINE struct apply_decision apply_punt(uint8_t reason)
{
    struct apply_decision decision = {REWRITE_PASS, STATISTIC_PUNTED, reason};
    return decision;
}

HLS_INLINE struct apply_decision apply_forward(const struct headers *headers, const struct action *action)
{
    struct apply_decision decision = {REWRITE_PASS, STATISTIC_FORWARDED, PUNT_NONE};
    if (action->kind == ACTION_DECAPSULATE) {
        decision.operation = REWRITE_STRIP;
        decision.fate = STATISTIC_DECAPSULATED;
    } else if (action->kind != ACTION_FORWARD) {
        decision.operation = REWRITE_ENCAPSULATE;
        decision.fate = STATISTIC_ENCAPSULATED;
    }
    if (headers->verdict == VERDICT_ACTION)
        decision.fate = STATISTIC_INJECTED;
    return decision;
}

HLS_INLINE struct apply_decision apply_action(const struct headers *headers, const struct action *action,
                                              const struct apply_port *port, uint32_t added)
{
    bool ip = headers->match.key.kind != FLOW_NONE;
    bool not_capable = ip && headers->inner != 0 && headers->outer_ecn == ECN_CONGESTION &&
                       apply_ecn(headers) == ECN_NOT_CAPABLE;
    bool expired = ip && (action->flags & ACTION_DECREMENT_TTL) != 0 && headers->ttl <= 1;
    uint32_t length = headers->frame_length;
    bool too_large = (action->mtu != 0 && length > (uint32_t)action->mtu + headers->network) ||
                     length + added > PACKET_BYTES_MAX;
    struct apply_decision decision;
    if (action->kind == ACTION_PUNT)
        decision = apply_punt(PUNT_ACTION);
    else if (action->kind == ACTION_DROP || !apply_possible(headers, action, port))
        decision = apply_drop(STATISTIC_DROP_ACTION);
    else if ((action->flags & ACTION_KEEP_UNTAGGED) != 0 && headers->tags != 0)
        decision = apply_drop(STATISTIC_DROP_VLAN);
    else if (not_capable)
        decision = apply_drop(STATISTIC_DROP_ECN);
    else if (expired)
        decision = apply_punt(PUNT_TTL);
    else if (too_large)
        decision = apply_punt(PUNT_MTU);
    else
        decision = apply_forward(headers, action);
    return decision;
}

HLS_INLINE uint8_t apply_row(uint32_t endpoint, uint32_t id)
{
    return (uint8_t)(endpoint == ENDPOINT_FUNCTION ? id & (CARD_FUNCTIONS - 1u)
                     : endpoint == ENDPOINT_PORT   ? STATISTIC_ROW_PORT + (id & (CARD_PORTS - 1u))
                                                   : STATISTIC_ROW_NONE);
}

/* TTL and ECN of the (inner) IP header; `added` bytes come before the frame. */
HLS_INLINE void apply_edits(struct rewrite_plan *plan, const struct headers *headers, const struct action *action,
                            uint32_t added)
{
    bool ipv4 = headers->match.key.kind == FLOW_IPV4;
    bool ipv6 = headers->match.key.kind == FLOW_IPV6;
    bool decrement = (ipv4 || ipv6) && (action->flags & ACTION_DECREMENT_TTL) != 0;
    uint32_t ecn = apply_ecn(headers);
    uint32_t new_ecn = headers->inner != 0 ? apply_decapsulated_ecn(ecn, headers->outer_ecn) : ecn;
    uint32_t checksum = headers->checksum;
    uint32_t ttl = headers->ttl;
    uint32_t shift = ipv6 ? 4u : 0u; /* the traffic class lies across two bytes of the IPv6 header */
    uint32_t second = (headers->second_byte & ~(ECN_MASK << shift) & 0xffu) | new_ecn << shift;
    if (decrement) {
        checksum = net_checksum_change(checksum, ttl << 8, (ttl - 1u) << 8);
        ttl -= 1u;
    }
    if (new_ecn != ecn)
        checksum = net_checksum_change(checksum, headers->second_byte, second);

    bool changed = (decrement || new_ecn != ecn);
    uint32_t edits = action->flags & (EDIT_SOURCE_MAC | EDIT_DESTINATION_MAC);
    edits |= changed && ipv4 ? (uint32_t)EDIT_IPV4 : 0u;
    edits |= changed && ipv6 ? (uint32_t)EDIT_IPV6 : 0u;
    plan->edits = (uint8_t)edits;
    plan->network = (uint8_t)(added + headers->network);
    plan->second_byte = (uint8_t)second;
    plan->ttl = (uint8_t)ttl;
    plan->checksum = (uint16_t)checksum;
    HLS_COPY(plan->destination_mac, action->destination_mac, 6);
    HLS_COPY(plan->source_mac, action->source_mac, 6);
}

HLS_INLINE void apply_no_edits(struct rewrite_plan *plan)
{
    plan->edits = 0;
    plan->network = 0;
    plan->second_byte = 0;
    plan->ttl = 0;
    plan->checksum = 0;
    HLS_ZERO(plan->destination_mac, 6);
    HLS_ZERO(plan->source_mac, 6);
}

HLS_INLINE void apply_header(struct rewrite_command *command, const struct headers *headers, const struct action *action,
                             const struct apply_port *port)
{
    bool ip = headers->match.key.kind != FLOW_NONE;
    uint32_t inner_class = ip ? headers->traffic_class : 0u;
    uint32_t dscp = ip && (action->flags & ACTION_INHERIT_DSCP) != 0 ? inner_class >> 2 : action->outer_dscp & 63u;
    /* RFC 6040, section 4.1, normal mode: the outer ECN field is the inner one. */
    struct encapsulation values = {headers->frame_length, dscp << 2 | (inner_class & ECN_MASK), headers->hash};
    if (action->kind == ACTION_ENCAPSULATE_IPV4)
        encapsulation_ipv4(command->header, action, port, &values);
    else
        encapsulation_ipv6(command->header, action, port, &values);
}

HLS_INLINE void apply_meta(struct beat_meta *meta, const struct headers *headers, const struct action *action,
                           const struct apply_decision *decision, uint32_t length)
{
    bool punt = decision->fate == STATISTIC_PUNTED;
    HLS_ZERO(meta, sizeof *meta);
    meta->flags = headers->meta.flags & BEAT_CHECKSUM_VALID;
    meta->length = (uint16_t)length;
    meta->source = headers->meta.source;
    meta->source_id = headers->meta.source_id;
    meta->destination = punt ? (uint8_t)ENDPOINT_HOST : action->destination;
    meta->destination_id = punt ? (uint16_t)0 : action->destination_id;
    if (meta->destination == ENDPOINT_HOST)
        meta->checksum_start = punt ? decision->reason : (uint16_t)PUNT_ACTION;
}

HLS_INLINE void apply_packet(const struct apply_state *state, const struct headers *headers, const struct action *action,
                             struct rewrite_command *command)
{
    struct rewrite_plan *plan = &command->plan;
    const struct apply_port *port = &state->port[action->destination_id & (CARD_PORTS - 1u)];
    uint32_t bytes = action->kind == ACTION_ENCAPSULATE_IPV4   ? ENCAPSULATION_IPV4_BYTES
                     : action->kind == ACTION_ENCAPSULATE_IPV6 ? ENCAPSULATION_IPV6_BYTES
                                                               : 0u;
    struct apply_decision decision;
    if (headers->verdict == VERDICT_DROP)
        decision = apply_drop(headers->detail);
    else if (headers->verdict == VERDICT_PUNT)
        decision = apply_punt(headers->detail);
    else
        decision = apply_action(headers, action, port, bytes);

    HLS_ZERO(command->header, sizeof command->header);
    uint32_t length = headers->meta.length;
    if (decision.operation == REWRITE_ENCAPSULATE) {
        apply_header(command, headers, action, port);
        length += bytes;
    } else if (decision.operation == REWRITE_STRIP) {
        length = headers->frame_length;
    }
    bool encapsulate = decision.operation == REWRITE_ENCAPSULATE;
    bool delivered = decision.operation != REWRITE_DROP && decision.fate != STATISTIC_PUNTED;
    if (delivered)
        apply_edits(plan, headers, action, encapsulate ? bytes : 0u);
    else
        apply_no_edits(plan);
    apply_meta(&plan->meta, headers, action, &decision, length);
    plan->operation = decision.operation;
    plan->bytes = (uint8_t)(encapsulate ? bytes : decision.operation == REWRITE_STRIP ? headers->inner : 0u);
    plan->trim = decision.operation == REWRITE_STRIP && (uint32_t)headers->inner + length != headers->meta.length;
    plan->fate = decision.fate;
    plan->reason = decision.reason;
    /* What the host injects with an action has been counted when it came in, or came from the host itself. */
    plan->source_row = headers->meta.flags & BEAT_ACTION
                              ? (uint8_t)STATISTIC_ROW_NONE
                              : apply_row(headers->meta.source, headers->meta.source_id);
    plan->destination_row = delivered ? apply_row(action->destination, action->destination_id)
                                         : (uint8_t)STATISTIC_ROW_NONE;
    plan->reserved = 0;
    plan->opcode = COMMAND_NOP;
    plan->index = 0;
    HLS_ZERO(plan->reserved2, sizeof plan->reserved2);
}

HLS_INLINE void apply_command(struct apply_state *state, const struct headers *headers, struct rewrite_command *command)
{
    if (headers->opcode == COMMAND_PORT_SET)
        apply_port_set(&state->port[headers->hash & (CARD_PORTS - 1u)], &headers->match);
    struct rewrite_plan *plan = &command->plan;
    HLS_ZERO(command, sizeof *command);
    HLS_COPY(&plan->meta, &headers->meta, sizeof plan->meta);
    plan->operation = REWRITE_COMMAND;
    plan->opcode = headers->opcode;
    plan->index = (uint16_t)headers->hash;
}

STEP(apply, struct apply_state *state, STREAM_IN(struct headers, in), STREAM_IN(struct memory_line, line),
     STREAM_OUT(struct rewrite_command, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_READ(line) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct headers, headers, in);
    STREAM_READ(struct memory_line, found, line);
    STREAM_OPEN(struct rewrite_command, command, out);
    if (headers->verdict == VERDICT_COMMAND) {
        apply_command(state, headers, command);
    } else {
        struct action action;
        HLS_COPY(&action, found->data, sizeof action);
        apply_packet(state, headers, &action, command);
    }
    STREAM_PUSH(struct rewrite_command, command, out);
    STEP_END;
}
