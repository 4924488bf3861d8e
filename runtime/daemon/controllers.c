/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/controllers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/volumes.h"

/* ---- attachments ---- */

/* What a guest made stays with the controllers of its subsystem. */
static int check_owner(const struct volume_record *record, const struct subsystem *subsystem, struct cipu_error *error)
{
    if (record->pool && (!subsystem || record->pool != subsystem->pool))
        return cipu_fail(error, -EPERM, "volume %s belongs to the guests of subsystem %s", record->wanted.name,
                         record->pool->name);
    return 0;
}

static int attach(struct daemon *daemon, struct controller *controller, const char *name, uint32_t *nsid,
                  struct cipu_error *error)
{
    const struct volume_record *record = daemon_volume_by_name(daemon, name);
    if (!record)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that is there", name);
    if (!controller->nvme)
        return cipu_fail(error, -ENOTSUP, "controller %s has one disk, expected one of type nvme",
                         controller->settings.name);
    int result = check_owner(record, controller->subsystem, error);
    if (result == 0)
        result = subsystem_namespace(controller->subsystem, record->volume, nsid, error);
    if (result == 0)
        result = nvme_namespace_attach(controller->nvme, *nsid, error);
    if (result == 0 && record->pool)
        result = namespace_pool_attach(record->pool, *nsid, controller->cntlid, true);
    return result;
}

int daemon_volume_attach(struct daemon *daemon, struct controller *controller, const char *name, uint32_t *nsid,
                         struct cipu_error *error)
{
    daemon_volumes_lock(daemon);
    int result = attach(daemon, controller, name, nsid, error);
    daemon_volumes_unlock(daemon);
    return result;
}

static int detach(struct daemon *daemon, struct controller *controller, const char *name)
{
    const struct volume_record *record = daemon_volume_by_name(daemon, name);
    uint64_t controllers;
    if (!record || !controller->nvme)
        return -ENOENT;
    struct nvme_subsystem *nvme = controller->subsystem->nvme;
    uint32_t nsid = subsystem_find(controller->subsystem, record->volume, &controllers);
    int result = nsid ? nvme_namespace_detach(controller->nvme, nsid) : -ENOENT;
    if (result < 0)
        return result;
    if (record->pool)
        return namespace_pool_attach(record->pool, nsid, controller->cntlid, false);
    if (controllers == UINT64_C(1) << controller->cntlid) /* nobody has it any more */
        nvme_namespace_remove(nvme, nsid);
    return 0;
}

int daemon_volume_detach(struct daemon *daemon, struct controller *controller, const char *name,
                         struct cipu_error *error)
{
    daemon_volumes_lock(daemon);
    int result = detach(daemon, controller, name);
    daemon_volumes_unlock(daemon);
    return result == -ENOENT ? cipu_fail(error, result, "found volume %s, expected one that controller %s has", name,
                                         controller->settings.name)
                             : result;
}

/* Where a volume that a guest made belongs; NULL = no guest did. */
static struct namespace_pool *find_made(struct daemon *daemon, const char *name, uint32_t *nsid)
{
    daemon_volumes_lock(daemon);
    const struct volume_record *record = daemon_volume_by_name(daemon, name);
    struct namespace_pool *pool = record ? record->pool : NULL;
    bool found = false;
    for (*nsid = 1; pool && *nsid <= NVME_NAMESPACES_MAX && !found; *nsid += !found) {
        struct namespace_record kept;
        struct block_volume *volume;
        found = namespace_pool_get(pool, *nsid, &kept, &volume) && volume == record->volume;
    }
    daemon_volumes_unlock(daemon);
    return found ? pool : NULL;
}

int daemon_volume_destroy(struct daemon *daemon, const char *name, struct cipu_error *error)
{
    uint32_t nsid;
    struct namespace_pool *pool = find_made(daemon, name, &nsid);
    const struct subsystem *subsystem = daemon->subsystems;
    while (subsystem && subsystem->pool != pool)
        subsystem = subsystem->next;
    if (!pool)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that a guest made", name);
    int result = subsystem ? nvme_namespace_delete(subsystem->nvme, nsid) : namespace_pool_retire(pool, nsid);
    if (result == 0 && !subsystem)
        namespace_pool_remove(pool, nsid);
    return result ? cipu_fail(error, result, "volume %s: %s", name,
                              result == -EBUSY ? "a controller has it, or a guest is making or deleting another one"
                                               : strerror(-result))
                  : 0;
}

/* ---- controllers ---- */

static int check_settings(struct daemon *daemon, const struct controller_settings *settings, struct cipu_error *error)
{
    if (daemon->functions[settings->id] || daemon->controllers[settings->id])
        return cipu_fail(error, -EEXIST, "function %u is there already", settings->id);
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct controller *other = daemon->controllers[i];
        if (other && strcmp(other->settings.name, settings->name) == 0)
            return cipu_fail(error, -EEXIST, "controller %u has the name %s already", i, settings->name);
        if (other && strcmp(other->settings.socket, settings->socket) == 0)
            return cipu_fail(error, -EEXIST, "controller %u has the socket %s already", i, settings->socket);
    }
    return 0;
}

/* The namespaces that its guests had attached to it. */
static int attach_made(struct controller *controller, struct cipu_error *error)
{
    int result = 0;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && result == 0; nsid++) {
        struct namespace_record record;
        struct block_volume *volume;
        uint64_t there, bit = UINT64_C(1) << controller->cntlid;
        if (namespace_pool_get(controller->subsystem->pool, nsid, &record, &volume) && record.controllers & bit &&
            nvme_namespace_volume(controller->subsystem->nvme, nsid, &there) && !(there & bit))
            result = nvme_namespace_attach(controller->nvme, nsid, error);
    }
    return result;
}

static int open_nvme(struct daemon *daemon, struct controller *controller, struct cipu_error *error)
{
    const struct controller_settings *settings = &controller->settings;
    int result = daemon_subsystem_take(daemon, settings, &controller->subsystem, error);
    if (result == 0)
        result = subsystem_controller_id(controller->subsystem, settings->name, &controller->cntlid, error);
    if (result < 0)
        return result;
    struct nvme_settings nvme = {
        .function = settings->id,
        .subsystem = controller->subsystem->nvme,
        .queues = settings->queues,
        .map_doorbells = daemon->map_doorbells,
        .cntlid = controller->cntlid,
    };
    result = nvme_create(daemon->card, daemon->host, daemon->block, &nvme, &controller->nvme, error);
    if (result < 0)
        return result;
    controller->subsystem->controllers |= UINT64_C(1) << controller->cntlid;
    for (unsigned i = 0; i < settings->volume_count && result == 0; i++) {
        uint32_t nsid;
        result = daemon_volume_attach(daemon, controller, settings->volumes[i], &nsid, error);
    }
    return result == 0 && controller->subsystem->pool ? attach_made(controller, error) : result;
}

/* With volumes_lock held. */
static int create_blk(struct daemon *daemon, struct controller *controller, struct cipu_error *error)
{
    const struct controller_settings *settings = &controller->settings;
    if (settings->volume_count != 1)
        return cipu_fail(error, -EINVAL,
                         "controller %s: found %u volumes, expected one: a virtio-blk function is one disk",
                         settings->name, settings->volume_count);
    const struct volume_record *record = daemon_volume_by_name(daemon, settings->volumes[0]);
    if (!record)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that is there", settings->volumes[0]);
    int result = check_owner(record, NULL, error);
    if (result < 0)
        return result;
    struct virtio_blk_settings blk = {
        .function = settings->id,
        .volume = record->volume,
        .queues = settings->queues,
        .serial = settings->serial[0] ? settings->serial : NULL,
        .vhost = settings->vhost_user,
        .map_doorbells = daemon->map_doorbells,
    };
    return virtio_blk_create(daemon->card, daemon->host, daemon->block, &blk, &controller->blk, error);
}

/* A virtio-blk function is one disk. */
static int open_blk(struct daemon *daemon, struct controller *controller, struct cipu_error *error)
{
    daemon_volumes_lock(daemon);
    int result = create_blk(daemon, controller, error);
    daemon_volumes_unlock(daemon);
    return result;
}

static void free_controller(struct daemon *daemon, struct controller *controller)
{
    if (controller->server)
        vfio_user_server_destroy(controller->server);
    if (controller->vhost_server)
        vhost_user_server_destroy(controller->vhost_server);
    if (controller->blk)
        virtio_blk_destroy(controller->blk);
    if (controller->nvme) {
        nvme_destroy(controller->nvme);
        controller->subsystem->controllers &= ~(UINT64_C(1) << controller->cntlid);
    }
    if (controller->subsystem)
        daemon_subsystem_drop(daemon, controller->subsystem);
    free(controller);
}

/* From here on the card's events find the controller, or no longer. */
static void set_controller(struct daemon *daemon, unsigned id, struct controller *controller)
{
    pthread_mutex_lock(&daemon->functions_lock);
    daemon->controllers[id] = controller;
    pthread_mutex_unlock(&daemon->functions_lock);
}

static int open_device(struct daemon *daemon, struct controller *controller, struct cipu_error *error)
{
    if (controller->settings.type == CONTROLLER_VIRTIO_BLK)
        return open_blk(daemon, controller, error);
    if (controller->settings.vhost_user)
        return cipu_fail(error, -EINVAL,
                         "controller %s: found transport vhost-user, expected vfio-user: NVMe has no other",
                         controller->settings.name);
    return open_nvme(daemon, controller, error);
}

static int open_socket(struct controller *controller, struct cipu_error *error)
{
    const char *path = controller->settings.socket;
    if (controller->nvme)
        return vfio_user_server_create(path, &nvme_ops, controller->nvme, &controller->server, error);
    if (controller->settings.vhost_user)
        return vhost_user_server_create(path, &virtio_blk_vhost_ops, controller->blk, &controller->vhost_server, error);
    return vfio_user_server_create(path, &virtio_pci_device_ops, controller->blk, &controller->server, error);
}

int daemon_controller_add(struct daemon *daemon, const struct controller_settings *settings, enum origin origin,
                          struct cipu_error *error)
{
    struct block_engine *engine;
    int result = check_settings(daemon, settings, error);
    if (result == 0)
        result = daemon_block_engine(daemon, &engine, error);
    if (result < 0)
        return result;
    struct controller *controller = calloc(1, sizeof *controller);
    if (!controller)
        return cipu_fail(error, -ENOMEM, "no memory for controller %s", settings->name);
    controller->settings = *settings;
    controller->origin = origin;
    result = open_device(daemon, controller, error);
    if (result == 0) {
        set_controller(daemon, settings->id, controller);
        /* The socket comes last: who connects finds everything there. */
        result = open_socket(controller, error);
    }
    if (result < 0) {
        set_controller(daemon, settings->id, NULL);
        free_controller(daemon, controller);
        return result;
    }
    log_info("controller created", "id=%u\tname=%s\tsocket=%s\tvolumes=%u", settings->id, settings->name,
             settings->socket, settings->volume_count);
    return 0;
}

int daemon_controller_remove(struct daemon *daemon, unsigned id, struct cipu_error *error)
{
    struct controller *controller = id < CARD_FUNCTIONS ? daemon->controllers[id] : NULL;
    if (!controller)
        return cipu_fail(error, -ENOENT, "found controller %u, expected one that is there", id);
    log_info("controller removed", "id=%u\tname=%s", id, controller->settings.name);
    set_controller(daemon, id, NULL);
    free_controller(daemon, controller);
    return 0;
}

struct controller *daemon_controller_by_name(struct daemon *daemon, const char *name)
{
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->controllers[i] && strcmp(daemon->controllers[i]->settings.name, name) == 0)
            return daemon->controllers[i];
    return NULL;
}

void daemon_controllers_close(struct daemon *daemon)
{
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->controllers[i])
            daemon_controller_remove(daemon, i, NULL);
}

bool controller_connected(const struct controller *controller)
{
    if (controller->vhost_server) {
        struct vhost_user_server_statistics statistics;
        vhost_user_server_statistics(controller->vhost_server, &statistics);
        return statistics.connected;
    }
    struct vfio_user_server_statistics statistics = {0};
    if (controller->server)
        vfio_user_server_statistics(controller->server, &statistics);
    return statistics.connected;
}

void controller_card_event(struct controller *controller, const struct event_entry *event)
{
    if (event->kind == EVENT_QUEUE_STOPPED)
        atomic_fetch_add(&controller->queue_stops, 1);
    else if (event->kind == EVENT_DOORBELL)
        atomic_fetch_add(&controller->doorbells_refused, 1);
    if (controller->nvme)
        nvme_queue_fault(controller->nvme, event);
    if (controller->blk && event->kind == EVENT_QUEUE_STOPPED)
        virtio_blk_queue_fault(controller->blk, event);
}
