/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network kernels together: what enters where and where it leaves, port modes, commands and their status, spoilt
 * packets, flows that change under traffic, packets cut off anywhere, and random bytes; all of it counted once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/hls/net_card.h"
#include "tests/hls/net_packets.h"

#define FUNCTION 3u
#define SEED     0x1234u

static const struct port_setting uplink = {
    .mode = PORT_UPLINK, .mac = {2, 0, 0, 0, 9, 9}, .ipv4 = {192, 0, 2, 1}, .ipv6 = {0x20, 1, 0xd, 0xb8, [15] = 1}};
static const struct beat_meta from_function = {.source = ENDPOINT_FUNCTION, .source_id = FUNCTION};
static const struct beat_meta from_port; /* the shell says nothing */

struct world {
    struct net_card *card;
    uint64_t random;
    uint64_t sent, received, received_bytes, spoilt;
    uint64_t to[NET_OUTPUTS], reason[8], function[CARD_FUNCTIONS];
    uint64_t digest;
    struct net_packet last;
};

static void receive(void *context, const struct net_packet *packet)
{
    struct world *world = context;
    world->received++;
    world->received_bytes += packet->length;
    world->spoilt += packet->meta.error;
    world->to[packet->output]++;
    if (packet->output == NET_TO_HOST)
        world->reason[packet->meta.checksum_start & 7]++;
    if (packet->output == NET_TO_FUNCTION)
        world->function[packet->meta.destination_id % CARD_FUNCTIONS]++;
    for (size_t i = 0; i < packet->length; i++)
        world->digest = (world->digest ^ packet->bytes[i]) * 0x100000001b3u;
    world->digest = (world->digest ^ (uint64_t)packet->output << 32 ^ packet->length << 8 ^
                     packet->meta.checksum_start ^ packet->meta.source_id ^ (uint64_t)packet->meta.source << 40) *
                    0x100000001b3u;
    world->last = *packet;
}

static struct world *world_create(bool copying)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->random = 2024;
    world->card = net_card_create(copying, receive, world);
    assert_non_null(world->card);
    assert_int_equal(net_card_set(world->card, COMMAND_SEED_SET, 0, SEED, NULL, 0), STATUS_OK);
    return world;
}

static void world_destroy(struct world *world)
{
    assert_int_equal(net_card_faults(world->card), 0);
    net_card_destroy(world->card);
    test_free(world);
}

static void uplink_port(struct world *world, unsigned port)
{
    assert_int_equal(net_card_set(world->card, COMMAND_PORT_SET, port, 0, &uplink, sizeof uplink), STATUS_OK);
}

static void send(struct world *world, enum net_input input, const void *bytes, size_t length,
                 const struct beat_meta *meta)
{
    world->sent++;
    net_card_send(world->card, input, bytes, length, meta, false);
}

static uint64_t packets(struct world *world, unsigned statistic)
{
    return net_card_statistic(world->card, statistic).packets;
}

static size_t udp_frame(struct world *world, uint8_t *bytes, unsigned destination_port)
{
    struct frame_spec spec = {.version = 4, .ttl = 64, .protocol = 17, .length = 100};
    spec.source[12] = 10;
    spec.destination[12] = 10;
    spec.destination_port = (uint16_t)destination_port;
    return frame_write(&spec, bytes, &world->random);
}

static struct flow_key udp_key(uint32_t domain, const uint8_t *frame)
{
    struct flow_key key = {.domain = domain, .protocol = 17, .kind = FLOW_IPV4};
    memcpy(key.source + 12, frame + 26, 4);
    memcpy(key.destination + 12, frame + 30, 4);
    memcpy(key.source_port, frame + 34, 2);
    memcpy(key.destination_port, frame + 36, 2);
    return key;
}

static void forward_to(struct world *world, unsigned index, unsigned function)
{
    struct action action = {
        .kind = ACTION_FORWARD, .destination = ENDPOINT_FUNCTION, .destination_id = (uint16_t)function};
    assert_int_equal(net_card_set(world->card, COMMAND_ACTION_WRITE, index, 0, &action, sizeof action), STATUS_OK);
}

static void ports_decide_what_enters(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    uint8_t frame[200];
    size_t length = udp_frame(world, frame, 1);

    send(world, NET_PORT0, frame, length, &from_port); /* off after reset */
    net_card_run(world->card);
    assert_int_equal(world->received, 0);
    assert_int_equal(packets(world, STATISTIC_DROP_ADDRESS), 1);

    uplink_port(world, 0);
    send(world, NET_PORT0, frame, length, &from_port); /* another station's */
    net_card_run(world->card);
    assert_int_equal(packets(world, STATISTIC_DROP_ADDRESS), 2);

    memcpy(frame, uplink.mac, 6);
    send(world, NET_PORT0, frame, length, &from_port);
    net_card_run(world->card);
    assert_int_equal(world->reason[PUNT_MISS], 1);
    assert_int_equal(world->last.meta.source, ENDPOINT_PORT);
    assert_int_equal(world->last.meta.source_id, 0);
    assert_memory_equal(world->last.bytes, frame, length);

    memcpy(frame + 30, uplink.ipv4, 4); /* for the endpoint, not VXLAN */
    store16(frame + 24, 0);
    store16(frame + 24, ~ones_sum(frame + 14, 20) & 0xffff);
    send(world, NET_PORT0, frame, length, &from_port);
    frame[0] = 0x33; /* multicast */
    send(world, NET_PORT0, frame, length, &from_port);
    net_card_run(world->card);
    assert_int_equal(world->reason[PUNT_CONTROL], 2);

    struct port_setting promiscuous = uplink;
    promiscuous.promiscuous = 1;
    assert_int_equal(net_card_set(world->card, COMMAND_PORT_SET, 0, 0, &promiscuous, sizeof promiscuous), STATUS_OK);
    length = udp_frame(world, frame, 1);
    send(world, NET_PORT0, frame, length, &from_port);
    net_card_run(world->card);
    assert_int_equal(world->reason[PUNT_MISS], 2);

    struct port_setting access = {.mode = PORT_ACCESS, .function = 17};
    assert_int_equal(net_card_set(world->card, COMMAND_PORT_SET, 1, 0, &access, sizeof access), STATUS_OK);
    struct flow_key key = udp_key(FLOW_DOMAIN_FUNCTION | 17, frame);
    forward_to(world, 5, 99);
    assert_true(net_card_flow(world->card, &key, SEED, 8, 5));
    net_card_run(world->card);
    send(world, NET_PORT1, frame, length, &from_port);
    net_card_run(world->card);
    assert_int_equal(world->function[99], 1);
    assert_int_equal(packets(world, STATISTIC_FROM_FUNCTION + 17), 1);
    assert_int_equal(packets(world, STATISTIC_TO_FUNCTION + 99), 1);
    assert_int_equal(packets(world, STATISTIC_FROM_PORT), 6);
    assert_int_equal(packets(world, STATISTIC_FROM_PORT + 1), 0);
    world_destroy(world);
}

static void functions_have_control_packets(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    uint8_t frame[200];
    size_t length = udp_frame(world, frame, 67); /* DHCP */
    send(world, NET_FUNCTION, frame, length, &from_function);
    length = udp_frame(world, frame, 1);
    memset(frame, 0xff, 6); /* broadcast */
    send(world, NET_FUNCTION, frame, length, &from_function);
    struct frame_spec arp = {.version = 0, .length = 60};
    length = frame_write(&arp, frame, &world->random);
    send(world, NET_FUNCTION, frame, length, &from_function);
    for (unsigned type = 130; type < 140; type++) { /* neighbour discovery is 133 .. 137 */
        struct frame_spec icmp = {.version = 6, .ttl = 255, .protocol = 58, .length = 90};
        length = frame_write(&icmp, frame, &world->random);
        frame[54] = (uint8_t)type;
        send(world, NET_FUNCTION, frame, length, &from_function);
    }
    net_card_run(world->card);
    assert_int_equal(world->reason[PUNT_CONTROL], 3 + 5);
    assert_int_equal(world->reason[PUNT_MISS], 5);
    assert_int_equal(packets(world, STATISTIC_PUNT_REASON + PUNT_CONTROL), 8);
    assert_int_equal(packets(world, STATISTIC_PUNTED), 13);
    assert_int_equal(packets(world, STATISTIC_FROM_FUNCTION + FUNCTION), 13);
    world_destroy(world);
}

static void commands_are_checked(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    struct port_setting bad_mode = {.mode = 3}, bad_function = {.mode = PORT_ACCESS, .function = CARD_FUNCTIONS};
    struct flow_way bad_way = {1, FLOW_ENTRIES};
    struct flow_key none = {0};
    struct {
        struct flow_key key;
        uint32_t action;
    } bad_flow = {none, FLOW_ACTIONS};
    struct action bad_kind = {.kind = 6},
                  bad_port = {.kind = ACTION_FORWARD, .destination = ENDPOINT_PORT, .destination_id = 2};
    struct action bad_tunnel = {.kind = ACTION_ENCAPSULATE_IPV6, .destination = ENDPOINT_FUNCTION};
    struct action nowhere = {.kind = ACTION_DECAPSULATE, .destination = ENDPOINT_NONE};
    const struct {
        uint16_t opcode;
        uint32_t index, argument;
        const void *data;
        size_t bytes;
        int status;
    } cases[] = {
        {COMMAND_NOP, 0, 0, "", 0, STATUS_OK},
        {8, 0, 0, "", 0, STATUS_BAD_OPCODE},
        {COMMAND_WINDOW_SET, 0, 0, "", 0, STATUS_BAD_OPCODE},
        {0xffff, 0, 0, "", 0, STATUS_BAD_OPCODE},
        {COMMAND_PORT_SET, CARD_PORTS, 0, &uplink, sizeof uplink, STATUS_BAD_INDEX},
        {COMMAND_PORT_SET, 0, 0, &bad_mode, sizeof bad_mode, STATUS_BAD_DATA},
        {COMMAND_PORT_SET, 0, 0, &bad_function, sizeof bad_function, STATUS_BAD_DATA},
        {COMMAND_BUCKET_WRITE, FLOW_BUCKETS, 0, "", 0, STATUS_BAD_INDEX},
        {COMMAND_BUCKET_WRITE, 0, FLOW_WAYS, "", 0, STATUS_BAD_INDEX},
        {COMMAND_BUCKET_WRITE, 0, 0, &bad_way, sizeof bad_way, STATUS_BAD_DATA},
        {COMMAND_BUCKET_WRITE, FLOW_BUCKETS - 1, FLOW_WAYS - 1, "", 0, STATUS_OK},
        {COMMAND_FLOW_WRITE, FLOW_ENTRIES, 0, "", 0, STATUS_BAD_INDEX},
        {COMMAND_FLOW_WRITE, 0, 0, &bad_flow, sizeof bad_flow, STATUS_BAD_DATA},
        {COMMAND_FLOW_READ, FLOW_ENTRIES, 0, "", 0, STATUS_BAD_INDEX},
        {COMMAND_FLOW_READ, FLOW_ENTRIES - 1, 0, "", 0, STATUS_OK},
        {COMMAND_ACTION_WRITE, FLOW_ACTIONS, 0, "", 0, STATUS_BAD_INDEX},
        {COMMAND_ACTION_WRITE, 0, 0, &bad_kind, sizeof bad_kind, STATUS_BAD_DATA},
        {COMMAND_ACTION_WRITE, 0, 0, &bad_port, sizeof bad_port, STATUS_BAD_DATA},
        {COMMAND_ACTION_WRITE, 0, 0, &bad_tunnel, sizeof bad_tunnel, STATUS_BAD_DATA},
        {COMMAND_ACTION_WRITE, 0, 0, &nowhere, sizeof nowhere, STATUS_BAD_DATA},
        {COMMAND_STATISTIC_READ, STATISTIC_COUNT, 0, "", 0, STATUS_BAD_INDEX},
        {COMMAND_STATISTIC_READ, STATISTIC_COUNT - 1, 0, "", 0, STATUS_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command_entry entry = {.opcode = cases[i].opcode,
                                      .target = TARGET_NET,
                                      .tag = 0x01020304u + (uint32_t)i,
                                      .index = cases[i].index,
                                      .argument = cases[i].argument};
        memcpy(entry.data, cases[i].data, cases[i].bytes);
        net_card_command(world->card, &entry);
        assert_int_equal(entry.status, cases[i].status);
        assert_int_equal(entry.tag, 0x01020304u + i);
        assert_int_equal(entry.opcode, cases[i].opcode);
        assert_int_equal(entry.index, cases[i].index);
    }
    /* A refused command has changed nothing: the port is still off. */
    uint8_t frame[200];
    size_t length = udp_frame(world, frame, 1);
    send(world, NET_PORT0, frame, length, &from_port);
    net_card_run(world->card);
    assert_int_equal(world->received, 0);
    world_destroy(world);
}

static void spoilt_packets_stay_spoilt(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    static uint8_t bytes[3000];
    size_t header = udp_frame(world, bytes, 5);
    struct flow_key key = udp_key(FLOW_DOMAIN_FUNCTION | FUNCTION, bytes);
    forward_to(world, 1, 50);
    assert_true(net_card_flow(world->card, &key, SEED, 1, 1));
    net_card_run(world->card);
    for (size_t length = header; length < sizeof bytes; length += 61) {
        net_card_send(world->card, NET_FUNCTION, bytes, length, &from_function, true);
        send(world, NET_FUNCTION, bytes, length, &from_function);
        net_card_run(world->card);
        assert_int_equal(world->spoilt * 2, world->received);
    }
    assert_int_equal(packets(world, STATISTIC_DROP_ERROR), world->sent);
    assert_int_equal(packets(world, STATISTIC_FORWARDED), world->sent);
    assert_int_equal(packets(world, STATISTIC_FROM_FUNCTION + FUNCTION), 2 * world->sent);
    assert_int_equal(packets(world, STATISTIC_TO_FUNCTION + 50), world->sent);
    world_destroy(world);
}

static void hosts_sources_are_checked(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    uint8_t frame[200];
    size_t length = udp_frame(world, frame, 1);
    for (unsigned source = 0; source < 256; source += source < 5 ? 1 : 50) {
        for (unsigned id = 0; id < 300; id += 43) {
            struct beat_meta meta = {.source = (uint8_t)source, .source_id = (uint16_t)id};
            bool known =
                (source == ENDPOINT_PORT && id < CARD_PORTS) || (source == ENDPOINT_FUNCTION && id < CARD_FUNCTIONS);
            uint64_t before = world->received;
            send(world, NET_HOST, frame, length, &meta);
            net_card_run(world->card);
            if (source == ENDPOINT_PORT && known) { /* a port that is off */
                assert_int_equal(world->received, before);
                continue;
            }
            assert_int_equal(world->received, before + 1);
            assert_int_equal(world->last.meta.source, known ? source : ENDPOINT_HOST);
            assert_int_equal(world->last.meta.source_id, known ? id : FUNCTION_HOST);
        }
    }
    struct beat_meta beyond = {.flags = BEAT_ACTION, .source = ENDPOINT_HOST, .checksum_offset = 1};
    send(world, NET_HOST, frame, length, &beyond); /* action 65536 */
    net_card_run(world->card);
    assert_int_equal(packets(world, STATISTIC_DROP_ACTION), 1);
    world_destroy(world);
}

/* A flow swings between two entries while packets go through: each packet gets one or the other, none misses. */
static void flows_change_under_traffic(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    uint8_t frame[200];
    size_t length = udp_frame(world, frame, 7);
    struct flow_key key = udp_key(FLOW_DOMAIN_FUNCTION | FUNCTION, frame);
    struct flow_hash hash = flow_hash(&key, SEED);
    forward_to(world, 1, 11);
    forward_to(world, 2, 22);
    assert_true(net_card_flow(world->card, &key, SEED, 100, 1));
    net_card_run(world->card);
    for (uint32_t round = 0; round < 3000; round++) {
        uint32_t entry = 101 + round, action = 1 + round % 2;
        struct flow_way way = {hash.tag, entry};
        struct command_entry flow = {.opcode = COMMAND_FLOW_WRITE, .index = entry};
        struct command_entry swing = {.opcode = COMMAND_BUCKET_WRITE, .index = hash.bucket & (FLOW_BUCKETS - 1)};
        memcpy(flow.data, &key, sizeof key);
        memcpy(flow.data + sizeof key, &action, sizeof action);
        memcpy(swing.data, &way, sizeof way);
        net_card_command_send(world->card, &flow);
        for (unsigned i = random_below(&world->random, 4); i; i--)
            send(world, NET_FUNCTION, frame, length, &from_function);
        net_card_command_send(world->card, &swing);
        for (unsigned i = random_below(&world->random, 8); i; i--)
            send(world, NET_FUNCTION, frame, length, &from_function);
    }
    net_card_run(world->card);
    assert_int_equal(world->function[11] + world->function[22], world->sent);
    assert_true(world->function[11] > 100 && world->function[22] > 100);
    world_destroy(world);
}

/* ---- anything at all ---- */

/* Every packet that entered has one fate, and what left agrees. */
static void check_balance(struct world *world)
{
    uint64_t fates = 0, drops = 0;
    for (unsigned i = STATISTIC_FORWARDED; i <= STATISTIC_INJECTED; i++) {
        uint64_t count = packets(world, i);
        fates += count;
        drops += i >= STATISTIC_DROP_ACTION && i < STATISTIC_DROP_ERROR ? count : 0;
    }
    assert_int_equal(fates, world->sent);
    assert_int_equal(drops + world->received, world->sent);
    uint64_t reasons = 0;
    for (unsigned i = 0; i < 16; i++)
        reasons += packets(world, STATISTIC_PUNT_REASON + i);
    assert_int_equal(reasons, packets(world, STATISTIC_PUNTED));
    assert_int_equal(packets(world, STATISTIC_PUNTED), world->to[NET_TO_HOST]);
}

/* A VXLAN packet for the uplink with `inner` in it. */
static size_t vxlan(uint8_t *packet, const uint8_t *inner, size_t length, bool over6, unsigned tags)
{
    size_t network = 14 + 4 * tags, ip = over6 ? 40 : 20, at = network + ip + 16;
    memset(packet, 0, at);
    memcpy(packet, uplink.mac, 6);
    for (unsigned i = 0; i < tags; i++)
        store16(packet + 12 + 4 * i, 0x8100);
    store16(packet + network - 2, over6 ? 0x86dd : 0x0800);
    uint8_t *header = packet + network, *udp = header + ip;
    if (over6) {
        header[0] = 0x60;
        store16(header + 4, (unsigned)(length + 16));
        header[6] = 17;
        header[7] = 64;
        memcpy(header + 24, uplink.ipv6, 16);
    } else {
        header[0] = 0x45;
        store16(header + 2, (unsigned)(length + 36));
        header[8] = 64;
        header[9] = 17;
        memcpy(header + 16, uplink.ipv4, 4);
        store16(header + 10, ~ones_sum(header, 20) & 0xffff);
    }
    store16(udp + 2, 4789);
    store16(udp + 4, (unsigned)(length + 16));
    udp[8] = 8;
    udp[14] = 5;
    memcpy(packet + at, inner, length);
    return at + length;
}

/* One of many kinds of packets; returns its length. */
static size_t any_packet(struct world *world, uint8_t *packet)
{
    static const uint8_t protocols[] = {17, 6, 1, 58, 0, 43, 44, 60, 132};
    uint8_t frame[400] = {0};
    uint64_t *random = &world->random;
    struct frame_spec spec = {.tags = random_below(random, 3),
                              .version = random_below(random, 5) ? (random_below(random, 2) ? 4 : 6) : 0,
                              .ttl = 64,
                              .protocol = protocols[random_below(random, sizeof protocols)],
                              .length = 60 + random_below(random, 200)};
    size_t length = frame_write(&spec, frame, random);
    if (spec.version == 4 && random_below(random, 4) == 0) { /* options: the header grows over the payload */
        uint8_t *ip = frame + frame_network(&spec);
        ip[0] = (uint8_t)(0x45 + random_below(random, 11));
        store16(ip + 10, 0);
        store16(ip + 10, ~ones_sum(ip, (size_t)(ip[0] & 15) * 4) & 0xffff);
    }
    if (random_below(random, 2))
        return vxlan(packet, frame, length, random_below(random, 2), random_below(random, 3));
    memcpy(frame, uplink.mac, 6);
    memcpy(packet, frame, length);
    return length;
}

static void every_truncation(void **state)
{
    (void)state;
    struct world *world = world_create(false);
    uint8_t packet[600];
    uplink_port(world, 0);
    for (unsigned i = 0; i < 300; i++) {
        size_t whole = any_packet(world, packet);
        for (size_t length = 14; length <= whole; length++) {
            send(world, i % 2 ? NET_PORT0 : NET_FUNCTION, packet, length, i % 2 ? &from_port : &from_function);
        }
    }
    net_card_run(world->card);
    check_balance(world);
    assert_true(packets(world, STATISTIC_DROP_TRUNCATED) > 1000);
    assert_true(packets(world, STATISTIC_DROP_MALFORMED) > 1000);
    world_destroy(world);
}

static uint64_t random_traffic(bool copying)
{
    struct world *world = world_create(copying);
    static uint8_t packet[PACKET_BYTES_MAX];
    uplink_port(world, 0);
    uplink_port(world, 1);
    for (unsigned i = 0; i < 64; i++) { /* actions for injected packets, also ones that do not fit */
        struct action action;
        random_fill(&world->random, &action, sizeof action);
        action.kind = (uint8_t)(i % 6);
        action.destination = action.kind == 2 || action.kind == 3 ? ENDPOINT_PORT : (uint8_t)(1 + i % 3);
        action.destination_id &= action.destination == ENDPOINT_PORT ? 1 : 127;
        assert_int_equal(net_card_set(world->card, COMMAND_ACTION_WRITE, i, 0, &action, sizeof action), STATUS_OK);
    }
    for (unsigned i = 0; i < 20000; i++) {
        enum net_input input = (enum net_input)random_below(&world->random, NET_INPUTS);
        struct beat_meta meta = {.source = ENDPOINT_FUNCTION, .source_id = (uint16_t)random_below(&world->random, 128)};
        size_t length = any_packet(world, packet);
        for (unsigned damage = random_below(&world->random, 4); damage; damage--)
            packet[random_below(&world->random, (uint32_t)length)] ^= (uint8_t)(1u << random_below(&world->random, 8));
        if (random_below(&world->random, 8) == 0) {
            length = 14 + random_below(&world->random, PACKET_BYTES_MAX - 14);
            random_fill(&world->random, packet, length);
        }
        if (input == NET_HOST) {
            meta.flags = (uint8_t)(random_below(&world->random, 4) ? BEAT_ACTION : 0);
            meta.source = (uint8_t)random_below(&world->random, 4);
            meta.source_id = (uint16_t)random_below(&world->random, 3);
            meta.checksum_start = (uint16_t)random_below(&world->random, 64);
        }
        send(world, input, packet, length, &meta);
        net_card_budget(world->card, 1 + random_below(&world->random, 64));
    }
    net_card_run(world->card);
    check_balance(world);
    uint64_t digest = world->digest;
    world_destroy(world);
    return digest;
}

/* In place and with records copied: the same packets come out. A byte that a kernel forgot to write would differ. */
static void random_packets_in_place_and_copied(void **state)
{
    (void)state;
    assert_int_equal(random_traffic(false), random_traffic(true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_decide_what_enters),  cmocka_unit_test(functions_have_control_packets),
        cmocka_unit_test(commands_are_checked),      cmocka_unit_test(spoilt_packets_stay_spoilt),
        cmocka_unit_test(hosts_sources_are_checked), cmocka_unit_test(flows_change_under_traffic),
        cmocka_unit_test(every_truncation),          cmocka_unit_test(random_packets_in_place_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
