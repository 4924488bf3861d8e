/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/subsystems.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/reservation_store.h"

/* ---- what the device asks of its owner ---- */

static int store(void *context, const uint8_t uuid[16], const void *record, size_t bytes)
{
    return reservation_store(((const struct subsystem *)context)->state, uuid, record, bytes);
}

static long load(void *context, const uint8_t uuid[16], void *record, size_t bytes)
{
    return reservation_load(((const struct subsystem *)context)->state, uuid, record, bytes);
}

static int make(void *context, const struct nvme_namespace_wish *wish, struct block_volume **volume)
{
    return namespace_pool_make(((struct subsystem *)context)->pool, wish, volume);
}

static int attach(void *context, uint32_t nsid, uint16_t cntlid, bool attached)
{
    return namespace_pool_attach(((struct subsystem *)context)->pool, nsid, cntlid, attached);
}

static int retire(void *context, uint32_t nsid)
{
    return namespace_pool_retire(((struct subsystem *)context)->pool, nsid);
}

static void remove_made(void *context, uint32_t nsid)
{
    namespace_pool_remove(((struct subsystem *)context)->pool, nsid);
}

static void capacity(void *context, uint64_t *total, uint64_t *unallocated)
{
    namespace_pool_capacity(((struct subsystem *)context)->pool, total, unallocated);
}

static const struct nvme_subsystem_ops keeping = {.store = store, .load = load};
static const struct nvme_subsystem_ops making = {.store = store,
                                                 .load = load,
                                                 .volume_make = make,
                                                 .volume_attach = attach,
                                                 .volume_retire = retire,
                                                 .volume_remove = remove_made,
                                                 .capacity = capacity};

/* ---- pools ---- */

struct namespace_pool *daemon_pool_by_name(struct daemon *daemon, const char *name)
{
    struct namespace_pool *pool = daemon->pools;
    while (pool && strcmp(pool->name, name) != 0)
        pool = pool->next;
    return pool;
}

static struct namespace_pool *pool_of(struct daemon *daemon, const char *nqn)
{
    struct namespace_pool *pool = daemon->pools;
    while (pool && strcmp(pool->settings.nqn, nqn) != 0)
        pool = pool->next;
    return pool;
}

static struct subsystem *find_subsystem(struct daemon *daemon, const char *nqn)
{
    struct subsystem *found = daemon->subsystems;
    while (found && strcmp(found->nqn, nqn) != 0)
        found = found->next;
    return found;
}

int daemon_pool_add(struct daemon *daemon, const struct subsystem_settings *settings, struct cipu_error *error)
{
    struct namespace_pool *pool;
    if (daemon_pool_by_name(daemon, settings->name) || pool_of(daemon, settings->nqn))
        return cipu_fail(error, -EEXIST, "subsystem %s is there already", settings->name);
    if (find_subsystem(daemon, settings->nqn))
        return cipu_fail(error, -EBUSY, "subsystem %s: has controllers, which have to be made anew", settings->name);
    int result = namespace_pool_open(daemon, settings, &pool, error);
    if (result < 0)
        return result;
    pool->next = daemon->pools;
    daemon->pools = pool;
    log_info("subsystem opened", "name=%s\tplace=%s", settings->name, settings->place);
    return 0;
}

int daemon_pool_remove(struct daemon *daemon, const char *name, struct cipu_error *error)
{
    struct namespace_pool **link = &daemon->pools;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    struct namespace_pool *pool = *link;
    if (!pool)
        return cipu_fail(error, -ENOENT, "found subsystem %s, expected one that is there", name);
    if (find_subsystem(daemon, pool->settings.nqn))
        return cipu_fail(error, -EBUSY, "subsystem %s: has controllers", name);
    *link = pool->next;
    log_info("subsystem closed", "name=%s", pool->name);
    namespace_pool_close(pool);
    return 0;
}

void daemon_pools_close(struct daemon *daemon)
{
    while (daemon->pools)
        daemon_pool_remove(daemon, daemon->pools->name, NULL);
}

/* ---- subsystems ---- */

/* A controller without an NQN has a subsystem of its own, named by its name. */
static void subsystem_nqn(const struct controller_settings *settings, char nqn[NVME_NQN_BYTES])
{
    if (settings->subsystem[0])
        snprintf(nqn, NVME_NQN_BYTES, "%s", settings->subsystem);
    else
        snprintf(nqn, NVME_NQN_BYTES, "nqn.2026-11.org.opencipu:%s", settings->name);
}

/* What guests made before the daemon started. */
static int restore_namespaces(struct subsystem *subsystem, struct cipu_error *error)
{
    int result = 0;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && result == 0; nsid++) {
        struct namespace_record record;
        struct block_volume *volume;
        if (namespace_pool_get(subsystem->pool, nsid, &record, &volume))
            result = nvme_namespace_restore(subsystem->nvme, &record.wish, volume, error);
    }
    return result;
}

static int create(struct daemon *daemon, const struct controller_settings *settings, struct subsystem *subsystem,
                  struct cipu_error *error)
{
    struct nvme_subsystem_settings wanted = {.context = subsystem};
    memcpy(wanted.nqn, subsystem->nqn, sizeof wanted.nqn);
    memcpy(subsystem->state, daemon->state, sizeof subsystem->state);
    subsystem->pool = pool_of(daemon, subsystem->nqn);
    wanted.ops = subsystem->pool ? &making : subsystem->state[0] ? &keeping : NULL;
    snprintf(wanted.serial, sizeof wanted.serial, "%.20s", settings->serial[0] ? settings->serial : settings->name);
    return nvme_subsystem_create(daemon->block, &wanted, &subsystem->nvme, error);
}

int daemon_subsystem_take(struct daemon *daemon, const struct controller_settings *settings,
                          struct subsystem **subsystem, struct cipu_error *error)
{
    char nqn[NVME_NQN_BYTES];
    subsystem_nqn(settings, nqn);
    if ((*subsystem = find_subsystem(daemon, nqn)) != NULL)
        return 0;
    struct subsystem *made = calloc(1, sizeof *made);
    if (!made)
        return cipu_fail(error, -ENOMEM, "no memory for subsystem %s", nqn);
    memcpy(made->nqn, nqn, sizeof made->nqn);
    int result = create(daemon, settings, made, error);
    if (result < 0) {
        free(made);
        return result;
    }
    made->next = daemon->subsystems;
    daemon->subsystems = *subsystem = made;
    return made->pool ? restore_namespaces(made, error) : 0;
}

void daemon_subsystem_drop(struct daemon *daemon, struct subsystem *subsystem)
{
    if (subsystem->controllers)
        return;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        nvme_namespace_remove(subsystem->nvme, nsid);
    struct subsystem **link = &daemon->subsystems;
    while (*link != subsystem)
        link = &(*link)->next;
    *link = subsystem->next;
    nvme_subsystem_destroy(subsystem->nvme);
    free(subsystem);
}

int subsystem_controller_id(struct subsystem *subsystem, const char *name, uint16_t *cntlid, struct cipu_error *error)
{
    if (subsystem->controllers == UINT64_MAX)
        return cipu_fail(error, -ENOSPC, "subsystem %s: found 64 controllers, expected fewer", subsystem->nqn);
    int id = __builtin_ctzll(~subsystem->controllers);
    if (subsystem->pool)
        id = namespace_pool_controller(subsystem->pool, name, subsystem->controllers);
    if (id < 0)
        return cipu_fail(error, id, "subsystem %s: no id for controller %s: %s", subsystem->nqn, name, strerror(-id));
    *cntlid = (uint16_t)id;
    return 0;
}

/* ---- namespaces ---- */

uint32_t subsystem_find(struct subsystem *subsystem, const struct block_volume *volume, uint64_t *controllers)
{
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        if (nvme_namespace_volume(subsystem->nvme, nsid, controllers) == volume)
            return nsid;
    return 0;
}

int subsystem_namespace(struct subsystem *subsystem, struct block_volume *volume, uint32_t *nsid,
                        struct cipu_error *error)
{
    uint64_t controllers;
    *nsid = subsystem_find(subsystem, volume, &controllers);
    int result = *nsid ? 0 : -EEXIST;
    for (uint32_t i = 1; i <= NVME_NAMESPACES_MAX && result == -EEXIST; i++) {
        result = nvme_namespace_add(subsystem->nvme, i, volume, 1, error);
        *nsid = i;
    }
    return result == -EEXIST ? cipu_fail(error, -ENOSPC, "subsystem %s: found %u namespaces, expected fewer",
                                         subsystem->nqn, NVME_NAMESPACES_MAX)
                             : result;
}
