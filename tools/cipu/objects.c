/* SPDX-License-Identifier: Apache-2.0 */
/* Functions, VPCs, routes, flows and ports. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tools/cipu/cipu.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct column function_columns[] = {
    {"ID", "id", true},          {"NAME", "name", false},
    {"VPC", "vpc", false},       {"TYPE", "type", false},
    {"MAC", "mac", false},       {"ADDRESSES", "addresses", false},
    {"MTU", "mtu", true},        {"CONNECTED", "connected", false},
    {"SOCKET", "socket", false}, {"ORIGIN", "origin", false},
};

static const struct column vpc_columns[] = {
    {"NAME", "name", false},         {"VNI", "vni", true}, {"MAC", "mac", false},
    {"GATEWAYS", "gateways", false}, {"MTU", "mtu", true}, {"ORIGIN", "origin", false},
};

static const struct column route_columns[] = {
    {"VPC", "vpc", false}, {"PREFIX", "prefix", false}, {"VIA", "via", false},
    {"MAC", "mac", false}, {"ORIGIN", "origin", false},
};

static const struct column port_columns[] = {
    {"ID", "id", true},      {"MODE", "mode", false},         {"FUNCTION", "function", true},
    {"MAC", "mac", false},   {"IPV4", "ipv4", false},         {"GATEWAY4", "gateway4", false},
    {"IPV6", "ipv6", false}, {"GATEWAY6", "gateway6", false}, {"MTU", "mtu", true},
};

static const struct column flow_columns[] = {
    {"VPC", "vpc", false},
    {"FROM", "domain.kind", false},
    {"NUMBER", "domain.number", true},
    {"PROTO", "protocol", true},
    {"SOURCE", "source", false},
    {"SPORT", "source_port", true},
    {"DESTINATION", "destination", false},
    {"DPORT", "destination_port", true},
    {"ACTION", "action.kind", false},
    {"TO", "action.to", false},
    {"ID", "action.to_id", true},
    {"REMOTE", "action.remote", false},
    {"PACKETS", "packets", true},
    {"BYTES", "bytes", true},
    {"IDLE-MS", "idle_ms", true},
};

/* ID or NAME: a number is an id. */
static json_t *function_selector(struct arguments *arguments)
{
    const char *word = next_word(arguments, "the id or name of a function");
    no_more_words(arguments);
    if (word[strspn(word, "0123456789")] == 0 && word[0])
        return json_pack("{s:I}", "id", (json_int_t)parse_number(word, "id", 0, UINT32_MAX));
    return json_pack("{s:s}", "name", word);
}

int run_function_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    return finish_table(options, call_once(options, "function_list", NULL), function_columns, COUNT(function_columns));
}

int run_function_show(const struct options *options, struct arguments *arguments)
{
    return finish_object(options, call_once(options, "function_show", function_selector(arguments)));
}

int run_function_add(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {
        {"name", "name", KEYWORD_TEXT},
        {"vpc", "vpc", KEYWORD_TEXT},
        {"mac", "mac", KEYWORD_TEXT},
        {"type", "type", KEYWORD_TEXT},
        {"addresses", "addresses", KEYWORD_LIST},
        {"socket", "socket", KEYWORD_TEXT},
        {"mtu", "mtu", KEYWORD_NUMBER},
        {"queue-size", "queue_size", KEYWORD_NUMBER},
    };
    long id = parse_number(next_word(arguments, "the function's id"), "id", 0, UINT32_MAX);
    json_t *parameters = json_pack("{s:I}", "id", (json_int_t)id);
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_quiet(options, call_once(options, "function_create", parameters));
}

int run_function_del(const struct options *options, struct arguments *arguments)
{
    return finish_quiet(options, call_once(options, "function_delete", function_selector(arguments)));
}

int run_vpc_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    return finish_table(options, call_once(options, "vpc_list", NULL), vpc_columns, COUNT(vpc_columns));
}

int run_vpc_add(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {
        {"vni", "vni", KEYWORD_NUMBER},
        {"mac", "mac", KEYWORD_TEXT},
        {"gateways", "gateways", KEYWORD_LIST},
        {"mtu", "mtu", KEYWORD_NUMBER},
    };
    json_t *parameters = json_pack("{s:s}", "name", next_word(arguments, "the VPC's name"));
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_quiet(options, call_once(options, "vpc_create", parameters));
}

int run_vpc_del(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = json_pack("{s:s}", "name", next_word(arguments, "the VPC's name"));
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "vpc_delete", parameters));
}

/* [VPC] */
static json_t *vpc_filter(struct arguments *arguments)
{
    json_t *parameters = json_object();
    if (arguments->count)
        json_object_set_new(parameters, "vpc", json_string(next_word(arguments, "a VPC")));
    no_more_words(arguments);
    return parameters;
}

int run_route_list(const struct options *options, struct arguments *arguments)
{
    return finish_table(options, call_once(options, "route_list", vpc_filter(arguments)), route_columns,
                        COUNT(route_columns));
}

static json_t *route_selector(struct arguments *arguments)
{
    const char *vpc = next_word(arguments, "the route's VPC");
    return json_pack("{s:s, s:s}", "vpc", vpc, "prefix", next_word(arguments, "the route's prefix"));
}

int run_route_add(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {{"via", "via", KEYWORD_TEXT}, {"mac", "mac", KEYWORD_TEXT}};
    json_t *parameters = route_selector(arguments);
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    if (!json_object_get(parameters, "via"))
        usage_error("expected via and a tunnel endpoint");
    return finish_quiet(options, call_once(options, "route_add", parameters));
}

int run_route_del(const struct options *options, struct arguments *arguments)
{
    json_t *parameters = route_selector(arguments);
    no_more_words(arguments);
    return finish_quiet(options, call_once(options, "route_delete", parameters));
}

int run_flow_list(const struct options *options, struct arguments *arguments)
{
    static const struct keyword keywords[] = {{"vpc", "vpc", KEYWORD_TEXT}, {"limit", "limit", KEYWORD_NUMBER}};
    json_t *parameters = json_object();
    take_keywords(arguments, keywords, COUNT(keywords), parameters);
    return finish_table(options, call_once(options, "flow_list", parameters), flow_columns, COUNT(flow_columns));
}

int run_flow_flush(const struct options *options, struct arguments *arguments)
{
    json_t *result = call_once(options, "flow_flush", vpc_filter(arguments));
    if (result && !options->json)
        printf("%lld flows removed\n", (long long)json_integer_value(json_object_get(result, "removed")));
    return finish_quiet(options, result);
}

int run_port_list(const struct options *options, struct arguments *arguments)
{
    no_more_words(arguments);
    return finish_table(options, call_once(options, "port_list", NULL), port_columns, COUNT(port_columns));
}

int run_rpc(const struct options *options, struct arguments *arguments)
{
    const char *method = next_word(arguments, "the name of a method");
    json_t *parameters = NULL;
    if (arguments->count) {
        json_error_t error;
        parameters = json_loads(next_word(arguments, "parameters"), JSON_REJECT_DUPLICATES, &error);
        if (!parameters)
            usage_error("parameters: found no JSON: %s", error.text);
    }
    no_more_words(arguments);
    json_t *result = call_once(options, method, parameters);
    if (!result)
        return EXIT_REFUSED;
    print_json(result);
    json_decref(result);
    return EXIT_OK;
}
