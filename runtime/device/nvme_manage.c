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

/* Takes the first id that is free, so that nobody else does; NVME_NAMESPACES_MAX + 1 when there is none. */
static uint32_t take_id(struct nvme_subsystem *subsystem, uint32_t from)
{
    uint32_t nsid = from;
    pthread_mutex_lock(&subsystem->lock);
    while (nsid <= NVME_NAMESPACES_MAX && subsystem->namespaces[nsid - 1])
        nsid++;
    if (nsid <= NVME_NAMESPACES_MAX)
        subsystem->making = UINT64_C(1) << (nsid - 1);
    pthread_mutex_unlock(&subsystem->lock);
    return nsid;
}

static void give_id(struct nvme_subsystem *subsystem)
{
    pthread_mutex_lock(&subsystem->lock);
    subsystem->making = 0;
    pthread_mutex_unlock(&subsystem->lock);
}

/* With subsystem.managing held. -EEXIST: the id is free, but there is a volume of its name. */
static int make_as(struct nvme_subsystem *subsystem, const struct nvme_namespace_wish *wish)
{
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    void *context = subsystem->settings.context;
    struct block_volume *volume;
    int result = ops->volume_make(context, wish, &volume);
    if (result)
        return result;
    result = nvme_namespace_restore(subsystem, wish, volume, NULL);
    if (result && ops->volume_retire(context, wish->nsid) == 0)
        ops->volume_remove(context, wish->nsid);
    return result ? -EIO : 0;
}

static int make_somewhere(struct nvme_subsystem *subsystem, struct nvme_namespace_wish *wish)
{
    int result = -EEXIST;
    wish->nsid = 0;
    while (result == -EEXIST) {
        wish->nsid = take_id(subsystem, wish->nsid + 1);
        result = wish->nsid > NVME_NAMESPACES_MAX ? -EMFILE : make_as(subsystem, wish);
    }
    give_id(subsystem);
    return result;
}

static uint16_t make(struct nvme_request *request, struct nvme_namespace_wish *wish)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->managing);
    int result = make_somewhere(subsystem, wish);
    pthread_mutex_unlock(&subsystem->managing);
    request->result = wish->nsid;
    if (result == -ENOSPC)
        request->specific = wish->bytes; /* Base 5.22: what it would take */
    switch (result) {
    case 0:
        return NVME_SUCCESS;
    case -ENOSPC:
        return NVME_INSUFFICIENT_CAPACITY;
    case -EMFILE:
        return NVME_NAMESPACE_IDENTIFIER_UNAVAILABLE;
    default:
        return NVME_INTERNAL_ERROR;
    }
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
    struct nvme_namespace_wish wish = {
        .bytes = wanted.size << shift, .block_bytes = 1u << shift, .ana_group = group, .shared = wanted.sharing & 1};
    return make(request, &wish);
}

/* With subsystem.managing held: that it goes is known before it goes. */
static int remove_made(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    int result = ops->volume_retire(subsystem->settings.context, nsid);
    if (result)
        return result;
    nvme_namespace_remove(subsystem, nsid);
    ops->volume_remove(subsystem->settings.context, nsid);
    return 0;
}

/* 0: a guest made it; -ENOENT; -EPERM: it is the operator's. */
static int check_made(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    int result = !namespace ? -ENOENT : namespace->made ? 0 : -EPERM;
    pthread_mutex_unlock(&subsystem->lock);
    return result;
}

/* Nobody has it, and no sanitize operation, which would be waited for. */
static bool is_at_rest(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    bool rests = namespace && !namespace->attached && subsystem->sanitize.state != NVME_SANITIZE_RUNNING;
    pthread_mutex_unlock(&subsystem->lock);
    return rests;
}

static uint16_t remove_one(struct nvme_request *request, uint32_t nsid)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    int result = check_made(subsystem, nsid);
    if (result == -ENOENT)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
    if (result)
        return NVME_OPERATION_DENIED;
    return remove_made(subsystem, nsid) ? NVME_INTERNAL_ERROR : NVME_SUCCESS;
}

static uint16_t remove_all(struct nvme_request *request)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    uint16_t status = NVME_SUCCESS;
    for (uint32_t i = 1; i <= NVME_NAMESPACES_MAX && !status; i++)
        if (check_made(subsystem, i) == 0)
            status = remove_one(request, i);
    return status;
}

int nvme_namespace_delete(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    if (pthread_mutex_trylock(&subsystem->managing) != 0)
        return -EBUSY;
    int result = check_made(subsystem, nsid);
    if (!result && !is_at_rest(subsystem, nsid))
        result = -EBUSY;
    if (!result)
        result = remove_made(subsystem, nsid);
    pthread_mutex_unlock(&subsystem->managing);
    return result;
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
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->managing);
    uint16_t status = nsid == NVME_BROADCAST ? remove_all(request) : remove_one(request, nsid);
    pthread_mutex_unlock(&subsystem->managing);
    return status;
}

/* With subsystem.lock held: all controllers of the list can be attached to, or detached from. Whom an operator's
 * namespaces belong to is the operator's to say. */
static uint16_t check_list(const struct nvme_subsystem *subsystem, const struct nvme_namespace *namespace,
                           uint32_t select, const uint16_t *list)
{
    if (list[0] == 0 || list[0] > CONTROLLERS_MAX)
        return NVME_CONTROLLER_LIST_INVALID;
    for (unsigned i = 1; i <= list[0]; i++) {
        if ((i > 1 && list[i] <= list[i - 1]) || list[i] >= NVME_CONTROLLERS_MAX || !subsystem->controllers[list[i]])
            return NVME_CONTROLLER_LIST_INVALID;
        bool attached = nvme_namespace_is_attached(subsystem->controllers[list[i]], namespace->id);
        if (select == ATTACH && attached)
            return NVME_NAMESPACE_ALREADY_ATTACHED;
        if (select == DETACH && !attached)
            return NVME_NAMESPACE_NOT_ATTACHED;
    }
    if (!namespace->made)
        return NVME_OPERATION_DENIED;
    if (select == ATTACH && !namespace->shared && (namespace->attached || list[0] > 1))
        return NVME_NAMESPACE_IS_PRIVATE;
    return NVME_SUCCESS;
}

/* What is kept comes first: a namespace that is attached is so after a restart, too. */
static int change_attachment(struct nvme_subsystem *subsystem, uint32_t nsid, uint16_t id, bool attach)
{
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    void *context = subsystem->settings.context;
    struct nvme_controller *controller = subsystem->controllers[id];
    int result = ops->volume_attach(context, nsid, id, attach);
    if (result)
        return result;
    result = attach ? nvme_attach(controller, nsid, NULL) : nvme_detach(controller, nsid);
    if (result && attach)
        ops->volume_attach(context, nsid, id, false);
    return result;
}

/* With subsystem.managing held. */
static uint16_t attach_list(struct nvme_request *request, uint32_t nsid, uint32_t select, const uint16_t *list)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    uint16_t status = namespace ? check_list(subsystem, namespace, select, list)
                                : nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
    pthread_mutex_unlock(&subsystem->lock);
    for (unsigned i = 1; i <= list[0] && !status; i++)
        if (change_attachment(subsystem, nsid, list[i], select == ATTACH))
            status = NVME_INTERNAL_ERROR;
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
    if (status)
        return status;
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->managing);
    status = attach_list(request, nsid, select, list);
    pthread_mutex_unlock(&subsystem->managing);
    return status;
}
