/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/controllers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/reservation_store.h"
#include "runtime/daemon/volumes.h"

/* ---- subsystems ---- */

static struct subsystem *find_subsystem(struct daemon *daemon, const char *nqn)
{
    struct subsystem *found = daemon->subsystems;
    while (found && strcmp(found->nqn, nqn) != 0)
        found = found->next;
    return found;
}

/* A controller without an NQN has a subsystem of its own, named by its name. */
static void subsystem_nqn(const struct controller_settings *settings, char nqn[NVME_NQN_BYTES])
{
    if (settings->subsystem[0])
        snprintf(nqn, NVME_NQN_BYTES, "%s", settings->subsystem);
    else
        snprintf(nqn, NVME_NQN_BYTES, "nqn.2026-11.org.opencipu:%s", settings->name);
}

static int take_subsystem(struct daemon *daemon, const struct controller_settings *settings,
                          struct subsystem **subsystem, struct cipu_error *error)
{
    struct nvme_subsystem_settings wanted = {0};
    subsystem_nqn(settings, wanted.nqn);
    if ((*subsystem = find_subsystem(daemon, wanted.nqn)) != NULL)
        return 0;
    struct subsystem *made = calloc(1, sizeof *made);
    if (!made)
        return cipu_fail(error, -ENOMEM, "no memory for subsystem %s", wanted.nqn);
    if (daemon->config->state[0]) {
        wanted.ops = &reservation_store_ops;
        wanted.context = daemon->config->state;
    }
    snprintf(wanted.serial, sizeof wanted.serial, "%.20s", settings->serial[0] ? settings->serial : settings->name);
    int result = nvme_subsystem_create(daemon->block, &wanted, &made->nvme, error);
    if (result < 0) {
        free(made);
        return result;
    }
    memcpy(made->nqn, wanted.nqn, sizeof made->nqn);
    made->next = daemon->subsystems;
    daemon->subsystems = *subsystem = made;
    return 0;
}

/* The last controller has left: namespaces and subsystem go, too. */
static void drop_subsystem(struct daemon *daemon, struct subsystem *subsystem)
{
    if (subsystem->controllers)
        return;
    for (uint32_t i = 0; i < NVME_NAMESPACES_MAX; i++)
        if (subsystem->namespaces[i])
            nvme_namespace_remove(subsystem->nvme, i + 1);
    struct subsystem **link = &daemon->subsystems;
    while (*link != subsystem)
        link = &(*link)->next;
    *link = subsystem->next;
    nvme_subsystem_destroy(subsystem->nvme);
    free(subsystem);
}

/* The volume's namespace id in the subsystem, made if there is none yet; 0 = none is free. */
static int find_namespace(struct subsystem *subsystem, struct block_volume *volume, uint32_t *nsid,
                          struct cipu_error *error)
{
    uint32_t free_place = NVME_NAMESPACES_MAX;
    for (uint32_t i = NVME_NAMESPACES_MAX; i-- > 0;) {
        if (subsystem->namespaces[i] == volume) {
            *nsid = i + 1;
            return 0;
        }
        free_place = subsystem->namespaces[i] ? free_place : i;
    }
    if (free_place == NVME_NAMESPACES_MAX)
        return cipu_fail(error, -ENOSPC, "subsystem %s: found %u namespaces, expected fewer", subsystem->nqn,
                         NVME_NAMESPACES_MAX);
    int result = nvme_namespace_add(subsystem->nvme, free_place + 1, volume, 1, error);
    if (result < 0)
        return result;
    subsystem->namespaces[free_place] = volume;
    *nsid = free_place + 1;
    return 0;
}

/* ---- attachments ---- */

int daemon_volume_attach(struct daemon *daemon, struct controller *controller, const char *name, uint32_t *nsid,
                         struct cipu_error *error)
{
    const struct volume_record *record = daemon_volume_by_name(daemon, name);
    if (!record)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that is there", name);
    if (!controller->nvme)
        return cipu_fail(error, -ENOTSUP, "controller %s has one disk, expected one of type nvme",
                         controller->settings.name);
    int result = find_namespace(controller->subsystem, record->volume, nsid, error);
    return result < 0 ? result : nvme_namespace_attach(controller->nvme, *nsid, error);
}

/* No controller of the subsystem has the namespace any more. */
static bool is_unused(const struct daemon *daemon, const struct subsystem *subsystem, uint32_t nsid)
{
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct controller *other = daemon->controllers[i];
        if (!other || other->subsystem != subsystem || !other->nvme)
            continue;
        struct nvme_state state;
        nvme_state(other->nvme, &state);
        if (state.attached >> (nsid - 1) & 1)
            return false;
    }
    return true;
}

int daemon_volume_detach(struct daemon *daemon, struct controller *controller, const char *name,
                         struct cipu_error *error)
{
    const struct volume_record *record = daemon_volume_by_name(daemon, name);
    if (!record || !controller->nvme)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that controller %s has", name,
                         controller->settings.name);
    struct subsystem *subsystem = controller->subsystem;
    for (uint32_t i = 0; i < NVME_NAMESPACES_MAX; i++) {
        if (subsystem->namespaces[i] != record->volume)
            continue;
        int result = nvme_namespace_detach(controller->nvme, i + 1);
        if (result < 0)
            break;
        if (is_unused(daemon, subsystem, i + 1) && nvme_namespace_remove(subsystem->nvme, i + 1) == 0)
            subsystem->namespaces[i] = NULL;
        return 0;
    }
    return cipu_fail(error, -ENOENT, "found volume %s, expected one that controller %s has", name,
                     controller->settings.name);
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

static int open_nvme(struct daemon *daemon, struct controller *controller, struct cipu_error *error)
{
    const struct controller_settings *settings = &controller->settings;
    int result = take_subsystem(daemon, settings, &controller->subsystem, error);
    if (result < 0)
        return result;
    if (controller->subsystem->controllers == UINT64_MAX)
        return cipu_fail(error, -ENOSPC, "subsystem %s: found 64 controllers, expected fewer",
                         controller->subsystem->nqn);
    controller->cntlid = (uint16_t)__builtin_ctzll(~controller->subsystem->controllers);
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
    return result;
}

/* A virtio-blk function is one disk. */
static int open_blk(struct daemon *daemon, struct controller *controller, struct cipu_error *error)
{
    const struct controller_settings *settings = &controller->settings;
    if (settings->volume_count != 1)
        return cipu_fail(error, -EINVAL,
                         "controller %s: found %u volumes, expected one: a virtio-blk function is one disk",
                         settings->name, settings->volume_count);
    const struct volume_record *record = daemon_volume_by_name(daemon, settings->volumes[0]);
    if (!record)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that is there", settings->volumes[0]);
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
        drop_subsystem(daemon, controller->subsystem);
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
