/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a packet's headers, also those inside VXLAN (RFC 7348) for this card's tunnel endpoint, forms the flow key, and
 * decides which packets have no flow: they are dropped or the host's.
 */
#include "hls/include/net.h"
#include "hls/parse/frame.h"

struct parse_port {
    uint8_t mode; /* enum port_mode */
    uint8_t promiscuous;
    uint8_t mac[6];
    uint8_t has_ipv4;
    uint8_t has_ipv6;
    uint8_t vxlan_port[2];
    uint8_t ipv4[16]; /* as in struct frame */
    uint8_t ipv6[16];
};

struct parse_state {
    struct parse_port port[CARD_PORTS];
};

/* The outcome: what to do with the packet, and which of its two frames the key describes. */
struct parse_outcome {
    uint8_t verdict;
    uint8_t detail;
    uint8_t inner;
    uint8_t outer_ecn;
    uint16_t frame_length;
    uint32_t domain;
};

HLS_INLINE void parse_port_set(struct parse_port *port, const struct packet_match *match)
{
    struct port_setting setting;
    HLS_COPY(&setting, match, sizeof setting);
    port->mode = setting.mode;
    port->promiscuous = setting.promiscuous;
    HLS_COPY(port->mac, setting.mac, 6);
    uint32_t udp_port = setting.vxlan_port == 0 ? VXLAN_UDP_PORT : setting.vxlan_port;
    hls_put_be16(port->vxlan_port, udp_port);
    HLS_ZERO(port->ipv4, 12);
    HLS_COPY(port->ipv4 + 12, setting.ipv4, 4);
    HLS_COPY(port->ipv6, setting.ipv6, 16);
    uint32_t any = 0;
    for (uint32_t i = 0; i < 16; i++)
        any |= setting.ipv6[i];
    port->has_ipv4 = hls_be32(setting.ipv4) != 0;
    port->has_ipv6 = any != 0;
}

HLS_INLINE bool parse_same(const uint8_t a[16], const uint8_t b[16])
{
    uint64_t x[2], y[2];
    HLS_COPY(x, a, 16);
    HLS_COPY(y, b, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

HLS_INLINE void parse_verdict(struct parse_outcome *outcome, uint8_t verdict, uint8_t detail)
{
    outcome->verdict = verdict;
    outcome->detail = detail;
}

/* Is the packet for this port's own tunnel endpoint? */
HLS_INLINE bool parse_for_endpoint(const struct parse_port *port, const struct frame *frame)
{
    return (frame->kind == FLOW_IPV4 && port->has_ipv4 && parse_same(frame->destination, port->ipv4)) ||
           (frame->kind == FLOW_IPV6 && port->has_ipv6 && parse_same(frame->destination, port->ipv6));
}

/* What is decided the same for any frame that has been parsed without fault. */
HLS_INLINE void parse_common(struct parse_outcome *outcome, const struct frame *frame, const uint8_t *bytes)
{
    bool discovery = frame->kind == FLOW_IPV6 && frame->protocol == IP_PROTOCOL_ICMPV6 && frame->transport != 0 &&
                     frame->destination_port[0] >= ICMPV6_ND_FIRST && frame->destination_port[0] <= ICMPV6_ND_LAST;
    if (frame->fault != 0)
        parse_verdict(outcome, VERDICT_DROP, frame->fault);
    else if (frame->kind == FLOW_NONE || (bytes[0] & 1u) != 0 || discovery)
        parse_verdict(outcome, VERDICT_PUNT, PUNT_CONTROL);
    else if (frame->beyond)
        parse_verdict(outcome, VERDICT_PUNT, PUNT_OPTIONS);
}

/* A packet for the tunnel endpoint: VXLAN is opened, replacing `frame`, all else is the host's. */
HLS_INLINE void parse_tunnel(struct parse_outcome *outcome, struct frame *frame, const struct parse_port *port,
                             const uint8_t data[WINDOW_BYTES])
{
    bool vxlan = frame->protocol == IP_PROTOCOL_UDP && frame->transport != 0 &&
                 frame->destination_port[0] == port->vxlan_port[0] && frame->destination_port[1] == port->vxlan_port[1];
    if (!vxlan) {
        parse_verdict(outcome, VERDICT_PUNT, PUNT_CONTROL);
    } else if (frame->options) {
        parse_verdict(outcome, VERDICT_PUNT, PUNT_OPTIONS);
    } else if (frame->udp_length < 16u + PACKET_BYTES_MIN) {
        parse_verdict(outcome, VERDICT_DROP, STATISTIC_DROP_TRUNCATED);
    } else if ((frame->udp_payload[0] & VXLAN_FLAG_VNI) == 0) {
        parse_verdict(outcome, VERDICT_DROP, STATISTIC_DROP_MALFORMED);
    } else {
        uint8_t bytes[INNER_WINDOW_BYTES];
        outcome->inner = (uint8_t)(frame->transport + 16u);
        outcome->frame_length = (uint16_t)(frame->udp_length - 16u);
        outcome->outer_ecn = frame->traffic_class & ECN_MASK;
        outcome->domain = FLOW_DOMAIN_VNI | hls_be32(frame->udp_payload + 4) >> 8;
        HLS_WINDOW(bytes, INNER_WINDOW_BYTES, data, WINDOW_BYTES, outcome->inner);
        frame_parse(frame, bytes, INNER_WINDOW_BYTES, outcome->frame_length);
        parse_common(outcome, frame, bytes);
    }
}

HLS_INLINE void parse_from_port(struct parse_outcome *outcome, struct frame *frame, const struct parse_port *port,
                                uint32_t port_id, const uint8_t data[WINDOW_BYTES])
{
    uint32_t other = 0;
    for (uint32_t i = 0; i < 6; i++)
        other |= (uint32_t)(data[i] ^ port->mac[i]);
    bool stranger = (data[0] & 1u) == 0 && other != 0 && !port->promiscuous;
    outcome->domain = FLOW_DOMAIN_PORT | port_id;
    if (port->mode == PORT_OFF || stranger) {
        parse_verdict(outcome, VERDICT_DROP, STATISTIC_DROP_ADDRESS);
    } else {
        parse_common(outcome, frame, data);
        if (outcome->verdict == VERDICT_LOOKUP && parse_for_endpoint(port, frame))
            parse_tunnel(outcome, frame, port, data);
    }
}

HLS_INLINE void parse_from_function(struct parse_outcome *outcome, const struct frame *frame, uint32_t function,
                                    const uint8_t data[WINDOW_BYTES])
{
    uint32_t port = frame->kind == FLOW_IPV4 ? DHCP_SERVER_PORT : DHCPV6_SERVER_PORT;
    bool dhcp = frame->protocol == IP_PROTOCOL_UDP && hls_be16(frame->destination_port) == port;
    outcome->domain = FLOW_DOMAIN_FUNCTION | function;
    parse_common(outcome, frame, data);
    if (outcome->verdict == VERDICT_LOOKUP && dhcp)
        parse_verdict(outcome, VERDICT_PUNT, PUNT_CONTROL);
}

HLS_INLINE void parse_key(struct flow_key *key, const struct frame *frame, uint32_t domain)
{
    key->domain = domain;
    HLS_COPY(key->source, frame->source, 16);
    HLS_COPY(key->destination, frame->destination, 16);
    HLS_COPY(key->source_port, frame->source_port, 2);
    HLS_COPY(key->destination_port, frame->destination_port, 2);
    key->protocol = frame->protocol;
    key->kind = frame->kind;
    key->fragment = frame->fragment;
    key->reserved = 0;
}

/* The host's injected packet says which action it gets; everything that was found is kept for that action. */
HLS_INLINE void parse_injected(struct parse_outcome *outcome, struct headers *headers)
{
    uint32_t action = (uint32_t)headers->meta.checksum_offset << 16 | headers->meta.checksum_start;
    headers->match.action = action & (FLOW_ACTIONS - 1u);
    if (action < FLOW_ACTIONS)
        parse_verdict(outcome, VERDICT_ACTION, 0);
    else
        parse_verdict(outcome, VERDICT_DROP, STATISTIC_DROP_ACTION);
}

HLS_INLINE void parse_packet(const struct parse_state *state, const struct window *window, struct headers *headers)
{
    uint32_t source_id = window->meta.source_id;
    struct parse_outcome outcome = {VERDICT_LOOKUP, 0, 0, 0, window->meta.length, 0};
    struct frame frame;
    frame_parse(&frame, window->data, WINDOW_BYTES, window->meta.length);
    if (window->meta.source == ENDPOINT_PORT) {
        uint32_t port = source_id & (CARD_PORTS - 1u);
        parse_from_port(&outcome, &frame, &state->port[port], port, window->data);
    } else {
        parse_from_function(&outcome, &frame, source_id & (CARD_FUNCTIONS - 1u), window->data);
    }
    HLS_COPY(&headers->meta, &window->meta, sizeof headers->meta);
    parse_key(&headers->match.key, &frame, outcome.domain);
    headers->match.action = 0;
    if (window->meta.flags & BEAT_ACTION)
        parse_injected(&outcome, headers);
    headers->verdict = outcome.verdict;
    headers->detail = outcome.detail;
    headers->inner = outcome.inner;
    headers->network = frame.network;
    headers->transport = frame.transport;
    headers->tags = frame.tags;
    headers->traffic_class = frame.traffic_class;
    headers->ttl = frame.ttl;
    headers->protocol = frame.protocol;
    headers->second_byte = frame.second_byte;
    headers->checksum = frame.checksum;
    headers->frame_length = outcome.frame_length;
    headers->outer_ecn = outcome.outer_ecn;
    headers->reserved = 0;
    headers->opcode = COMMAND_NOP;
    headers->reserved2 = 0;
    headers->hash = 0;
    headers->tag = 0;
}

HLS_INLINE void parse_command(struct parse_state *state, const struct window *window, struct headers *headers)
{
    struct command_entry entry;
    HLS_COPY(&entry, window->data, sizeof entry);
    HLS_ZERO(headers, sizeof *headers);
    HLS_COPY(&headers->meta, &window->meta, sizeof headers->meta);
    HLS_COPY(&headers->match, entry.data, sizeof headers->match);
    headers->verdict = window->meta.source_id == COMMAND_WRITE ? VERDICT_WRITE : VERDICT_COMMAND;
    headers->opcode = entry.status == STATUS_OK ? entry.opcode : (uint16_t)COMMAND_NOP;
    headers->hash = entry.index;
    headers->tag = entry.argument;
    if (headers->opcode == COMMAND_PORT_SET)
        parse_port_set(&state->port[entry.index & (CARD_PORTS - 1u)], &headers->match);
}

STEP(parse, struct parse_state *state, STREAM_IN(struct window, in), STREAM_OUT(struct headers, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct window, window, in);
    STREAM_OPEN(struct headers, headers, out);
    if (window->meta.source == ENDPOINT_NONE)
        parse_command(state, window, headers);
    else
        parse_packet(state, window, headers);
    STREAM_PUSH(struct headers, headers, out);
    STEP_END;
}
