/* SPDX-License-Identifier: Apache-2.0 */
/* Features (Base 5.15, 5.27). None can be saved: there is nowhere that would survive. */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define SAVE                    (1u << 31)
#define CAPABILITY_BY_NAMESPACE (1u << 1)
#define CAPABILITY_CHANGEABLE   (1u << 2)
#define OVER_DEFAULT            343u
#define RESERVATION_MASKS       0x0eu
#define HOST_EXTENDED           1u
#define TIMESTAMP_BYTES         8u
#define TIMESTAMP_SET           (1u << 1) /* origin: by Set Features; Base figure 334 */
#define WRITE_CACHE_ENABLED     1u

struct feature {
    uint16_t (*set)(struct nvme_request *request, uint32_t value);
    uint16_t (*get)(struct nvme_request *request, bool current);
    uint8_t capabilities;
};

/* A controller without a host identifier is a host of its own again: that may change what it may do. */
void nvme_features_reset(struct nvme_controller *controller)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    bool known = controller->features.host_identifier_bytes;
    controller->features = (struct nvme_features){.over_temperature = OVER_DEFAULT};
    pthread_mutex_unlock(&subsystem->lock);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && known; nsid++)
        nvme_access_update(subsystem, nsid);
    pthread_mutex_unlock(&subsystem->reserving);
}

/* Base figure 207: bit 1, a temperature beyond a threshold. */
uint8_t nvme_critical_warning(const struct nvme_controller *controller)
{
    const struct nvme_features *features = &controller->features;
    return NVME_TEMPERATURE >= features->over_temperature || NVME_TEMPERATURE <= features->under_temperature ? 2 : 0;
}

static uint16_t bad_value(struct nvme_request *request)
{
    return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 0));
}

static uint16_t set_arbitration(struct nvme_request *request, uint32_t value)
{
    request->controller->features.arbitration = value;
    return NVME_SUCCESS;
}

static uint16_t get_arbitration(struct nvme_request *request, bool current)
{
    request->result = current ? request->controller->features.arbitration : 0;
    return NVME_SUCCESS;
}

static uint16_t set_power(struct nvme_request *request, uint32_t value)
{
    if (value & 0x1f) /* there is one power state */
        return bad_value(request);
    request->controller->features.power = value & 0xe0;
    return NVME_SUCCESS;
}

static uint16_t get_power(struct nvme_request *request, bool current)
{
    request->result = current ? request->controller->features.power : 0;
    return NVME_SUCCESS;
}

static uint16_t *threshold(struct nvme_request *request, bool all)
{
    uint32_t sensor = request->command.dword11 >> 16 & 15, under = request->command.dword11 >> 20 & 3;
    struct nvme_features *features = &request->controller->features;
    if (under > 1 || (sensor != 0 && !(all && sensor == 15)))
        return NULL;
    return under ? &features->under_temperature : &features->over_temperature;
}

static uint16_t set_temperature(struct nvme_request *request, uint32_t value)
{
    uint16_t *to = threshold(request, true);
    if (!to)
        return bad_value(request);
    *to = (uint16_t)value;
    if (nvme_critical_warning(request->controller))
        nvme_event_post(request->controller, NVME_EVENT_HEALTH, 1);
    return NVME_SUCCESS;
}

static uint16_t get_temperature(struct nvme_request *request, bool current)
{
    const uint16_t *from = threshold(request, false);
    if (!from)
        return bad_value(request);
    request->result = current ? *from : from == &request->controller->features.over_temperature ? OVER_DEFAULT : 0;
    return NVME_SUCCESS;
}

static uint16_t set_error_recovery(struct nvme_request *request, uint32_t value)
{
    if (value & 1u << 16) /* errors for deallocated blocks: NSFEAT does not offer them */
        return bad_value(request);
    request->controller->features.error_recovery = value & 0xffff;
    return NVME_SUCCESS;
}

static uint16_t get_error_recovery(struct nvme_request *request, bool current)
{
    request->result = current ? request->controller->features.error_recovery : 0;
    return NVME_SUCCESS;
}

/* A cache is the backend's; nothing here can make writes durable that the card passes by. */
static uint16_t set_write_cache(struct nvme_request *request, uint32_t value)
{
    (void)request;
    return value & WRITE_CACHE_ENABLED ? NVME_SUCCESS : NVME_FEATURE_NOT_CHANGEABLE;
}

static uint16_t get_write_cache(struct nvme_request *request, bool current)
{
    (void)current;
    request->result = WRITE_CACHE_ENABLED;
    return NVME_SUCCESS;
}

static uint16_t get_queues(struct nvme_request *request, bool current)
{
    (void)current;
    uint32_t count = request->controller->queues - 1u;
    request->result = count << 16 | count;
    return NVME_SUCCESS;
}

static uint16_t set_queues(struct nvme_request *request, uint32_t value)
{
    if ((value & 0xffff) == 0xffff || value >> 16 == 0xffff)
        return bad_value(request);
    if (nvme_io_queue_count(request->controller))
        return NVME_SEQUENCE_ERROR;
    return get_queues(request, true);
}

static uint16_t set_coalescing(struct nvme_request *request, uint32_t value)
{
    request->controller->features.coalescing = value & 0xffff;
    return NVME_SUCCESS;
}

static uint16_t get_coalescing(struct nvme_request *request, bool current)
{
    request->result = current ? request->controller->features.coalescing : 0;
    return NVME_SUCCESS;
}

static uint16_t set_vector(struct nvme_request *request, uint32_t value)
{
    uint32_t vector = value & 0xffff;
    uint64_t *uncoalesced = &request->controller->features.uncoalesced;
    if (vector >= request->controller->msix.vectors)
        return bad_value(request);
    *uncoalesced &= ~(UINT64_C(1) << vector);
    *uncoalesced |= (uint64_t)(value >> 16 & 1) << vector;
    return NVME_SUCCESS;
}

static uint16_t get_vector(struct nvme_request *request, bool current)
{
    uint32_t vector = request->command.dword11 & 0xffff;
    if (vector >= request->controller->msix.vectors)
        return bad_value(request);
    request->result = vector | (current ? request->controller->features.uncoalesced >> vector & 1 : 0) << 16;
    return NVME_SUCCESS;
}

static uint16_t set_atomicity(struct nvme_request *request, uint32_t value)
{
    request->controller->features.atomicity = value & 1;
    return NVME_SUCCESS;
}

static uint16_t get_atomicity(struct nvme_request *request, bool current)
{
    request->result = current ? request->controller->features.atomicity : 0;
    return NVME_SUCCESS;
}

static uint16_t set_async_events(struct nvme_request *request, uint32_t value)
{
    nvme_event_configure(request->controller, value);
    if (nvme_critical_warning(request->controller))
        nvme_event_post(request->controller, NVME_EVENT_HEALTH, 1);
    return NVME_SUCCESS;
}

static uint16_t get_async_events(struct nvme_request *request, bool current)
{
    request->result = current ? request->controller->events.enabled : 0;
    return NVME_SUCCESS;
}

/* Base figure 334: 48 bits of milliseconds, which go on while the controller is enabled. */
static uint16_t set_timestamp(struct nvme_request *request, uint32_t value)
{
    uint64_t data = 0;
    (void)value;
    uint16_t status = nvme_from_guest(request, &data, TIMESTAMP_BYTES);
    if (status)
        return status;
    request->controller->features.timestamp = data & 0xffffffffffff;
    request->controller->features.timestamp_at = nvme_now_ms();
    request->controller->features.timestamp_set = true;
    return NVME_SUCCESS;
}

static uint16_t get_timestamp(struct nvme_request *request, bool current)
{
    const struct nvme_features *features = &request->controller->features;
    bool set = current && features->timestamp_set;
    uint64_t data = set ? features->timestamp + nvme_now_ms() - features->timestamp_at
                        : nvme_now_ms() - request->controller->created_at;
    data = (data & 0xffffffffffff) | (uint64_t)(set ? TIMESTAMP_SET : 0) << 48;
    return nvme_to_guest(request, &data, TIMESTAMP_BYTES);
}

static uint16_t set_host_behaviour(struct nvme_request *request, uint32_t value)
{
    uint8_t data[512];
    (void)value;
    uint16_t status = nvme_from_guest(request, data, sizeof data);
    if (status)
        return status;
    if (data[0] > 1)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION_NONE);
    memcpy(request->controller->features.host_behaviour, data, sizeof data);
    return NVME_SUCCESS;
}

static uint16_t get_host_behaviour(struct nvme_request *request, bool current)
{
    static const uint8_t zeros[512];
    return nvme_to_guest(request, current ? request->controller->features.host_behaviour : zeros, sizeof zeros);
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Hosts of one subsystem have identifiers of one length. */
static bool format_fits(const struct nvme_controller *controller, uint8_t bytes)
{
    for (unsigned i = 0; i < NVME_CONTROLLERS_MAX; i++) {
        const struct nvme_controller *other = controller->subsystem->controllers[i];
        if (other && other != controller && other->features.host_identifier_bytes &&
            other->features.host_identifier_bytes != bytes)
            return false;
    }
    return true;
}

/* Base 5.27.1.25: once it is set it stays until the controller is reset. */
static uint16_t adopt_host(struct nvme_request *request, const uint8_t data[16], uint8_t bytes)
{
    struct nvme_features *features = &request->controller->features;
    if (features->host_identifier_bytes)
        return features->host_identifier_bytes == bytes && memcmp(features->host_identifier, data, bytes) == 0
                   ? NVME_SUCCESS
                   : NVME_SEQUENCE_ERROR;
    if (is_zero(data, bytes))
        return NVME_SUCCESS;
    if (!format_fits(request->controller, bytes))
        return NVME_HOST_IDENTIFIER_FORMAT;
    memcpy(features->host_identifier, data, bytes);
    features->host_identifier_bytes = bytes;
    return NVME_SUCCESS;
}

static uint16_t set_host_identifier(struct nvme_request *request, uint32_t value)
{
    struct nvme_controller *controller = request->controller;
    struct nvme_subsystem *subsystem = controller->subsystem;
    uint8_t data[16] = {0}, bytes = value & HOST_EXTENDED ? 16 : 8;
    uint16_t status = nvme_from_guest(request, data, bytes);
    if (status)
        return status;
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    status = adopt_host(request, data, bytes);
    pthread_mutex_unlock(&subsystem->lock);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && !status; nsid++)
        nvme_access_update(subsystem, nsid);
    pthread_mutex_unlock(&subsystem->reserving);
    return status;
}

static uint16_t get_host_identifier(struct nvme_request *request, bool current)
{
    const struct nvme_features *features = &request->controller->features;
    uint8_t data[16] = {0}, bytes = request->command.dword11 & HOST_EXTENDED ? 16 : 8;
    if (features->host_identifier_bytes && features->host_identifier_bytes != bytes)
        return NVME_HOST_IDENTIFIER_FORMAT;
    if (current)
        memcpy(data, features->host_identifier, bytes);
    return nvme_to_guest(request, data, bytes);
}

/* The namespaces that a feature of namespaces means; false when there is none. */
static bool namespaces_of(struct nvme_request *request, bool all_allowed, uint32_t *first, uint32_t *last)
{
    uint32_t nsid = request->command.namespace_id;
    bool all = nsid == NVME_BROADCAST && all_allowed;
    *first = all ? 1 : nsid;
    *last = all ? NVME_NAMESPACES_MAX : nsid;
    return all || nvme_namespace_is_attached(request->controller, nsid);
}

static uint16_t set_reservation_mask(struct nvme_request *request, uint32_t value)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    uint32_t first, last;
    pthread_mutex_lock(&subsystem->lock);
    bool good = namespaces_of(request, true, &first, &last);
    for (uint32_t i = first; good && i <= last; i++)
        request->controller->features.reservation_mask[i - 1] = value & RESERVATION_MASKS;
    pthread_mutex_unlock(&subsystem->lock);
    return good ? NVME_SUCCESS : nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
}

static uint16_t get_reservation_mask(struct nvme_request *request, bool current)
{
    uint32_t first, last;
    pthread_mutex_lock(&request->controller->subsystem->lock);
    bool good = namespaces_of(request, false, &first, &last);
    if (good && current)
        request->result = request->controller->features.reservation_mask[first - 1];
    pthread_mutex_unlock(&request->controller->subsystem->lock);
    return good ? NVME_SUCCESS : nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
}

static uint16_t set_persistence(struct nvme_request *request, uint32_t value)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    uint32_t first, last;
    if (value & 1 && !nvme_can_persist(subsystem))
        return NVME_FEATURE_NOT_CHANGEABLE;
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    bool good = namespaces_of(request, true, &first, &last);
    for (uint32_t i = first; good && i <= last; i++)
        if (nvme_namespace_is_attached(request->controller, i))
            subsystem->namespaces[i - 1]->reservation.persistent = value & 1;
    pthread_mutex_unlock(&subsystem->lock);
    uint16_t status = good ? NVME_SUCCESS : nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
    for (uint32_t i = first; good && i <= last && !status; i++)
        status = nvme_reservation_store(subsystem, i);
    pthread_mutex_unlock(&subsystem->reserving);
    return status;
}

static uint16_t get_persistence(struct nvme_request *request, bool current)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    uint32_t first, last;
    pthread_mutex_lock(&subsystem->lock);
    bool good = namespaces_of(request, false, &first, &last);
    if (good && current)
        request->result = subsystem->namespaces[first - 1]->reservation.persistent;
    pthread_mutex_unlock(&subsystem->lock);
    return good ? NVME_SUCCESS : nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
}

static const struct feature FEATURES[256] = {
    [NVME_FEATURE_ARBITRATION] = {set_arbitration, get_arbitration, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_POWER] = {set_power, get_power, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_TEMPERATURE] = {set_temperature, get_temperature, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_ERROR_RECOVERY] = {set_error_recovery, get_error_recovery, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_WRITE_CACHE] = {set_write_cache, get_write_cache, 0},
    [NVME_FEATURE_QUEUES] = {set_queues, get_queues, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_COALESCING] = {set_coalescing, get_coalescing, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_VECTOR] = {set_vector, get_vector, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_ATOMICITY] = {set_atomicity, get_atomicity, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_ASYNC_EVENTS] = {set_async_events, get_async_events, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_TIMESTAMP] = {set_timestamp, get_timestamp, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_HOST_BEHAVIOUR] = {set_host_behaviour, get_host_behaviour, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_HOST_IDENTIFIER] = {set_host_identifier, get_host_identifier, CAPABILITY_CHANGEABLE},
    [NVME_FEATURE_RESERVATION_MASK] = {set_reservation_mask, get_reservation_mask,
                                       CAPABILITY_CHANGEABLE | CAPABILITY_BY_NAMESPACE},
    [NVME_FEATURE_RESERVATION_PERSISTENCE] = {set_persistence, get_persistence,
                                              CAPABILITY_CHANGEABLE | CAPABILITY_BY_NAMESPACE},
};

static const struct feature *find(struct nvme_request *request)
{
    const struct feature *feature = &FEATURES[request->command.dword10 & 0xff];
    return feature->get ? feature : NULL;
}

bool nvme_feature_exists(unsigned identifier)
{
    return identifier < 256 && FEATURES[identifier].get;
}

bool nvme_feature_by_namespace(unsigned identifier)
{
    return FEATURES[identifier].capabilities & CAPABILITY_BY_NAMESPACE;
}

uint16_t nvme_set_features(struct nvme_request *request)
{
    const struct feature *feature = find(request);
    uint32_t nsid = request->command.namespace_id;
    if (!feature)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (request->command.dword10 & SAVE)
        return nvme_refuse(request, NVME_FEATURE_NOT_SAVEABLE, NVME_LOCATION(43, 7));
    if (request->command.dword10 & 0x7fffff00u)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 0));
    if (!(feature->capabilities & CAPABILITY_BY_NAMESPACE) && nsid != 0 && nsid != NVME_BROADCAST)
        return nvme_refuse(request,
                           nsid > NVME_NAMESPACES_MAX ? NVME_INVALID_NAMESPACE : NVME_FEATURE_NOT_NAMESPACE_SPECIFIC,
                           NVME_LOCATION(4, 0));
    return feature->set(request, request->command.dword11);
}

uint16_t nvme_get_features(struct nvme_request *request)
{
    const struct feature *feature = find(request);
    uint32_t select = request->command.dword10 >> 8 & 7;
    if (!feature)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (select > NVME_SELECT_CAPABILITIES || request->command.dword10 >> 11)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 0));
    if (select == NVME_SELECT_CAPABILITIES) {
        request->result = feature->capabilities;
        return NVME_SUCCESS;
    }
    return feature->get(request, select == NVME_SELECT_CURRENT);
}
