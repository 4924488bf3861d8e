/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "runtime/daemon/statistics.h"
#include "runtime/rpc/methods.h"

static const struct field name_fields[] = {
    {"id", FIELD_UNSIGNED, .offset = offsetof(struct function_selector, id),
     .present_offset = offsetof(struct function_selector, has_id), .maximum = CARD_FUNCTIONS - 2},
    {"name", FIELD_NAME, .offset = offsetof(struct function_selector, name)},
};
const struct schema function_name_schema = {"function", name_fields, 2};

static struct function *select_function(struct rpc_call *call)
{
    const struct function_selector *selector = call->parameters;
    struct daemon *daemon = call->context;
    struct function *function = NULL;
    if (selector->has_id == (selector->name[0] != 0)) {
        cipu_fail(&call->error, -EINVAL, "expected either id or name of the function");
        return NULL;
    }
    if (selector->has_id && !(function = daemon->functions[selector->id]))
        cipu_fail(&call->error, -ENOENT, "found function %u, expected one that is there", selector->id);
    else if (!selector->has_id && !(function = daemon_function_by_name(daemon, selector->name)))
        cipu_fail(&call->error, -ENOENT, "found function %s, expected one that is there", selector->name);
    return function;
}

static int not_selected(const struct rpc_call *call)
{
    const struct function_selector *selector = call->parameters;
    return selector->has_id == (selector->name[0] != 0) ? -EINVAL : -ENOENT;
}

static json_t *describe(const struct function *function)
{
    struct vfio_user_server_statistics server = {0};
    json_t *object = schema_encode(&function_schema, &function->settings);
    if (function->server)
        vfio_user_server_statistics(function->server, &server);
    json_object_set_new(object, "mtu", json_integer(function->mtu));
    json_object_set_new(object, "origin", json_string(origin_name(function->origin)));
    json_object_set_new(object, "connected", json_boolean(server.connected));
    return object;
}

int rpc_function_create(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct function_settings *settings = call->parameters;
    int result = daemon_function_add(daemon, settings, ORIGIN_CALL, &call->error);
    if (result == 0)
        call->result = describe(daemon->functions[settings->net.id]);
    return result;
}

int rpc_function_delete(struct rpc_call *call)
{
    const struct function *function = select_function(call);
    if (!function)
        return not_selected(call);
    return daemon_function_remove(call->context, function->settings.net.id, &call->error);
}

int rpc_function_list(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    call->result = json_array();
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->functions[i])
            json_array_append_new(call->result, describe(daemon->functions[i]));
    return 0;
}

static json_t *describe_status(unsigned status)
{
    static const struct {
        unsigned bit;
        const char *name;
    } bits[] = {{1, "acknowledge"}, {2, "driver"},       {8, "features_ok"},
                {4, "driver_ok"},   {64, "needs_reset"}, {128, "failed"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (status & bits[i].bit)
            json_array_append_new(list, json_string(bits[i].name));
    return list;
}

static json_t *describe_device(struct virtio_net *device)
{
    static const char *const queue_names[] = {"receive", "transmit", "control"};
    struct virtio_net_state state;
    char features[24];
    virtio_net_state(device, &state);
    json_t *queues = json_array();
    for (unsigned i = 0; i < 3; i++)
        json_array_append_new(queues, json_pack("{s:s, s:b, s:i}", "name", queue_names[i], "enabled",
                                                (int)state.queues[i].enabled, "entries", state.queues[i].entries));
    snprintf(features, sizeof(features), "0x%" PRIx64, state.driver_features);
    return json_pack("{s:s, s:o, s:b, s:b, s:b, s:i, s:i, s:o}", "driver_features", features, "status",
                     describe_status(state.status), "link", (int)state.link, "broken", (int)state.broken, "promiscuous",
                     (int)state.promiscuous, "mac_filters", state.mac_filters, "vlans", state.vlans, "queues", queues);
}

int rpc_function_show(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    struct vfio_user_server_statistics server;
    struct function *function = select_function(call);
    if (!function)
        return not_selected(call);
    unsigned id = function->settings.net.id;
    call->result = describe(function);
    if (function->device)
        json_object_set_new(call->result, "device", describe_device(function->device));
    if (function->server) {
        vfio_user_server_statistics(function->server, &server);
        json_object_set_new(call->result, "frontend",
                            json_pack("{s:b, s:I, s:I, s:I, s:I}", "connected", (int)server.connected, "connections",
                                      (json_int_t)server.connections, "messages", (json_int_t)server.messages, "errors",
                                      (json_int_t)server.errors, "mappings", (json_int_t)server.mappings));
    }
    json_object_set_new(call->result, "queue_stops", json_integer((json_int_t)atomic_load(&function->queue_stops)));
    json_object_set_new(call->result, "packet_drops", json_integer((json_int_t)atomic_load(&function->packet_drops)));
    json_t *sent = daemon_counter(daemon, STATISTIC_FROM_FUNCTION + id);
    json_t *received = daemon_counter(daemon, STATISTIC_TO_FUNCTION + id);
    if (sent)
        json_object_set_new(call->result, "sent", sent);
    if (received)
        json_object_set_new(call->result, "received", received);
    return 0;
}
