/* SPDX-License-Identifier: Apache-2.0 */
/* ARP (RFC 826) and neighbour discovery (RFC 4861) messages, read and built in one form. */
#include "runtime/net/frame.h"

enum { SOLICITATION = 135, ADVERTISEMENT = 136 };
enum { OPTION_SOURCE = 1, OPTION_TARGET = 2 };
enum { FLAG_ROUTER = 0x80, FLAG_SOLICITED = 0x40, FLAG_OVERRIDE = 0x20 };

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static bool read_arp(const struct frame *frame, struct frame_neighbour *message)
{
    static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
    if (frame->length < FRAME_ARP_BYTES)
        return false;
    const uint8_t *arp = frame->data + FRAME_ETHERNET_BYTES;
    uint16_t operation = hls_be16(arp + 6);
    if (memcmp(arp, ethernet_ipv4, 6) != 0 || (operation != FRAME_ARP_REQUEST && operation != FRAME_ARP_REPLY))
        return false;
    message->solicitation = operation == FRAME_ARP_REQUEST;
    message->family = 4;
    message->sender = net_address_of(4, arp + 14);
    message->target = net_address_of(4, arp + 24);
    memcpy(message->sender_mac, arp + 8, 6);
    return net_mac_unicast(message->sender_mac);
}

/* RFC 4861 section 4.6: options are type, length in units of 8 bytes (never 0), value. */
static bool read_options(const uint8_t *option, size_t left, uint8_t wanted, uint8_t mac[6], bool *found)
{
    *found = false;
    while (left > 0) {
        if (left < 8 || option[1] == 0 || option[1] * 8u > left)
            return false;
        if (option[0] == wanted) {
            if (option[1] != 1)
                return false;
            memcpy(mac, option + 2, 6);
            *found = true;
        }
        left -= option[1] * 8u;
        option += option[1] * 8u;
    }
    return true;
}

bool frame_is_neighbour_message(const struct frame *frame)
{
    return frame->family == 6 && frame->protocol == IP_PROTOCOL_ICMPV6 && !frame->fragment &&
           frame->payload_length >= 24 && (frame->payload[0] == SOLICITATION || frame->payload[0] == ADVERTISEMENT) &&
           frame->payload[1] == 0 && frame->ttl == 255 && frame->payload[8] != 0xff &&
           frame_icmp_checksum(&frame->source, &frame->destination, frame->payload, frame->payload_length) == 0;
}

static bool read_nd(const struct frame *frame, struct frame_neighbour *message)
{
    if (!frame_is_neighbour_message(frame))
        return false;
    const uint8_t *icmp = frame->payload;
    struct net_address target = net_address_of(6, icmp + 8);
    bool found;
    message->family = 6;
    message->solicitation = icmp[0] == SOLICITATION;
    memcpy(message->sender_mac, frame_source_mac(frame), 6);
    if (!read_options(icmp + 24, frame->payload_length - 24, message->solicitation ? OPTION_SOURCE : OPTION_TARGET,
                      message->sender_mac, &found))
        return false;
    message->sender = message->solicitation ? frame->source : target;
    message->target = message->solicitation ? target : frame->destination;
    if (message->solicitation && net_address_unspecified(&frame->source)) {
        /* RFC 4861 section 7.1.1: a probe goes to the solicited-node address and has no source option. */
        static const uint8_t solicited_node[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
        if (found || memcmp(frame->destination.bytes, solicited_node, 13) != 0)
            return false;
    }
    return net_mac_unicast(message->sender_mac);
}

bool frame_neighbour_read(const struct frame *frame, struct frame_neighbour *message)
{
    *message = (struct frame_neighbour){.family = 0};
    return frame->type == FRAME_TYPE_ARP ? read_arp(frame, message) : read_nd(frame, message);
}

static size_t put_arp(uint8_t *to, enum frame_arp_operation operation, const uint8_t ethernet_destination[6],
                      const uint8_t sender_mac[6], const uint8_t sender[4], const uint8_t target_mac[6],
                      const uint8_t target[4])
{
    static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
    uint8_t *arp = to + frame_put_ethernet(to, ethernet_destination, sender_mac, FRAME_TYPE_ARP);
    memcpy(arp, ethernet_ipv4, 6);
    hls_put_be16(arp + 6, operation);
    memcpy(arp + 8, sender_mac, 6);
    memcpy(arp + 14, sender, 4);
    memcpy(arp + 18, target_mac, 6);
    memcpy(arp + 24, target, 4);
    return FRAME_ARP_BYTES;
}

struct nd {
    uint8_t type, flags, option;
    const uint8_t *ethernet_destination, *mac;
    const struct net_address *source, *destination, *target;
};

static size_t put_nd(uint8_t *to, const struct nd *nd)
{
    uint8_t *ip = to + frame_put_ethernet(to, nd->ethernet_destination, nd->mac, ETHERTYPE_IPV6);
    uint8_t *icmp = ip + frame_put_ip(ip, nd->source, nd->destination, IP_PROTOCOL_ICMPV6, 255, 32);
    memset(icmp, 0, 32);
    icmp[0] = nd->type;
    icmp[4] = nd->flags;
    memcpy(icmp + 8, nd->target->bytes, 16);
    icmp[24] = nd->option;
    icmp[25] = 1;
    memcpy(icmp + 26, nd->mac, 6);
    hls_put_be16(icmp + 2, frame_icmp_checksum(nd->source, nd->destination, icmp, 32));
    return FRAME_NEIGHBOUR_BYTES;
}

size_t frame_put_solicitation(uint8_t *to, const uint8_t source_mac[6], const struct net_address *source,
                              const struct net_address *target, const uint8_t *to_mac)
{
    static const uint8_t unknown[6];
    if (target->family == 4)
        return put_arp(to, FRAME_ARP_REQUEST, to_mac ? to_mac : broadcast, source_mac, source->bytes, unknown,
                       target->bytes);
    const uint8_t *low = target->bytes + 13;
    struct net_address group = {.family = 6,
                                .bytes = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, low[0], low[1], low[2]}};
    const uint8_t group_mac[6] = {0x33, 0x33, 0xff, low[0], low[1], low[2]}; /* RFC 2464 section 7 */
    struct nd nd = {.type = SOLICITATION,
                    .option = OPTION_SOURCE,
                    .ethernet_destination = to_mac ? to_mac : group_mac,
                    .mac = source_mac,
                    .source = source,
                    .destination = to_mac ? target : &group,
                    .target = target};
    return put_nd(to, &nd);
}

size_t frame_put_answer(uint8_t *to, const struct frame_neighbour *asked, const uint8_t to_mac[6], const uint8_t mac[6],
                        bool router)
{
    if (asked->family == 4)
        return put_arp(to, FRAME_ARP_REPLY, to_mac, mac, asked->target.bytes, asked->sender_mac, asked->sender.bytes);
    /* RFC 4861 section 7.2.4: who probes for a duplicate has no address yet and is answered at all-nodes. */
    static const struct net_address all_nodes = {.family = 6, .prefix = 128, .bytes = {0xff, 2, [15] = 1}};
    static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
    bool probe = net_address_unspecified(&asked->sender);
    struct nd nd = {.type = ADVERTISEMENT,
                    .flags = (uint8_t)(FLAG_OVERRIDE | (probe ? 0 : FLAG_SOLICITED) | (router ? FLAG_ROUTER : 0)),
                    .option = OPTION_TARGET,
                    .ethernet_destination = probe ? all_nodes_mac : to_mac,
                    .mac = mac,
                    .source = &asked->target,
                    .destination = probe ? &all_nodes : &asked->sender,
                    .target = &asked->target};
    return put_nd(to, &nd);
}
