/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reservation commands (Base 7.2 to 7.5). The order in each: the state changes, so that nothing new begins that it
 * forbids; what was begun ends, or is set apart (block_volume_set_access); the record is stored; others are told; only
 * then the command completes.
 */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define IGNORE_KEY       (1u << 3)
#define EXTENDED         1u
#define EXTENDED_HEADER  64u
#define REPORT_BYTES_MAX (EXTENDED_HEADER + (NVME_REGISTRANTS_MAX + NVME_CONTROLLERS_MAX) * 64u)

struct keys {
    uint64_t current, other;
};

bool nvme_can_persist(const struct nvme_subsystem *subsystem)
{
    return subsystem->settings.ops && subsystem->settings.ops->store && subsystem->settings.ops->load;
}

static uint16_t store(struct nvme_subsystem *subsystem, const uint8_t uuid[16],
                      const struct nvme_reservation *reservation)
{
    uint8_t record[NVME_RESERVATION_RECORD_BYTES];
    if (!nvme_can_persist(subsystem))
        return NVME_SUCCESS;
    nvme_reservation_pack(reservation, record);
    return subsystem->settings.ops->store(subsystem->settings.context, uuid, record, sizeof record)
               ? NVME_INTERNAL_ERROR
               : NVME_SUCCESS;
}

uint16_t nvme_reservation_store(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    struct nvme_reservation reservation;
    uint8_t uuid[16];
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    if (namespace) {
        reservation = namespace->reservation;
        memcpy(uuid, namespace->info.settings.uuid, sizeof uuid);
    }
    pthread_mutex_unlock(&subsystem->lock);
    return namespace ? store(subsystem, uuid, &reservation) : NVME_SUCCESS;
}

void nvme_reservation_load(struct nvme_namespace *namespace)
{
    struct nvme_subsystem *subsystem = namespace->subsystem;
    uint8_t record[NVME_RESERVATION_RECORD_BYTES];
    if (!nvme_can_persist(subsystem))
        return;
    long bytes = subsystem->settings.ops->load(subsystem->settings.context, namespace->info.settings.uuid, record,
                                               sizeof record);
    if (bytes >= 0 && !nvme_reservation_unpack(&namespace->reservation, record, (size_t)bytes))
        cipu_warn("nvme: the record of the reservations of volume %s is damaged: nobody is registered",
                  namespace->info.settings.name);
}

static bool wants(const struct nvme_controller *controller, uint32_t nsid, uint8_t notice)
{
    return !(controller->features.reservation_mask[nsid - 1] >> notice & 1);
}

/* All controllers of a host, of those that have the namespace. */
static void tell_hosts(struct nvme_subsystem *subsystem, const struct nvme_namespace *namespace,
                       const struct nvme_reservation_outcome *outcome)
{
    for (unsigned i = 0; i < outcome->count; i++)
        for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
            if (!(namespace->attached >> id & 1))
                continue;
            struct nvme_controller *controller = subsystem->controllers[id];
            const struct nvme_host host = nvme_host_of(controller);
            if (nvme_host_equal(&host, &outcome->notices[i].host) &&
                wants(controller, namespace->id, outcome->notices[i].notice))
                nvme_event_notice(controller, namespace->id, outcome->notices[i].notice);
        }
}

static uint16_t change(struct nvme_request *request, struct nvme_reservation *reservation, const struct keys *keys,
                       struct nvme_reservation_outcome *outcome)
{
    const struct nvme_host host = nvme_host_of(request->controller);
    uint32_t dword10 = request->command.dword10, action = dword10 & 7, type = dword10 >> 8 & 0xff;
    switch (request->command.opcode) {
    case NVME_RESERVATION_REGISTER:
        return nvme_reservation_register(reservation, &host, action, dword10 & IGNORE_KEY, dword10 >> 30, keys->current,
                                         keys->other, outcome);
    case NVME_RESERVATION_ACQUIRE:
        return nvme_reservation_acquire(reservation, &host, action, type, keys->current, keys->other, outcome);
    default:
        return nvme_reservation_release(reservation, &host, action, type, keys->current, outcome);
    }
}

/* With subsystem.reserving held. */
static uint16_t reserve(struct nvme_request *request, struct nvme_namespace *namespace, const struct keys *keys)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    struct nvme_reservation_outcome outcome = {0};
    pthread_mutex_lock(&subsystem->lock);
    uint16_t status = change(request, &namespace->reservation, keys, &outcome);
    pthread_mutex_unlock(&subsystem->lock);
    if (status == NVME_INVALID_FIELD)
        request->location = NVME_LOCATION(40, 0);
    if (status || !outcome.changed)
        return status;
    bool over = nvme_access_update(subsystem, namespace->id);
    status = nvme_reservation_store(subsystem, namespace->id);
    if (!status && !over)
        status = NVME_INTERNAL_ERROR;
    pthread_mutex_lock(&subsystem->lock);
    tell_hosts(subsystem, namespace, &outcome);
    pthread_mutex_unlock(&subsystem->lock);
    return status;
}

/* Base figures 397, 391 and 400. */
static uint16_t check(struct nvme_request *request)
{
    uint32_t dword10 = request->command.dword10;
    bool registers = request->command.opcode == NVME_RESERVATION_REGISTER;
    if (!registers && dword10 & IGNORE_KEY)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 3));
    if (dword10 & (registers ? 0x3ffffff0u : 0xffff00f0u))
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 4));
    if (registers && dword10 >> 30 == NVME_PERSIST_ON && !nvme_can_persist(request->controller->subsystem))
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(43, 6));
    return NVME_SUCCESS;
}

uint16_t nvme_reserve(struct nvme_request *request)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    struct nvme_namespace *namespace;
    struct keys keys = {0};
    uint16_t status = nvme_namespace_get(request, request->command.namespace_id, NVME_USE_ADMIN, &namespace);
    if (status)
        return status;
    status = nvme_ana_status(request->controller, namespace->ana_group);
    if (!status)
        status = check(request);
    if (!status)
        status = nvme_from_guest(request, &keys, request->command.opcode == NVME_RESERVATION_RELEASE ? 8 : 16);
    if (!status) {
        pthread_mutex_lock(&subsystem->reserving);
        status = nvme_abandoned(request) ? NVME_ABORT_REQUESTED : reserve(request, namespace, &keys);
        pthread_mutex_unlock(&subsystem->reserving);
    }
    nvme_namespace_put(request, namespace);
    return status;
}

struct report {
    uint8_t bytes[REPORT_BYTES_MAX];
    size_t used;
    unsigned controllers;
    bool extended;
};

static void add_entry(struct report *report, uint16_t id, const struct nvme_registrant *registrant, bool holds)
{
    const struct nvme_host *host = &registrant->host;
    report->controllers++;
    if (report->extended) {
        struct nvme_registered_controller_extended entry = {.controller = id, .status = holds, .key = registrant->key};
        memcpy(entry.host, host->identifier, sizeof entry.host);
        memcpy(report->bytes + report->used, &entry, sizeof entry);
        report->used += sizeof entry;
    } else {
        struct nvme_registered_controller entry = {.controller = id, .status = holds, .key = registrant->key};
        memcpy(entry.host, host->identifier, sizeof entry.host);
        memcpy(report->bytes + report->used, &entry, sizeof entry);
        report->used += sizeof entry;
    }
}

/* One entry a controller of the host; a host whose controllers are gone has one without. */
static void add_registrant(struct report *report, const struct nvme_subsystem *subsystem,
                           const struct nvme_namespace *namespace, const struct nvme_registrant *registrant)
{
    bool holds = nvme_reservation_holds(&namespace->reservation, registrant), found = false;
    for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
        if (!subsystem->controllers[id])
            continue;
        const struct nvme_host host = nvme_host_of(subsystem->controllers[id]);
        if (!nvme_host_equal(&host, &registrant->host))
            continue;
        add_entry(report, (uint16_t)id, registrant, holds);
        found = true;
    }
    if (!found)
        add_entry(report, NVME_NO_CONTROLLER, registrant, holds);
}

static void fill_report(struct report *report, const struct nvme_subsystem *subsystem,
                        const struct nvme_namespace *namespace)
{
    const struct nvme_reservation *from = &namespace->reservation;
    struct nvme_reservation_status header = {
        .generation = from->generation, .type = from->type, .persistent = from->persistent};
    report->used = report->extended ? EXTENDED_HEADER : sizeof header;
    for (unsigned i = 0; i < from->count; i++)
        add_registrant(report, subsystem, namespace, &from->registrants[i]);
    header.controllers[0] = (uint8_t)report->controllers;
    header.controllers[1] = (uint8_t)(report->controllers >> 8);
    memcpy(report->bytes, &header, sizeof header);
}

/* Base 7.3: the data structure is that of the host identifier's length. */
uint16_t nvme_reservation_report(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    struct report report = {.extended = request->command.dword11 & EXTENDED};
    struct nvme_namespace *namespace;
    uint64_t bytes = ((uint64_t)request->command.dword10 + 1) * 4;
    if (bytes > NVME_TRANSFER_MAX)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    uint16_t status = nvme_namespace_get(request, request->command.namespace_id, NVME_USE_ADMIN, &namespace);
    if (status)
        return status;
    status = nvme_ana_status(controller, namespace->ana_group);
    pthread_mutex_lock(&controller->subsystem->lock);
    uint8_t length = controller->features.host_identifier_bytes;
    if (!status && length && (length == 16) != report.extended)
        status = NVME_HOST_IDENTIFIER_FORMAT;
    if (!status)
        fill_report(&report, controller->subsystem, namespace);
    pthread_mutex_unlock(&controller->subsystem->lock);
    if (!status) {
        memset(controller->data, 0, (size_t)bytes);
        memcpy(controller->data, report.bytes, bytes < report.used ? (size_t)bytes : report.used);
        status = nvme_to_guest(request, controller->data, (uint32_t)bytes);
    }
    nvme_namespace_put(request, namespace);
    return status;
}
