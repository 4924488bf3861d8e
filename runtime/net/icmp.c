/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP for IPv4 (RFC 792, 1191, 1812) and IPv6 (RFC 4443): errors about tenants' packets, answers to echo requests. */
#include "runtime/net/slow_path.h"

#define ICMP_HEADER_BYTES 8u
#define ERROR_IPV4_MAX    576u  /* RFC 1812 section 4.3.2.3 */
#define ERROR_IPV6_MAX    1280u /* RFC 4443 section 2.4 (c) */
#define ICMP_TTL          64
#define ERRORS_PER_SECOND 100u
#define ERRORS_BURST      20u
#define ECHOES_PER_SECOND 1000u
#define ECHOES_BURST      100u

static bool is_error_message(const struct frame *frame)
{
    if (!frame_is_icmp(frame))
        return false;
    if (frame->payload_length == 0)
        return true; /* not to be known: treated as one */
    uint8_t type = frame->payload[0];
    if (frame->family == 6)
        return type < 128 || type == 137;
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e). */
static bool may_report(const struct frame *frame)
{
    return !is_error_message(frame) && frame->first_fragment && (frame_destination_mac(frame)[0] & 1) == 0 &&
           net_address_unicast(&frame->destination) && net_address_unicast(&frame->source);
}

static void put_type(uint8_t *icmp, uint8_t family, enum icmp_error error, unsigned mtu)
{
    memset(icmp, 0, ICMP_HEADER_BYTES);
    switch (error) {
    case ICMP_NO_ROUTE:
        icmp[0] = family == 4 ? 3 : 1;
        break;
    case ICMP_TIME_EXCEEDED:
        icmp[0] = family == 4 ? 11 : 3;
        break;
    case ICMP_TOO_BIG:
        icmp[0] = family == 4 ? 3 : 2;
        icmp[1] = family == 4 ? 4 : 0;
        hls_put_be32(icmp + 4, mtu);
        break;
    }
}

void icmp_send_error(struct slow_path *path, const struct origin *origin, const struct frame *frame,
                     enum icmp_error error, unsigned mtu)
{
    uint8_t out[FRAME_ETHERNET_BYTES + ERROR_IPV6_MAX];
    if (!may_report(frame))
        return;
    /* Path MTU discovery must work in a VPC without a gateway too: then the destination itself seems to say so. */
    const struct net_address *source = tables_gateway(origin->vpc, &frame->source);
    if (!source && error == ICMP_TOO_BIG)
        source = &frame->destination;
    if (!source ||
        !rate_limit_take(slow_path_limit(path, path->error_limit, origin), path->now, ERRORS_PER_SECOND, ERRORS_BURST))
        return;
    size_t headers = (frame->family == 4 ? FRAME_IPV4_BYTES : FRAME_IPV6_BYTES) + ICMP_HEADER_BYTES;
    size_t quoted = (frame->family == 4 ? ERROR_IPV4_MAX : ERROR_IPV6_MAX) - headers;
    if (quoted > frame->ip_length)
        quoted = frame->ip_length;
    uint8_t *ip = out + frame_put_ethernet(out, frame_source_mac(frame), origin->vpc->setting.mac, frame->type);
    uint8_t *icmp =
        ip + frame_put_ip(ip, source, &frame->source, frame->family == 4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6,
                          ICMP_TTL, ICMP_HEADER_BYTES + quoted);
    put_type(icmp, frame->family, error, mtu);
    memcpy(icmp + ICMP_HEADER_BYTES, frame->ip, quoted);
    hls_put_be16(icmp + 2, frame_icmp_checksum(source, &frame->source, icmp, ICMP_HEADER_BYTES + quoted));
    slow_path_answer(path, origin, out, FRAME_ETHERNET_BYTES + headers + quoted);
    path->statistics.icmp_sent++;
}

bool icmp_answer_echo(struct slow_path *path, const struct origin *origin, const struct frame *frame,
                      const uint8_t mac[6])
{
    uint8_t out[PACKET_BYTES_MAX];
    bool ipv4 = frame->family == 4;
    if (!frame_is_icmp(frame) || frame->fragment || frame->payload_length < ICMP_HEADER_BYTES ||
        frame->payload[0] != (ipv4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST) || !net_address_unicast(&frame->source) ||
        (frame_destination_mac(frame)[0] & 1) != 0 ||
        frame_icmp_checksum(&frame->source, &frame->destination, frame->payload, frame->payload_length) != 0)
        return false;
    if (!rate_limit_take(slow_path_limit(path, path->echo_limit, origin), path->now, ECHOES_PER_SECOND, ECHOES_BURST))
        return false;
    uint8_t *ip = out + frame_put_ethernet(out, frame_source_mac(frame), mac, frame->type);
    uint8_t *icmp =
        ip + frame_put_ip(ip, &frame->destination, &frame->source, frame->protocol, ICMP_TTL, frame->payload_length);
    memcpy(icmp, frame->payload, frame->payload_length);
    icmp[0] = ipv4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
    hls_put_be16(icmp + 2, 0);
    hls_put_be16(icmp + 2, frame_icmp_checksum(&frame->destination, &frame->source, icmp, frame->payload_length));
    slow_path_answer(path, origin, out, (size_t)(icmp - out) + frame->payload_length);
    path->statistics.icmp_sent++;
    return true;
}
