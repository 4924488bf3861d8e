/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio-net driver over the vfio-user client, for tests: modern PCI, split rings, polling. Memory layout in guest
 * memory of DRIVER_MEMORY_BYTES at `address`: rings, then buffers. Functions return 0 or a negative errno.
 */
#ifndef CIPU_VIRTIO_NET_DRIVER_H
#define CIPU_VIRTIO_NET_DRIVER_H

#include "tests/peers/virtio_driver.h"

#define DRIVER_ENTRIES      64u
#define DRIVER_BUFFER_BYTES 2048u
#define DRIVER_RING_BYTES   8192u
#define DRIVER_MEMORY_BYTES (3u * DRIVER_RING_BYTES + 3u * DRIVER_ENTRIES * DRIVER_BUFFER_BYTES)

enum { DRIVER_RECEIVE = 0, DRIVER_TRANSMIT = 1, DRIVER_CONTROL = 2, DRIVER_QUEUES = 3 };

struct driver_queue {
    uint8_t *ring, *buffers; /* here */
    uint64_t ring_address, buffers_address;
    uint16_t avail_index, used_seen;
};

struct virtio_net_driver {
    struct virtio_driver pci;
    struct driver_queue queues[DRIVER_QUEUES];
};

/* Finds the structures; no other change. */
int virtio_net_driver_probe(struct virtio_net_driver *driver, struct vfio_user_client *client);

/* Resets, negotiates `features` (as far as offered), sets all queues up in `memory` and starts. Receive buffers are
 * posted. */
int virtio_net_driver_start(struct virtio_net_driver *driver, uint64_t features, uint8_t *memory, uint64_t address);

/* Puts a frame into the transmit queue and waits until it was used. -EAGAIN: not within 5 s. */
int virtio_net_driver_send(struct virtio_net_driver *driver, const void *frame, size_t bytes);
/* Waits for a frame; returns its bytes, or -EAGAIN after timeout_ms. Frames of several buffers are joined. */
int virtio_net_driver_receive(struct virtio_net_driver *driver, void *frame, size_t room, unsigned timeout_ms);
/* A control command: returns the answer (0 = OK, 1 = error) or a negative errno. */
int virtio_net_driver_control(struct virtio_net_driver *driver, uint8_t class, uint8_t command, const void *data,
                              size_t bytes);

#endif
