/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What drivers of all virtio devices do over the vfio-user client, for tests: find the structures through the PCI
 * capabilities as a real driver does, negotiate, set queues up. Functions return 0 or a negative errno.
 */
#ifndef CIPU_VIRTIO_DRIVER_H
#define CIPU_VIRTIO_DRIVER_H

#include "tests/peers/vfio_user_client.h"

#define VIRTIO_DRIVER_QUEUES 8u

struct virtio_structure {
    uint32_t bar, offset, length;
};

struct virtio_driver {
    struct vfio_user_client *client;
    struct virtio_structure common, notify, isr, device, window;
    uint32_t notify_multiplier;
    uint64_t notify_offset[VIRTIO_DRIVER_QUEUES];
    uint64_t offered, accepted;
};

/* Finds the structures of a device of `type` (5.1, 5.2: 1 = network, 2 = block); no other change. */
int virtio_driver_probe(struct virtio_driver *driver, struct vfio_user_client *client, unsigned type);

/* Bus mastering on, reset, and `features` as far as they are offered. */
int virtio_driver_negotiate(struct virtio_driver *driver, uint64_t features);

struct virtio_driver_ring {
    uint32_t entries;
    uint64_t descriptors, avail, used;
};
/* Enables a queue, with vector queue + 1. */
int virtio_driver_set_queue(struct virtio_driver *driver, unsigned queue, const struct virtio_driver_ring *ring);
int virtio_driver_start(struct virtio_driver *driver); /* DRIVER_OK */

/* The common configuration structure, 4.1.4.3. */
int virtio_driver_read(struct virtio_driver *driver, uint32_t offset, void *value, uint32_t bytes);
int virtio_driver_write(struct virtio_driver *driver, uint32_t offset, uint64_t value, uint32_t bytes);
int virtio_driver_status(struct virtio_driver *driver, uint8_t *status);
/* The device's own configuration. */
int virtio_driver_config(struct virtio_driver *driver, uint32_t offset, void *value, uint32_t bytes);

int virtio_driver_kick(struct virtio_driver *driver, unsigned queue);

#endif
