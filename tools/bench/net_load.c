/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/net_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/net.h"
#include "hls/include/packet_key.h"

#define VNI         100u
#define SETS        1024u
#define BUCKET_SETS 512u /* buckets lie in the lower half of the sets, entries and actions in the upper one */
#define ENTRY_FIRST 512u
#define ENTRIES_MAX (NET_KINDS * NET_FLOWS)
#define INNER_SMALL 60u

static const struct port_setting ports[CARD_PORTS] = {
    {.mode = PORT_UPLINK, .mac = {2, 0, 0, 0, 1, 0}, .ipv4 = {192, 0, 2, 1}, .ipv6 = {0xfd, [15] = 1}},
    {.mode = PORT_UPLINK, .mac = {2, 0, 0, 0, 1, 1}, .ipv4 = {192, 0, 2, 2}, .ipv6 = {0xfd, [15] = 2}},
};

static const struct {
    const char *name;
    uint8_t action;
    uint32_t outside, added; /* bytes of the tunnel's headers as the packet enters, and that are added */
} kinds[NET_KINDS] = {
    [NET_FORWARD] = {"forward", ACTION_FORWARD, 0, 0},
    [NET_ENCAPSULATE_IPV4] = {"encapsulate_ipv4", ACTION_ENCAPSULATE_IPV4, 0, ENCAPSULATION_IPV4_BYTES},
    [NET_ENCAPSULATE_IPV6] = {"encapsulate_ipv6", ACTION_ENCAPSULATE_IPV6, 0, ENCAPSULATION_IPV6_BYTES},
    [NET_DECAPSULATE_IPV4] = {"decapsulate_ipv4", ACTION_DECAPSULATE, ENCAPSULATION_IPV4_BYTES, 0},
    [NET_DECAPSULATE_IPV6] = {"decapsulate_ipv6", ACTION_DECAPSULATE, ENCAPSULATION_IPV6_BYTES, 0},
};

const char *net_kind_name(enum net_kind kind)
{
    return kinds[kind].name;
}

uint32_t net_load_length_out(enum net_kind kind, uint32_t length)
{
    return length + kinds[kind].added;
}

static void make_ethernet(uint8_t *frame, uint32_t type)
{
    static const uint8_t other[6] = {2, 0, 0, 0, 0, 9};
    memcpy(frame, ports[0].mac, 6);
    memcpy(frame + 6, other, 6);
    hls_put_be16(frame + 12, type);
}

/* `length` is that of the IP packet. */
static void make_ipv4(uint8_t *ip, const uint8_t destination[4], uint32_t length)
{
    static const uint8_t source[4] = {10, 0, 0, 1};
    uint32_t sum = 0;
    memset(ip, 0, 20);
    ip[0] = 0x45;
    hls_put_be16(ip + 2, length);
    ip[8] = 64;
    ip[9] = IP_PROTOCOL_UDP;
    memcpy(ip + 12, source, 4);
    memcpy(ip + 16, destination, 4);
    for (unsigned i = 0; i < 20; i += 2)
        sum += hls_be16(ip + i);
    hls_put_be16(ip + 10, ~net_fold(sum));
}

static void make_ipv6(uint8_t *ip, const uint8_t destination[16], uint32_t length)
{
    static const uint8_t source[16] = {0xfd, [15] = 9};
    hls_put_be32(ip, 6u << 28);
    hls_put_be32(ip + 4, (length - 40) << 16 | IP_PROTOCOL_UDP << 8 | 64);
    memcpy(ip + 8, source, 16);
    memcpy(ip + 24, destination, 16);
}

static void make_udp(uint8_t *udp, uint32_t source, uint32_t destination, uint32_t length)
{
    hls_put_be32(udp, source << 16 | destination);
    hls_put_be32(udp + 4, length << 16);
}

/* The tunnel's headers for `length` bytes behind them. */
static uint32_t make_tunnel(enum net_kind kind, uint8_t *frame, uint32_t length)
{
    uint32_t outside = kinds[kind].outside;
    if (kind == NET_DECAPSULATE_IPV4) {
        make_ethernet(frame, ETHERTYPE_IPV4);
        make_ipv4(frame + 14, ports[0].ipv4, outside - 14 + length);
    } else if (kind == NET_DECAPSULATE_IPV6) {
        make_ethernet(frame, ETHERTYPE_IPV6);
        make_ipv6(frame + 14, ports[0].ipv6, outside - 14 + length);
    }
    if (outside != 0) {
        make_udp(frame + outside - 16, 50000, VXLAN_UDP_PORT, length + 16);
        hls_put_be32(frame + outside - 8, VXLAN_FLAG_VNI << 24);
        hls_put_be32(frame + outside - 4, VNI << 8);
    }
    return outside;
}

/* `number` is the flow's UDP port. */
static uint32_t make_frame(enum net_kind kind, uint32_t number, uint32_t length, uint8_t *frame)
{
    static const uint8_t destination[4] = {10, 0, 0, 2};
    uint32_t outside = make_tunnel(kind, frame, length);
    frame += outside;
    make_ethernet(frame, ETHERTYPE_IPV4);
    make_ipv4(frame + 14, destination, length - 14);
    make_udp(frame + 34, number, 1000u + kind, length - 34);
    return outside + length;
}

static struct flow_key key_of(enum net_kind kind, uint32_t number)
{
    uint8_t frame[NET_FRAME_MAX] = {0};
    struct headers headers;
    uint32_t length = make_frame(kind, number, INNER_SMALL, frame);
    packet_headers(frame, length, ENDPOINT_PORT, 0, ports, &headers);
    if (headers.verdict != VERDICT_LOOKUP) {
        fprintf(stderr, "net_load: a packet of kind %s has no flow\n", kinds[kind].name);
        exit(1);
    }
    return headers.match.key;
}

/* The UDP ports of all flows: such that their buckets are in sets of their own. */
static const uint16_t *flow_numbers(void)
{
    static uint16_t numbers[ENTRIES_MAX];
    bool used[BUCKET_SETS] = {false};
    uint32_t number = 1;
    for (unsigned flow = 0; numbers[ENTRIES_MAX - 1] == 0 && flow < ENTRIES_MAX; number++) {
        struct flow_key key = key_of((enum net_kind)(flow / NET_FLOWS), number);
        uint32_t set = flow_hash(&key, 0).bucket & (SETS - 1u);
        if (set >= BUCKET_SETS || used[set])
            continue;
        used[set] = true;
        numbers[flow++] = (uint16_t)number;
    }
    return numbers;
}

uint32_t net_load_frame(enum net_kind kind, unsigned flow, uint32_t length, uint8_t frame[NET_FRAME_MAX])
{
    return make_frame(kind, flow_numbers()[kind * NET_FLOWS + flow], length, frame);
}

static struct command_entry command(uint16_t opcode, uint32_t index, const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = TARGET_NET, .index = index};
    memcpy(entry.data, data, bytes);
    return entry;
}

static struct command_entry action_command(enum net_kind kind)
{
    struct action action = {.kind = kinds[kind].action,
                            .destination = ENDPOINT_PORT,
                            .destination_id = 1,
                            .vni = VNI,
                            .outer_destination_mac = {2, 0, 0, 0, 0, 9},
                            .outer_ttl = 64,
                            .remote = {0xfd, [12] = 192, 0, 2, 9}};
    return command(COMMAND_ACTION_WRITE, ENTRY_FIRST + ENTRIES_MAX + kind, &action, sizeof action);
}

size_t net_load_commands(struct command_entry commands[NET_COMMANDS_MAX])
{
    size_t count = 0;
    for (uint32_t port = 0; port < CARD_PORTS; port++)
        commands[count++] = command(COMMAND_PORT_SET, port, &ports[port], sizeof ports[port]);
    for (unsigned kind = 0; kind < NET_KINDS; kind++) {
        struct command_entry action = action_command((enum net_kind)kind);
        commands[count++] = action;
        for (unsigned i = kind * NET_FLOWS; i < (kind + 1) * NET_FLOWS; i++) {
            uint32_t entry = ENTRY_FIRST + i;
            struct packet_match match = {key_of((enum net_kind)kind, flow_numbers()[i]), action.index};
            struct flow_hash hash = flow_hash(&match.key, 0);
            struct flow_way way = {hash.tag, entry};
            commands[count++] = command(COMMAND_FLOW_WRITE, entry, &match, sizeof match);
            commands[count++] = command(COMMAND_BUCKET_WRITE, hash.bucket & (FLOW_BUCKETS - 1u), &way, sizeof way);
        }
    }
    return count;
}
