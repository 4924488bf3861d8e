/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of any content through the slow path: the input is a run of {source, id, reason, milliseconds, length,
 * bytes}. The tables that the recorded host ends up with must be those that the slow path believes in.
 */
#include <stdlib.h>

#include "runtime/net/slow_path.h"
#include "tests/runtime/net/recorded_host.h"

static struct slow_path *path;
static struct cipu_host *host;

static struct net_address address(const char *text)
{
    struct net_address parsed;
    if (net_address_parse(text, &parsed, NULL) != 0)
        abort();
    return parsed;
}

static void add_function(unsigned id, const char *name, const char *vpc, const char *ipv4, const char *ipv6)
{
    struct net_function function = {.id = id, .mac = {2, 0, 0, 0, 0, (uint8_t)id}, .address_count = 2};
    memcpy(function.name, name, strlen(name));
    memcpy(function.vpc, vpc, strlen(vpc));
    function.addresses[0] = address(ipv4);
    function.addresses[1] = address(ipv6);
    if (slow_path_function_add(path, &function, NULL) != 0)
        abort();
}

static void add_route(const char *prefix, const char *remote, bool has_mac)
{
    struct net_route route = {
        .vpc = "red", .prefix = address(prefix), .remote = address(remote), .has_mac = has_mac, .mac = {2, 9}};
    if (slow_path_route_add(path, &route, NULL) != 0)
        abort();
}

static void set_up(void)
{
    struct net_port port = {.uplink = true, .mtu = 1500, .mac = {2, 1}};
    struct net_vpc vpc = {.name = "red", .vni = 1, .mac = {2, 2}, .gateway_count = 2};
    port.ipv4 = address("10.0.0.1/24");
    port.ipv6 = address("fd00::1/64");
    vpc.gateways[0] = address("10.1.0.254/24");
    vpc.gateways[1] = address("fd01::fe/64");
    host = recorded_host_create();
    if (slow_path_create(host, 1, 60000, &path) != 0 || slow_path_port_set(path, &port, NULL) != 0 ||
        tables_vpc_add(&path->tables, &vpc, NULL) != 0)
        abort();
    add_function(0, "a", "red", "10.1.0.1", "fd01::1");
    add_function(1, "b", "red", "10.1.0.2", "fd01::2");
    add_route("10.1.0.5", "10.0.0.2", true);
    add_route("10.1.0.6", "10.0.0.2", false);
    add_route("10.2.0.0/16", "10.0.0.2", false);
    add_route("fd02::/16", "fd00::2", false);
    path->now = 1;
}

static void check_flows(void)
{
    outbox_flush(&path->outbox);
    if (path->outbox.broken || host->out_of_order)
        abort();
    uint32_t used = 0;
    for (uint32_t i = 0; i < path->flows.limit; i++) {
        const struct flow *flow = &path->flows.flows[i];
        if (!flow->used)
            continue;
        const struct flow_entry *entry = recorded_host_lookup(host, &flow->key);
        const struct action *action = &path->actions.lines[flow->action].action;
        if (entry != &host->entries[i] || memcmp(action, &host->actions[entry->action], sizeof *action) != 0)
            abort();
        used++;
    }
    if (used != path->flows.count)
        abort();
    host->packet_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!path)
        set_up();
    while (size >= 6) {
        struct packet_entry entry = {.source = data[0] & 3, .source_id = data[1] & 3, .reason = data[2] & 7};
        size_t length = hls_be16(data + 4) % (PACKET_BYTES_MAX + 1);
        unsigned wait = data[3];
        data += 6;
        size -= 6;
        if (length > size)
            length = size;
        if (length >= PACKET_BYTES_MIN) {
            entry.length = (uint16_t)length;
            uint8_t *exact = malloc(length);
            memcpy(exact, data, length);
            slow_path_packet(path, &entry, exact);
            free(exact);
        }
        path->now += wait * 16u;
        slow_path_tick(path);
        data += length;
        size -= length;
    }
    check_flows();
    /* The next input finds neither flows nor neighbours. */
    slow_path_flush(path, 0);
    neighbour_forget(path, 0, 0);
    neighbour_forget(path, 1, 0);
    check_flows();
    return 0;
}
