/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/frontend/plain_device.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void region_info(void *context, unsigned region, struct device_region *info)
{
    struct plain_device *device = context;
    *info = (struct device_region){.mmap_fd = -1};
    if (region == 0) {
        *info = (struct device_region){
            .size = PLAIN_REGION_BYTES, .readable = true, .writable = true, .mmap_fd = device->doorbell_fd};
        info->mmap_fd_offset = 8192;
        info->mmap_offset = 0;
        info->mmap_length = 8192;
    } else if (region == 2) { /* read-only */
        info->size = 4096;
        info->readable = true;
    } else if (region == DEVICE_REGION_CONFIG) {
        *info = (struct device_region){.size = 4096, .readable = true, .writable = true, .mmap_fd = -1};
    }
}

static unsigned irq_count(void *context, unsigned irq)
{
    (void)context;
    return irq == DEVICE_IRQ_MSIX ? PLAIN_VECTORS : 0;
}

static uint8_t *region_bytes(struct plain_device *device, unsigned region)
{
    return region == DEVICE_REGION_CONFIG ? device->config : device->bar;
}

static int region_read(void *context, unsigned region, uint64_t offset, void *data, size_t bytes)
{
    memcpy(data, region_bytes(context, region) + offset, bytes);
    return 0;
}

static int region_write(void *context, unsigned region, uint64_t offset, const void *data, size_t bytes)
{
    struct plain_device *device = context;
    memcpy(region_bytes(device, region) + offset, data, bytes);
    device->writes++;
    return 0;
}

static int irq_set(void *context, unsigned irq, unsigned vector, int fd)
{
    struct plain_device *device = context;
    (void)irq;
    if (device->vectors[vector] >= 0)
        close(device->vectors[vector]);
    device->vectors[vector] = fd >= 0 ? dup(fd) : -1;
    return 0;
}

static int dma_map(void *context, uint64_t address, uint64_t length, int fd, off_t offset, int protection)
{
    struct plain_device *device = context;
    if (address == PLAIN_REFUSED)
        return -EINVAL;
    device->last_address = address;
    device->last_length = length;
    device->last_fd = fd >= 0;
    device->last_offset = offset;
    device->last_protection = protection;
    device->maps++;
    return 0;
}

static int dma_unmap(void *context, uint64_t address, uint64_t length)
{
    struct plain_device *device = context;
    device->last_address = address;
    device->last_length = length;
    device->unmaps++;
    return 0;
}

static void memory_messages(void *context, const struct device_memory_messages *messages)
{
    struct plain_device *device = context;
    pthread_mutex_lock(&device->lock);
    device->has_messages = messages != NULL;
    if (messages)
        device->messages = *messages;
    pthread_mutex_unlock(&device->lock);
}

static void reset(void *context)
{
    ((struct plain_device *)context)->resets++;
}

static void disconnected(void *context)
{
    struct plain_device *device = context;
    for (unsigned i = 0; i < PLAIN_VECTORS; i++)
        irq_set(device, DEVICE_IRQ_MSIX, i, -1);
    device->disconnects++;
}

const struct device_ops plain_device_ops = {.region_info = region_info,
                                            .irq_count = irq_count,
                                            .region_read = region_read,
                                            .region_write = region_write,
                                            .irq_set = irq_set,
                                            .dma_map = dma_map,
                                            .dma_unmap = dma_unmap,
                                            .memory_messages = memory_messages,
                                            .reset = reset,
                                            .disconnected = disconnected};

void plain_device_init(struct plain_device *device)
{
    memset(device, 0, sizeof *device);
    device->doorbell_fd = -1;
    for (unsigned i = 0; i < PLAIN_VECTORS; i++)
        device->vectors[i] = -1;
    pthread_mutex_init(&device->lock, NULL);
}

void plain_device_free(struct plain_device *device)
{
    for (unsigned i = 0; i < PLAIN_VECTORS; i++)
        irq_set(device, DEVICE_IRQ_MSIX, i, -1);
    pthread_mutex_destroy(&device->lock);
}
