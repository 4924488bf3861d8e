/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio-blk function (VIRTIO 1.2, section 5.2): features, configuration, queues, and the requests that the card does
 * not decide itself. The queues are the card's block queues (hls/include/block.h). It is a PCI function behind a
 * vfio-user server, or a vhost-user device whose PCI side is its client's.
 */
#ifndef CIPU_VIRTIO_BLK_H
#define CIPU_VIRTIO_BLK_H

#include "driver/host.h"
#include "runtime/block/volume.h"
#include "runtime/device/vhost_device.h"
#include "runtime/device/virtio_pci.h"

struct virtio_blk;

#define VIRTIO_BLK_QUEUES_MAX   8u
#define VIRTIO_BLK_SERIAL_BYTES 20u /* 5.2.6.1 */

struct virtio_blk_settings {
    unsigned function;           /* of the card, 0 .. CARD_FUNCTIONS - 2 */
    struct block_volume *volume; /* attached by create, detached by destroy */
    unsigned queues;             /* 0 = 4 */
    unsigned queue_entries;      /* largest size, a power of two up to BLOCK_SLOTS; 0 = BLOCK_SLOTS */
    const char *serial;          /* at most VIRTIO_BLK_SERIAL_BYTES; NULL = the beginning of the volume's name */
    bool vhost;                  /* for virtio_blk_vhost_ops, else for virtio_pci_device_ops */
    bool map_doorbells;          /* PCI: let the client map the doorbell pages (needs a card with poll=always) */
};

extern const struct vhost_device_ops virtio_blk_vhost_ops;

int virtio_blk_create(struct cipu_card *card, struct cipu_host *host, struct block_engine *engine,
                      const struct virtio_blk_settings *settings, struct virtio_blk **device, struct cipu_error *error);
void virtio_blk_destroy(struct virtio_blk *device); /* after its frontend */

/* A queue of this function was stopped by the card. Any thread. */
void virtio_blk_queue_fault(struct virtio_blk *device, const struct event_entry *event);

struct virtio_blk_state {
    uint64_t driver_features;
    uint64_t sectors;
    unsigned queues;
    unsigned first_queue; /* block queue of the card */
    bool running[VIRTIO_BLK_QUEUES_MAX];
    bool broken, read_only, write_cache;
    uint64_t raw_requests; /* that the device carried out itself */
    uint64_t raw_errors;   /* those of them that failed */
    uint64_t resets;       /* of a device that a driver had set up */
    uint64_t recovered;    /* requests of an earlier life that were carried out again */
};
void virtio_blk_state(struct virtio_blk *device, struct virtio_blk_state *state);

#endif
