/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio-blk driver over the vfio-user client, for tests: modern PCI, rings as in block_ring.h, in guest memory of
 * BLOCK_RING_BYTES a queue. Functions return 0 or a negative errno. */
#ifndef CIPU_VIRTIO_BLK_DRIVER_H
#define CIPU_VIRTIO_BLK_DRIVER_H

#include "tests/peers/block_ring.h"
#include "tests/peers/vfio_user_client.h"

#define BLK_DRIVER_QUEUES 8u

struct virtio_blk_driver {
    struct vfio_user_client *client;
    uint64_t offered, accepted;
    unsigned queue_count;
    struct block_ring rings[BLK_DRIVER_QUEUES];
};

/* Resets, negotiates `features` (as far as offered), sets the queues up and starts. */
int virtio_blk_driver_start(struct virtio_blk_driver *driver, struct vfio_user_client *client, uint64_t features,
                            unsigned queues, uint32_t entries, uint8_t *memory, uint64_t address);
/* The steps of it. */
int virtio_blk_driver_negotiate(struct virtio_blk_driver *driver, uint64_t features);
int virtio_blk_driver_set_queue(struct virtio_blk_driver *driver, unsigned queue, uint32_t entries, uint8_t *memory,
                                uint64_t address);

int virtio_blk_driver_read(struct virtio_blk_driver *driver, uint32_t offset, void *value, uint32_t bytes);
int virtio_blk_driver_write(struct virtio_blk_driver *driver, uint32_t offset, uint64_t value, uint32_t bytes);
int virtio_blk_driver_config(struct virtio_blk_driver *driver, uint32_t offset, void *value, uint32_t bytes);
int virtio_blk_driver_kick(struct virtio_blk_driver *driver, unsigned queue);

/* One request, waited for: its status, or a negative errno (-EAGAIN: not within 5 s). */
int virtio_blk_driver_request(struct virtio_blk_driver *driver, unsigned queue, uint32_t type, uint64_t sector,
                              void *data, uint32_t bytes, bool writable);

#endif
