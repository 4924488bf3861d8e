/* SPDX-License-Identifier: Apache-2.0 */
/* NVMe subsystems: who is in them, what they have, what their guests may make. */
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/volumes.h"
#include "runtime/rpc/methods_controller.h"

static json_t *describe_controllers(const struct daemon *daemon, const struct subsystem *subsystem)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->controllers[i] && daemon->controllers[i]->subsystem == subsystem)
            json_array_append_new(list, json_string(daemon->controllers[i]->settings.name));
    return list;
}

static json_t *describe_namespaces(const struct subsystem *subsystem)
{
    json_t *list = json_array();
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        uint64_t controllers;
        struct volume_info info;
        const struct block_volume *volume = nvme_namespace_volume(subsystem->nvme, nsid, &controllers);
        if (!volume)
            continue;
        block_volume_info(volume, &info);
        json_array_append_new(list, json_pack("{s:i, s:s, s:i}", "nsid", (int)nsid, "volume", info.settings.name,
                                              "controllers", __builtin_popcountll(controllers)));
    }
    return list;
}

static void describe_pool(json_t *object, struct namespace_pool *pool)
{
    uint64_t total, unallocated;
    json_t *settings = schema_encode(&subsystem_schema, &pool->settings);
    json_object_update_missing(object, settings);
    json_decref(settings);
    namespace_pool_capacity(pool, &total, &unallocated);
    json_object_set_new(object, "unallocated", json_integer((json_int_t)unallocated));
}

static bool has_controllers(const struct daemon *daemon, const struct namespace_pool *pool)
{
    const struct subsystem *subsystem = daemon->subsystems;
    while (subsystem && subsystem->pool != pool)
        subsystem = subsystem->next;
    return subsystem;
}

/* Those that have controllers, and those that have none but a place for namespaces. */
int rpc_subsystem_list(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    call->result = json_array();
    daemon_volumes_lock(daemon);
    for (const struct subsystem *subsystem = daemon->subsystems; subsystem; subsystem = subsystem->next) {
        json_t *object = json_pack("{s:s, s:o, s:o}", "nqn", subsystem->nqn, "controllers",
                                   describe_controllers(daemon, subsystem), "attached", describe_namespaces(subsystem));
        if (subsystem->pool)
            describe_pool(object, subsystem->pool);
        json_array_append_new(call->result, object);
    }
    for (struct namespace_pool *pool = daemon->pools; pool; pool = pool->next) {
        if (has_controllers(daemon, pool))
            continue;
        json_t *object = json_pack("{s:[], s:[]}", "controllers", "attached");
        describe_pool(object, pool);
        json_array_append_new(call->result, object);
    }
    daemon_volumes_unlock(daemon);
    return 0;
}
