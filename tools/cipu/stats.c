/* SPDX-License-Identifier: Apache-2.0 */
/* cipu stats: counters once, or again and again with rates. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/cipu/cipu.h"

static const struct column packet_columns[] = {
    {"COUNTER", "name", false}, {"PACKETS", "packets", true}, {"BYTES", "bytes", true}, {"PACKETS/S", "rate", true}};
static const struct column value_columns[] = {{"COUNTER", "name", false}, {"VALUE", "value", true}};

static void add_packets(json_t *rows, const char *group, const char *name, const json_t *counter)
{
    char label[192];
    if (!counter)
        return;
    snprintf(label, sizeof(label), "%s.%s", group, name);
    json_array_append_new(rows,
                          json_pack("{s:s, s:O, s:O}", "name", label, "packets", json_object_get(counter, "packets"),
                                    "bytes", json_object_get(counter, "bytes")));
}

static void add_value(json_t *rows, const char *group, const char *name, const json_t *value)
{
    char label[192];
    if (!value)
        return;
    snprintf(label, sizeof(label), "%s.%s", group, name);
    json_array_append_new(rows, json_pack("{s:s, s:O}", "name", label, "value", value));
}

static void add_directions(json_t *rows, const char *group, const json_t *list, const char *name_key)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        char text[CELL_BYTES], label[160];
        snprintf(label, sizeof(label), "%s.%.100s", group, cell_text(json_object_get(item, name_key), text));
        add_packets(rows, label, "received", json_object_get(item, "received"));
        add_packets(rows, label, "sent", json_object_get(item, "sent"));
    }
}

static json_t *packet_rows(const json_t *statistics)
{
    json_t *rows = json_array(), *counter;
    const char *name;
    json_object_foreach(json_object_get(statistics, "card"), name, counter)
    {
        add_packets(rows, "card", name, counter);
    }
    json_object_foreach(json_object_get(statistics, "punts"), name, counter)
    {
        add_packets(rows, "punt", name, counter);
    }
    add_directions(rows, "port", json_object_get(statistics, "ports"), "id");
    add_directions(rows, "function", json_object_get(statistics, "functions"), "name");
    return rows;
}

/* Of each object of a list the values of these keys, which end with NULL. */
static void add_named(json_t *rows, const char *kind, const json_t *list, const char *const keys[])
{
    size_t i;
    json_t *object;
    json_array_foreach((json_t *)list, i, object)
    {
        char text[CELL_BYTES], label[160];
        snprintf(label, sizeof(label), "%s.%.100s", kind, cell_text(json_object_get(object, "name"), text));
        for (size_t key = 0; keys[key]; key++)
            add_value(rows, label, keys[key], json_object_get(object, keys[key]));
    }
}

static json_t *value_rows(const json_t *statistics)
{
    static const char *const function_keys[] = {"queue_stops", "packet_drops", "connections", "message_errors", NULL};
    static const char *const controller_keys[] = {"commands",    "errors",      "raw_commands",   "resets", "faults",
                                                  "queue_stops", "connections", "message_errors", NULL};
    json_t *rows = json_array(), *value;
    const char *name;
    size_t i;
    json_object_foreach(json_object_get(statistics, "net"), name, value)
    {
        add_value(rows, "net", name, value);
    }
    json_object_foreach(json_object_get(statistics, "rings"), name, value)
    {
        char label[64];
        snprintf(label, sizeof(label), "ring.%s", name);
        add_value(rows, label, "dropped", json_object_get(value, "dropped"));
    }
    json_array_foreach(json_object_get(statistics, "ports"), i, value)
    {
        char label[64];
        snprintf(label, sizeof(label), "port.%zu", i);
        add_value(rows, label, "received_dropped", json_object_get(value, "received_dropped"));
        add_value(rows, label, "send_dropped", json_object_get(value, "send_dropped"));
    }
    json_array_foreach(json_object_get(statistics, "streams"), i, value)
    {
        char text[CELL_BYTES], label[64];
        snprintf(label, sizeof(label), "stream.%.40s", cell_text(json_object_get(value, "name"), text));
        add_value(rows, label, "stalls", json_object_get(value, "stalls"));
    }
    add_named(rows, "function", json_object_get(statistics, "functions"), function_keys);
    add_named(rows, "controller", json_object_get(statistics, "controllers"), controller_keys);
    return rows;
}

/* Adds packets per second to rows that were there before. */
static void add_rates(json_t *rows, const json_t *before, double seconds)
{
    size_t i, j;
    json_t *row, *old;
    json_array_foreach(rows, i, row)
    {
        json_array_foreach((json_t *)before, j, old)
        {
            if (!json_equal(json_object_get(row, "name"), json_object_get(old, "name")) || seconds <= 0)
                continue;
            json_int_t packets = json_integer_value(json_object_get(row, "packets")) -
                                 json_integer_value(json_object_get(old, "packets"));
            json_object_set_new(row, "rate", json_real((double)packets / seconds));
        }
    }
}

static int print_tables(const json_t *statistics, const json_t *previous)
{
    json_t *packets = packet_rows(statistics), *values = value_rows(statistics);
    size_t columns = sizeof(packet_columns) / sizeof(packet_columns[0]) - (previous ? 0 : 1);
    if (previous) {
        json_t *before = packet_rows(previous);
        add_rates(packets, before,
                  json_real_value(json_object_get(statistics, "uptime_seconds")) -
                      json_real_value(json_object_get(previous, "uptime_seconds")));
        json_decref(before);
    }
    int code = print_table(packets, packet_columns, columns);
    putchar('\n');
    if (code == EXIT_OK)
        code = print_table(values, value_columns, 2);
    json_decref(packets);
    json_decref(values);
    return code;
}

static int watch(const struct options *options)
{
    json_t *previous = NULL;
    int code = EXIT_OK;
    while (code == EXIT_OK) {
        json_t *statistics = call_once(options, "stats_get", NULL);
        if (!statistics)
            break;
        if (options->json) {
            json_dumpf(statistics, stdout, JSON_COMPACT);
            putchar('\n');
        } else {
            if (isatty(STDOUT_FILENO))
                fputs("\033[H\033[2J", stdout);
            else if (previous)
                putchar('\n');
            code = print_tables(statistics, previous);
        }
        json_decref(previous);
        previous = statistics;
        if (fflush(stdout) != 0)
            break;
        sleep((unsigned)options->watch);
    }
    json_decref(previous);
    return EXIT_REFUSED;
}

int run_stats(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    if (options->watch)
        return watch(options);
    json_t *statistics = call_once(options, "stats_get", NULL);
    if (!statistics)
        return EXIT_REFUSED;
    int code = EXIT_OK;
    if (options->json)
        print_json(statistics);
    else
        code = print_tables(statistics, NULL);
    json_decref(statistics);
    return code;
}
