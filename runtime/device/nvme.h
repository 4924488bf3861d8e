/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVMe controllers: PCI functions whose queues are the card's, and subsystems, which hold namespaces that one or more
 * controllers share (NVM Express Base Specification 2.0c).
 *
 * Threads: create, destroy and everything about subsystems and namespaces on the daemon's main thread; the fault and
 * the state on any.
 */
#ifndef CIPU_DEVICE_NVME_H
#define CIPU_DEVICE_NVME_H

#include "driver/host.h"
#include "runtime/block/volume.h"
#include "runtime/device/device.h"

#define NVME_NAMESPACES_MAX  64u /* of a subsystem: namespace ids 1 .. 64 */
#define NVME_CONTROLLERS_MAX 64u /* of a subsystem: controller ids 0 .. 63 */
#define NVME_ANA_GROUPS      16u /* 1 .. 16 */
#define NVME_NQN_BYTES       224

struct nvme_subsystem;
struct nvme_controller;

/* What a guest asks for when it makes a namespace. */
struct nvme_namespace_wish {
    uint32_t nsid;
    uint64_t bytes;
    uint32_t block_bytes;
    uint32_t ana_group;
    bool shared; /* several controllers may have it at a time */
};

/* What a subsystem asks of its owner; each may be NULL. Called on controllers' workers, may block. */
struct nvme_subsystem_ops {
    /* Keeps the record of a volume's reservations, atomically and durably; gives it back: bytes or a negative errno.
     * Without them no reservation persists, and guests are told so. */
    int (*store)(void *context, const uint8_t uuid[16], const void *record, size_t bytes);
    long (*load)(void *context, const uint8_t uuid[16], void *record, size_t bytes);
    /* Volumes that guests make and remove by Namespace Management, one such command of a subsystem at a time; all five
     * or none. What they return 0 for outlives the owner. make: -ENOSPC beyond the capacity, -EMFILE beyond the number,
     * -EEXIST when there is a volume for that id already. attach: before the namespace becomes, or ceases to be,
     * attached to a controller. retire: it is to go, whatever happens. remove: it goes, with all its bytes; after
     * retire, when no command uses it any more. */
    int (*volume_make)(void *context, const struct nvme_namespace_wish *wish, struct block_volume **volume);
    int (*volume_attach)(void *context, uint32_t nsid, uint16_t cntlid, bool attached);
    int (*volume_retire)(void *context, uint32_t nsid);
    void (*volume_remove)(void *context, uint32_t nsid);
    void (*capacity)(void *context, uint64_t *total, uint64_t *unallocated); /* bytes */
};

struct nvme_subsystem_settings {
    char nqn[NVME_NQN_BYTES]; /* empty: made of the serial number */
    char serial[21];
    char model[41]; /* empty: "OpenCIPU NVMe" */
    const struct nvme_subsystem_ops *ops;
    void *context;
};

int nvme_subsystem_create(struct block_engine *engine, const struct nvme_subsystem_settings *settings,
                          struct nvme_subsystem **subsystem, struct cipu_error *error);
int nvme_subsystem_destroy(struct nvme_subsystem *subsystem); /* -EBUSY while it has controllers or namespaces */

struct nvme_settings {
    unsigned function; /* of the card, 0 .. CARD_FUNCTIONS - 2 */
    struct nvme_subsystem *subsystem;
    unsigned queues;    /* I/O queue pairs, 1 .. BLOCK_CONTROLLER_QUEUES - 1; 0 = 8 */
    bool map_doorbells; /* let the client map the doorbell page (needs a card with poll=always) */
    uint16_t cntlid;    /* unique in the subsystem, below NVME_CONTROLLERS_MAX */
};

extern const struct device_ops nvme_ops;

int nvme_create(struct cipu_card *card, struct cipu_host *host, struct block_engine *engine,
                const struct nvme_settings *settings, struct nvme_controller **controller, struct cipu_error *error);
void nvme_destroy(struct nvme_controller *controller); /* after its frontend; its namespaces are detached */

/* An event of the card about one of the controller's block queues. Never blocks. */
void nvme_queue_fault(struct nvme_controller *controller, const struct event_entry *event);

/* Namespaces. Attached controllers learn of every change by asynchronous events. */
int nvme_namespace_add(struct nvme_subsystem *subsystem, uint32_t nsid, struct block_volume *volume, uint32_t ana_group,
                       struct cipu_error *error);
/* The same with one that a guest has made before the subsystem was created: guests may attach and delete it. */
int nvme_namespace_restore(struct nvme_subsystem *subsystem, const struct nvme_namespace_wish *wish,
                           struct block_volume *volume, struct cipu_error *error);
int nvme_namespace_remove(struct nvme_subsystem *subsystem, uint32_t nsid); /* detaches it; -ENOENT */
/* Deletes one that a guest made as the guest itself would. -EBUSY: a controller or a sanitize operation has it, or a
 * guest's command is making or deleting one; -EPERM: no guest made it; -ENOENT. */
int nvme_namespace_delete(struct nvme_subsystem *subsystem, uint32_t nsid);
int nvme_namespace_attach(struct nvme_controller *controller, uint32_t nsid, struct cipu_error *error);
int nvme_namespace_detach(struct nvme_controller *controller, uint32_t nsid);

/* What is behind a namespace id, NULL = nothing; a bit for each controller that has it. The volume is there as long as
 * the owner sees to it. */
struct block_volume *nvme_namespace_volume(struct nvme_subsystem *subsystem, uint32_t nsid, uint64_t *controllers);

/* enum nvme_ana_state (runtime/device/nvme_spec.h) of a group as one controller has it. */
int nvme_ana_set(struct nvme_controller *controller, unsigned group, unsigned state, struct cipu_error *error);

/* What an operator sees. */
struct nvme_state {
    uint16_t cntlid;
    uint32_t configuration, status; /* CC, CSTS */
    unsigned io_queues;             /* submission queues that exist */
    uint64_t attached;              /* bit n: namespace n + 1 */
    uint8_t ana[NVME_ANA_GROUPS];
    uint8_t host_identifier[16];
    uint64_t commands, errors; /* raw ones */
    uint64_t resets;           /* times that it was stopped as it ran: by its driver, or its client went away */
    uint64_t faults;           /* times that it gave up: CSTS.CFS */
    unsigned async_requests;   /* that wait for an event */
};
void nvme_state(struct nvme_controller *controller, struct nvme_state *state);

/* Reservations of a namespace, as the operator sees them; count registrants of at most 64. -ENOENT. */
struct nvme_reservation_listing {
    uint32_t generation;
    uint8_t type;
    bool persistent;
    unsigned count;
    struct {
        uint8_t host[16];
        uint16_t controller; /* of a host without an identifier, else 0xffff */
        uint64_t key;
        bool holder;
    } registrants[64];
};
int nvme_reservation_list(struct nvme_subsystem *subsystem, uint32_t nsid, struct nvme_reservation_listing *listing);

/* Takes all registrations and the reservation away, as the Clear of a guest does, and with the same effects in the same
 * order: whose host is gone cannot do it any more. -ENOENT; -EIO: it is done, but not stored. */
int nvme_reservation_clear(struct nvme_subsystem *subsystem, uint32_t nsid);

#endif
