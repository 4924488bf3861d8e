/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the network headers that the card reads and writes, and the checks of the network group's commands. */
#ifndef CIPU_HLS_NET_H
#define CIPU_HLS_NET_H

#include "hls/include/flow.h"
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"
#include "hls/include/packet.h"

#define ETHERTYPE_IPV4         0x0800u
#define ETHERTYPE_IPV6         0x86ddu
#define ETHERTYPE_VLAN         0x8100u /* IEEE 802.1Q */
#define ETHERTYPE_SERVICE_VLAN 0x88a8u /* IEEE 802.1ad */

#define IP_PROTOCOL_HOP_BY_HOP  0u
#define IP_PROTOCOL_ICMP        1u
#define IP_PROTOCOL_TCP         6u
#define IP_PROTOCOL_UDP         17u
#define IP_PROTOCOL_ROUTING     43u
#define IP_PROTOCOL_FRAGMENT    44u
#define IP_PROTOCOL_ICMPV6      58u
#define IP_PROTOCOL_DESTINATION 60u

#define ICMP_ECHO_REPLY     0u
#define ICMP_ECHO_REQUEST   8u
#define ICMPV6_ECHO_REQUEST 128u
#define ICMPV6_ECHO_REPLY   129u
#define ICMPV6_ND_FIRST     133u /* router solicitation .. redirect, RFC 4861 */
#define ICMPV6_ND_LAST      137u

#define VXLAN_UDP_PORT 4789u
#define VXLAN_FLAG_VNI 0x08u

#define DHCP_SERVER_PORT   67u
#define DHCPV6_SERVER_PORT 547u

#define ECN_MASK        3u
#define ECN_NOT_CAPABLE 0u
#define ECN_CAPABLE_1   1u /* ECT(1) */
#define ECN_CONGESTION  3u

/* Brings a sum of 16-bit words back to 16 bits, RFC 1071. */
HLS_INLINE uint32_t net_fold(uint32_t sum)
{
    sum = (sum & 0xffffu) + (sum >> 16);
    return (sum & 0xffffu) + (sum >> 16);
}

/* The checksum after one word of the header went from `before` to `after`: RFC 1624, equation 3. */
HLS_INLINE uint32_t net_checksum_change(uint32_t checksum, uint32_t before, uint32_t after)
{
    return ~net_fold((~checksum & 0xffffu) + (~before & 0xffffu) + after) & 0xffffu;
}

HLS_INLINE bool net_destination_valid(uint32_t endpoint, uint32_t id)
{
    return (endpoint == ENDPOINT_PORT && id < CARD_PORTS) || (endpoint == ENDPOINT_FUNCTION && id < CARD_FUNCTIONS) ||
           endpoint == ENDPOINT_HOST;
}

/* Only valid actions get into card memory. */
HLS_INLINE bool net_action_valid(const struct action *action)
{
    bool tunnel = action->kind == ACTION_ENCAPSULATE_IPV4 || action->kind == ACTION_ENCAPSULATE_IPV6;
    return action->kind == ACTION_DROP || action->kind == ACTION_PUNT ||
           (action->kind < ACTION_PUNT && net_destination_valid(action->destination, action->destination_id) &&
            (!tunnel || action->destination == ENDPOINT_PORT));
}

HLS_INLINE bool net_port_setting_valid(const struct port_setting *setting)
{
    return setting->mode < PORT_ACCESS || (setting->mode == PORT_ACCESS && setting->function < CARD_FUNCTIONS);
}

/* What a command of TARGET_NET is worth: an enum command_status. */
HLS_INLINE uint8_t net_command_status(const struct command_entry *entry)
{
    struct port_setting setting;
    struct flow_way way;
    struct packet_match match;
    struct action action;
    HLS_COPY(&setting, entry->data, sizeof setting);
    HLS_COPY(&way, entry->data, sizeof way);
    HLS_COPY(&match, entry->data, sizeof match);
    HLS_COPY(&action, entry->data, sizeof action);

    bool known = true, index = true, data = true;
    if (entry->opcode == COMMAND_PORT_SET) {
        index = entry->index < CARD_PORTS;
        data = net_port_setting_valid(&setting);
    } else if (entry->opcode == COMMAND_BUCKET_WRITE) {
        index = entry->index < FLOW_BUCKETS && entry->argument < FLOW_WAYS;
        data = way.entry < FLOW_ENTRIES;
    } else if (entry->opcode == COMMAND_FLOW_WRITE) {
        index = entry->index < FLOW_ENTRIES;
        data = match.action < FLOW_ACTIONS;
    } else if (entry->opcode == COMMAND_FLOW_READ) {
        index = entry->index < FLOW_ENTRIES;
    } else if (entry->opcode == COMMAND_ACTION_WRITE) {
        index = entry->index < FLOW_ACTIONS;
        data = net_action_valid(&action);
    } else if (entry->opcode == COMMAND_STATISTIC_READ) {
        index = entry->index < STATISTIC_COUNT;
    } else {
        known = entry->opcode == COMMAND_NOP || entry->opcode == COMMAND_SEED_SET;
    }
    return (uint8_t)(!known ? STATUS_BAD_OPCODE : !index ? STATUS_BAD_INDEX : !data ? STATUS_BAD_DATA : STATUS_OK);
}

#endif
