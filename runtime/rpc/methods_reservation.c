/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations of volumes, in each subsystem that has them: subsystems know nothing of each other. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/log.h"
#include "runtime/daemon/volumes.h"
#include "runtime/device/nvme_reservation.h"
#include "runtime/rpc/methods_controller.h"

static const char *const types[] = {"none",
                                    "write-exclusive",
                                    "exclusive-access",
                                    "write-exclusive-registrants-only",
                                    "exclusive-access-registrants-only",
                                    "write-exclusive-all-registrants",
                                    "exclusive-access-all-registrants"};

static const struct field list_fields[] = {
    {"name", FIELD_NAME, .offset = offsetof(struct reservation_selector, name)},
};
static const struct field clear_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct reservation_selector, name)},
};
const struct schema reservation_volume_schema = {"volume", list_fields, 1};
const struct schema reservation_clear_schema = {"volume", clear_fields, 1};

/* A host without an identifier is one controller. */
static json_t *describe_registrants(const struct nvme_reservation_listing *listing)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < listing->count; i++) {
        char host[33], key[19];
        for (unsigned n = 0; n < 16; n++)
            snprintf(host + 2 * n, 3, "%02x", listing->registrants[i].host[n]);
        snprintf(key, sizeof key, "0x%llx", (unsigned long long)listing->registrants[i].key);
        json_t *registrant =
            json_pack("{s:s, s:s, s:b}", "host", host, "key", key, "holder", (int)listing->registrants[i].holder);
        if (listing->registrants[i].controller != NVME_NO_CONTROLLER)
            json_object_set_new(registrant, "cntlid", json_integer(listing->registrants[i].controller));
        json_array_append_new(list, registrant);
    }
    return list;
}

static void append(json_t *list, const struct volume_record *record, struct subsystem *subsystem, bool all)
{
    struct nvme_reservation_listing listing;
    uint64_t controllers;
    uint32_t nsid = subsystem_find(subsystem, record->volume, &controllers);
    if (!nsid || nvme_reservation_list(subsystem->nvme, nsid, &listing) < 0 || (all && !listing.count))
        return;
    const char *type = listing.type < sizeof types / sizeof types[0] ? types[listing.type] : "unknown";
    json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s, s:I, s:b, s:o}", "volume", record->wanted.name,
                                          "subsystem", subsystem->nqn, "nsid", (int)nsid, "type", type, "generation",
                                          (json_int_t)listing.generation, "persistent", (int)listing.persistent,
                                          "registrants", describe_registrants(&listing)));
}

static int no_volume(struct rpc_call *call, const char *name)
{
    return cipu_fail(&call->error, -ENOENT, "found volume %s, expected one that is there", name);
}

/* Of one volume; or of all with which somebody has registered. */
int rpc_reservation_list(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct reservation_selector *selector = call->parameters;
    bool all = !selector->name[0], found = all;
    call->result = json_array();
    daemon_volumes_lock(daemon);
    for (size_t i = 0; i < daemon->volume_count; i++) {
        const struct volume_record *record = &daemon->volumes[i];
        if (!all && strcmp(record->wanted.name, selector->name) != 0)
            continue;
        found = true;
        for (struct subsystem *subsystem = daemon->subsystems; subsystem; subsystem = subsystem->next)
            append(call->result, record, subsystem, all);
    }
    daemon_volumes_unlock(daemon);
    return found ? 0 : no_volume(call, selector->name);
}

/* With volumes_lock held: a subsystem's answer for a volume is -ENOENT when it does not have it. */
static int clear_in(struct subsystem *subsystem, const struct block_volume *volume)
{
    uint64_t controllers;
    uint32_t nsid = subsystem_find(subsystem, volume, &controllers);
    return nsid ? nvme_reservation_clear(subsystem->nvme, nsid) : -ENOENT;
}

int rpc_reservation_clear(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct reservation_selector *selector = call->parameters;
    int result = 0;
    unsigned subsystems = 0;
    daemon_volumes_lock(daemon);
    const struct volume_record *record = daemon_volume_by_name(daemon, selector->name);
    for (struct subsystem *subsystem = daemon->subsystems; record && subsystem; subsystem = subsystem->next) {
        int cleared = clear_in(subsystem, record->volume);
        subsystems += cleared != -ENOENT;
        if (cleared != -ENOENT && cleared < 0)
            result = cleared;
    }
    daemon_volumes_unlock(daemon);
    if (!record)
        return no_volume(call, selector->name);
    if (!subsystems)
        return cipu_fail(&call->error, -ENOENT, "volume %s is no namespace: nobody can have reserved it",
                         selector->name);
    log_info("reservations cleared", "volume=%s", selector->name);
    return result ? cipu_fail(&call->error, result, "volume %s: its reservations are cleared, but that is not stored",
                              selector->name)
                  : 0;
}
