/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/namespace_record.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1

static json_t *write_names(const struct namespace_records *records)
{
    json_t *list = json_array();
    unsigned count = 0;
    for (unsigned i = 0; i < NVME_CONTROLLERS_MAX; i++)
        if (records->controllers[i][0])
            count = i + 1;
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_string(records->controllers[i]));
    return list;
}

static json_t *write_one(const struct namespace_record *record)
{
    char uuid[33];
    json_t *controllers = json_array();
    for (unsigned i = 0; i < 16; i++)
        snprintf(uuid + 2 * i, 3, "%02x", record->uuid[i]);
    for (int i = 0; i < (int)NVME_CONTROLLERS_MAX; i++)
        if (record->controllers >> i & 1)
            json_array_append_new(controllers, json_integer(i));
    return json_pack("{s:i, s:s, s:i, s:i, s:b, s:b, s:o}", "nsid", (int)record->wish.nsid, "uuid", uuid, "block_size",
                     (int)record->wish.block_bytes, "ana_group", (int)record->wish.ana_group, "shared",
                     (int)record->wish.shared, "going", (int)record->going, "controllers", controllers);
}

long namespace_records_write(const struct namespace_records *records, char text[NAMESPACE_RECORDS_BYTES])
{
    json_t *list = json_array();
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++)
        if (records->namespaces[i].wish.nsid)
            json_array_append_new(list, write_one(&records->namespaces[i]));
    json_t *root =
        json_pack("{s:i, s:o, s:o}", "version", VERSION, "controllers", write_names(records), "namespaces", list);
    size_t bytes = root ? json_dumpb(root, text, NAMESPACE_RECORDS_BYTES, JSON_COMPACT) : 0;
    json_decref(root);
    return bytes && bytes <= NAMESPACE_RECORDS_BYTES ? (long)bytes : -ENOMEM;
}

static bool read_uuid(const char *text, uint8_t uuid[16])
{
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    for (unsigned i = 0; i < 16; i++) {
        unsigned value;
        if (sscanf(text + 2 * (size_t)i, "%2x", &value) != 1)
            return false;
        uuid[i] = (uint8_t)value;
    }
    return true;
}

static bool read_controllers(const json_t *list, uint64_t *mask)
{
    *mask = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= NVME_CONTROLLERS_MAX)
            return false;
        *mask |= UINT64_C(1) << json_integer_value(id);
    }
    return json_is_array(list);
}

static bool read_one(struct namespace_records *records, json_t *object)
{
    int nsid, block, group, shared, going;
    const char *uuid;
    const json_t *controllers;
    if (json_unpack(object, "{s:i, s:s, s:i, s:i, s:b, s:b, s:o !}", "nsid", &nsid, "uuid", &uuid, "block_size", &block,
                    "ana_group", &group, "shared", &shared, "going", &going, "controllers", &controllers) < 0)
        return false;
    if (nsid < 1 || nsid > (int)NVME_NAMESPACES_MAX || group < 1 || group > (int)NVME_ANA_GROUPS ||
        (block != 512 && block != 4096))
        return false;
    struct namespace_record *record = &records->namespaces[nsid - 1];
    if (record->wish.nsid || !read_uuid(uuid, record->uuid) || !read_controllers(controllers, &record->controllers))
        return false;
    record->wish = (struct nvme_namespace_wish){
        .nsid = (uint32_t)nsid, .block_bytes = (uint32_t)block, .ana_group = (uint32_t)group, .shared = shared};
    record->going = going;
    return true;
}

static bool read_names(struct namespace_records *records, const json_t *list)
{
    if (!json_is_array(list) || json_array_size(list) > NVME_CONTROLLERS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || strlen(name) >= NET_NAME_BYTES)
            return false;
        memcpy(records->controllers[i], name, strlen(name) + 1);
    }
    return true;
}

int namespace_records_read(struct namespace_records *records, const char *text, size_t bytes)
{
    memset(records, 0, sizeof *records);
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL), *names, *list;
    int version;
    bool good =
        json_unpack(root, "{s:i, s:o, s:o !}", "version", &version, "controllers", &names, "namespaces", &list) == 0 &&
        version == VERSION && read_names(records, names) && json_is_array(list);
    for (size_t i = 0; good && i < json_array_size(list); i++)
        good = read_one(records, json_array_get(list, i));
    json_decref(root);
    return good ? 0 : -EINVAL;
}
