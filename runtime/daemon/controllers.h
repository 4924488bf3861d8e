/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's disk controllers: functions of the card that guests see as NVMe or virtio-blk, with the volumes attached
 * to them.
 *
 * Threads and errors: as daemon.h.
 */
#ifndef CIPU_DAEMON_CONTROLLERS_H
#define CIPU_DAEMON_CONTROLLERS_H

#include "runtime/daemon/subsystems.h"
#include "runtime/device/virtio_blk.h"
#include "runtime/frontend/vhost_user_server.h"

struct controller {
    struct controller_settings settings;
    enum origin origin;
    struct nvme_controller *nvme; /* NULL for other types */
    struct virtio_blk *blk;       /* the same */
    struct subsystem *subsystem;
    uint16_t cntlid;
    struct vfio_user_server *server; /* one of the two */
    struct vhost_user_server *vhost_server;
    atomic_uint_fast64_t queue_stops, doorbells_refused; /* events of the card */
};

int daemon_controller_add(struct daemon *daemon, const struct controller_settings *settings, enum origin origin,
                          struct cipu_error *error);
int daemon_controller_remove(struct daemon *daemon, unsigned id, struct cipu_error *error);
struct controller *daemon_controller_by_name(struct daemon *daemon, const char *name);
void daemon_controllers_close(struct daemon *daemon);

/* Attaches a volume as the next free namespace, or takes it away from a running controller. *nsid is the namespace's
 * id.
 */
int daemon_volume_attach(struct daemon *daemon, struct controller *controller, const char *volume, uint32_t *nsid,
                         struct cipu_error *error);
int daemon_volume_detach(struct daemon *daemon, struct controller *controller, const char *volume,
                         struct cipu_error *error);

/* Deletes what a guest made, with its bytes. -EBUSY: a controller has it. Without volumes_lock. */
int daemon_volume_destroy(struct daemon *daemon, const char *name, struct cipu_error *error);

/* Whether a client is connected to its socket. */
bool controller_connected(const struct controller *controller);

/* An event of the card about one of the controller's queues. With functions_lock held; never blocks. */
void controller_card_event(struct controller *controller, const struct event_entry *event);

#endif
