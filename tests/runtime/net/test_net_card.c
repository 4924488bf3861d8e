/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two cards with their networks, joined by a cable, and a third card that plays a guest on an access port of each: what
 * the guests send goes through the native data path, its misses through the slow path's thread, and back.
 *
 *     guest 0 -- access port 1 [left] uplink 0 -- uplink 0 [right] access port 1 -- guest 1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/net/frame.h"
#include "runtime/net/net.h"

#define DEADLINE_MS 10000
#define SILENCE_MS  150
#define IDLE_MS     800

static const uint8_t port_mac[2][6] = {{2, 0xaa, 0, 0, 0, 0}, {2, 0xaa, 0, 0, 0, 1}};
static const uint8_t guest_mac[2][6] = {{2, 0, 0, 0, 0, 0}, {2, 0, 0, 0, 0, 1}};
static const uint8_t gateway_mac[6] = {2, 0xcc, 0, 0, 0, 0xfe};
static const char *const guest_ipv4[2] = {"10.0.0.1", "10.0.1.1"};
static const char *const guest_ipv6[2] = {"fd00::1", "fd01::1"};

struct node {
    struct cipu_card *card;
    struct cipu_host *host;
    struct net *net;
};

struct frame_copy {
    uint8_t data[PACKET_BYTES_MAX];
    size_t length;
    unsigned guest;
    bool there;
};

struct world {
    struct node side[2];
    struct node guests;
    char folder[64];
    struct frame_copy received;
};

static struct net_address address(const char *text)
{
    struct net_address parsed;
    assert_int_equal(net_address_parse(text, &parsed, NULL), 0);
    return parsed;
}

static void open_node(struct node *node, const char *uri)
{
    struct cipu_error error = {""};
    if (cipu_card_open(uri, &node->card, &error) != 0 || cipu_host_open(node->card, &node->host, &error) != 0)
        fail_msg("%s", error.text);
}

static void close_node(struct node *node)
{
    net_destroy(node->net);
    if (node->host)
        cipu_host_close(node->host);
    if (node->card)
        cipu_card_close(node->card);
}

/* The guests' card sends by action 1 + port, and hands everything that it receives to its host. */
static void set_up_guests(struct node *node)
{
    struct command_entry commands[4] = {{.opcode = COMMAND_NOP}};
    for (unsigned i = 0; i < 2; i++) {
        struct port_setting setting = {.mode = PORT_UPLINK, .promiscuous = 1};
        struct action action = {.kind = ACTION_FORWARD, .destination = ENDPOINT_PORT, .destination_id = (uint16_t)i};
        commands[2 * i] = (struct command_entry){.opcode = COMMAND_PORT_SET, .target = TARGET_NET, .index = i};
        memcpy(commands[2 * i].data, &setting, sizeof setting);
        commands[2 * i + 1] =
            (struct command_entry){.opcode = COMMAND_ACTION_WRITE, .target = TARGET_NET, .index = 1 + i};
        memcpy(commands[2 * i + 1].data, &action, sizeof action);
    }
    assert_int_equal(cipu_host_command(node->host, commands, 4), 0);
}

static void check(int status, const struct cipu_error *error)
{
    if (status != 0)
        fail_msg("%s", error->text);
}

static void add_route(struct net *net, const char *prefix, const char *remote, const uint8_t *mac)
{
    struct cipu_error error = {""};
    struct net_route route = {
        .vpc = "red", .prefix = address(prefix), .remote = address(remote), .has_mac = mac != NULL};
    memcpy(route.mac, mac ? mac : gateway_mac, 6);
    check(net_route_add(net, &route, &error), &error);
}

static void set_up_network(struct net *net, unsigned side)
{
    struct cipu_error error = {""};
    struct net_port uplink = {.id = 0, .uplink = true, .mtu = 1500};
    struct net_port access = {.id = 1, .function = 7};
    struct net_vpc vpc = {.name = "red", .vni = 5000, .gateway_count = 2};
    struct net_function function = {.id = 7, .name = "guest", .vpc = "red", .address_count = 2};
    uplink.ipv4 = address(side ? "192.0.2.2/24" : "192.0.2.1/24");
    uplink.ipv6 = address(side ? "2001:db8::2/64" : "2001:db8::1/64");
    memcpy(uplink.mac, port_mac[side], 6);
    memcpy(vpc.mac, gateway_mac, 6);
    vpc.gateways[0] = address(side ? "10.0.1.254/24" : "10.0.0.254/24");
    vpc.gateways[1] = address(side ? "fd01::fe/64" : "fd00::fe/64");
    memcpy(function.mac, guest_mac[side], 6);
    function.addresses[0] = address(guest_ipv4[side]);
    function.addresses[1] = address(guest_ipv6[side]);
    check(net_port_set(net, &uplink, &error), &error);
    check(net_port_set(net, &access, &error), &error);
    check(net_vpc_add(net, &vpc, &error), &error);
    check(net_function_add(net, &function, &error), &error);
    /* IPv4 over the IPv4 underlay with the far gateway's MAC, IPv6 over IPv6 with the far guest's MAC asked for. */
    add_route(net, side ? "10.0.0.0/24" : "10.0.1.0/24", side ? "192.0.2.1" : "192.0.2.2", gateway_mac);
    add_route(net, side ? "fd00::/64" : "fd01::/64", side ? "2001:db8::1" : "2001:db8::2", NULL);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    char uri[256];
    snprintf(world->folder, sizeof world->folder, "/tmp/cipu-net-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    struct net_settings settings = {.flow_idle_ms = IDLE_MS};
    struct cipu_error error = {""};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(uri, sizeof uri, "native:side%u?port0=unix:%s/uplink&port1=unix:%s/guest%u", i, world->folder,
                 world->folder, i);
        open_node(&world->side[i], uri);
        check(net_create(world->side[i].card, world->side[i].host, &settings, &world->side[i].net, &error), &error);
        set_up_network(world->side[i].net, i);
    }
    snprintf(uri, sizeof uri, "native:guests?port0=unix:%s/guest0&port1=unix:%s/guest1", world->folder, world->folder);
    open_node(&world->guests, uri);
    set_up_guests(&world->guests);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    close_node(&world->guests);
    close_node(&world->side[1]);
    close_node(&world->side[0]);
    static const char *const names[] = {"uplink", "guest0", "guest1"};
    for (unsigned i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", world->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(world->folder), 0);
    free(world);
    return 0;
}

/* ---- the guests ---- */

static void guest_send(struct world *world, unsigned guest, const uint8_t *frame, size_t length)
{
    struct packet_entry entry = {.length = (uint16_t)length, .source = ENDPOINT_HOST, .action = 1 + guest};
    assert_int_equal(cipu_host_inject(world->guests.host, &entry, frame), 0);
}

static void on_packet(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct world *world = context;
    world->received.length = entry->length;
    world->received.guest = entry->source_id;
    world->received.there = true;
    memcpy(world->received.data, data, entry->length);
}

static uint64_t milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* The next frame for any guest; NULL if none comes in that time. */
static const struct frame_copy *guest_receive(struct world *world, unsigned timeout)
{
    uint64_t end = milliseconds() + timeout;
    world->received.there = false;
    while (milliseconds() < end) {
        cipu_host_receive(world->guests.host, 1, on_packet, NULL, world);
        if (world->received.there)
            return &world->received;
        struct pollfd fd = {.fd = cipu_host_fd(world->guests.host), .events = POLLIN};
        poll(&fd, 1, 10);
    }
    return NULL;
}

static size_t put_udp(uint8_t *frame, unsigned guest, bool ipv6, uint16_t port, size_t payload,
                      const uint8_t destination[6])
{
    struct net_address from = address((ipv6 ? guest_ipv6 : guest_ipv4)[guest]);
    struct net_address to = address((ipv6 ? guest_ipv6 : guest_ipv4)[!guest]);
    uint8_t *ip =
        frame + frame_put_ethernet(frame, destination, guest_mac[guest], ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
    uint8_t *udp = ip + frame_put_ip(ip, &from, &to, IP_PROTOCOL_UDP, 64, 8 + payload);
    memset(udp, 0, 8);
    hls_put_be16(udp, port);
    hls_put_be16(udp + 2, 2000);
    hls_put_be16(udp + 4, (uint32_t)(8 + payload));
    for (size_t i = 0; i < payload; i++)
        udp[8 + i] = (uint8_t)(i * 7);
    return (size_t)(udp - frame) + 8 + payload;
}

/* Sends until the far guest has it: at first, before the cables are up and neighbours resolved, frames may be lost. */
static const struct frame_copy *deliver(struct world *world, unsigned guest, const uint8_t *frame, size_t length)
{
    for (uint64_t end = milliseconds() + DEADLINE_MS; milliseconds() < end;) {
        guest_send(world, guest, frame, length);
        const struct frame_copy *got = guest_receive(world, 200);
        if (got && got->guest != guest)
            return got;
    }
    fail_msg("nothing arrived");
    return NULL;
}

static void drain(struct world *world)
{
    while (guest_receive(world, SILENCE_MS))
        continue;
}

struct search {
    uint16_t port;
    struct net_flow flow;
    bool found;
};

static bool find_flow(void *context, const struct net_flow *flow)
{
    struct search *search = context;
    if (hls_be16(flow->key.source_port) != search->port)
        return true;
    search->flow = *flow;
    search->found = true;
    return false;
}

static bool flow_of(struct net *net, uint16_t port, struct net_flow *flow)
{
    struct search search = {.port = port};
    assert_int_equal(net_each_flow(net, 0, find_flow, &search), 0);
    *flow = search.flow;
    return search.found;
}

/* What the far guest gets of a routed packet: the same, two routers on. */
static void check_routed(const struct frame_copy *got, const uint8_t *sent, size_t length, unsigned guest, unsigned ttl)
{
    struct frame frame;
    assert_int_equal(got->length, length);
    assert_int_equal(frame_parse(got->data, got->length, &frame), 0);
    assert_memory_equal(frame_destination_mac(&frame), guest_mac[!guest], 6);
    assert_memory_equal(frame_source_mac(&frame), gateway_mac, 6);
    assert_int_equal(frame.ttl, ttl);
    size_t headers = (size_t)(frame.payload - got->data);
    assert_memory_equal(got->data + headers, sent + headers, length - headers);
}

static void both_ways(struct world *world, bool ipv6, unsigned ttl)
{
    uint8_t frame[PACKET_BYTES_MAX];
    for (unsigned guest = 0; guest < 2; guest++) {
        uint16_t port = (uint16_t)(1000 + guest + (ipv6 ? 10 : 0));
        size_t length = put_udp(frame, guest, ipv6, port, 700, gateway_mac);
        const struct frame_copy *got = deliver(world, guest, frame, length);
        if (ttl != 0)
            check_routed(got, frame, length, guest, ttl);
        drain(world);
        struct net_statistics before, after;
        struct net_flow flow;
        net_statistics(world->side[guest].net, &before);
        assert_true(flow_of(world->side[guest].net, port, &flow));
        uint64_t packets = flow.packets;
        for (unsigned i = 0; i < 20; i++) {
            guest_send(world, guest, frame, length);
            got = guest_receive(world, DEADLINE_MS);
            assert_non_null(got);
            if (ttl != 0)
                check_routed(got, frame, length, guest, ttl);
        }
        net_statistics(world->side[guest].net, &after);
        assert_int_equal(after.misses, before.misses); /* the card alone carried them */
        assert_true(flow_of(world->side[guest].net, port, &flow));
        assert_int_equal(flow.packets, packets + 20);
        assert_int_equal(flow.bytes, flow.packets * length);
    }
}

static void test_ipv4(void **state)
{
    both_ways(*state, false, 62);
}

/* Without a MAC in the route the near gateway finds the far guest by ND through the tunnel: one router on the way. */
static void test_ipv6(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    both_ways(world, true, 0);
    size_t length = put_udp(frame, 0, true, 1010, 100, gateway_mac);
    const struct frame_copy *got = deliver(world, 0, frame, length);
    check_routed(got, frame, length, 0, 63);
}

static void test_gateway_answers(void **state)
{
    struct world *world = *state;
    uint8_t frame[FRAME_NEIGHBOUR_BYTES];
    struct frame parsed;
    struct frame_neighbour message;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct net_address own = address((ipv6 ? guest_ipv6 : guest_ipv4)[0]);
        struct net_address gateway = address(ipv6 ? "fd00::fe" : "10.0.0.254");
        size_t length = frame_put_solicitation(frame, guest_mac[0], &own, &gateway, NULL);
        const struct frame_copy *got = NULL;
        for (unsigned i = 0; i < 50 && !got; i++) {
            guest_send(world, 0, frame, length);
            got = guest_receive(world, 200);
        }
        assert_non_null(got);
        assert_int_equal(got->guest, 0);
        assert_int_equal(frame_parse(got->data, got->length, &parsed), 0);
        assert_true(frame_neighbour_read(&parsed, &message));
        assert_false(message.solicitation);
        assert_memory_equal(message.sender_mac, gateway_mac, 6);
        assert_true(net_address_same_host(&message.sender, &gateway));
        drain(world);
    }
}

static void test_fragments(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    size_t length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    deliver(world, 0, frame, length);
    drain(world);
    /* The same flow with a packet that does not fit: the card hands it to the slow path. */
    size_t payload = 4000;
    length = put_udp(frame, 0, false, 1000, payload, gateway_mac);
    hls_put_be16(frame + FRAME_ETHERNET_BYTES + 6, 0); /* may be cut */
    frame_ipv4_checksum(frame + FRAME_ETHERNET_BYTES, FRAME_IPV4_BYTES);
    guest_send(world, 0, frame, length);
    uint8_t whole[5000];
    size_t seen = 0;
    while (seen < 8 + payload) {
        struct frame parsed;
        const struct frame_copy *got = guest_receive(world, DEADLINE_MS);
        assert_non_null(got);
        assert_int_equal(got->guest, 1);
        assert_int_equal(frame_parse(got->data, got->length, &parsed), 0);
        assert_true(parsed.fragment && parsed.ip_length <= 1430);
        size_t offset = (hls_be16(parsed.ip + 6) & 0x1fffu) * 8u;
        assert_in_range(offset + parsed.payload_length, 1, 8 + payload);
        memcpy(whole + offset, parsed.payload, parsed.payload_length);
        seen += parsed.payload_length;
    }
    assert_memory_equal(whole, frame + FRAME_ETHERNET_BYTES + FRAME_IPV4_BYTES, 8 + payload);
    assert_null(guest_receive(world, SILENCE_MS));

    /* And with DF: the sender learns the MTU. */
    length = put_udp(frame, 0, false, 1000, payload, gateway_mac);
    guest_send(world, 0, frame, length);
    const struct frame_copy *got = guest_receive(world, DEADLINE_MS);
    struct frame parsed;
    assert_non_null(got);
    assert_int_equal(got->guest, 0);
    assert_int_equal(frame_parse(got->data, got->length, &parsed), 0);
    assert_int_equal(parsed.protocol, IP_PROTOCOL_ICMP);
    assert_int_equal(hls_be16(parsed.payload), 0x0304);
    assert_int_equal(hls_be16(parsed.payload + 6), 1430);
}

static void test_time_exceeded(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    size_t length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    deliver(world, 0, frame, length);
    drain(world);
    frame[FRAME_ETHERNET_BYTES + 8] = 1;
    frame_ipv4_checksum(frame + FRAME_ETHERNET_BYTES, FRAME_IPV4_BYTES);
    guest_send(world, 0, frame, length);
    const struct frame_copy *got = guest_receive(world, DEADLINE_MS);
    struct frame parsed;
    assert_non_null(got);
    assert_int_equal(got->guest, 0);
    assert_int_equal(frame_parse(got->data, got->length, &parsed), 0);
    assert_int_equal(hls_be16(parsed.payload), 0x0b00);
}

static void test_ageing(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    struct net_flow flow;
    struct net_statistics statistics;
    size_t length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    deliver(world, 0, frame, length);
    /* In use it stays. */
    for (uint64_t end = milliseconds() + 2 * IDLE_MS; milliseconds() < end; usleep(IDLE_MS * 1000 / 8))
        guest_send(world, 0, frame, length);
    assert_true(flow_of(world->side[0].net, 1000, &flow));
    for (uint64_t end = milliseconds() + DEADLINE_MS; milliseconds() < end && flow_of(world->side[0].net, 1000, &flow);)
        usleep(50000);
    net_statistics(world->side[0].net, &statistics);
    assert_int_equal(statistics.flows, 0);
    assert_int_equal(statistics.flows_expired, statistics.flows_installed);
    deliver(world, 0, frame, length);
}

static void expect_unreachable(struct world *world, unsigned guest)
{
    const struct frame_copy *got = guest_receive(world, DEADLINE_MS);
    struct frame parsed;
    assert_non_null(got);
    assert_int_equal(frame_parse(got->data, got->length, &parsed), 0);
    assert_int_equal(got->guest, guest);
    assert_int_equal(parsed.protocol, IP_PROTOCOL_ICMP);
    assert_int_equal(hls_be16(parsed.payload), 0x0300);
}

static void test_changes(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    struct net_flow flow;
    struct cipu_error error = {""};
    struct net_address prefix = address("10.0.1.0/24");
    size_t length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    deliver(world, 0, frame, length);
    drain(world);
    check(net_route_remove(world->side[0].net, "red", &prefix, &error), &error);
    assert_false(flow_of(world->side[0].net, 1000, &flow));
    guest_send(world, 0, frame, length);
    expect_unreachable(world, 0);
    add_route(world->side[0].net, "10.0.1.0/24", "192.0.2.2", gateway_mac);
    deliver(world, 0, frame, length);
    drain(world);
    /* A function that is gone sends and receives nothing; the far gateway says so through the tunnel. */
    check(net_function_remove(world->side[1].net, 7, &error), &error);
    guest_send(world, 0, frame, length);
    expect_unreachable(world, 0);
    assert_null(guest_receive(world, SILENCE_MS));
    length = put_udp(frame, 1, false, 1001, 64, gateway_mac);
    guest_send(world, 1, frame, length);
    assert_null(guest_receive(world, SILENCE_MS));
}

static void test_spoofed(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    struct net_statistics before, after;
    size_t length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    deliver(world, 0, frame, length);
    drain(world);
    net_statistics(world->side[0].net, &before);
    length = put_udp(frame, 0, false, 1003, 64, gateway_mac);
    frame[FRAME_ETHERNET_BYTES + 15] = 9;
    frame_ipv4_checksum(frame + FRAME_ETHERNET_BYTES, FRAME_IPV4_BYTES);
    guest_send(world, 0, frame, length);
    assert_null(guest_receive(world, SILENCE_MS));
    net_statistics(world->side[0].net, &after);
    assert_int_equal(after.dropped_spoofed, before.dropped_spoofed + 1);
    /* A flow's packets leave with the function's own MAC, whatever the guest writes. */
    length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    memcpy(frame + 6, guest_mac[1], 6);
    guest_send(world, 0, frame, length);
    const struct frame_copy *got = guest_receive(world, DEADLINE_MS);
    assert_non_null(got);
    assert_memory_equal(got->data + 6, gateway_mac, 6);
}

struct hammer {
    struct net *net;
    atomic_bool stop;
};

static void *hammer(void *argument)
{
    struct hammer *job = argument;
    while (!atomic_load(&job->stop)) {
        struct net_statistics statistics;
        struct net_flow flow;
        uint64_t packets, bytes;
        net_statistics(job->net, &statistics);
        flow_of(job->net, 1, &flow);
        net_flow_flush(job->net, "red");
        net_card_statistic(job->net, STATISTIC_PUNTED, &packets, &bytes);
        usleep(2000);
    }
    return NULL;
}

/* Calls from other threads while misses are decided: nothing is lost that was sent slowly enough to wait for. */
static void test_threads(void **state)
{
    struct world *world = *state;
    uint8_t frame[PACKET_BYTES_MAX];
    size_t length = put_udp(frame, 0, false, 1000, 64, gateway_mac);
    deliver(world, 0, frame, length);
    drain(world);
    struct hammer job = {.net = world->side[0].net};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hammer, &job), 0);
    for (unsigned i = 0; i < 300; i++) {
        guest_send(world, 0, frame, put_udp(frame, 0, false, (uint16_t)(3000 + i), 64, gateway_mac));
        assert_non_null(guest_receive(world, DEADLINE_MS));
    }
    atomic_store(&job.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(net_flow_flush(world->side[0].net, "none"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ipv4, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ipv6, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gateway_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fragments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_exceeded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ageing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spoofed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("net card", tests, NULL, NULL);
}
