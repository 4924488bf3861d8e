/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/nvme_reservation.h"

#include <string.h>

#include "runtime/block/volume.h"
#include "runtime/device/nvme_spec.h"

bool nvme_host_equal(const struct nvme_host *a, const struct nvme_host *b)
{
    return a->controller == b->controller && memcmp(a->identifier, b->identifier, sizeof a->identifier) == 0;
}

static struct nvme_registrant *find(struct nvme_reservation *reservation, const struct nvme_host *host)
{
    for (unsigned i = 0; i < reservation->count; i++)
        if (nvme_host_equal(&reservation->registrants[i].host, host))
            return &reservation->registrants[i];
    return NULL;
}

const struct nvme_registrant *nvme_reservation_find(const struct nvme_reservation *reservation,
                                                    const struct nvme_host *host)
{
    for (unsigned i = 0; i < reservation->count; i++)
        if (nvme_host_equal(&reservation->registrants[i].host, host))
            return &reservation->registrants[i];
    return NULL;
}

static bool for_all(unsigned type)
{
    return type == NVME_WRITE_EXCLUSIVE_ALL || type == NVME_EXCLUSIVE_ACCESS_ALL;
}

static bool for_registrants(unsigned type)
{
    return type >= NVME_WRITE_EXCLUSIVE_REGISTRANTS;
}

static bool exclusive_access(unsigned type)
{
    return type == NVME_EXCLUSIVE_ACCESS || type == NVME_EXCLUSIVE_ACCESS_REGISTRANTS ||
           type == NVME_EXCLUSIVE_ACCESS_ALL;
}

bool nvme_reservation_holds(const struct nvme_reservation *reservation, const struct nvme_registrant *registrant)
{
    return registrant->holder || for_all(reservation->type);
}

unsigned nvme_reservation_access(const struct nvme_reservation *reservation, const struct nvme_host *host)
{
    const struct nvme_registrant *registrant = nvme_reservation_find(reservation, host);
    if (reservation->type == NVME_RESERVATION_NONE ||
        (registrant && (for_registrants(reservation->type) || registrant->holder)))
        return VOLUME_READ | VOLUME_WRITE;
    return exclusive_access(reservation->type) ? 0 : VOLUME_READ;
}

static void tell(struct nvme_reservation_outcome *outcome, const struct nvme_host *host, uint8_t notice)
{
    outcome->notices[outcome->count].host = *host;
    outcome->notices[outcome->count++].notice = notice;
}

/* but NULL: all. */
static void tell_others(const struct nvme_reservation *reservation, const struct nvme_host *but, uint8_t notice,
                        struct nvme_reservation_outcome *outcome)
{
    for (unsigned i = 0; i < reservation->count; i++)
        if (!but || !nvme_host_equal(&reservation->registrants[i].host, but))
            tell(outcome, &reservation->registrants[i].host, notice);
}

static void release(struct nvme_reservation *reservation)
{
    reservation->type = NVME_RESERVATION_NONE;
    for (unsigned i = 0; i < reservation->count; i++)
        reservation->registrants[i].holder = false;
}

static void take(struct nvme_reservation *reservation, struct nvme_registrant *registrant, unsigned type)
{
    release(reservation);
    reservation->type = (uint8_t)type;
    registrant->holder = !for_all(type);
}

/* Base 8.19.4: a holder's registration takes the reservation with it; one for all goes with the last of them. */
static void remove_registrant(struct nvme_reservation *reservation, struct nvme_registrant *registrant,
                              struct nvme_reservation_outcome *outcome)
{
    const struct nvme_host host = registrant->host;
    bool ends = registrant->holder || (for_all(reservation->type) && reservation->count == 1);
    *registrant = reservation->registrants[--reservation->count];
    memset(&reservation->registrants[reservation->count], 0, sizeof *registrant);
    if (!ends)
        return;
    if (for_registrants(reservation->type))
        tell_others(reservation, &host, NVME_RESERVATION_RELEASED, outcome);
    release(reservation);
}

static uint16_t add_registrant(struct nvme_reservation *reservation, const struct nvme_host *host, uint64_t key)
{
    struct nvme_registrant *registrant = find(reservation, host);
    if (registrant)
        return registrant->key == key ? NVME_SUCCESS : NVME_RESERVATION_CONFLICT;
    if (reservation->count == NVME_REGISTRANTS_MAX)
        return NVME_INTERNAL_ERROR;
    reservation->registrants[reservation->count++] = (struct nvme_registrant){.host = *host, .key = key};
    return NVME_SUCCESS;
}

uint16_t nvme_reservation_register(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned action,
                                   bool ignore_key, unsigned persistence, uint64_t current, uint64_t key,
                                   struct nvme_reservation_outcome *outcome)
{
    struct nvme_registrant *registrant = find(reservation, host);
    uint16_t status = NVME_SUCCESS;
    if (action > NVME_REGISTER_REPLACE || persistence == 1)
        return NVME_INVALID_FIELD;
    if (action == NVME_REGISTER_NEW)
        status = add_registrant(reservation, host, key);
    else if (!registrant || (!ignore_key && registrant->key != current))
        status = NVME_RESERVATION_CONFLICT;
    else if (action == NVME_REGISTER_REMOVE)
        remove_registrant(reservation, registrant, outcome);
    else
        registrant->key = key;
    if (status)
        return status;
    if (persistence != NVME_PERSIST_KEEP)
        reservation->persistent = persistence == NVME_PERSIST_ON;
    reservation->generation++;
    outcome->changed = true;
    return NVME_SUCCESS;
}

/* Base 8.19.7, the registrations: of `key`, or all; never the host's that asks. Returns how many. */
static unsigned preempt_registrants(struct nvme_reservation *reservation, const struct nvme_host *host, bool all,
                                    uint64_t key, struct nvme_reservation_outcome *outcome)
{
    unsigned removed = 0;
    for (unsigned i = 0; i < reservation->count;) {
        struct nvme_registrant *registrant = &reservation->registrants[i];
        if (nvme_host_equal(&registrant->host, host) || (!all && registrant->key != key)) {
            i++;
            continue;
        }
        tell(outcome, &registrant->host, NVME_REGISTRATION_PREEMPTED);
        if (nvme_reservation_holds(reservation, registrant) && (registrant->holder || all))
            tell(outcome, &registrant->host, NVME_RESERVATION_PREEMPTED);
        *registrant = reservation->registrants[--reservation->count];
        memset(&reservation->registrants[reservation->count], 0, sizeof *registrant);
        removed++;
    }
    return removed;
}

static bool key_is_registered(const struct nvme_reservation *reservation, uint64_t key)
{
    for (unsigned i = 0; i < reservation->count; i++)
        if (reservation->registrants[i].key == key)
            return true;
    return false;
}

static bool key_holds(const struct nvme_reservation *reservation, uint64_t key)
{
    for (unsigned i = 0; i < reservation->count; i++)
        if (reservation->registrants[i].holder && reservation->registrants[i].key == key)
            return true;
    return false;
}

/* Base 8.19.7: key 0 preempts all others' reservation for all registrants; the holder's key takes its place; another
 * key only removes registrations. */
static uint16_t preempt(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned type, uint64_t key,
                        struct nvme_reservation_outcome *outcome)
{
    bool all = for_all(reservation->type) && key == 0;
    unsigned before = reservation->type;
    if (key == 0 && !all)
        return NVME_INVALID_FIELD;
    if (!all && !key_is_registered(reservation, key))
        return NVME_RESERVATION_CONFLICT;
    bool replaces = all || key_holds(reservation, key);
    preempt_registrants(reservation, host, all, key, outcome);
    if (replaces) {
        take(reservation, find(reservation, host), type);
        if (before != type && for_registrants(before))
            tell_others(reservation, host, NVME_RESERVATION_RELEASED, outcome);
    }
    reservation->generation++;
    outcome->changed = true;
    return NVME_SUCCESS;
}

uint16_t nvme_reservation_acquire(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned action,
                                  unsigned type, uint64_t current, uint64_t preempted,
                                  struct nvme_reservation_outcome *outcome)
{
    struct nvme_registrant *registrant = find(reservation, host);
    if (action > NVME_ACQUIRE_PREEMPT_ABORT || type == NVME_RESERVATION_NONE || type > NVME_EXCLUSIVE_ACCESS_ALL)
        return NVME_INVALID_FIELD;
    if (!registrant || registrant->key != current)
        return NVME_RESERVATION_CONFLICT;
    if (action != NVME_ACQUIRE_NEW)
        return preempt(reservation, host, type, preempted, outcome);
    if (reservation->type == NVME_RESERVATION_NONE) {
        take(reservation, registrant, type);
        outcome->changed = true;
        return NVME_SUCCESS;
    }
    return reservation->type == type && nvme_reservation_holds(reservation, registrant) ? NVME_SUCCESS
                                                                                        : NVME_RESERVATION_CONFLICT;
}

/* Base 8.19.6; `by` NULL: no host asked for it. */
static void clear(struct nvme_reservation *reservation, const struct nvme_host *by,
                  struct nvme_reservation_outcome *outcome)
{
    tell_others(reservation, by, NVME_RESERVATION_PREEMPTED, outcome);
    release(reservation);
    memset(reservation->registrants, 0, sizeof reservation->registrants);
    reservation->count = 0;
    reservation->generation++;
    outcome->changed = true;
}

void nvme_reservation_clear_all(struct nvme_reservation *reservation, struct nvme_reservation_outcome *outcome)
{
    if (reservation->count || reservation->type != NVME_RESERVATION_NONE)
        clear(reservation, NULL, outcome);
}

uint16_t nvme_reservation_release(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned action,
                                  unsigned type, uint64_t current, struct nvme_reservation_outcome *outcome)
{
    struct nvme_registrant *registrant = find(reservation, host);
    if (action > NVME_RELEASE_CLEAR)
        return NVME_INVALID_FIELD;
    if (!registrant || registrant->key != current)
        return NVME_RESERVATION_CONFLICT;
    if (action == NVME_RELEASE_CLEAR) {
        clear(reservation, host, outcome);
        return NVME_SUCCESS;
    }
    if (reservation->type == NVME_RESERVATION_NONE || !nvme_reservation_holds(reservation, registrant))
        return NVME_SUCCESS;
    if (reservation->type != type)
        return NVME_INVALID_FIELD;
    if (for_registrants(type))
        tell_others(reservation, host, NVME_RESERVATION_RELEASED, outcome);
    release(reservation);
    outcome->changed = true;
    return NVME_SUCCESS;
}

struct record {
    uint8_t magic[8];
    uint32_t checksum; /* CRC-32C of all that follows */
    uint16_t count;
    uint8_t type, persistent;
    uint8_t reserved[16];
    struct {
        uint8_t identifier[16];
        uint64_t key;
        uint16_t controller;
        uint8_t holder;
        uint8_t reserved[5];
    } registrants[NVME_REGISTRANTS_MAX];
};
static_assert(sizeof(struct record) == NVME_RESERVATION_RECORD_BYTES, "as declared");
static const uint8_t MAGIC[8] = {'C', 'I', 'P', 'U', 'r', 's', 'v', '1'};

static uint32_t checksum(const struct record *record)
{
    const uint8_t *bytes = (const uint8_t *)&record->count;
    size_t length = sizeof *record - offsetof(struct record, count);
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

void nvme_reservation_pack(const struct nvme_reservation *reservation, uint8_t bytes[NVME_RESERVATION_RECORD_BYTES])
{
    struct record record = {.persistent = reservation->persistent};
    memcpy(record.magic, MAGIC, sizeof record.magic);
    if (reservation->persistent) {
        record.count = (uint16_t)reservation->count;
        record.type = reservation->type;
        for (unsigned i = 0; i < reservation->count; i++) {
            const struct nvme_registrant *from = &reservation->registrants[i];
            memcpy(record.registrants[i].identifier, from->host.identifier, sizeof from->host.identifier);
            record.registrants[i].key = from->key;
            record.registrants[i].controller = from->host.controller;
            record.registrants[i].holder = from->holder;
        }
    }
    record.checksum = checksum(&record);
    memcpy(bytes, &record, sizeof record);
}

bool nvme_reservation_unpack(struct nvme_reservation *reservation, const uint8_t *bytes, size_t length)
{
    struct record record;
    memset(reservation, 0, sizeof *reservation);
    if (length != sizeof record)
        return false;
    memcpy(&record, bytes, sizeof record);
    if (memcmp(record.magic, MAGIC, sizeof record.magic) != 0 || record.checksum != checksum(&record) ||
        record.count > NVME_REGISTRANTS_MAX || record.type > NVME_EXCLUSIVE_ACCESS_ALL)
        return false;
    reservation->persistent = record.persistent;
    reservation->type = record.type;
    reservation->count = record.count;
    for (unsigned i = 0; i < record.count; i++) {
        struct nvme_registrant *to = &reservation->registrants[i];
        memcpy(to->host.identifier, record.registrants[i].identifier, sizeof to->host.identifier);
        to->host.controller = record.registrants[i].controller;
        to->key = record.registrants[i].key;
        to->holder = record.registrants[i].holder;
    }
    return true;
}
