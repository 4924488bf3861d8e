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
    uint16_t vxlan_port;
    uint8_t ipv4[16]; /* as in struct frame */
    uint8_t ipv6[16];
};

struct parse_state {
    struct parse_port port[CARD_PORTS];
};

HLS_INLINE void parse_port_set(struct parse_port *port, const struct packet_match *match)
{
    struct port_setting setting;
    HLS_COPY(&setting, match, sizeof setting);
    port->mode = setting.mode;
    port->promiscuous = setting.promiscuous;
    HLS_COPY(port->mac, setting.mac, 6);
    port->vxlan_port = setting.vxlan_port == 0 ? (uint16_t)VXLAN_UDP_PORT : setting.vxlan_port;
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

HLS_INLINE void parse_verdict(struct headers *headers, uint8_t verdict, uint8_t detail)
{
    headers->verdict = verdict;
    headers->detail = detail;
}

/* Is the packet for this port's own tunnel endpoint? */
HLS_INLINE bool parse_for_endpoint(const struct parse_port *port, const struct flow_key *key)
{
    return (key->kind == FLOW_IPV4 && port->has_ipv4 && parse_same(key->destination, port->ipv4)) ||
           (key->kind == FLOW_IPV6 && port->has_ipv6 && parse_same(key->destination, port->ipv6));
}

HLS_INLINE bool parse_discovery(const struct headers *headers)
{
    const struct flow_key *key = &headers->match.key;
    return key->kind == FLOW_IPV6 && key->protocol == IP_PROTOCOL_ICMPV6 && headers->transport != 0 &&
           key->destination_port[0] >= ICMPV6_ND_FIRST && key->destination_port[0] <= ICMPV6_ND_LAST;
}

/* What is decided the same for any frame; `bytes` are its own. */
HLS_INLINE void parse_common(struct headers *headers, struct frame frame, const uint8_t *bytes)
{
    if (HLS_SELDOM(frame.fault != 0))
        parse_verdict(headers, VERDICT_DROP, frame.fault);
    else if (HLS_SELDOM(headers->match.key.kind == FLOW_NONE || (bytes[0] & 1u) != 0 || parse_discovery(headers)))
        parse_verdict(headers, VERDICT_PUNT, PUNT_CONTROL);
    else if (HLS_SELDOM(frame.beyond))
        parse_verdict(headers, VERDICT_PUNT, PUNT_OPTIONS);
}

/* Starts again with the frame inside VXLAN, whose first bytes are given; `vxlan` is the header that precedes it. */
HLS_INLINE void parse_inner(struct headers *headers, const uint8_t *vxlan, uint32_t length, const uint8_t *bytes,
                            uint32_t inner)
{
    struct headers outer;
    HLS_COPY(&outer, headers, sizeof outer);
    HLS_ZERO(headers, sizeof *headers);
    HLS_COPY(&headers->meta, &outer.meta, sizeof headers->meta);
    headers->inner = (uint8_t)inner;
    headers->outer_ecn = outer.traffic_class & ECN_MASK;
    headers->match.key.domain = FLOW_DOMAIN_VNI | hls_be32(vxlan + 4) >> 8;
    struct frame_ethernet ethernet = frame_ethernet(bytes);
    HLS_VIEW(ip, FRAME_ROOM_MAX, bytes, INNER_WINDOW_BYTES, ethernet.network);
    struct frame frame = frame_parse(headers, &ethernet, ip, INNER_WINDOW_BYTES, length);
    parse_common(headers, frame, bytes);
}

/* A packet for the tunnel endpoint: VXLAN is opened, all else is the host's. What is opened has no options, so its
 * transport header is at one of two places, known from the Ethernet header. */
HLS_INLINE void parse_tunnel(struct headers *headers, struct frame frame, const struct frame_ethernet *ethernet,
                             const struct parse_port *port, const uint8_t *ip)
{
    const struct flow_key *key = &headers->match.key;
    bool vxlan = key->protocol == IP_PROTOCOL_UDP && headers->transport != 0 &&
                 hls_be16(key->destination_port) == port->vxlan_port;
    if (!vxlan) {
        parse_verdict(headers, VERDICT_PUNT, PUNT_CONTROL);
    } else if (frame.options) {
        parse_verdict(headers, VERDICT_PUNT, PUNT_OPTIONS);
    } else {
        uint32_t transport = ethernet->type == ETHERTYPE_IPV4 ? 20u : 40u;
        HLS_VIEW(udp, FRAME_TRANSPORT_BYTES + INNER_WINDOW_BYTES, ip, FRAME_ROOM_MAX, transport);
        uint32_t udp_length = hls_be16(udp + 4);
        if (udp_length < FRAME_TRANSPORT_BYTES + PACKET_BYTES_MIN)
            parse_verdict(headers, VERDICT_DROP, STATISTIC_DROP_TRUNCATED);
        else if ((udp[8] & VXLAN_FLAG_VNI) == 0)
            parse_verdict(headers, VERDICT_DROP, STATISTIC_DROP_MALFORMED);
        else
            parse_inner(headers, udp + 8, udp_length - FRAME_TRANSPORT_BYTES, udp + FRAME_TRANSPORT_BYTES,
                        ethernet->network + transport + FRAME_TRANSPORT_BYTES);
    }
}

HLS_INLINE void parse_from_port(struct headers *headers, struct frame frame, const struct frame_ethernet *ethernet,
                                const struct parse_port *port, const uint8_t *data, const uint8_t *ip)
{
    uint32_t other = 0;
    for (uint32_t i = 0; i < 6; i++)
        other |= (uint32_t)(data[i] ^ port->mac[i]);
    bool stranger = (data[0] & 1u) == 0 && other != 0 && !port->promiscuous;
    if (port->mode == PORT_OFF || stranger) {
        parse_verdict(headers, VERDICT_DROP, STATISTIC_DROP_ADDRESS);
    } else {
        parse_common(headers, frame, data);
        if (headers->verdict == VERDICT_LOOKUP && parse_for_endpoint(port, &headers->match.key))
            parse_tunnel(headers, frame, ethernet, port, ip);
    }
}

HLS_INLINE void parse_from_function(struct headers *headers, struct frame frame, const uint8_t *data)
{
    const struct flow_key *key = &headers->match.key;
    uint32_t dhcp_port = key->kind == FLOW_IPV4 ? DHCP_SERVER_PORT : DHCPV6_SERVER_PORT;
    parse_common(headers, frame, data);
    if (headers->verdict == VERDICT_LOOKUP && key->protocol == IP_PROTOCOL_UDP &&
        hls_be16(key->destination_port) == dhcp_port)
        parse_verdict(headers, VERDICT_PUNT, PUNT_CONTROL);
}

/* The host's injected packet says which action it gets; everything that was found is kept for that action. */
HLS_INLINE void parse_injected(struct headers *headers)
{
    uint32_t action = (uint32_t)headers->meta.checksum_offset << 16 | headers->meta.checksum_start;
    headers->match.action = action & (FLOW_ACTIONS - 1u);
    if (action < FLOW_ACTIONS)
        parse_verdict(headers, VERDICT_ACTION, 0);
    else
        parse_verdict(headers, VERDICT_DROP, STATISTIC_DROP_ACTION);
}

HLS_INLINE void parse_packet(const struct parse_state *state, const struct window *window, struct headers *headers)
{
    HLS_ZERO(headers, sizeof *headers);
    HLS_COPY(&headers->meta, &window->meta, sizeof headers->meta);
    struct frame_ethernet ethernet = frame_ethernet(window->data);
    HLS_VIEW(ip, FRAME_ROOM_MAX, window->data, WINDOW_BYTES, ethernet.network);
    struct frame frame = frame_parse(headers, &ethernet, ip, WINDOW_BYTES, window->meta.length);
    if (window->meta.source == ENDPOINT_PORT) {
        uint32_t port = window->meta.source_id & (CARD_PORTS - 1u);
        headers->match.key.domain = FLOW_DOMAIN_PORT | port;
        parse_from_port(headers, frame, &ethernet, &state->port[port], window->data, ip);
    } else {
        headers->match.key.domain = FLOW_DOMAIN_FUNCTION | (window->meta.source_id & (CARD_FUNCTIONS - 1u));
        parse_from_function(headers, frame, window->data);
    }
    if (HLS_SELDOM(window->meta.flags & BEAT_ACTION))
        parse_injected(headers);
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
    if (HLS_SELDOM(window->meta.source == ENDPOINT_NONE))
        parse_command(state, window, headers);
    else
        parse_packet(state, window, headers);
    STREAM_PUSH(struct headers, headers, out);
    STEP_END;
}
