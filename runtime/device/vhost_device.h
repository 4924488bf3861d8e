/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vhost-user server sees of a device: a virtio device whose driver talks to the client, which keeps its PCI
 * side; here are features, queues, memory and the device's configuration.
 *
 * Threads: all operations of one device are called by its frontend's one thread. What the device tells the frontend
 * comes from any other thread and does not block.
 */
#ifndef CIPU_VHOST_DEVICE_H
#define CIPU_VHOST_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "driver/card.h"

#define VHOST_QUEUES 16u /* of one device */

/* A queue as the client described it: a size of at most entries_max, a power of two; guest addresses, aligned as VIRTIO
 * 1.2, 2.7 wants them. */
struct vhost_queue {
    uint64_t descriptors, avail, used;
    uint32_t entries;
    uint16_t position; /* avail index to go on from */
    /* The queue's part of the inflight buffer, for `entries` descriptors at least; NULL without one. It lives until the
     * queue was stopped. */
    void *inflight;
};

struct vhost_frontend {
    void (*config_changed)(void *context);
    void (*queue_failed)(void *context, unsigned queue); /* the guest broke it: the device needs a reset */
    void *context;
};

struct vhost_device_info {
    uint64_t features; /* offered; without VHOST_USER_F_PROTOCOL_FEATURES */
    unsigned queues;
    uint32_t entries_max;
    bool inflight; /* takes a part of an inflight buffer with each queue */
    bool config;   /* has a configuration that the client asks for */
};

struct vhost_device_ops {
    void (*info)(void *device, struct vhost_device_info *info);
    /* A subset of what was offered, while no queue runs. */
    int (*set_features)(void *device, uint64_t features);
    /* What lies beyond the device's fields reads as zeros. */
    void (*config_read)(void *device, size_t offset, void *data, size_t bytes);
    int (*config_write)(void *device, size_t offset, const void *data, size_t bytes);
    /* A piece of guest memory appeared; pieces do not overlap. Must not fail for lack of a use. */
    int (*memory_map)(void *device, uint64_t address, uint64_t length, int fd, off_t offset);
    /* When it returns, neither device nor card holds a pointer into the piece. */
    void (*memory_unmap)(void *device, uint64_t address);
    int (*queue_start)(void *device, unsigned queue, const struct vhost_queue *setting);
    /* Waits for what is in flight, at most 4 s. `forget`: the driver has reset the device and takes its memory back. */
    void (*queue_stop)(void *device, unsigned queue, bool forget, uint16_t *position);
    /* The eventfd that tells the driver of used buffers, duplicated by the device; -1 = none. At any time. */
    void (*queue_call)(void *device, unsigned queue, int fd);
    void (*queue_kick)(void *device, unsigned queue);
    /* Of a new client, or NULL: when it returns, the old one is not called any more. */
    void (*attach)(void *device, const struct vhost_frontend *frontend);
    void (*reset)(void *device); /* all queues are stopped: state is as new */
};

#endif
