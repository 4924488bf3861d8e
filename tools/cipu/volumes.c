/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and the disks that some are cut of. */
#include <stdio.h>
#include <string.h>

#include "tools/cipu/cipu.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct column volume_columns[] = {
    {"NAME", "name", false},          {"BACKEND", "backend", false},     {"SIZE", "size", true},
    {"BLOCK", "block_size", true},    {"READ-ONLY", "read_only", false}, {"IOPS", "iops", true},
    {"BANDWIDTH", "bandwidth", true}, {"WEIGHT", "weight", true},        {"ATTACHED", "attachments", true},
    {"ORIGIN", "origin", false},
};

static const struct column latency_columns[] = {
    {"OPERATION", "operation", false}, {"STAGE", "stage", false}, {"COUNT", "count", true},   {"P50-US", "p50", true},
    {"P90-US", "p90", true},           {"P99-US", "p99", true},   {"P99.9-US", "p999", true}, {"MAX-US", "max", true},
};

static const struct column disk_columns[] = {
    {"NAME", "name", false}, {"PATH", "path", false},     {"SIZE", "size", true},
    {"FREE", "free", true},  {"VOLUMES", "names", false},
};

#define LIMITS                                                                                              \
    {"iops", "iops", KEYWORD_NUMBER}, {"bandwidth", "bandwidth", KEYWORD_TEXT},                             \
        {"iops-burst", "iops_burst", KEYWORD_NUMBER}, {"bandwidth-burst", "bandwidth_burst", KEYWORD_TEXT}, \
    {                                                                                                       \
        "weight", "weight", KEYWORD_NUMBER                                                                  \
    }

static json_t *volume_selector(struct arguments *arguments)
{
    return json_pack("{s:s}", "name", next_word(arguments, "the volume's name"));
}

int run_volume_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    return finish_table(options, call_once(options, "volume_list", NULL), volume_columns, COUNT(volume_columns));
}

int run_volume_create(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {
        {"backend", "backend", KEYWORD_TEXT},         {"size", "size", KEYWORD_TEXT},
        {"block-size", "block_size", KEYWORD_NUMBER}, {"read-only", "read_only", KEYWORD_FLAG},
        {"create", "create", KEYWORD_FLAG},           LIMITS,
    };
    json_t *parameters = volume_selector(arguments);
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_quiet(options, call_once(options, "volume_create", parameters));
}

int run_volume_delete(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = volume_selector(arguments);
    if (take_word(arguments, "destroy"))
        json_object_set_new(parameters, "destroy", json_true());
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "volume_delete", parameters));
}

int run_volume_resize(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = volume_selector(arguments);
    json_object_set_new(parameters, "size", json_string(next_word(arguments, "the new size")));
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "volume_resize", parameters));
}

int run_volume_qos(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {LIMITS};
    json_t *parameters = volume_selector(arguments);
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_quiet(options, call_once(options, "volume_set_qos", parameters));
}

/* Nanoseconds as the table shows them: microseconds. */
static void add_microseconds(json_t *row)
{
    static const char *const names[] = {"p50", "p90", "p99", "p999", "max"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char key[16];
        snprintf(key, sizeof(key), "%s_ns", names[i]);
        double value = (double)json_integer_value(json_object_get(row, key));
        json_object_set_new(row, names[i], json_real(value / 1000));
    }
}

static void add_all_microseconds(json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        add_microseconds(row);
    }
}

int run_volume_latency(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = volume_selector(arguments);
    no_more_words(arguments);
    json_t *result = call_once(options, "volume_latency", parameters);
    if (!options->json)
        add_all_microseconds(result);
    return finish_table(options, result, latency_columns, COUNT(latency_columns));
}

int run_volume_erase(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = volume_selector(arguments);
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "volume_erase", parameters));
}

int run_volume_fault(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = volume_selector(arguments);
    json_object_set_new(parameters, "rules", json_string(next_word(arguments, "rules, or none")));
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "volume_set_faults", parameters));
}

/* The names of a disk's volumes in one cell. */
static void add_names(json_t *disks)
{
    size_t i, k;
    json_t *disk, *volume;
    json_array_foreach(disks, i, disk)
    {
        json_t *names = json_array();
        json_array_foreach(json_object_get(disk, "volumes"), k, volume)
        {
            json_array_append(names, json_object_get(volume, "name"));
        }
        json_object_set_new(disk, "names", names);
    }
}

int run_disk_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    json_t *result = call_once(options, "disk_list", NULL);
    if (!options->json)
        add_names(result);
    return finish_table(options, result, disk_columns, COUNT(disk_columns));
}
