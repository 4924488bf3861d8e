/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio-blk driver over the vfio-user client, for tests: modern PCI, rings as in block_ring.h, in guest memory of
 * BLOCK_RING_BYTES a queue. Functions return 0 or a negative errno. */
#ifndef CIPU_VIRTIO_BLK_DRIVER_H
#define CIPU_VIRTIO_BLK_DRIVER_H

#include "tests/peers/block_ring.h"
#include "tests/peers/virtio_driver.h"

struct virtio_blk_driver {
    struct virtio_driver pci;
    unsigned queue_count;
    struct block_ring rings[VIRTIO_DRIVER_QUEUES];
};

/* Resets, negotiates `features` (as far as offered), sets the queues up and starts. */
int virtio_blk_driver_start(struct virtio_blk_driver *driver, struct vfio_user_client *client, uint64_t features,
                            unsigned queues, uint32_t entries, uint8_t *memory, uint64_t address);
/* A step of it. */
int virtio_blk_driver_set_queue(struct virtio_blk_driver *driver, unsigned queue, uint32_t entries, uint8_t *memory,
                                uint64_t address);

/* One request, waited for: its status, or a negative errno (-EAGAIN: not within 5 s). */
int virtio_blk_driver_request(struct virtio_blk_driver *driver, unsigned queue, uint32_t type, uint64_t sector,
                              void *data, uint32_t bytes, bool writable);

#endif
