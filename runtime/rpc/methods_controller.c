/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/methods_controller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/volumes.h"
#include "runtime/device/nvme_spec.h"

static const char *const ana_states[] = {"optimized",       "non-optimized", "inaccessible",
                                         "persistent-loss", "change",        NULL};
static const uint8_t ana_values[] = {NVME_ANA_STATE_OPTIMIZED, NVME_ANA_STATE_NON_OPTIMIZED,
                                     NVME_ANA_STATE_INACCESSIBLE, NVME_ANA_STATE_PERSISTENT_LOSS,
                                     NVME_ANA_STATE_CHANGE};
static const char *const reservation_types[] = {"none",
                                                "write-exclusive",
                                                "exclusive-access",
                                                "write-exclusive-registrants-only",
                                                "exclusive-access-registrants-only",
                                                "write-exclusive-all-registrants",
                                                "exclusive-access-all-registrants"};

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
    for (uint32_t i = 0; i < NVME_NAMESPACES_MAX; i++) {
        struct volume_info info;
        if (!(state->attached >> i & 1) || !controller->subsystem->namespaces[i])
            continue;
        block_volume_info(controller->subsystem->namespaces[i], &info);
        json_array_append_new(list, json_pack("{s:i, s:s}", "nsid", (int)i + 1, "volume", info.settings.name));
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
    json_object_set_new(object, "raw_commands", json_integer((json_int_t)state.commands));
    json_object_set_new(object, "errors", json_integer((json_int_t)state.errors));
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
    json_object_set_new(object, "raw_commands", json_integer((json_int_t)state.raw_requests));
    json_object_set_new(object, "recovered", json_integer((json_int_t)state.recovered));
}

static json_t *describe(const struct controller *controller)
{
    json_t *object = schema_encode(&controller_schema, &controller->settings);
    json_object_set_new(object, "origin", json_string(controller->origin == ORIGIN_FILE ? "file" : "call"));
    json_object_set_new(object, "connected", json_boolean(controller_connected(controller)));
    json_object_set_new(object, "queue_stops", json_integer((json_int_t)atomic_load(&controller->queue_stops)));
    json_object_set_new(object, "doorbells_refused",
                        json_integer((json_int_t)atomic_load(&controller->doorbells_refused)));
    if (controller->nvme)
        describe_nvme(object, controller);
    if (controller->blk)
        describe_blk(object, controller);
    return object;
}

int rpc_controller_create(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct controller_settings *settings = call->parameters;
    int result = daemon_controller_add(daemon, settings, ORIGIN_CALL, &call->error);
    if (result == 0)
        call->result = describe(daemon->controllers[settings->id]);
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
    const struct daemon *daemon = call->context;
    call->result = json_array();
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->controllers[i])
            json_array_append_new(call->result, describe(daemon->controllers[i]));
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

static json_t *describe_registrants(const struct nvme_reservation_listing *listing)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < listing->count; i++) {
        char host[33], key[19];
        for (unsigned n = 0; n < 16; n++)
            snprintf(host + 2 * n, 3, "%02x", listing->registrants[i].host[n]);
        snprintf(key, sizeof key, "0x%llx", (unsigned long long)listing->registrants[i].key);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "host", host, "key", key, "holder",
                                              (int)listing->registrants[i].holder));
    }
    return list;
}

/* Of each subsystem that has the volume: they know nothing of each other. */
int rpc_reservation_list(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct controller_selector *selector = call->parameters;
    const struct volume_record *record = daemon_volume_by_name(daemon, selector->name);
    if (!record)
        return cipu_fail(&call->error, -ENOENT, "found volume %s, expected one that is there", selector->name);
    call->result = json_array();
    for (const struct subsystem *subsystem = daemon->subsystems; subsystem; subsystem = subsystem->next) {
        for (uint32_t i = 0; i < NVME_NAMESPACES_MAX; i++) {
            static struct nvme_reservation_listing listing;
            if (subsystem->namespaces[i] != record->volume ||
                nvme_reservation_list(subsystem->nvme, i + 1, &listing) < 0)
                continue;
            const char *type = listing.type < 7 ? reservation_types[listing.type] : "unknown";
            json_array_append_new(call->result,
                                  json_pack("{s:s, s:i, s:s, s:I, s:b, s:o}", "subsystem", subsystem->nqn, "nsid",
                                            (int)i + 1, "type", type, "generation", (json_int_t)listing.generation,
                                            "persistent", (int)listing.persistent, "registrants",
                                            describe_registrants(&listing)));
        }
    }
    return 0;
}
