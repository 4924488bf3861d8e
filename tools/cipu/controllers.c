/* SPDX-License-Identifier: Apache-2.0 */
/* Disk controllers, what is attached to them, subsystems, and reservations. */
#include <stdint.h>
#include <stdio.h>

#include "tools/cipu/cipu.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct column controller_columns[] = {
    {"ID", "id", true},
    {"NAME", "name", false},
    {"TYPE", "type", false},
    {"SOCKET", "socket", false},
    {"CONNECTED", "connected", false},
    {"READY", "ready", false},
    {"QUEUES", "io_queues", true},
    {"ANA", "ana", false},
    {"NAMESPACES", "text", false},
};

static const struct column subsystem_columns[] = {
    {"NAME", "name", false},        {"NQN", "nqn", false},         {"PLACE", "place", false},
    {"CAPACITY", "capacity", true}, {"FREE", "unallocated", true}, {"CONTROLLERS", "controllers", false},
    {"NAMESPACES", "text", false},
};

static const struct column reservation_columns[] = {
    {"VOLUME", "volume", false},
    {"SUBSYSTEM", "subsystem", false},
    {"NSID", "nsid", true},
    {"TYPE", "type", false},
    {"GENERATION", "generation", true},
    {"PERSISTENT", "persistent", false},
    {"HOST", "host", false},
    {"KEY", "key", false},
    {"HOLDER", "holder", false},
};

/* "1:data", "2:logs" for the table. */
static void add_namespaces(json_t *object, const char *key)
{
    const json_t *namespaces = json_object_get(object, key);
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(namespaces); i++) {
        const json_t *namespace = json_array_get(namespaces, i);
        json_array_append_new(list, json_sprintf("%d:%s", (int)json_integer_value(json_object_get(namespace, "nsid")),
                                                 json_string_value(json_object_get(namespace, "volume"))));
    }
    json_object_set_new(object, "text", list);
}

static int finish_namespaces(const struct options *options, json_t *result, const char *key,
                             const struct column *columns, size_t count)
{
    for (size_t i = 0; !options->json && i < json_array_size(result); i++)
        add_namespaces(json_array_get(result, i), key);
    return finish_table(options, result, columns, count);
}

int run_controller_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    return finish_namespaces(options, call_once(options, "controller_list", NULL), "namespaces", controller_columns,
                             COUNT(controller_columns));
}

int run_controller_show(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = json_pack("{s:s}", "name", next_word(arguments, "the controller's name"));
    no_more_words(arguments);
    return finish_object(options, call_once(options, "controller_show", parameters));
}

int run_subsystem_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    return finish_namespaces(options, call_once(options, "subsystem_list", NULL), "attached", subsystem_columns,
                             COUNT(subsystem_columns));
}

int run_controller_add(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {
        {"name", "name", KEYWORD_TEXT},           {"type", "type", KEYWORD_TEXT},
        {"transport", "transport", KEYWORD_TEXT}, {"socket", "socket", KEYWORD_TEXT},
        {"volumes", "volumes", KEYWORD_LIST},     {"subsystem", "subsystem", KEYWORD_TEXT},
        {"queues", "queues", KEYWORD_NUMBER},     {"serial", "serial", KEYWORD_TEXT},
    };
    long id = parse_number(next_word(arguments, "the function's id"), "id", 0, UINT32_MAX);
    json_t *parameters = json_pack("{s:I}", "id", (json_int_t)id);
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_quiet(options, call_once(options, "controller_create", parameters));
}

int run_controller_del(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = json_pack("{s:s}", "name", next_word(arguments, "the controller's name"));
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "controller_delete", parameters));
}

int run_controller_ana(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {{"group", "group", KEYWORD_NUMBER}};
    json_t *parameters = json_pack("{s:s}", "name", next_word(arguments, "the controller's name"));
    json_object_set_new(parameters, "state", json_string(next_word(arguments, "the state")));
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_quiet(options, call_once(options, "controller_set_ana", parameters));
}

static int run_attachment(const struct options *options, struct arguments *arguments, const char *method)
{
    json_t *parameters = json_pack("{s:s}", "volume", next_word(arguments, "the volume's name"));
    json_object_set_new(parameters, "controller", json_string(next_word(arguments, "the controller's name")));
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, method, parameters));
}

int run_volume_attach(const struct options *options, struct arguments *arguments)
{
    return run_attachment(options, arguments, "volume_attach");
}

int run_volume_detach(const struct options *options, struct arguments *arguments)
{
    return run_attachment(options, arguments, "volume_detach");
}

/* A line for each registrant; of a reservation without any, one. */
static json_t *flatten(const json_t *reservations)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(reservations); i++) {
        json_t *reservation = json_array_get(reservations, i);
        const json_t *registrants = json_object_get(reservation, "registrants");
        for (size_t k = 0; k < json_array_size(registrants); k++) {
            json_t *row = json_copy(reservation);
            json_object_update(row, json_array_get(registrants, k));
            json_array_append_new(rows, row);
        }
        if (json_array_size(registrants) == 0)
            json_array_append(rows, reservation);
    }
    return rows;
}

int run_reservation_list(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = json_object();
    if (arguments->count)
        json_object_set_new(parameters, "name", json_string(next_word(arguments, "a volume")));
    no_more_words(arguments);
    json_t *result = call_once(options, "reservation_list", parameters);
    if (!options->json) {
        json_t *rows = flatten(result);
        json_decref(result);
        result = rows;
    }
    return finish_table(options, result, reservation_columns, COUNT(reservation_columns));
}

int run_reservation_clear(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = json_pack("{s:s}", "name", next_word(arguments, "the volume's name"));
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "reservation_clear", parameters));
}
