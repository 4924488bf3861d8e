/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's disks and volumes. The block engine runs from the first of them on, or when a controller asks for it.
 *
 * Threads: disks and the engine as daemon.h. Volumes: any that may wait; a record, and the volume in it, are there as
 * long as the lock is held. It is outside of all locks of devices and pools; not to be held while a controller is
 * destroyed, whose guest may be making a volume. Errors: as daemon.h.
 */
#ifndef CIPU_DAEMON_VOLUMES_H
#define CIPU_DAEMON_VOLUMES_H

#include "runtime/block/disk.h"
#include "runtime/block/volume.h"
#include "runtime/daemon/daemon.h"

struct volume_record {
    struct block_volume *volume;
    struct volume_settings wanted; /* as the file or the call gave it */
    enum origin origin;
    struct namespace_pool *pool;       /* whose guest made it; NULL = no guest did */
    char faults[VOLUME_BACKEND_BYTES]; /* rules that were set since it was opened; "" = its backend's */
};

struct disk_record {
    struct disk_settings wanted;
    enum origin origin;
};

/* The engine, opened if it is not. */
int daemon_block_engine(struct daemon *daemon, struct block_engine **engine, struct cipu_error *error);
/* After all controllers are gone. */
void daemon_volumes_close(struct daemon *daemon);

int daemon_disk_add(struct daemon *daemon, const struct disk_settings *settings, enum origin origin,
                    struct cipu_error *error);
int daemon_disk_remove(struct daemon *daemon, const char *name, struct cipu_error *error);

void daemon_volumes_lock(struct daemon *daemon);
void daemon_volumes_unlock(struct daemon *daemon);

int daemon_volume_add(struct daemon *daemon, const struct volume_settings *settings, enum origin origin,
                      struct cipu_error *error);
int daemon_volume_remove(struct daemon *daemon, const char *name, struct cipu_error *error); /* -EBUSY: attached */
/* With the lock held, for as long. */
struct volume_record *daemon_volume_by_name(struct daemon *daemon, const char *name);
bool daemon_volume_exists(struct daemon *daemon, const char *name);
/* One that is open already. */
int daemon_volume_enter(struct daemon *daemon, struct block_volume *volume, const struct volume_settings *settings,
                        enum origin origin, struct namespace_pool *pool, struct cipu_error *error);
/* Grows it and changes its limits as far as `wanted` says something else than before; -EINVAL for what cannot change
 * while it is open. */
int daemon_volume_change(struct volume_record *record, const struct volume_settings *wanted, struct cipu_error *error);
/* Whether `wanted` is the same bytes in the same form. */
bool daemon_volume_same(const struct volume_settings *there, const struct volume_settings *wanted);

#endif
