/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What actions do to packets: random packets with random actions, injected by the host, against a model that writes the
 * expected bytes one by one. Then every size, every combination of ECN fields, and bytes after a tunnelled packet's
 * end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/hls/net_card.h"
#include "tests/hls/net_packets.h"

#define ACTION_LINE 77u
#define FUNCTION    3u
#define JUMBO       (PACKET_BYTES_MAX - 70u)

static const struct port_setting uplink = {
    .mode = PORT_UPLINK, .mac = {2, 0, 0, 0, 9, 9}, .ipv4 = {192, 0, 2, 1}, .ipv6 = {0x20, 1, 0xd, 0xb8, [15] = 1}};

enum result { RESULT_DROP, RESULT_PUNT, RESULT_SENT };

struct expected {
    enum result result;
    unsigned statistic; /* of a drop */
    unsigned reason;    /* of a punt */
    enum net_output output;
    uint8_t bytes[PACKET_BYTES_MAX + 100];
    size_t length;
};

struct world {
    struct net_card *card;
    struct expected expected;
    unsigned received;
    uint64_t random;
    uint64_t results[3];
};

static void receive(void *context, const struct net_packet *packet)
{
    struct world *world = context;
    const struct expected *expected = &world->expected;
    world->received++;
    assert_int_not_equal(expected->result, RESULT_DROP);
    assert_int_equal(packet->output, expected->output);
    assert_int_equal(packet->length, expected->length);
    for (size_t i = 0; i < packet->length; i++)
        if (packet->bytes[i] != expected->bytes[i])
            fail_msg("byte %zu of %zu is %02x, expected %02x", i, packet->length, packet->bytes[i], expected->bytes[i]);
    assert_int_equal(packet->meta.error, 0);
    if (packet->output == NET_TO_HOST)
        assert_int_equal(packet->meta.checksum_start, expected->reason);
}

/* ---- the model ---- */

static unsigned random_ecn(struct world *world)
{
    return random_below(&world->random, 4);
}

/* RFC 6040, figure 4, as a table: [inner][outer]; 4 = drop. */
static const uint8_t ecn_table[4][4] = {{0, 0, 0, 4}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};

static void edit_ip(uint8_t *ip, unsigned version, bool decrement, int ecn)
{
    if (version == 4) {
        ip[8] = (uint8_t)(ip[8] - decrement);
        if (ecn >= 0)
            ip[1] = (uint8_t)((ip[1] & 0xfc) | ecn);
        store16(ip + 10, 0);
        store16(ip + 10, ~ones_sum(ip, 20) & 0xffff);
    } else if (version == 6) {
        ip[7] = (uint8_t)(ip[7] - decrement);
        if (ecn >= 0)
            ip[1] = (uint8_t)((ip[1] & 0xcf) | ecn << 4);
    }
}

static size_t outer_header(uint8_t *to, const struct action *action, const struct frame_spec *inner,
                           size_t frame_length)
{
    bool over6 = action->kind == ACTION_ENCAPSULATE_IPV6;
    unsigned inner_class = inner->version ? inner->traffic_class : 0;
    unsigned dscp = inner->version && action->flags & ACTION_INHERIT_DSCP ? inner_class >> 2 : action->outer_dscp;
    unsigned traffic_class = dscp << 2 | (inner_class & 3);
    size_t ip = over6 ? 40 : 20;
    uint8_t *header = to + 14, *udp = header + ip;
    memset(to, 0, 14 + ip + 16);
    memcpy(to, action->outer_destination_mac, 6);
    memcpy(to + 6, uplink.mac, 6);
    store16(to + 12, over6 ? 0x86dd : 0x0800);
    if (over6) {
        header[0] = (uint8_t)(0x60 | traffic_class >> 4);
        header[1] = (uint8_t)(traffic_class << 4);
        store16(header + 4, (unsigned)(frame_length + 16));
        header[6] = 17;
        header[7] = action->outer_ttl;
        memcpy(header + 8, uplink.ipv6, 16);
        memcpy(header + 24, action->remote, 16);
    } else {
        header[0] = 0x45;
        header[1] = (uint8_t)traffic_class;
        store16(header + 2, (unsigned)(frame_length + 36));
        header[6] = action->flags & ACTION_DONT_FRAGMENT ? 0x40 : 0;
        header[8] = action->outer_ttl;
        header[9] = 17;
        memcpy(header + 12, uplink.ipv4, 4);
        memcpy(header + 16, action->remote + 12, 4);
        store16(header + 10, ~ones_sum(header, 20) & 0xffff);
    }
    store16(udp + 2, 4789);
    store16(udp + 4, (unsigned)(frame_length + 16));
    udp[8] = 8;
    udp[12] = (uint8_t)(action->vni >> 16);
    udp[13] = (uint8_t)(action->vni >> 8);
    udp[14] = (uint8_t)action->vni;
    return 14 + ip + 16;
}

/* The inner flow's hash, as the host would compute it. */
static unsigned source_port_of(const struct frame_spec *spec, unsigned domain)
{
    struct flow_key key = {.domain = domain, .protocol = spec->version ? spec->protocol : 0};
    if (spec->version) {
        key.kind = spec->version == 4 ? FLOW_IPV4 : FLOW_IPV6;
        memcpy(key.source, spec->source, 16);
        memcpy(key.destination, spec->destination, 16);
        if (spec->version == 4) {
            memset(key.source, 0, 12);
            memset(key.destination, 0, 12);
        }
        if (spec->protocol == 17) {
            store16(key.source_port, spec->source_port);
            store16(key.destination_port, spec->destination_port);
        }
    }
    return 49152 + (flow_hash(&key, 0).bucket >> 18);
}

static void drop(struct expected *expected, unsigned statistic)
{
    expected->result = RESULT_DROP;
    expected->statistic = statistic;
}

static void punt(struct expected *expected, unsigned reason, const uint8_t *bytes, size_t length)
{
    expected->result = RESULT_PUNT;
    expected->reason = reason;
    expected->output = NET_TO_HOST;
    expected->length = length;
    memcpy(expected->bytes, bytes, length);
}

/* `frame` is the inner frame, which begins at `inner` of the packet (0 = no tunnel, else with this outer ECN). */
static void model(struct expected *expected, const struct action *action, const struct frame_spec *spec,
                  const uint8_t *packet, size_t length, size_t inner, unsigned outer_ecn, size_t frame_length)
{
    const uint8_t *frame = packet + inner;
    bool encapsulate = action->kind == ACTION_ENCAPSULATE_IPV4 || action->kind == ACTION_ENCAPSULATE_IPV6;
    size_t network = frame_network(spec), added = 0;
    int ecn = -1;
    if (action->kind == ACTION_PUNT) {
        punt(expected, PUNT_ACTION, packet, length);
        return;
    }
    if (action->kind == ACTION_DROP || (inner != 0) != (action->kind == ACTION_DECAPSULATE)) {
        drop(expected, STATISTIC_DROP_ACTION);
        return;
    }
    if (action->flags & ACTION_KEEP_UNTAGGED && spec->tags) {
        drop(expected, STATISTIC_DROP_VLAN);
        return;
    }
    if (inner && spec->version) {
        ecn = ecn_table[spec->traffic_class & 3][outer_ecn];
        if (ecn == 4) {
            drop(expected, STATISTIC_DROP_ECN);
            return;
        }
    }
    bool decrement = spec->version && action->flags & ACTION_DECREMENT_TTL;
    if (decrement && spec->ttl <= 1) {
        punt(expected, PUNT_TTL, packet, length);
        return;
    }
    if (encapsulate)
        added = action->kind == ACTION_ENCAPSULATE_IPV4 ? 50 : 70;
    if ((action->mtu && frame_length - network > action->mtu) || frame_length + added > PACKET_BYTES_MAX) {
        punt(expected, PUNT_MTU, packet, length);
        return;
    }
    expected->result = RESULT_SENT;
    expected->reason = PUNT_ACTION; /* what the host gets by an action */
    expected->output = action->destination == ENDPOINT_FUNCTION ? NET_TO_FUNCTION
                       : action->destination == ENDPOINT_HOST   ? NET_TO_HOST
                       : action->destination_id == 0            ? NET_TO_PORT0
                                                                : NET_TO_PORT1;
    expected->length = added + frame_length;
    if (encapsulate) {
        outer_header(expected->bytes, action, spec, frame_length);
        store16(expected->bytes + added - 16, source_port_of(spec, FLOW_DOMAIN_FUNCTION | FUNCTION));
    }
    uint8_t *to = expected->bytes + added;
    memcpy(to, frame, frame_length);
    if (action->flags & ACTION_SET_DESTINATION_MAC)
        memcpy(to, action->destination_mac, 6);
    if (action->flags & ACTION_SET_SOURCE_MAC)
        memcpy(to + 6, action->source_mac, 6);
    edit_ip(to + network, spec->version, decrement, ecn);
}

/* ---- running one packet ---- */

static void run_one(struct world *world, const struct action *action, const struct frame_spec *spec,
                    const uint8_t *packet, size_t length, size_t inner, unsigned outer_ecn, size_t frame_length)
{
    struct beat_meta meta = {.flags = BEAT_ACTION,
                             .source = inner ? ENDPOINT_PORT : ENDPOINT_FUNCTION,
                             .source_id = inner ? 0 : FUNCTION,
                             .checksum_start = ACTION_LINE};
    assert_int_equal(net_card_set(world->card, COMMAND_ACTION_WRITE, ACTION_LINE, 0, action, sizeof *action),
                     STATUS_OK);
    model(&world->expected, action, spec, packet, length, inner, outer_ecn, frame_length);
    struct net_counter before = net_card_statistic(world->card, world->expected.statistic);
    world->received = 0;
    net_card_send(world->card, NET_HOST, packet, length, &meta, false);
    net_card_run(world->card);
    world->results[world->expected.result]++;
    assert_int_equal(world->received, world->expected.result != RESULT_DROP);
    if (world->expected.result == RESULT_DROP) {
        struct net_counter after = net_card_statistic(world->card, world->expected.statistic);
        assert_int_equal(after.packets, before.packets + 1);
        assert_int_equal(after.bytes, before.bytes + length);
    }
}

static struct frame_spec random_spec(struct world *world)
{
    static const uint8_t versions[] = {4, 4, 6, 6, 0};
    struct frame_spec spec = {.tags = random_below(&world->random, 4) % 3,
                              .version = versions[random_below(&world->random, sizeof versions)],
                              .traffic_class = (uint8_t)random_below(&world->random, 256),
                              .ttl = (uint8_t)random_below(&world->random, random_below(&world->random, 2) ? 4 : 256),
                              .protocol = random_below(&world->random, 4) ? 17 : 132,
                              .length = random_below(&world->random, random_below(&world->random, 4) ? 300 : 2000)};
    random_fill(&world->random, spec.source, 16);
    random_fill(&world->random, spec.destination, 16);
    spec.source_port = (uint16_t)random_below(&world->random, 65536);
    spec.destination_port = (uint16_t)random_below(&world->random, 65536);
    return spec;
}

static struct action random_action(struct world *world, unsigned kind)
{
    static const uint8_t destinations[] = {ENDPOINT_PORT, ENDPOINT_PORT, ENDPOINT_FUNCTION, ENDPOINT_HOST};
    struct action action;
    random_fill(&world->random, &action, sizeof action);
    action.kind = (uint8_t)kind;
    action.destination = destinations[random_below(&world->random, 4)];
    if (kind == ACTION_ENCAPSULATE_IPV4 || kind == ACTION_ENCAPSULATE_IPV6)
        action.destination = ENDPOINT_PORT;
    action.destination_id = (uint16_t)(action.destination == ENDPOINT_PORT ? random_below(&world->random, 2)
                                                                           : random_below(&world->random, 128));
    action.flags &= 0x3f;
    if (random_below(&world->random, 3))
        action.flags &= (uint16_t)~ACTION_KEEP_UNTAGGED;
    action.mtu = (uint16_t)(random_below(&world->random, 2) ? 0 : random_below(&world->random, 2000));
    action.vni &= 0xffffff;
    action.outer_dscp &= 63;
    return action;
}

/* Puts a frame into VXLAN for port 0, with `tags` in front and `tail` bytes after the end; returns the packet's length.
 */
static size_t tunnel(struct world *world, uint8_t *packet, const uint8_t *frame, size_t frame_length, bool over6,
                     unsigned tags, unsigned outer_ecn, size_t tail, size_t *inner)
{
    struct action action = {
        .kind = over6 ? ACTION_ENCAPSULATE_IPV6 : ACTION_ENCAPSULATE_IPV4, .vni = 5, .outer_ttl = 64};
    struct frame_spec plain = {.version = 4, .traffic_class = (uint8_t)outer_ecn};
    uint8_t header[100];
    size_t bytes = outer_header(header, &action, &plain, frame_length);
    /* From the peer to the port. */
    memcpy(header, uplink.mac, 6);
    memset(header + 6, 2, 6);
    if (over6) {
        memcpy(header + 14 + 24, uplink.ipv6, 16);
    } else {
        memcpy(header + 14 + 16, uplink.ipv4, 4);
        store16(header + 24, 0);
        store16(header + 24, ~ones_sum(header + 14, 20) & 0xffff);
    }
    memcpy(packet, header, 12);
    for (unsigned i = 0; i < tags; i++) {
        store16(packet + 12 + 4 * i, i + 1 == tags ? 0x8100 : 0x88a8);
        store16(packet + 14 + 4 * i, 100 + i);
    }
    memcpy(packet + 12 + 4 * tags, header + 12, bytes - 12);
    *inner = bytes + 4 * tags;
    memcpy(packet + *inner, frame, frame_length);
    random_fill(&world->random, packet + *inner + frame_length, tail);
    return *inner + frame_length + tail;
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->random = 4711;
    world->card = net_card_create(false, receive, world);
    assert_non_null(world->card);
    for (unsigned port = 0; port < CARD_PORTS; port++)
        assert_int_equal(net_card_set(world->card, COMMAND_PORT_SET, port, 0, &uplink, sizeof uplink), STATUS_OK);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    assert_int_equal(net_card_faults(world->card), 0);
    net_card_destroy(world->card);
    test_free(world);
    return 0;
}

/* ---- tests ---- */

static void random_actions(void **state)
{
    struct world *world = *state;
    static uint8_t frame[PACKET_BYTES_MAX], packet[PACKET_BYTES_MAX + 100];
    for (unsigned i = 0; i < 6000; i++) {
        struct frame_spec spec = random_spec(world);
        struct action action = random_action(world, random_below(&world->random, 6));
        size_t length = frame_write(&spec, frame, &world->random);
        if (random_below(&world->random, 2)) {
            run_one(world, &action, &spec, frame, length, 0, 0, length);
        } else {
            size_t inner;
            unsigned ecn = random_ecn(world);
            size_t tail = random_below(&world->random, 2) ? 0 : random_below(&world->random, 200);
            size_t bytes = tunnel(world, packet, frame, length, random_below(&world->random, 2),
                                  random_below(&world->random, 3), ecn, tail, &inner);
            run_one(world, &action, &spec, packet, bytes, inner, ecn, length);
        }
    }
    for (unsigned i = 0; i < 3; i++)
        assert_true(world->results[i] > 500);
}

static void all_sizes_there_and_back(void **state)
{
    struct world *world = *state;
    static uint8_t frame[PACKET_BYTES_MAX], packet[PACKET_BYTES_MAX];
    for (size_t length = 14; length <= JUMBO; length += length < 1600 ? 1 : length < JUMBO - 130 ? 509 : 1) {
        for (unsigned over6 = 0; over6 < 2; over6++) {
            struct action out = {.kind = over6 ? ACTION_ENCAPSULATE_IPV6 : ACTION_ENCAPSULATE_IPV4,
                                 .destination = ENDPOINT_PORT,
                                 .vni = 5,
                                 .outer_ttl = 64};
            struct action in = {
                .kind = ACTION_DECAPSULATE, .destination = ENDPOINT_FUNCTION, .destination_id = FUNCTION};
            struct frame_spec spec = {.version = 0};
            random_fill(&world->random, frame, length);
            store16(frame + 12, 0x88b5); /* for experiments: no header after it */
            run_one(world, &out, &spec, frame, length, 0, 0, length);
            size_t inner, bytes = tunnel(world, packet, frame, length, over6, length % 3, 0,
                                         length % 7 == 0 ? length % 67 : 0, &inner);
            if (bytes <= PACKET_BYTES_MAX)
                run_one(world, &in, &spec, packet, bytes, inner, 0, length);
        }
    }
}

static void all_ecn_fields(void **state)
{
    struct world *world = *state;
    static uint8_t frame[200], packet[300];
    for (unsigned each = 0; each < 64; each++) {
        unsigned inner_ecn = each & 3, outer_ecn = each >> 2 & 3;
        bool over6 = each & 16;
        struct frame_spec spec = {.version = each & 32 ? 6 : 4,
                                  .traffic_class = (uint8_t)(0xb8 | inner_ecn),
                                  .ttl = 9,
                                  .protocol = 17,
                                  .length = 100};
        struct action in = {.kind = ACTION_DECAPSULATE, .destination = ENDPOINT_FUNCTION, .destination_id = FUNCTION};
        struct action out = {.kind = over6 ? ACTION_ENCAPSULATE_IPV6 : ACTION_ENCAPSULATE_IPV4,
                             .destination = ENDPOINT_PORT};
        size_t inner, length = frame_write(&spec, frame, &world->random);
        size_t bytes = tunnel(world, packet, frame, length, over6, 0, outer_ecn, 0, &inner);
        run_one(world, &in, &spec, packet, bytes, inner, outer_ecn, length);
        run_one(world, &out, &spec, frame, length, 0, 0, length);
    }
}

/* The checksum's two zeros: every TTL with every traffic class. */
static void all_checksums(void **state)
{
    struct world *world = *state;
    static uint8_t frame[200];
    struct action action = {.kind = ACTION_FORWARD,
                            .destination = ENDPOINT_FUNCTION,
                            .destination_id = FUNCTION,
                            .flags = ACTION_DECREMENT_TTL};
    for (unsigned i = 0; i < 4096; i++) {
        struct frame_spec spec = {.version = 4, .ttl = (uint8_t)(2 + i % 254), .protocol = 17, .length = 60};
        store16(spec.source + 12, i * 16);
        size_t length = frame_write(&spec, frame, &world->random);
        run_one(world, &action, &spec, frame, length, 0, 0, length);
    }
}

static void every_length_of_tail(void **state)
{
    struct world *world = *state;
    static uint8_t frame[300], packet[600];
    struct action in = {.kind = ACTION_DECAPSULATE, .destination = ENDPOINT_PORT, .destination_id = 1};
    for (size_t tail = 0; tail < 200; tail++)
        for (unsigned tags = 0; tags < 3; tags++)
            for (unsigned over6 = 0; over6 < 2; over6++) {
                struct frame_spec spec = {
                    .version = 4, .ttl = 9, .protocol = 17, .length = 42 + random_below(&world->random, 200)};
                size_t inner, length = frame_write(&spec, frame, &world->random);
                size_t bytes = tunnel(world, packet, frame, length, over6, tags, 0, tail, &inner);
                run_one(world, &in, &spec, packet, bytes, inner, 0, length);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_actions), cmocka_unit_test(all_sizes_there_and_back), cmocka_unit_test(all_ecn_fields),
        cmocka_unit_test(all_checksums),  cmocka_unit_test(every_length_of_tail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
