/* SPDX-License-Identifier: Apache-2.0 */
/* Subsystems: their namespaces, which controllers have them, and what these hear of changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

int nvme_subsystem_create(struct block_engine *engine, const struct nvme_subsystem_settings *settings,
                          struct nvme_subsystem **subsystem, struct cipu_error *error)
{
    if (!settings->serial[0])
        return cipu_fail(error, -EINVAL, "nvme: a subsystem without a serial number");
    struct nvme_subsystem *created = calloc(1, sizeof *created);
    if (!created)
        return cipu_fail(error, -ENOMEM, "nvme: out of memory");
    created->engine = engine;
    created->settings = *settings;
    if (!settings->nqn[0])
        snprintf(created->settings.nqn, sizeof created->settings.nqn, "nqn.2026-11.org.opencipu:subsystem:%s",
                 settings->serial);
    if (!settings->model[0])
        strcpy(created->settings.model, "OpenCIPU NVMe");
    pthread_mutex_init(&created->managing, NULL);
    pthread_mutex_init(&created->reserving, NULL);
    pthread_mutex_init(&created->lock, NULL);
    pthread_cond_init(&created->idle, NULL);
    *subsystem = created;
    return 0;
}

int nvme_subsystem_destroy(struct nvme_subsystem *subsystem)
{
    for (unsigned i = 0; i < NVME_CONTROLLERS_MAX; i++)
        if (subsystem->controllers[i])
            return -EBUSY;
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++)
        if (subsystem->namespaces[i])
            return -EBUSY;
    nvme_sanitize_join(subsystem);
    pthread_cond_destroy(&subsystem->idle);
    pthread_mutex_destroy(&subsystem->lock);
    pthread_mutex_destroy(&subsystem->reserving);
    pthread_mutex_destroy(&subsystem->managing);
    free(subsystem);
    return 0;
}

static void tell_attached(struct nvme_subsystem *subsystem, const struct nvme_namespace *namespace)
{
    for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
        if (namespace->attached >> id & 1)
            nvme_event_namespace(subsystem->controllers[id], namespace->id);
}

static int measure(struct nvme_namespace *namespace, struct cipu_error *error)
{
    block_volume_info(namespace->volume, &namespace->info);
    uint32_t block = namespace->info.settings.block_bytes ? namespace->info.settings.block_bytes : 512;
    if (block != 512 && block != 4096)
        return cipu_fail(error, -EINVAL, "nvme: volume %s has blocks of %u bytes, expected 512 or 4096",
                         namespace->info.settings.name, block);
    namespace->shift = block == 4096 ? 12 : 9;
    namespace->blocks = namespace->info.settings.bytes >> namespace->shift;
    if (namespace->blocks == 0)
        return cipu_fail(error, -EINVAL, "nvme: volume %s is empty", namespace->info.settings.name);
    return 0;
}

/* On the thread that resized it. */
static void resized(void *context, struct block_volume *volume)
{
    struct nvme_namespace *namespace = context;
    struct nvme_subsystem *subsystem = namespace->subsystem;
    (void)volume;
    pthread_mutex_lock(&subsystem->lock);
    measure(namespace, NULL);
    for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
        if (namespace->attached >> id & 1)
            nvme_card_namespace_set(subsystem->controllers[id], namespace->id);
    tell_attached(subsystem, namespace);
    pthread_mutex_unlock(&subsystem->lock);
}

/* With subsystem.lock held. */
static bool is_taken(const struct nvme_subsystem *subsystem, uint32_t nsid, bool made)
{
    return subsystem->namespaces[nsid - 1] || (!made && subsystem->making >> (nsid - 1) & 1);
}

static int enter(struct nvme_namespace *namespace, struct cipu_error *error)
{
    struct nvme_subsystem *subsystem = namespace->subsystem;
    uint32_t nsid = namespace->id;
    namespace->listener = (struct volume_listener){.resized = resized, .context = namespace};
    int result = measure(namespace, error);
    if (result)
        return result;
    nvme_reservation_load(namespace);
    pthread_mutex_lock(&subsystem->lock);
    if (is_taken(subsystem, nsid, namespace->made))
        result = cipu_fail(error, -EEXIST, "nvme: namespace %u is there already", nsid);
    else
        subsystem->namespaces[nsid - 1] = namespace;
    pthread_mutex_unlock(&subsystem->lock);
    return result;
}

static int add(const struct nvme_namespace *settings, struct cipu_error *error)
{
    uint32_t nsid = settings->id, group = settings->ana_group;
    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX || group == 0 || group > NVME_ANA_GROUPS)
        return cipu_fail(error, -EINVAL, "nvme: namespace %u in ANA group %u, expected 1 .. %u in 1 .. %u", nsid, group,
                         NVME_NAMESPACES_MAX, NVME_ANA_GROUPS);
    struct nvme_namespace *namespace = malloc(sizeof *namespace);
    if (!namespace)
        return cipu_fail(error, -ENOMEM, "nvme: out of memory");
    *namespace = *settings;
    int result = enter(namespace, error);
    if (result) {
        free(namespace);
        return result;
    }
    block_volume_listen(namespace->volume, &namespace->listener);
    return 0;
}

int nvme_namespace_add(struct nvme_subsystem *subsystem, uint32_t nsid, struct block_volume *volume, uint32_t ana_group,
                       struct cipu_error *error)
{
    const struct nvme_namespace settings = {
        .subsystem = subsystem, .id = nsid, .volume = volume, .ana_group = ana_group, .shared = true};
    return add(&settings, error);
}

int nvme_namespace_restore(struct nvme_subsystem *subsystem, const struct nvme_namespace_wish *wish,
                           struct block_volume *volume, struct cipu_error *error)
{
    const struct nvme_namespace settings = {.subsystem = subsystem,
                                            .id = wish->nsid,
                                            .volume = volume,
                                            .ana_group = wish->ana_group,
                                            .shared = wish->shared,
                                            .made = true};
    return add(&settings, error);
}

struct block_volume *nvme_namespace_volume(struct nvme_subsystem *subsystem, uint32_t nsid, uint64_t *controllers)
{
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    struct block_volume *volume = namespace ? namespace->volume : NULL;
    *controllers = namespace ? namespace->attached : 0;
    pthread_mutex_unlock(&subsystem->lock);
    return volume;
}

int nvme_namespace_remove(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    pthread_mutex_lock(&subsystem->reserving);
    for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
        if (subsystem->controllers[id])
            nvme_detach(subsystem->controllers[id], nsid);
    pthread_mutex_lock(&subsystem->lock);
    struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    if (namespace)
        subsystem->namespaces[nsid - 1] = NULL;
    pthread_mutex_unlock(&subsystem->reserving);
    while (namespace && namespace->users)
        pthread_cond_wait(&subsystem->idle, &subsystem->lock);
    pthread_mutex_unlock(&subsystem->lock);
    if (!namespace)
        return -ENOENT;
    block_volume_unlisten(namespace->volume, &namespace->listener);
    free(namespace);
    return 0;
}

/* With subsystem.lock held. */
static int attach_volume(struct nvme_controller *controller, uint32_t nsid, struct cipu_error *error)
{
    struct nvme_namespace *namespace = nvme_namespace_find(controller->subsystem, nsid);
    if (!namespace)
        return cipu_fail(error, -ENOENT, "nvme: no namespace %u", nsid);
    if (nvme_namespace_is_attached(controller, nsid))
        return cipu_fail(error, -EEXIST, "nvme: namespace %u is attached to controller %u already", nsid,
                         controller->id);
    if (!namespace->shared && namespace->attached)
        return cipu_fail(error, -EBUSY, "nvme: namespace %u is of one controller only, and another has it", nsid);
    int result = block_volume_attach(namespace->volume, controller->function, error);
    if (result)
        return result;
    namespace->attached |= UINT64_C(1) << controller->id;
    controller->attached |= UINT64_C(1) << (nsid - 1);
    return 0;
}

/* The volume knows the function before the card does, with the access that it has now. */
int nvme_attach(struct nvme_controller *controller, uint32_t nsid, struct cipu_error *error)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    pthread_mutex_lock(&subsystem->lock);
    int result = attach_volume(controller, nsid, error);
    pthread_mutex_unlock(&subsystem->lock);
    if (result)
        return result;
    nvme_access_update(subsystem, nsid);
    pthread_mutex_lock(&subsystem->lock);
    result = nvme_card_namespace_set(controller, nsid);
    nvme_event_namespace(controller, nsid);
    pthread_mutex_unlock(&subsystem->lock);
    return result ? cipu_fail(error, result, "nvme: the card does not take namespace %u: %s", nsid, strerror(-result))
                  : 0;
}

/* The card forgets it before the volume does: what it still sends is refused by the engine, as is what the worker is
 * at. */
int nvme_detach(struct nvme_controller *controller, uint32_t nsid)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    pthread_mutex_lock(&subsystem->lock);
    struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    if (!namespace || !nvme_namespace_is_attached(controller, nsid)) {
        pthread_mutex_unlock(&subsystem->lock);
        return -ENOENT;
    }
    controller->attached &= ~(UINT64_C(1) << (nsid - 1));
    nvme_card_namespace_set(controller, nsid);
    namespace->attached &= ~(UINT64_C(1) << controller->id);
    controller->features.reservation_mask[nsid - 1] = 0;
    nvme_event_namespace(controller, nsid);
    struct block_volume *volume = namespace->volume;
    pthread_mutex_unlock(&subsystem->lock);
    block_volume_detach(volume, controller->function);
    return 0;
}

int nvme_namespace_attach(struct nvme_controller *controller, uint32_t nsid, struct cipu_error *error)
{
    pthread_mutex_lock(&controller->subsystem->reserving);
    int result = nvme_attach(controller, nsid, error);
    pthread_mutex_unlock(&controller->subsystem->reserving);
    return result;
}

int nvme_namespace_detach(struct nvme_controller *controller, uint32_t nsid)
{
    pthread_mutex_lock(&controller->subsystem->reserving);
    int result = nvme_detach(controller, nsid);
    pthread_mutex_unlock(&controller->subsystem->reserving);
    return result;
}

int nvme_ana_set(struct nvme_controller *controller, unsigned group, unsigned state, struct cipu_error *error)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    bool known = (state >= NVME_ANA_STATE_OPTIMIZED && state <= NVME_ANA_STATE_PERSISTENT_LOSS) ||
                 state == NVME_ANA_STATE_CHANGE;
    if (group == 0 || group > NVME_ANA_GROUPS || !known)
        return cipu_fail(error, -EINVAL, "nvme: ANA group %u, state %u, expected 1 .. %u and 1 .. 4 or 15", group,
                         state, NVME_ANA_GROUPS);
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    bool changed = controller->ana[group - 1] != state;
    controller->ana[group - 1] = (uint8_t)state;
    if (changed)
        controller->ana_changes[group - 1] = ++controller->ana_change_count;
    pthread_mutex_unlock(&subsystem->lock);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && changed; nsid++)
        nvme_access_update(subsystem, nsid);
    pthread_mutex_unlock(&subsystem->reserving);
    if (changed)
        nvme_event_post(controller, NVME_EVENT_NOTICE, NVME_NOTICE_ANA);
    return 0;
}

void nvme_subsystem_leave(struct nvme_controller *controller)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    pthread_mutex_lock(&subsystem->reserving);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        nvme_detach(controller, nsid);
    pthread_mutex_lock(&subsystem->lock);
    if (subsystem->controllers[controller->id] == controller)
        subsystem->controllers[controller->id] = NULL;
    pthread_mutex_unlock(&subsystem->lock);
    pthread_mutex_unlock(&subsystem->reserving);
}

int nvme_reservation_list(struct nvme_subsystem *subsystem, uint32_t nsid, struct nvme_reservation_listing *listing)
{
    pthread_mutex_lock(&subsystem->lock);
    const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    memset(listing, 0, sizeof *listing);
    if (namespace) {
        const struct nvme_reservation *from = &namespace->reservation;
        listing->generation = from->generation;
        listing->type = from->type;
        listing->persistent = from->persistent;
        listing->count = from->count;
        for (unsigned i = 0; i < from->count; i++) {
            memcpy(listing->registrants[i].host, from->registrants[i].host.identifier, 16);
            listing->registrants[i].controller = from->registrants[i].host.controller;
            listing->registrants[i].key = from->registrants[i].key;
            listing->registrants[i].holder = nvme_reservation_holds(from, &from->registrants[i]);
        }
    }
    pthread_mutex_unlock(&subsystem->lock);
    return namespace ? 0 : -ENOENT;
}
