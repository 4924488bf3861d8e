/* SPDX-License-Identifier: Apache-2.0 */
/* A PCI function that does nothing but keep what the frontend tells it: for tests of the frontend alone. */
#ifndef CIPU_PLAIN_DEVICE_H
#define CIPU_PLAIN_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/device/device.h"

#define PLAIN_REGION_BYTES 65536u
#define PLAIN_VECTORS      4u
#define PLAIN_REFUSED      0xdead000u /* dma_map of this address fails */

struct plain_device {
    uint8_t bar[PLAIN_REGION_BYTES]; /* region 0: may be written */
    uint8_t config[4096];            /* region 7 */
    int doorbell_fd;                 /* region 0's first two pages can be mapped; -1: not */
    int vectors[PLAIN_VECTORS];
    atomic_uint maps, unmaps, resets, disconnects, writes;
    uint64_t last_address, last_length;
    int last_fd, last_protection; /* last_fd: whether there was one */
    off_t last_offset;
    pthread_mutex_t lock; /* messages */
    struct device_memory_messages messages;
    bool has_messages;
};

extern const struct device_ops plain_device_ops;
void plain_device_init(struct plain_device *device);
void plain_device_free(struct plain_device *device);

#endif
