/* SPDX-License-Identifier: Apache-2.0 */
/* Namespace Management and Namespace Attachment (Base 5.22, 5.21), where the owner lets guests make volumes. */
#include <errno.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define MANAGE_CREATE   0u
#define MANAGE_DELETE   1u
#define ATTACH          0u
#define DETACH          1u
#define CONTROLLERS_MAX 2047u

static uint32_t free_id(struct nvme_subsystem *subsystem)
{
    uint32_t nsid = 1;
    pthread_mutex_lock(&subsystem->lock);
    while (nsid <= NVME_NAMESPACES_MAX && subsystem->namespaces[nsid - 1])
        nsid++;
    pthread_mutex_unlock(&subsystem->lock);
    return nsid;
}

static uint16_t make(struct nvme_request *request, uint64_t bytes, uint32_t block, uint32_t group)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    struct block_volume *volume;
    uint32_t nsid = free_id(subsystem);
    if (nsid > NVME_NAMESPACES_MAX)
        return NVME_NAMESPACE_IDENTIFIER_UNAVAILABLE;
    int result = ops->volume_make(subsystem->settings.context, bytes, block, &volume);
    if (result)
        return result == -ENOSPC ? NVME_INSUFFICIENT_CAPACITY : NVME_INTERNAL_ERROR;
    if (nvme_namespace_add(subsystem, nsid, volume, group, NULL)) {
        ops->volume_remove(subsystem->settings.context, volume);
        return NVME_INTERNAL_ERROR;
    }
    pthread_mutex_lock(&subsystem->lock);
    subsystem->namespaces[nsid - 1]->made = true;
    pthread_mutex_unlock(&subsystem->lock);
    request->result = nsid;
    return NVME_SUCCESS;
}

/* NVM figure 106: of the namespace's data structure only some fields are the host's. */
static uint16_t create(struct nvme_request *request)
{
    struct nvme_identify_namespace wanted;
    uint16_t status = nvme_from_guest(request, &wanted, sizeof wanted);
    if (status)
        return status;
    uint32_t group = wanted.ana_group ? wanted.ana_group : 1, shift = wanted.format & 15 ? 12 : 9;
    if (wanted.format & 0xfe || wanted.protection_type)
        return NVME_INVALID_FORMAT;
    if (group > NVME_ANA_GROUPS)
        return NVME_ANA_GROUP_IDENTIFIER;
    if (wanted.size == 0 || wanted.size >> 48 || wanted.sharing > 1)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION_NONE);
    if (wanted.capacity != wanted.size)
        return NVME_THIN_PROVISIONING;
    return make(request, wanted.size << shift, 1u << shift, group);
}

static uint16_t remove_one(struct nvme_request *request, uint32_t nsid)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->lock);
    struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    bool made = namespace && namespace->made;
    struct block_volume *volume = namespace ? namespace->volume : NULL;
    pthread_mutex_unlock(&subsystem->lock);
    if (!namespace)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
    if (!made) /* the operator's */
        return NVME_OPERATION_DENIED;
    if (nvme_namespace_remove(subsystem, nsid) == 0)
        subsystem->settings.ops->volume_remove(subsystem->settings.context, volume);
    return NVME_SUCCESS;
}

static bool is_made(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    bool made = namespace && namespace->made;
    pthread_mutex_unlock(&subsystem->lock);
    return made;
}

uint16_t nvme_namespace_management(struct nvme_request *request)
{
    uint32_t nsid = request->command.namespace_id, select = request->command.dword10 & 15;
    if (select > MANAGE_DELETE)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (select == MANAGE_CREATE) {
        if (nsid != 0)
            return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
        if (request->command.dword11 >> 24)
            return nvme_refuse(request, NVME_COMMAND_SET_INVALID, NVME_LOCATION(47, 0));
        return create(request);
    }
    if (nsid == 0 || (nsid > NVME_NAMESPACES_MAX && nsid != NVME_BROADCAST))
        return nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
    if (nsid != NVME_BROADCAST)
        return remove_one(request, nsid);
    for (uint32_t i = 1; i <= NVME_NAMESPACES_MAX; i++)
        if (is_made(request->controller->subsystem, i))
            remove_one(request, i);
    return NVME_SUCCESS;
}

/* With subsystem.lock held: all controllers of the list can be attached to, or detached from. */
static uint16_t check_list(const struct nvme_subsystem *subsystem, uint32_t nsid, uint32_t select, const uint16_t *list)
{
    if (list[0] == 0 || list[0] > CONTROLLERS_MAX)
        return NVME_CONTROLLER_LIST_INVALID;
    for (unsigned i = 1; i <= list[0]; i++) {
        if ((i > 1 && list[i] <= list[i - 1]) || list[i] >= NVME_CONTROLLERS_MAX || !subsystem->controllers[list[i]])
            return NVME_CONTROLLER_LIST_INVALID;
        bool attached = nvme_namespace_is_attached(subsystem->controllers[list[i]], nsid);
        if (select == ATTACH && attached)
            return NVME_NAMESPACE_ALREADY_ATTACHED;
        if (select == DETACH && !attached)
            return NVME_NAMESPACE_NOT_ATTACHED;
    }
    return NVME_SUCCESS;
}

static uint16_t attach_list(struct nvme_request *request, uint32_t nsid, uint32_t select, const uint16_t *list)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    uint16_t status = nvme_namespace_find(subsystem, nsid)
                          ? check_list(subsystem, nsid, select, list)
                          : nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
    pthread_mutex_unlock(&subsystem->lock);
    for (unsigned i = 1; i <= list[0] && !status; i++) {
        struct nvme_controller *controller = subsystem->controllers[list[i]];
        if (select == ATTACH ? nvme_attach(controller, nsid, NULL) : nvme_detach(controller, nsid))
            status = NVME_INTERNAL_ERROR;
    }
    pthread_mutex_unlock(&subsystem->reserving);
    return status;
}

uint16_t nvme_namespace_attachment(struct nvme_request *request)
{
    uint16_t list[2048];
    uint32_t nsid = request->command.namespace_id, select = request->command.dword10 & 15;
    if (select > DETACH)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX)
        return nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
    uint16_t status = nvme_from_guest(request, list, sizeof list);
    return status ? status : attach_list(request, nsid, select, list);
}
