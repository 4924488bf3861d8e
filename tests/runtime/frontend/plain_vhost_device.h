/* SPDX-License-Identifier: Apache-2.0 */
/* A vhost-user device that only remembers what it was told: for tests of the frontend. */
#ifndef CIPU_PLAIN_VHOST_DEVICE_H
#define CIPU_PLAIN_VHOST_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/device/vhost_device.h"

#define PLAIN_QUEUES   4u
#define PLAIN_ENTRIES  128u
#define PLAIN_FEATURES (UINT64_C(1) << 32 | UINT64_C(1) << 28 | 3u)

struct plain_vhost_device {
    pthread_mutex_t lock; /* of what is not atomic */
    uint64_t features;
    atomic_uint pieces, maps, unmaps, resets, starts, stops, forgets;
    struct vhost_queue queues[PLAIN_QUEUES];
    atomic_bool running[PLAIN_QUEUES], called[PLAIN_QUEUES];
    uint16_t position; /* that stops report */
    atomic_uint kicks[PLAIN_QUEUES];
    uint8_t config[64];
    int start_result;
    struct vhost_frontend frontend;
    bool has_frontend;
};

extern const struct vhost_device_ops plain_vhost_device_ops;
void plain_vhost_device_init(struct plain_vhost_device *device);
void plain_vhost_device_free(struct plain_vhost_device *device);

#endif
