/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/statistics.h"

#include <stddef.h>
#include <time.h>

#include "hls/include/host_ring.h"
#include "hls/include/registers.h"

struct name {
    unsigned index;
    const char *name;
};

static const struct name fates[] = {
    {STATISTIC_FORWARDED, "forwarded"},
    {STATISTIC_ENCAPSULATED, "encapsulated"},
    {STATISTIC_DECAPSULATED, "decapsulated"},
    {STATISTIC_PUNTED, "punted"},
    {STATISTIC_DROP_ACTION, "drop_action"},
    {STATISTIC_DROP_TRUNCATED, "drop_truncated"},
    {STATISTIC_DROP_MALFORMED, "drop_malformed"},
    {STATISTIC_DROP_CHECKSUM, "drop_checksum"},
    {STATISTIC_DROP_ADDRESS, "drop_address"},
    {STATISTIC_DROP_ECN, "drop_ecn"},
    {STATISTIC_DROP_VLAN, "drop_vlan"},
    {STATISTIC_DROP_ERROR, "drop_error"},
    {STATISTIC_INJECTED, "injected"},
};

static const struct name reasons[] = {
    {STATISTIC_PUNT_REASON + PUNT_MISS, "miss"},       {STATISTIC_PUNT_REASON + PUNT_ACTION, "action"},
    {STATISTIC_PUNT_REASON + PUNT_TTL, "ttl"},         {STATISTIC_PUNT_REASON + PUNT_MTU, "mtu"},
    {STATISTIC_PUNT_REASON + PUNT_CONTROL, "control"}, {STATISTIC_PUNT_REASON + PUNT_OPTIONS, "options"},
};

static const struct name rings[] = {
    {RING_COMPLETION, "completion"},
    {RING_PUNT, "punt"},
    {RING_EVENT, "event"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

json_t *daemon_counter(struct daemon *daemon, unsigned index)
{
    uint64_t packets, bytes;
    if (net_card_statistic(daemon->net, index, &packets, &bytes) < 0)
        return NULL;
    return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

static json_t *named_counters(struct daemon *daemon, const struct name *names, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        json_t *counter = daemon_counter(daemon, names[i].index);
        if (counter)
            json_object_set_new(object, names[i].name, counter);
    }
    return object;
}

static json_int_t port_register(struct daemon *daemon, unsigned port, size_t offset)
{
    uint32_t place = (uint32_t)(PORTS_BLOCK_OFFSET + offsetof(struct ports_block, port) +
                                port * sizeof(struct port_registers) + offset);
    return cipu_card_read(daemon->card, place);
}

static json_t *ports(struct daemon *daemon)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < CARD_PORTS; i++)
        json_array_append_new(
            list,
            json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:o*, s:o*}", "id", i, "link",
                      (int)port_register(daemon, i, offsetof(struct port_registers, link)) & 1, "received_packets",
                      port_register(daemon, i, offsetof(struct port_registers, received_packets)), "received_dropped",
                      port_register(daemon, i, offsetof(struct port_registers, received_dropped)), "sent_packets",
                      port_register(daemon, i, offsetof(struct port_registers, sent_packets)), "send_dropped",
                      port_register(daemon, i, offsetof(struct port_registers, send_dropped)), "punts_dropped",
                      (json_int_t)net_punts_dropped(daemon->net, ENDPOINT_PORT, i), "received",
                      daemon_counter(daemon, STATISTIC_FROM_PORT + i), "sent",
                      daemon_counter(daemon, STATISTIC_TO_PORT + i)));
    return list;
}

static json_t *one_function(struct daemon *daemon, struct function *function)
{
    struct vfio_user_server_statistics server = {0};
    const struct net_function *net = &function->settings.net;
    if (function->server)
        vfio_user_server_statistics(function->server, &server);
    return json_pack("{s:i, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o*, s:o*}", "id", net->id, "name",
                     net->name, "vpc", net->vpc, "connected", (int)server.connected, "connections",
                     (json_int_t)server.connections, "messages", (json_int_t)server.messages, "message_errors",
                     (json_int_t)server.errors, "mappings", (json_int_t)server.mappings, "queue_stops",
                     (json_int_t)atomic_load(&function->queue_stops), "packet_drops",
                     (json_int_t)atomic_load(&function->packet_drops), "punts_dropped",
                     (json_int_t)net_punts_dropped(daemon->net, ENDPOINT_FUNCTION, net->id), "events_dropped",
                     (json_int_t)atomic_load(&function->events_dropped), "sent",
                     daemon_counter(daemon, STATISTIC_FROM_FUNCTION + net->id), "received",
                     daemon_counter(daemon, STATISTIC_TO_FUNCTION + net->id));
}

static json_t *functions(struct daemon *daemon)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->functions[i])
            json_array_append_new(list, one_function(daemon, daemon->functions[i]));
    return list;
}

static json_t *kernels(struct daemon *daemon)
{
    struct cipu_kernel_activity activity[256];
    size_t count = cipu_card_activity(daemon->card, activity, COUNT(activity));
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < COUNT(activity); i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I}", "name", activity[i].name, "activations",
                                        (json_int_t)activity[i].activations, "stalls", (json_int_t)activity[i].stalls));
    return list;
}

static json_t *streams(struct daemon *daemon)
{
    struct cipu_stream stream;
    json_t *list = json_array();
    for (unsigned i = 0; cipu_card_stream(daemon->card, i, &stream) == 0; i++)
        if (stream.packets || stream.stalls)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:b}", "name", stream.name, "packets",
                                                  (json_int_t)stream.packets, "bytes", (json_int_t)stream.bytes,
                                                  "stalls", (json_int_t)stream.stalls, "stuck", stream.stuck));
    return list;
}

static json_t *net_counters(struct daemon *daemon)
{
    struct net_statistics net;
    net_statistics(daemon->net, &net);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "flows",
                     (json_int_t)net.flows, "flows_installed", (json_int_t)net.flows_installed, "flows_expired",
                     (json_int_t)net.flows_expired, "flows_refused", (json_int_t)net.flows_refused, "neighbours",
                     (json_int_t)net.neighbours, "misses", (json_int_t)net.misses, "arp_answered",
                     (json_int_t)net.arp_answered, "nd_answered", (json_int_t)net.nd_answered, "icmp_sent",
                     (json_int_t)net.icmp_sent, "dropped_no_route", (json_int_t)net.dropped_no_route, "dropped_spoofed",
                     (json_int_t)net.dropped_spoofed, "dropped_unresolved", (json_int_t)net.dropped_unresolved,
                     "dropped_other", (json_int_t)net.dropped_other);
}

static json_t *ring_drops(struct daemon *daemon)
{
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT(rings); i++) {
        uint32_t dropped = cipu_host_dropped(daemon->host, (enum host_ring)rings[i].index);
        json_object_set_new(object, rings[i].name, json_pack("{s:I}", "dropped", (json_int_t)dropped));
    }
    return object;
}

json_t *daemon_statistics(struct daemon *daemon)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double uptime =
        (double)(now.tv_sec - daemon->started.tv_sec) + (double)(now.tv_nsec - daemon->started.tv_nsec) / 1000000000;
    return json_pack("{s:f, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "uptime_seconds", uptime, "events",
                     (json_int_t)atomic_load(&daemon->events), "card", named_counters(daemon, fates, COUNT(fates)),
                     "punts", named_counters(daemon, reasons, COUNT(reasons)), "ports", ports(daemon), "functions",
                     functions(daemon), "volumes", daemon_volume_statistics(daemon), "controllers",
                     daemon_controller_statistics(daemon), "net", net_counters(daemon), "rings", ring_drops(daemon),
                     "streams", streams(daemon), "kernels", kernels(daemon));
}
