/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "runtime/rpc/methods.h"

static const struct field vpc_name_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct vpc_selector, name)},
};
static const struct field vpc_filter_fields[] = {
    {"vpc", FIELD_NAME, .offset = offsetof(struct vpc_selector, name)},
};
static const struct field route_prefix_fields[] = {
    {"vpc", FIELD_NAME, .required = true, .offset = offsetof(struct net_route, vpc)},
    {"prefix", FIELD_PREFIX, .required = true, .offset = offsetof(struct net_route, prefix)},
};
const struct schema vpc_name_schema = {"vpc", vpc_name_fields, 1};
const struct schema vpc_filter_schema = {"filter", vpc_filter_fields, 1};
const struct schema route_prefix_schema = {"route", route_prefix_fields, 2};

static json_t *describe(const struct schema *schema, const void *item, enum origin origin)
{
    json_t *object = schema_encode(schema, item);
    json_object_set_new(object, "origin", json_string(origin_name(origin)));
    return object;
}

int rpc_check_vpc(struct rpc_call *call, const char *name)
{
    if (name[0] && !daemon_vpc_by_name(call->context, name))
        return cipu_fail(&call->error, -ENOENT, "found VPC %s, expected one that is there", name);
    return 0;
}

int rpc_vpc_create(struct rpc_call *call)
{
    int result = daemon_vpc_add(call->context, call->parameters, ORIGIN_CALL, &call->error);
    if (result == 0)
        call->result = describe(&vpc_schema, call->parameters, ORIGIN_CALL);
    return result;
}

int rpc_vpc_delete(struct rpc_call *call)
{
    const struct vpc_selector *selector = call->parameters;
    return daemon_vpc_remove(call->context, selector->name, &call->error);
}

int rpc_vpc_list(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    call->result = json_array();
    for (size_t i = 0; i < daemon->vpc_count; i++) {
        json_t *vpc = describe(&vpc_schema, &daemon->vpcs[i].vpc, daemon->vpcs[i].origin);
        json_object_set_new(vpc, "mtu", json_integer(net_vpc_mtu(daemon->net, daemon->vpcs[i].vpc.name)));
        json_array_append_new(call->result, vpc);
    }
    return 0;
}

int rpc_route_add(struct rpc_call *call)
{
    int result = daemon_route_add(call->context, call->parameters, ORIGIN_CALL, &call->error);
    if (result == 0)
        call->result = describe(&route_schema, call->parameters, ORIGIN_CALL);
    return result;
}

int rpc_route_delete(struct rpc_call *call)
{
    const struct net_route *route = call->parameters;
    return daemon_route_remove(call->context, route->vpc, &route->prefix, &call->error);
}

int rpc_route_list(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    const struct vpc_selector *filter = call->parameters;
    int result = rpc_check_vpc(call, filter->name);
    if (result < 0)
        return result;
    call->result = json_array();
    for (size_t i = 0; i < daemon->route_count; i++)
        if (!filter->name[0] || strcmp(filter->name, daemon->routes[i].route.vpc) == 0)
            json_array_append_new(call->result,
                                  describe(&route_schema, &daemon->routes[i].route, daemon->routes[i].origin));
    return 0;
}

static bool append_port(void *context, const struct net_port *port)
{
    json_t *object = schema_encode(&port_schema, port);
    if (port->uplink)
        json_object_del(object, "function");
    json_array_append_new(context, object);
    return true;
}

int rpc_port_list(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    call->result = json_array();
    net_each_port(daemon->net, append_port, call->result);
    return 0;
}
