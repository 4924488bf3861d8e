/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "runtime/net/address.h"
#include "runtime/rpc/methods.h"

#define FLOWS_DEFAULT 1000
#define FLOWS_MAX     16384

static const struct field flow_list_fields[] = {
    {"vpc", FIELD_NAME, .offset = offsetof(struct flow_selector, vpc)},
    {"limit", FIELD_UNSIGNED, .offset = offsetof(struct flow_selector, limit), .minimum = 1, .maximum = FLOWS_MAX},
};
const struct schema flow_list_schema = {"flow", flow_list_fields, 2};

struct listing {
    const struct daemon *daemon;
    const struct flow_selector *selector;
    size_t limit;
    json_t *list;
};

static void format_wide(const uint8_t wide[16], unsigned kind, char text[64])
{
    struct net_address address = net_address_from_wide(kind == FLOW_IPV4 ? 4 : 6, wide);
    net_address_format(&address, false, text, 64);
}

/* The VPC whose packets have the flow, or NULL. */
static const char *flow_vpc(const struct daemon *daemon, uint32_t domain)
{
    uint32_t number = domain & 0xffffffu;
    const struct net_vpc *vpc;
    switch (domain & 0xff000000u) {
    case FLOW_DOMAIN_FUNCTION:
        return number < CARD_FUNCTIONS && daemon->functions[number] ? daemon->functions[number]->settings.net.vpc
                                                                    : NULL;
    case FLOW_DOMAIN_VNI:
        vpc = daemon_vpc_by_vni(daemon, number);
        return vpc ? vpc->name : NULL;
    default:
        return NULL;
    }
}

static json_t *describe_domain(uint32_t domain)
{
    const char *kind = (domain & 0xff000000u) == FLOW_DOMAIN_FUNCTION ? "function"
                       : (domain & 0xff000000u) == FLOW_DOMAIN_VNI    ? "vni"
                                                                      : "port";
    return json_pack("{s:s, s:i}", "kind", kind, "number", (int)(domain & 0xffffffu));
}

static json_t *describe_action(const struct action *action)
{
    static const char *const kinds[] = {"drop", "forward", "encapsulate", "encapsulate", "decapsulate", "punt"};
    static const char *const places[] = {"none", "port", "function", "host"};
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(action->kind < 6 ? kinds[action->kind] : "unknown"));
    if (action->kind != ACTION_DROP && action->kind != ACTION_PUNT) {
        json_object_set_new(object, "to",
                            json_string(action->destination < 4 ? places[action->destination] : "unknown"));
        json_object_set_new(object, "to_id", json_integer(action->destination_id));
    }
    if (action->kind == ACTION_ENCAPSULATE_IPV4 || action->kind == ACTION_ENCAPSULATE_IPV6) {
        char remote[64];
        format_wide(action->remote, action->kind == ACTION_ENCAPSULATE_IPV4 ? FLOW_IPV4 : FLOW_IPV6, remote);
        json_object_set_new(object, "vni", json_integer(action->vni));
        json_object_set_new(object, "remote", json_string(remote));
    }
    return object;
}

static bool append_flow(void *context, const struct net_flow *flow)
{
    struct listing *listing = context;
    const struct flow_key *key = &flow->key;
    const char *vpc = flow_vpc(listing->daemon, key->domain);
    char source[64], destination[64];
    if (listing->selector->vpc[0] && (!vpc || strcmp(vpc, listing->selector->vpc) != 0))
        return true;
    format_wide(key->source, key->kind, source);
    format_wide(key->destination, key->kind, destination);
    json_array_append_new(listing->list,
                          json_pack("{s:I, s:s*, s:o, s:i, s:s, s:i, s:s, s:i, s:b, s:o, s:I, s:I, s:I}", "index",
                                    (json_int_t)flow->index, "vpc", vpc, "domain", describe_domain(key->domain),
                                    "protocol", key->protocol, "source", source, "source_port",
                                    key->source_port[0] << 8 | key->source_port[1], "destination", destination,
                                    "destination_port", key->destination_port[0] << 8 | key->destination_port[1],
                                    "fragment", key->fragment != 0, "action", describe_action(&flow->action), "packets",
                                    (json_int_t)flow->packets, "bytes", (json_int_t)flow->bytes, "idle_ms",
                                    (json_int_t)flow->idle_ms));
    return json_array_size(listing->list) < listing->limit;
}

int rpc_flow_list(struct rpc_call *call)
{
    const struct flow_selector *selector = call->parameters;
    struct daemon *daemon = call->context;
    struct listing listing = {daemon, selector, selector->limit ? selector->limit : FLOWS_DEFAULT, json_array()};
    call->result = listing.list;
    int result = rpc_check_vpc(call, selector->vpc);
    if (result < 0)
        return result;
    /* A filter looks at more flows than it lists. */
    result = net_each_flow(daemon->net, selector->vpc[0] ? 0 : listing.limit, append_flow, &listing);
    return result < 0 ? cipu_fail(&call->error, result, "cannot read the flows: %s", strerror(-result)) : 0;
}

int rpc_flow_flush(struct rpc_call *call)
{
    const struct vpc_selector *filter = call->parameters;
    struct daemon *daemon = call->context;
    int result = rpc_check_vpc(call, filter->name);
    if (result == 0)
        result = net_flow_flush(daemon->net, filter->name[0] ? filter->name : NULL);
    if (result < 0)
        return call->error.text[0] ? result
                                   : cipu_fail(&call->error, result, "cannot remove the flows: %s", strerror(-result));
    call->result = json_pack("{s:i}", "removed", result);
    return 0;
}
