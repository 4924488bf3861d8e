/* SPDX-License-Identifier: Apache-2.0 */
/* Which statistic is which metric. */
#include <string.h>

#include "runtime/rpc/metrics.h"
#include "runtime/version.h"

#define COUNTER "counter"
#define GAUGE   "gauge"

struct metric {
    const char *name, *type, *help;
    const char *section; /* key in the statistics */
    const char *labels;  /* "label=key,...": taken from the element; `*`: its own name; NULL: none */
    const char *fixed;   /* another label as it stands, or NULL */
    const char *value;   /* key in the element; "a.b" for a key within another */
};

/* Lines of one metric follow one another. */
static const struct metric metrics[] = {
    {"cipu_uptime_seconds", GAUGE, "Seconds since the daemon started.", NULL, NULL, NULL, "uptime_seconds"},
    {"cipu_card_events_total", COUNTER, "Events of the card: stopped queues, dropped packets.", NULL, NULL, NULL,
     "events"},
    {"cipu_packets_total", COUNTER, "Packets by what became of them in the card.", "card", "fate=*", NULL, "packets"},
    {"cipu_bytes_total", COUNTER, "Bytes of packets by what became of them in the card.", "card", "fate=*", NULL,
     "bytes"},
    {"cipu_punts_total", COUNTER, "Packets handed to the slow path by reason.", "punts", "reason=*", NULL, "packets"},
    {"cipu_port_link_up", GAUGE, "Whether the port's link is up.", "ports", "port=id", NULL, "link"},
    {"cipu_port_packets_total", COUNTER, "Packets of a port.", "ports", "port=id", "direction=\"received\"",
     "received_packets"},
    {"cipu_port_packets_total", COUNTER, NULL, "ports", "port=id", "direction=\"sent\"", "sent_packets"},
    {"cipu_port_bytes_total", COUNTER, "Bytes of packets of a port.", "ports", "port=id", "direction=\"received\"",
     "received.bytes"},
    {"cipu_port_bytes_total", COUNTER, NULL, "ports", "port=id", "direction=\"sent\"", "sent.bytes"},
    {"cipu_port_dropped_total", COUNTER, "Packets that a port had no room for or found wrong.", "ports", "port=id",
     "direction=\"received\"", "received_dropped"},
    {"cipu_port_dropped_total", COUNTER, NULL, "ports", "port=id", "direction=\"sent\"", "send_dropped"},
    {"cipu_function_packets_total", COUNTER, "Packets of a function, as its guest sees them.", "functions",
     "function=id,name=name,vpc=vpc", "direction=\"sent\"", "sent.packets"},
    {"cipu_function_packets_total", COUNTER, NULL, "functions", "function=id,name=name,vpc=vpc",
     "direction=\"received\"", "received.packets"},
    {"cipu_function_bytes_total", COUNTER, "Bytes of packets of a function.", "functions",
     "function=id,name=name,vpc=vpc", "direction=\"sent\"", "sent.bytes"},
    {"cipu_function_bytes_total", COUNTER, NULL, "functions", "function=id,name=name,vpc=vpc", "direction=\"received\"",
     "received.bytes"},
    {"cipu_function_queue_stops_total", COUNTER, "Queues that the card stopped because of their guest.", "functions",
     "function=id,name=name,vpc=vpc", NULL, "queue_stops"},
    {"cipu_function_packet_drops_total", COUNTER, "Packets of a guest that the card refused.", "functions",
     "function=id,name=name,vpc=vpc", NULL, "packet_drops"},
    {"cipu_punts_dropped_total", COUNTER, "Packets for the slow path beyond their source's share of the ring.",
     "functions", "function=id,name=name", NULL, "punts_dropped"},
    {"cipu_punts_dropped_total", COUNTER, NULL, "ports", "port=id", NULL, "punts_dropped"},
    {"cipu_events_dropped_total", COUNTER, "Events of a function beyond its share of the ring.", "functions",
     "function=id,name=name", NULL, "events_dropped"},
    {"cipu_frontend_connected", GAUGE, "Whether a client is connected to the function's socket.", "functions",
     "function=id,name=name", NULL, "connected"},
    {"cipu_frontend_connections_total", COUNTER, "Clients that connected to the function's socket.", "functions",
     "function=id,name=name", NULL, "connections"},
    {"cipu_frontend_messages_total", COUNTER, "Messages of clients.", "functions", "function=id,name=name", NULL,
     "messages"},
    {"cipu_frontend_errors_total", COUNTER, "Messages of clients that were refused.", "functions",
     "function=id,name=name", NULL, "message_errors"},
    {"cipu_frontend_mappings", GAUGE, "Pieces of guest memory that are mapped now.", "functions",
     "function=id,name=name", NULL, "mappings"},
    {"cipu_volume_bytes", GAUGE, "Size of a volume.", "volumes", "volume=name", NULL, "size"},
    {"cipu_volume_attachments", GAUGE, "Functions that a volume is attached to.", "volumes", "volume=name", NULL,
     "attachments"},
    {"cipu_volume_operations_total", COUNTER, "Operations on a volume that went well.", "volumes", "volume=name",
     "operation=\"read\"", "read.operations"},
    {"cipu_volume_operations_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"write\"",
     "write.operations"},
    {"cipu_volume_operations_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"flush\"",
     "flush.operations"},
    {"cipu_volume_operations_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"write_zeroes\"",
     "write_zeroes.operations"},
    {"cipu_volume_operations_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"discard\"",
     "discard.operations"},
    {"cipu_volume_operations_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"erase\"",
     "erase.operations"},
    {"cipu_volume_bytes_total", COUNTER, "Bytes of operations on a volume that went well.", "volumes", "volume=name",
     "operation=\"read\"", "read.bytes"},
    {"cipu_volume_bytes_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"write\"", "write.bytes"},
    {"cipu_volume_bytes_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"write_zeroes\"",
     "write_zeroes.bytes"},
    {"cipu_volume_bytes_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"discard\"", "discard.bytes"},
    {"cipu_volume_bytes_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"erase\"", "erase.bytes"},
    {"cipu_volume_errors_total", COUNTER, "Operations on a volume that failed or were refused.", "volumes",
     "volume=name", "operation=\"read\"", "read.errors"},
    {"cipu_volume_errors_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"write\"", "write.errors"},
    {"cipu_volume_errors_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"flush\"", "flush.errors"},
    {"cipu_volume_errors_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"write_zeroes\"",
     "write_zeroes.errors"},
    {"cipu_volume_errors_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"discard\"", "discard.errors"},
    {"cipu_volume_errors_total", COUNTER, NULL, "volumes", "volume=name", "operation=\"erase\"", "erase.errors"},
    {"cipu_controller_connected", GAUGE, "Whether a client is connected to the disk controller's socket.",
     "controllers", "function=id,name=name", NULL, "connected"},
    {"cipu_controller_connections_total", COUNTER, "Clients that connected to the controller's socket.", "controllers",
     "function=id,name=name", NULL, "connections"},
    {"cipu_controller_messages_total", COUNTER, "Messages of clients.", "controllers", "function=id,name=name", NULL,
     "messages"},
    {"cipu_controller_message_errors_total", COUNTER, "Messages of clients that were refused.", "controllers",
     "function=id,name=name", NULL, "message_errors"},
    {"cipu_controller_commands_total", COUNTER, "Commands of a disk controller that ended.", "controllers",
     "function=id,name=name", NULL, "commands"},
    {"cipu_controller_errors_total", COUNTER, "Commands that ended with an error.", "controllers",
     "function=id,name=name", NULL, "errors"},
    {"cipu_controller_raw_commands_total", COUNTER, "Commands that the card did not decide itself.", "controllers",
     "function=id,name=name", NULL, "raw_commands"},
    {"cipu_controller_resets_total", COUNTER, "Times that a running controller was stopped.", "controllers",
     "function=id,name=name", NULL, "resets"},
    {"cipu_controller_faults_total", COUNTER, "Times that an NVMe controller gave up (CSTS.CFS).", "controllers",
     "function=id,name=name", NULL, "faults"},
    {"cipu_controller_queue_stops_total", COUNTER, "Queues that the card stopped because of their guest.",
     "controllers", "function=id,name=name", NULL, "queue_stops"},
    {"cipu_controller_doorbells_refused_total", COUNTER, "Doorbell values beyond their queue.", "controllers",
     "function=id,name=name", NULL, "doorbells_refused"},
    {"cipu_flows", GAUGE, "Flows in the card now.", "net", NULL, NULL, "flows"},
    {"cipu_flows_installed_total", COUNTER, "Flows that were installed.", "net", NULL, NULL, "flows_installed"},
    {"cipu_flows_expired_total", COUNTER, "Flows that were removed because nothing used them.", "net", NULL, NULL,
     "flows_expired"},
    {"cipu_flows_refused_total", COUNTER, "Flows that found no room.", "net", NULL, NULL, "flows_refused"},
    {"cipu_neighbours", GAUGE, "Hosts of the underlay that are known.", "net", NULL, NULL, "neighbours"},
    {"cipu_slow_path_total", COUNTER, "What the slow path did.", "net", NULL, "what=\"miss\"", "misses"},
    {"cipu_slow_path_total", COUNTER, NULL, "net", NULL, "what=\"arp_answered\"", "arp_answered"},
    {"cipu_slow_path_total", COUNTER, NULL, "net", NULL, "what=\"nd_answered\"", "nd_answered"},
    {"cipu_slow_path_total", COUNTER, NULL, "net", NULL, "what=\"icmp_sent\"", "icmp_sent"},
    {"cipu_slow_path_dropped_total", COUNTER, "Packets that the slow path dropped.", "net", NULL, "reason=\"no_route\"",
     "dropped_no_route"},
    {"cipu_slow_path_dropped_total", COUNTER, NULL, "net", NULL, "reason=\"spoofed\"", "dropped_spoofed"},
    {"cipu_slow_path_dropped_total", COUNTER, NULL, "net", NULL, "reason=\"unresolved\"", "dropped_unresolved"},
    {"cipu_slow_path_dropped_total", COUNTER, NULL, "net", NULL, "reason=\"other\"", "dropped_other"},
    {"cipu_ring_dropped_total", COUNTER, "Records that the card dropped because a host ring was full.", "rings",
     "ring=*", NULL, "dropped"},
    {"cipu_kernel_activations_total", COUNTER, "Activations of a kernel.", "kernels", "kernel=name", NULL,
     "activations"},
    {"cipu_kernel_stalls_total", COUNTER, "Visits to a kernel that found input but no room for output.", "kernels",
     "kernel=name", NULL, "stalls"},
    {"cipu_stream_packets_total", COUNTER, "Packets that passed between the card's shell and its kernels.", "streams",
     "stream=name", NULL, "packets"},
    {"cipu_stream_bytes_total", COUNTER, "Bytes of packets that passed a stream.", "streams", "stream=name", NULL,
     "bytes"},
    {"cipu_stream_stalls_total", COUNTER, "Cycles in which a stream's beat waited for its reader.", "streams",
     "stream=name", NULL, "stalls"},
    {"cipu_stream_stuck", GAUGE, "Whether a stream stands still.", "streams", "stream=name", NULL, "stuck"},
};

static void write_label_value(const char *value, struct evbuffer *text)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            evbuffer_add(text, "\\", 1);
        evbuffer_add(text, *value == '\n' ? " " : value, 1);
    }
}

static void write_labels(const struct metric *metric, const char *own_name, const json_t *element,
                         struct evbuffer *text)
{
    const char *separator = "{";
    for (const char *label = metric->labels, *end; label && *label; label = *end ? end + 1 : end) {
        char name[64], *key;
        size_t length = strcspn(label, ",");
        end = label + length;
        if (length >= sizeof(name))
            return;
        memcpy(name, label, length);
        name[length] = 0;
        key = strchr(name, '=');
        if (!key)
            return;
        *key++ = 0;
        const json_t *value = json_object_get(element, key);
        evbuffer_add_printf(text, "%s%s=\"", separator, name);
        if (strcmp(key, "*") == 0)
            write_label_value(own_name ? own_name : "", text);
        else if (json_is_string(value))
            write_label_value(json_string_value(value), text);
        else
            evbuffer_add_printf(text, "%lld", (long long)json_integer_value(value));
        evbuffer_add(text, "\"", 1);
        separator = ",";
    }
    if (metric->fixed) {
        evbuffer_add_printf(text, "%s%s", separator, metric->fixed);
        separator = ",";
    }
    if (separator[0] == ',')
        evbuffer_add(text, "}", 1);
}

static const json_t *find_value(const json_t *element, const char *path)
{
    char first[32];
    const char *dot = strchr(path, '.');
    if (!dot)
        return json_object_get(element, path);
    size_t length = (size_t)(dot - path);
    memcpy(first, path, length);
    first[length] = 0;
    return json_object_get(json_object_get(element, first), dot + 1);
}

static void write_sample(const struct metric *metric, const char *own_name, const json_t *element,
                         struct evbuffer *text)
{
    const json_t *value = find_value(element, metric->value);
    if (!value)
        return;
    evbuffer_add(text, metric->name, strlen(metric->name));
    write_labels(metric, own_name, element, text);
    if (json_is_real(value))
        evbuffer_add_printf(text, " %.3f\n", json_real_value(value));
    else
        evbuffer_add_printf(text, " %lld\n", json_is_true(value) ? 1LL : (long long)json_integer_value(value));
}

/* A section is one element, a list of elements, or elements by name. */
static void write_section(const struct metric *metric, json_t *section, struct evbuffer *text)
{
    const char *name;
    json_t *element;
    size_t i;
    if (json_is_array(section)) {
        json_array_foreach(section, i, element)
        {
            write_sample(metric, NULL, element, text);
        }
    } else if (metric->labels) {
        json_object_foreach(section, name, element)
        {
            write_sample(metric, name, element, text);
        }
    } else {
        write_sample(metric, NULL, section, text);
    }
}

static void write_histogram(const char *volume, const char *operation, const json_t *latency, struct evbuffer *text)
{
    size_t i;
    json_t *bucket;
    json_array_foreach(json_object_get(latency, "buckets"), i, bucket)
    {
        evbuffer_add_printf(text, "cipu_volume_latency_seconds_bucket{volume=\"%s\",operation=\"%s\",le=\"%s\"} %lld\n",
                            volume, operation, json_string_value(json_object_get(bucket, "le")),
                            (long long)json_integer_value(json_object_get(bucket, "count")));
    }
    long long count = (long long)json_integer_value(json_object_get(latency, "count"));
    evbuffer_add_printf(text, "cipu_volume_latency_seconds_bucket{volume=\"%s\",operation=\"%s\",le=\"+Inf\"} %lld\n",
                        volume, operation, count);
    evbuffer_add_printf(text, "cipu_volume_latency_seconds_sum{volume=\"%s\",operation=\"%s\"} %.9f\n", volume,
                        operation, json_real_value(json_object_get(latency, "sum")));
    evbuffer_add_printf(text, "cipu_volume_latency_seconds_count{volume=\"%s\",operation=\"%s\"} %lld\n", volume,
                        operation, count);
}

/* A volume's name needs no quoting: letters, digits and ._- */
static void write_latencies(const json_t *volumes, struct evbuffer *text)
{
    size_t i;
    json_t *volume;
    if (json_array_size(volumes))
        evbuffer_add_printf(text,
                            "# HELP cipu_volume_latency_seconds From a guest's doorbell to the end of its read or "
                            "write.\n# TYPE cipu_volume_latency_seconds histogram\n");
    json_array_foreach((json_t *)volumes, i, volume)
    {
        const char *name = json_string_value(json_object_get(volume, "name"));
        write_histogram(name, "read", json_object_get(volume, "read_latency"), text);
        write_histogram(name, "write", json_object_get(volume, "write_latency"), text);
    }
}

void metrics_write(json_t *statistics, const char *card, struct evbuffer *text)
{
    evbuffer_add_printf(text,
                        "# HELP cipu_build_info The daemon's version and its card.\n# TYPE cipu_build_info gauge\n"
                        "cipu_build_info{version=\"%s\",card=\"",
                        CIPU_VERSION);
    write_label_value(card, text);
    evbuffer_add_printf(text, "\"} 1\n");
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        const struct metric *metric = &metrics[i];
        if (metric->help)
            evbuffer_add_printf(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                                metric->type);
        write_section(metric, metric->section ? json_object_get(statistics, metric->section) : statistics, text);
    }
    write_latencies(json_object_get(statistics, "volumes"), text);
}
