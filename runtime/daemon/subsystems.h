/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVMe subsystems: they are there as long as a controller is. Controllers of the same NQN share one: a volume is the
 * same namespace in all of them. Guests of one that has a pool make namespaces of their own.
 *
 * Threads and errors: as daemon.h.
 */
#ifndef CIPU_DAEMON_SUBSYSTEMS_H
#define CIPU_DAEMON_SUBSYSTEMS_H

#include "runtime/daemon/daemon.h"
#include "runtime/daemon/namespace_pool.h"

struct subsystem {
    char nqn[NVME_NQN_BYTES];
    char state[SOCKET_PATH_BYTES]; /* folder for reservations; "" = none are kept */
    struct nvme_subsystem *nvme;
    struct namespace_pool *pool; /* NULL: its guests make nothing */
    uint64_t controllers;        /* a bit for each controller id in use */
    struct subsystem *next;
};

/* That of a controller with these settings, created if there is none yet. */
int daemon_subsystem_take(struct daemon *daemon, const struct controller_settings *settings,
                          struct subsystem **subsystem, struct cipu_error *error);
/* When its last controller has left, namespaces and subsystem go, too. */
void daemon_subsystem_drop(struct daemon *daemon, struct subsystem *subsystem);
/* An id for a controller of this name. */
int subsystem_controller_id(struct subsystem *subsystem, const char *name, uint16_t *cntlid, struct cipu_error *error);
/* The volume's namespace id, made if there is none yet. With volumes_lock held. */
int subsystem_namespace(struct subsystem *subsystem, struct block_volume *volume, uint32_t *nsid,
                        struct cipu_error *error);
/* The volume's namespace id, 0 = it is none; *controllers: a bit for each that has it. */
uint32_t subsystem_find(struct subsystem *subsystem, const struct block_volume *volume, uint64_t *controllers);

/* Pools: what guests of a subsystem with this NQN may make. -EBUSY: the subsystem is there already; -EEXIST. */
int daemon_pool_add(struct daemon *daemon, const struct subsystem_settings *settings, struct cipu_error *error);
int daemon_pool_remove(struct daemon *daemon, const char *name, struct cipu_error *error);
struct namespace_pool *daemon_pool_by_name(struct daemon *daemon, const char *name);
void daemon_pools_close(struct daemon *daemon);

#endif
