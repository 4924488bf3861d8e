/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/methods_controller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/statistics.h"
#include "runtime/daemon/volumes.h"
#include "runtime/device/nvme_spec.h"

static const char *const ana_states[] = {"optimized",       "non-optimized", "inaccessible",
                                         "persistent-loss", "change",        NULL};
static const uint8_t ana_values[] = {NVME_ANA_STATE_OPTIMIZED, NVME_ANA_STATE_NON_OPTIMIZED,
                                     NVME_ANA_STATE_INACCESSIBLE, NVME_ANA_STATE_PERSISTENT_LOSS,
                                     NVME_ANA_STATE_CHANGE};
static const struct field name_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct controller_selector, name)},
};
static const struct field attachment_fields[] = {
    {"controller", FIELD_NAME, .required = true, .offset = offsetof(struct controller_selector, name)},
    {"volume", FIELD_NAME, .required = true, .offset = offsetof(struct controller_selector, volume)},
};
static const struct field ana_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct controller_selector, name)},
    {"state", FIELD_LEVEL, .required = true, .offset = offsetof(struct controller_selector, state),
     .choices = ana_states},
    {"group", FIELD_UNSIGNED, .offset = offsetof(struct controller_selector, group), .minimum = 1,
     .maximum = NVME_ANA_GROUPS},
};
const struct schema controller_name_schema = {"controller", name_fields, 1};
const struct schema attachment_schema = {"attachment", attachment_fields, 2};
const struct schema controller_ana_schema = {"controller", ana_fields, 3};

static struct controller *select_controller(struct rpc_call *call, const char *name)
{
    struct controller *controller = daemon_controller_by_name(call->context, name);
    if (!controller)
        cipu_fail(&call->error, -ENOENT, "found controller %s, expected one that is there", name);
    return controller;
}

static const char *ana_name(unsigned value)
{
    for (size_t i = 0; i < sizeof ana_values; i++)
        if (ana_values[i] == value)
            return ana_states[i];
    return "unknown";
}

static json_t *describe_namespaces(const struct controller *controller, const struct nvme_state *state)
{
    json_t *list = json_array();
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        struct volume_info info;
        uint64_t controllers;
        struct block_volume *volume = nvme_namespace_volume(controller->subsystem->nvme, nsid, &controllers);
        if (!volume || !(state->attached >> (nsid - 1) & 1))
            continue;
        block_volume_info(volume, &info);
        json_array_append_new(list, json_pack("{s:i, s:s}", "nsid", (int)nsid, "volume", info.settings.name));
    }
    return list;
}

static void describe_nvme(json_t *object, const struct controller *controller)
{
    struct nvme_state state;
    nvme_state(controller->nvme, &state);
    json_object_set_new(object, "subsystem", json_string(controller->subsystem->nqn));
    json_object_set_new(object, "cntlid", json_integer(state.cntlid));
    json_object_set_new(object, "ready", json_boolean(state.status & 1));
    json_object_set_new(object, "io_queues", json_integer(state.io_queues));
    json_object_set_new(object, "ana", json_string(ana_name(state.ana[0])));
    json_object_set_new(object, "namespaces", describe_namespaces(controller, &state));
}

static void describe_blk(json_t *object, const struct controller *controller)
{
    struct virtio_blk_state state;
    virtio_blk_state(controller->blk, &state);
    unsigned running = 0;
    for (unsigned i = 0; i < state.queues; i++)
        running += state.running[i];
    json_object_set_new(object, "ready", json_boolean(running != 0 && !state.broken));
    json_object_set_new(object, "io_queues", json_integer(running));
    json_object_set_new(object, "recovered", json_integer((json_int_t)state.recovered));
}

/* With volumes_lock held. */
static json_t *describe(const struct controller *controller)
{
    json_t *object = schema_encode(&controller_schema, &controller->settings);
    json_object_set_new(object, "origin", json_string(origin_name(controller->origin)));
    json_object_set_new(object, "connected", json_boolean(controller_connected(controller)));
    if (controller->nvme)
        describe_nvme(object, controller);
    if (controller->blk)
        describe_blk(object, controller);
    return object;
}

static json_t *describe_locked(struct daemon *daemon, const struct controller *controller)
{
    daemon_volumes_lock(daemon);
    json_t *object = describe(controller);
    daemon_volumes_unlock(daemon);
    return object;
}

int rpc_controller_create(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct controller_settings *settings = call->parameters;
    int result = daemon_controller_add(daemon, settings, ORIGIN_CALL, &call->error);
    if (result == 0)
        call->result = describe_locked(daemon, daemon->controllers[settings->id]);
    return result;
}

int rpc_controller_delete(struct rpc_call *call)
{
    const struct controller_selector *selector = call->parameters;
    const struct controller *controller = select_controller(call, selector->name);
    return controller ? daemon_controller_remove(call->context, controller->settings.id, &call->error) : -ENOENT;
}

int rpc_controller_list(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    call->result = json_array();
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->controllers[i])
            json_array_append_new(call->result, describe_locked(daemon, daemon->controllers[i]));
    return 0;
}

/* All groups, as the controller has them, with the identity of its host. */
static void describe_path(json_t *object, struct nvme_controller *nvme)
{
    struct nvme_state state;
    char host[33];
    json_t *groups = json_array();
    nvme_state(nvme, &state);
    for (unsigned i = 0; i < 16; i++)
        snprintf(host + 2 * i, 3, "%02x", state.host_identifier[i]);
    for (unsigned i = 0; i < NVME_ANA_GROUPS; i++)
        json_array_append_new(groups, json_string(ana_name(state.ana[i])));
    json_object_set_new(object, "host", json_string(host));
    json_object_set_new(object, "fatal", json_boolean(state.status & NVME_CSTS_FATAL));
    json_object_set_new(object, "async_requests", json_integer(state.async_requests));
    json_object_set_new(object, "ana_groups", groups);
}

int rpc_controller_show(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct controller_selector *selector = call->parameters;
    const struct controller *controller = select_controller(call, selector->name);
    if (!controller)
        return -ENOENT;
    call->result = describe_locked(daemon, controller);
    if (controller->nvme)
        describe_path(call->result, controller->nvme);
    json_object_set_new(call->result, "counters", daemon_controller_counters(daemon, controller));
    return 0;
}

int rpc_controller_set_ana(struct rpc_call *call)
{
    const struct controller_selector *selector = call->parameters;
    struct controller *controller = select_controller(call, selector->name);
    if (!controller)
        return -ENOENT;
    if (!controller->nvme)
        return cipu_fail(&call->error, -ENOTSUP, "controller %s: expected one of type nvme", selector->name);
    unsigned group = selector->group ? selector->group : 1;
    return nvme_ana_set(controller->nvme, group, ana_values[selector->state], &call->error);
}

int rpc_volume_attach(struct rpc_call *call)
{
    const struct controller_selector *selector = call->parameters;
    struct controller *controller = select_controller(call, selector->name);
    uint32_t nsid;
    if (!controller)
        return -ENOENT;
    int result = daemon_volume_attach(call->context, controller, selector->volume, &nsid, &call->error);
    if (result == 0)
        call->result = json_pack("{s:i}", "nsid", (int)nsid);
    return result;
}

int rpc_volume_detach(struct rpc_call *call)
{
    const struct controller_selector *selector = call->parameters;
    struct controller *controller = select_controller(call, selector->name);
    return controller ? daemon_volume_detach(call->context, controller, selector->volume, &call->error) : -ENOENT;
}
