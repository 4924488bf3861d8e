/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the guests of one subsystem make namespaces: a share of a disk, with limits of bytes and number. Each namespace
 * is a volume named after the subsystem and its id, and is kept in the state folder: its identity, its form, and the
 * controllers that it is attached to. What was being made or removed when the daemon died is gone after its start.
 *
 * Threads: open, close, change and controllers on the daemon's main thread; the rest on controllers' workers as well,
 * serialised inside. Locks: daemon.volumes_lock is outside of a pool's. Errors: negative errno.
 */
#ifndef CIPU_DAEMON_NAMESPACE_POOL_H
#define CIPU_DAEMON_NAMESPACE_POOL_H

#include "runtime/daemon/daemon.h"
#include "runtime/daemon/namespace_record.h"

struct namespace_pool {
    struct daemon *daemon;
    char name[NET_NAME_BYTES];
    char folder[SOCKET_PATH_BYTES];
    char disk[DISK_NAME_BYTES];
    uint64_t extent_bytes; /* of the disk: what a volume takes is a multiple */
    struct namespace_pool *next;

    pthread_mutex_t lock; /* of what follows; also held while the records are written */
    struct subsystem_settings settings;
    struct namespace_records records;
    struct block_volume *volumes[NVME_NAMESPACES_MAX]; /* by namespace id - 1; opened */
};

int namespace_pool_open(struct daemon *daemon, const struct subsystem_settings *settings, struct namespace_pool **pool,
                        struct cipu_error *error);
/* Its volumes are closed, their bytes stay. */
void namespace_pool_close(struct namespace_pool *pool);
/* Other limits: for what is made from now on. -EINVAL: another place or NQN. */
int namespace_pool_change(struct namespace_pool *pool, const struct subsystem_settings *settings,
                          struct cipu_error *error);

/* The id that a controller of this name has, now and after a restart; -ENOSPC. */
int namespace_pool_controller(struct namespace_pool *pool, const char *name, uint64_t taken);

/* The namespaces that are there: *volume and *record. False beyond, or without one. */
bool namespace_pool_get(struct namespace_pool *pool, uint32_t nsid, struct namespace_record *record,
                        struct block_volume **volume);

/* As in struct nvme_subsystem_ops. */
int namespace_pool_make(struct namespace_pool *pool, const struct nvme_namespace_wish *wish,
                        struct block_volume **volume);
int namespace_pool_attach(struct namespace_pool *pool, uint32_t nsid, uint16_t cntlid, bool attached);
int namespace_pool_retire(struct namespace_pool *pool, uint32_t nsid);
void namespace_pool_remove(struct namespace_pool *pool, uint32_t nsid);
void namespace_pool_capacity(struct namespace_pool *pool, uint64_t *total, uint64_t *unallocated);

/* Whether a volume's name is one that namespaces of the pool have. */
bool namespace_pool_names(const struct namespace_pool *pool, const char *volume);

#endif
