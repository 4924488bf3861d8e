/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow path on a pipe, for scripts that build and read packets with an independent tool. Commands are lines on
 * standard input; the answer to each are lines on standard output up to a line with a single dot:
 *
 *   uplink ID MAC MTU IPV4 IPV6 GATEWAY4 GATEWAY6    (- = none)        access ID FUNCTION
 *   vpc NAME VNI MAC MTU GATEWAY...                  vpc-remove NAME
 *   function ID NAME VPC MAC ADDRESS...              function-remove ID
 *   route VPC PREFIX REMOTE MAC|-                    route-remove VPC PREFIX
 *   packet SOURCE ID REASON HEX                      what the card punts; SOURCE = port or function
 *   time MS                                          the clock goes on by so much
 *   count INDEX PACKETS                              the card counts packets of a flow entry
 *   lookup SOURCE ID HEX                             what the card's flow table says: action line as below, or `miss`
 *   statistics | mtu VPC
 *
 * Injected packets: inject SOURCE ID ACTION..., HEX; ACTION = kind destination id mtu flags vni dmac smac outer-dmac
 * ttl remote.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/packet_key.h"
#include "runtime/net/slow_path.h"
#include "tests/runtime/net/recorded_host.h"

#define WORDS_MAX 32

struct pipe {
    struct cipu_host *host;
    struct slow_path *path;
    char *words[WORDS_MAX];
    unsigned count;
};

static unsigned number(const struct pipe *pipe, unsigned index)
{
    return index < pipe->count ? (unsigned)strtoul(pipe->words[index], NULL, 10) : 0;
}

static const char *word(const struct pipe *pipe, unsigned index)
{
    return index < pipe->count ? pipe->words[index] : "-";
}

static struct net_address address(const struct pipe *pipe, unsigned index)
{
    struct net_address parsed = {.family = 0};
    if (strcmp(word(pipe, index), "-") != 0)
        net_address_parse(word(pipe, index), &parsed, NULL);
    return parsed;
}

static void mac(const struct pipe *pipe, unsigned index, uint8_t to[6])
{
    net_mac_parse(word(pipe, index), to, NULL);
}

static size_t unhex(const char *text, uint8_t *bytes)
{
    size_t length = 0;
    unsigned value;
    while (length < PACKET_BYTES_MAX && sscanf(text + 2 * length, "%2x", &value) == 1)
        bytes[length++] = (uint8_t)value;
    return length;
}

static unsigned endpoint(const char *name)
{
    return strcmp(name, "port") == 0       ? ENDPOINT_PORT
           : strcmp(name, "function") == 0 ? ENDPOINT_FUNCTION
                                           : ENDPOINT_HOST;
}

static const char *endpoint_name(unsigned endpoint)
{
    static const char *const names[] = {"none", "port", "function", "host"};
    return names[endpoint & 3];
}

static void print_action(const struct action *action)
{
    static const char *const kinds[] = {"drop", "forward", "vxlan4", "vxlan6", "decapsulate", "punt"};
    char destination[18], source[18], outer[18], remote[64];
    net_mac_format(action->destination_mac, destination);
    net_mac_format(action->source_mac, source);
    net_mac_format(action->outer_destination_mac, outer);
    struct net_address end = net_address_from_wide(action->kind == ACTION_ENCAPSULATE_IPV6 ? 6 : 4, action->remote);
    net_address_format(&end, false, remote, sizeof remote);
    printf("%s %s %u %u %u %u %s %s %s %u %s", kinds[action->kind], endpoint_name(action->destination),
           action->destination_id, action->mtu, action->flags, action->vni, destination, source, outer,
           action->outer_ttl, remote);
}

static void print_injected(struct pipe *pipe)
{
    static struct recorded_packet packet;
    outbox_flush(&pipe->path->outbox);
    while (recorded_host_take(pipe->host, &packet)) {
        printf("inject %s %u ", endpoint_name(packet.entry.source), packet.entry.source_id);
        print_action(&packet.action);
        putchar(' ');
        for (unsigned i = 0; i < packet.entry.length; i++)
            printf("%02x", packet.data[i]);
        putchar('\n');
    }
}

static int set_uplink(struct pipe *pipe, struct cipu_error *error)
{
    struct net_port port = {.id = number(pipe, 1),
                            .uplink = true,
                            .mtu = number(pipe, 3),
                            .ipv4 = address(pipe, 4),
                            .ipv6 = address(pipe, 5),
                            .gateway4 = address(pipe, 6),
                            .gateway6 = address(pipe, 7)};
    mac(pipe, 2, port.mac);
    return slow_path_port_set(pipe->path, &port, error);
}

static int add_vpc(struct pipe *pipe, struct cipu_error *error)
{
    struct net_vpc vpc = {.vni = number(pipe, 2), .mtu = number(pipe, 4)};
    snprintf(vpc.name, sizeof vpc.name, "%s", word(pipe, 1));
    mac(pipe, 3, vpc.mac);
    for (unsigned i = 5; i < pipe->count && vpc.gateway_count < NET_GATEWAYS; i++)
        vpc.gateways[vpc.gateway_count++] = address(pipe, i);
    return tables_vpc_add(&pipe->path->tables, &vpc, error);
}

static int add_function(struct pipe *pipe, struct cipu_error *error)
{
    struct net_function function = {.id = number(pipe, 1)};
    snprintf(function.name, sizeof function.name, "%s", word(pipe, 2));
    snprintf(function.vpc, sizeof function.vpc, "%s", word(pipe, 3));
    mac(pipe, 4, function.mac);
    for (unsigned i = 5; i < pipe->count && function.address_count < NET_ADDRESSES; i++)
        function.addresses[function.address_count++] = address(pipe, i);
    return slow_path_function_add(pipe->path, &function, error);
}

static int add_route(struct pipe *pipe, struct cipu_error *error)
{
    struct net_route route = {.prefix = address(pipe, 2), .remote = address(pipe, 3)};
    snprintf(route.vpc, sizeof route.vpc, "%s", word(pipe, 1));
    route.has_mac = strcmp(word(pipe, 4), "-") != 0;
    if (route.has_mac)
        mac(pipe, 4, route.mac);
    return slow_path_route_add(pipe->path, &route, error);
}

static int configure(struct pipe *pipe, struct cipu_error *error)
{
    const char *command = word(pipe, 0);
    struct net_address prefix = address(pipe, 2);
    if (strcmp(command, "uplink") == 0)
        return set_uplink(pipe, error);
    if (strcmp(command, "access") == 0)
        return slow_path_port_set(pipe->path, &(struct net_port){.id = number(pipe, 1), .function = number(pipe, 2)},
                                  error);
    if (strcmp(command, "vpc") == 0)
        return add_vpc(pipe, error);
    if (strcmp(command, "vpc-remove") == 0)
        return slow_path_vpc_remove(pipe->path, word(pipe, 1), error);
    if (strcmp(command, "function") == 0)
        return add_function(pipe, error);
    if (strcmp(command, "function-remove") == 0)
        return slow_path_function_remove(pipe->path, number(pipe, 1), error);
    if (strcmp(command, "route") == 0)
        return add_route(pipe, error);
    if (strcmp(command, "route-remove") == 0)
        return slow_path_route_remove(pipe->path, word(pipe, 1), &prefix, error);
    return cipu_fail(error, -EINVAL, "unknown command %s", command);
}

static void punt(struct pipe *pipe)
{
    static uint8_t data[PACKET_BYTES_MAX];
    struct packet_entry entry = {.source = (uint8_t)endpoint(word(pipe, 1)),
                                 .source_id = (uint16_t)number(pipe, 2),
                                 .reason = (uint8_t)number(pipe, 3)};
    entry.length = (uint16_t)unhex(word(pipe, 4), data);
    /* A copy of exactly that size: reading beyond it is seen by the sanitizers. */
    uint8_t *exact = malloc(entry.length + !entry.length);
    memcpy(exact, data, entry.length);
    slow_path_packet(pipe->path, &entry, exact);
    free(exact);
}

static void look_up(struct pipe *pipe)
{
    static uint8_t data[PACKET_BYTES_MAX];
    struct headers headers;
    size_t length = unhex(word(pipe, 3), data);
    packet_headers(data, length, endpoint(word(pipe, 1)), number(pipe, 2), pipe->host->ports, &headers);
    outbox_flush(&pipe->path->outbox);
    const struct flow_entry *entry =
        headers.verdict == VERDICT_LOOKUP ? recorded_host_lookup(pipe->host, &headers.match.key) : NULL;
    if (entry)
        print_action(&pipe->host->actions[entry->action]);
    else
        printf("miss");
    putchar('\n');
}

static void print_statistics(const struct pipe *pipe)
{
    const struct net_statistics *s = &pipe->path->statistics;
    printf("flows %u installed %lu expired %lu refused %lu misses %lu arp %lu nd %lu icmp %lu no_route %lu spoofed %lu "
           "unresolved %lu other %lu neighbours %u lost %lu\n",
           pipe->path->flows.count, s->flows_installed, s->flows_expired, s->flows_refused, s->misses, s->arp_answered,
           s->nd_answered, s->icmp_sent, s->dropped_no_route, s->dropped_spoofed, s->dropped_unresolved,
           s->dropped_other, pipe->path->neighbours.count, pipe->path->outbox.lost);
}

static void run(struct pipe *pipe)
{
    struct cipu_error error = {""};
    const char *command = word(pipe, 0);
    if (strcmp(command, "packet") == 0) {
        punt(pipe);
    } else if (strcmp(command, "time") == 0) {
        pipe->path->now += number(pipe, 1);
        slow_path_tick(pipe->path);
    } else if (strcmp(command, "count") == 0) {
        pipe->host->entries[number(pipe, 1)].packets += number(pipe, 2);
    } else if (strcmp(command, "lookup") == 0) {
        look_up(pipe);
    } else if (strcmp(command, "statistics") == 0) {
        print_statistics(pipe);
    } else if (strcmp(command, "mtu") == 0) {
        const struct vpc *vpc = tables_vpc_by_name(&pipe->path->tables, word(pipe, 1));
        printf("%u\n", vpc ? tables_vpc_mtu(&pipe->path->tables, vpc) : 0);
    } else {
        int status = configure(pipe, &error);
        if (status != 0)
            printf("error %d %s\n", -status, error.text);
    }
    print_injected(pipe);
    puts(".");
    fflush(stdout);
}

int main(void)
{
    struct pipe pipe = {.host = recorded_host_create()};
    if (slow_path_create(pipe.host, 4711, 60000, &pipe.path) != 0)
        return 1;
    char *line = NULL;
    size_t bytes = 0;
    pipe.path->now = 1000000;
    while (getline(&line, &bytes, stdin) > 0) {
        pipe.count = 0;
        for (char *token = strtok(line, " \n"); token && pipe.count < WORDS_MAX; token = strtok(NULL, " \n"))
            pipe.words[pipe.count++] = token;
        if (pipe.count > 0)
            run(&pipe);
    }
    free(line);
    slow_path_destroy(pipe.path);
    recorded_host_destroy(pipe.host);
    return 0;
}
