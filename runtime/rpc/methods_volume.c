/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/methods_volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/volumes.h"

static const struct field name_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct volume_selector, name)},
};
static const struct field delete_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct volume_selector, name)},
    {"destroy", FIELD_BOOLEAN, .offset = offsetof(struct volume_selector, destroy)},
};
static const struct field resize_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct volume_selector, name)},
    {"size", FIELD_SIZE, .required = true, .offset = offsetof(struct volume_selector, bytes), .minimum = 512,
     .maximum = INT64_MAX},
};
#define LIMIT(MEMBER) \
    .offset = offsetof(struct volume_qos, limits.MEMBER), .present_offset = offsetof(struct volume_qos, has_##MEMBER)
static const struct field qos_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct volume_qos, name)},
    {"iops", FIELD_COUNT, LIMIT(operations), .maximum = UINT32_MAX},
    {"bandwidth", FIELD_SIZE, LIMIT(bytes), .maximum = INT64_MAX},
    {"iops-burst", FIELD_COUNT, LIMIT(operations_burst), .maximum = UINT32_MAX},
    {"bandwidth-burst", FIELD_SIZE, LIMIT(bytes_burst), .maximum = INT64_MAX},
    {"weight", FIELD_UNSIGNED, LIMIT(weight), .minimum = 1, .maximum = 1000},
};
static const struct field fault_fields[] = {
    {"name", FIELD_NAME, .required = true, .offset = offsetof(struct volume_faults, name)},
    {"rules", FIELD_TEXT, .required = true, .offset = offsetof(struct volume_faults, rules)},
};
const struct schema volume_name_schema = {"volume", name_fields, 1};
const struct schema volume_delete_schema = {"volume", delete_fields, 2};
const struct schema volume_resize_schema = {"volume", resize_fields, 2};
const struct schema volume_fault_schema = {"faults", fault_fields, 2};
const struct schema volume_qos_schema = {"limits", qos_fields, sizeof(qos_fields) / sizeof(qos_fields[0])};

/* What looks at volumes does so as long as nobody adds or removes one. */
static int locked(struct rpc_call *call, int (*method)(struct rpc_call *call))
{
    struct daemon *daemon = call->context;
    daemon_volumes_lock(daemon);
    int result = method(call);
    daemon_volumes_unlock(daemon);
    return result;
}

static struct volume_record *select_volume(struct rpc_call *call, const char *name)
{
    struct volume_record *record = daemon_volume_by_name(call->context, name);
    if (!record)
        cipu_fail(&call->error, -ENOENT, "found volume %s, expected one that is there", name);
    return record;
}

static json_t *describe_uuid(const uint8_t uuid[16])
{
    char text[40];
    size_t at = 0;
    for (unsigned i = 0; i < 16; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               uuid[i]);
    return json_string(text);
}

/* What goes wrong with it now. */
static json_t *describe_faults(const struct volume_record *record)
{
    const char *rules = record->wanted.backend + strlen("fault:"), *comma = strchr(rules, ',');
    if (record->faults[0])
        return json_string(record->faults);
    return comma ? json_stringn(rules, (size_t)(comma - rules)) : json_string(rules);
}

static json_t *describe(const struct volume_record *record)
{
    struct volume_info info;
    block_volume_info(record->volume, &info);
    info.settings.create = false;
    json_t *object = schema_encode(&volume_schema, &info.settings);
    json_object_del(object, "create");
    json_object_set_new(object, "uuid", describe_uuid(info.settings.uuid));
    json_object_set_new(object, "encrypted", json_boolean(info.backend.encrypted));
    json_object_set_new(object, "attachments", json_integer(info.attachments));
    if (strncmp(record->wanted.backend, "fault:", strlen("fault:")) == 0)
        json_object_set_new(object, "faults", describe_faults(record));
    json_object_set_new(object, "origin", json_string(origin_name(record->origin)));
    return object;
}

static int volume_create(struct rpc_call *call)
{
    const struct volume_settings *settings = call->parameters;
    int result = daemon_volume_add(call->context, settings, ORIGIN_CALL, &call->error);
    if (result == 0)
        call->result = describe(daemon_volume_by_name(call->context, settings->name));
    return result;
}

/* Closes it, and gives its backend. */
static int close_volume(struct rpc_call *call, char backend[VOLUME_BACKEND_BYTES])
{
    struct daemon *daemon = call->context;
    const struct volume_selector *selector = call->parameters;
    const struct volume_record *record = select_volume(call, selector->name);
    if (!record)
        return -ENOENT;
    memcpy(backend, record->wanted.backend, VOLUME_BACKEND_BYTES);
    if (record->pool)
        return cipu_fail(&call->error, -EPERM, "volume %s was made by a guest: it can only be deleted with destroy",
                         selector->name);
    if (selector->destroy && strncmp(backend_uri_innermost(backend), "disk:", 5) != 0)
        return cipu_fail(&call->error, -EINVAL, "volume %s lies on no disk: there is nothing to destroy",
                         selector->name);
    return daemon_volume_remove(daemon, selector->name, &call->error);
}

static bool is_made_by_guest(struct daemon *daemon, const char *name)
{
    daemon_volumes_lock(daemon);
    const struct volume_record *record = daemon_volume_by_name(daemon, name);
    bool made = record && record->pool;
    daemon_volumes_unlock(daemon);
    return made;
}

/* Without `destroy` the bytes stay where they are; with it those of a disk's volume are erased and free again. */
int rpc_volume_delete(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    const struct volume_selector *selector = call->parameters;
    char backend[VOLUME_BACKEND_BYTES];
    if (selector->destroy && is_made_by_guest(daemon, selector->name))
        return daemon_volume_destroy(daemon, selector->name, &call->error);
    daemon_volumes_lock(daemon);
    int result = close_volume(call, backend);
    daemon_volumes_unlock(daemon);
    if (result == 0 && selector->destroy)
        result =
            disk_volume_delete(block_engine_disks(daemon->block), backend_uri_innermost(backend) + 5, &call->error);
    return result;
}

static int volume_list(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    call->result = json_array();
    for (size_t i = 0; i < daemon->volume_count; i++)
        json_array_append_new(call->result, describe(&daemon->volumes[i]));
    return 0;
}

static int volume_resize(struct rpc_call *call)
{
    const struct volume_selector *selector = call->parameters;
    const struct volume_record *record = select_volume(call, selector->name);
    if (!record)
        return -ENOENT;
    int result = block_volume_resize(record->volume, selector->bytes, &call->error);
    if (result == 0)
        call->result = describe(record);
    return result;
}

static int volume_set_qos(struct rpc_call *call)
{
    const struct volume_qos *qos = call->parameters;
    const struct volume_record *record = select_volume(call, qos->name);
    struct volume_info info;
    if (!record)
        return -ENOENT;
    block_volume_info(record->volume, &info);
    struct volume_limits limits = info.settings.limits;
    if (qos->has_operations)
        limits.operations = qos->limits.operations;
    if (qos->has_bytes)
        limits.bytes = qos->limits.bytes;
    if (qos->has_operations_burst)
        limits.operations_burst = qos->limits.operations_burst;
    if (qos->has_bytes_burst)
        limits.bytes_burst = qos->limits.bytes_burst;
    if (qos->has_weight)
        limits.weight = qos->limits.weight;
    int result = block_volume_set_limits(record->volume, &limits, &call->error);
    if (result == 0)
        call->result = describe(record);
    return result;
}

/* ---- latency ---- */

static json_int_t quantile(const uint64_t buckets[LATENCY_BUCKETS], uint64_t count, double part)
{
    uint64_t below = 0, wanted = (uint64_t)((double)count * part);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        below += buckets[i];
        if (below > wanted || (below == count && count))
            return (json_int_t)latency_bucket_begin(i + 1);
    }
    return 0;
}

static void append_stages(json_t *list, const char *operation, const struct volume_latency *latency)
{
    static const char *const stages[LATENCY_STAGES] = {"fetch", "queue", "backend", "complete", "total"};
    for (unsigned i = 0; i < LATENCY_STAGES; i++) {
        const uint64_t *buckets = latency->buckets[i];
        uint64_t count = 0;
        for (unsigned k = 0; k < LATENCY_BUCKETS; k++)
            count += buckets[k];
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "operation", operation,
                                              "stage", stages[i], "count", (json_int_t)count, "p50_ns",
                                              quantile(buckets, count, 0.5), "p90_ns", quantile(buckets, count, 0.9),
                                              "p99_ns", quantile(buckets, count, 0.99), "p999_ns",
                                              quantile(buckets, count, 0.999), "max_ns", quantile(buckets, count, 1)));
    }
}

static int volume_latency(struct rpc_call *call)
{
    const struct volume_selector *selector = call->parameters;
    const struct volume_record *record = select_volume(call, selector->name);
    struct volume_latency latency;
    if (!record)
        return -ENOENT;
    call->result = json_array();
    block_volume_latency(record->volume, BACKEND_READ, &latency);
    append_stages(call->result, "read", &latency);
    block_volume_latency(record->volume, BACKEND_WRITE, &latency);
    append_stages(call->result, "write", &latency);
    return 0;
}

static int volume_erase(struct rpc_call *call)
{
    const struct volume_selector *selector = call->parameters;
    const struct volume_record *record = select_volume(call, selector->name);
    return record ? block_volume_erase(record->volume, &call->error) : -ENOENT;
}

/* "none": nothing goes wrong any more. */
static int volume_set_faults(struct rpc_call *call)
{
    const struct volume_faults *faults = call->parameters;
    struct volume_record *record = select_volume(call, faults->name);
    if (!record)
        return -ENOENT;
    const char *rules = strcmp(faults->rules, "none") == 0 ? "" : faults->rules;
    int result = block_volume_set_faults(record->volume, rules, &call->error);
    if (result == 0) {
        memcpy(record->faults, faults->rules, sizeof(record->faults));
        call->result = describe(record);
    }
    return result;
}

int rpc_volume_create(struct rpc_call *call)
{
    return locked(call, volume_create);
}

int rpc_volume_list(struct rpc_call *call)
{
    return locked(call, volume_list);
}

int rpc_volume_resize(struct rpc_call *call)
{
    return locked(call, volume_resize);
}

int rpc_volume_set_qos(struct rpc_call *call)
{
    return locked(call, volume_set_qos);
}

int rpc_volume_latency(struct rpc_call *call)
{
    return locked(call, volume_latency);
}

int rpc_volume_erase(struct rpc_call *call)
{
    return locked(call, volume_erase);
}

int rpc_volume_set_faults(struct rpc_call *call)
{
    return locked(call, volume_set_faults);
}

/* ---- disks ---- */

static json_t *describe_volumes(struct disk_set *disks, const char *disk)
{
    struct disk_volume_info volume;
    json_t *list = json_array();
    for (unsigned i = 0; disk_volume_info(disks, disk, i, &volume) == 0; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:b}", "name", volume.name, "size", (json_int_t)volume.bytes,
                                              "open", (int)volume.open));
    return list;
}

int rpc_disk_list(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    struct disk_info disk;
    call->result = json_array();
    if (!daemon->block)
        return 0;
    struct disk_set *disks = block_engine_disks(daemon->block);
    for (unsigned i = 0; disk_set_info(disks, i, &disk) == 0; i++)
        json_array_append_new(call->result,
                              json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "name", disk.settings.name, "path",
                                        disk.settings.path, "size", (json_int_t)disk.bytes, "free",
                                        (json_int_t)disk.free_bytes, "extent_size", (json_int_t)disk.extent_bytes,
                                        "volumes", describe_volumes(disks, disk.settings.name)));
    return 0;
}
