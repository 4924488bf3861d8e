/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/frontend/plain_vhost_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void info(void *device, struct vhost_device_info *info)
{
    (void)device;
    *info = (struct vhost_device_info){.features = PLAIN_FEATURES,
                                       .queues = PLAIN_QUEUES,
                                       .entries_max = PLAIN_ENTRIES,
                                       .inflight = true,
                                       .config = true};
}

#define UNDER_LOCK(plain, statement)                 \
    do {                                             \
        struct plain_vhost_device *locked = (plain); \
        pthread_mutex_lock(&locked->lock);           \
        statement;                                   \
        pthread_mutex_unlock(&locked->lock);         \
    } while (0)

static int set_features(void *device, uint64_t features)
{
    struct plain_vhost_device *plain = device;
    for (unsigned i = 0; i < PLAIN_QUEUES; i++)
        if (plain->running[i] || features & ~PLAIN_FEATURES)
            abort();
    UNDER_LOCK(plain, plain->features = features);
    return 0;
}

static void config_read(void *device, size_t offset, void *data, size_t bytes)
{
    struct plain_vhost_device *plain = device;
    if (offset + bytes > 256)
        abort();
    memset(data, 0, bytes);
    if (offset < sizeof plain->config)
        memcpy(data, plain->config + offset,
               bytes < sizeof plain->config - offset ? bytes : sizeof plain->config - offset);
}

static int config_write(void *device, size_t offset, const void *data, size_t bytes)
{
    struct plain_vhost_device *plain = device;
    if (offset > sizeof plain->config || bytes > sizeof plain->config - offset)
        return -EINVAL;
    UNDER_LOCK(plain, memcpy(plain->config + offset, data, bytes));
    return 0;
}

static int memory_map(void *device, uint64_t address, uint64_t length, int fd, off_t offset)
{
    struct plain_vhost_device *plain = device;
    if (length == 0 || address + length < address || fd < 0 || offset < 0)
        abort();
    plain->pieces++;
    plain->maps++;
    return 0;
}

static void memory_unmap(void *device, uint64_t address)
{
    struct plain_vhost_device *plain = device;
    (void)address;
    if (!plain->pieces)
        abort();
    plain->pieces--;
    plain->unmaps++;
}

static int queue_start(void *device, unsigned queue, const struct vhost_queue *setting)
{
    struct plain_vhost_device *plain = device;
    if (queue >= PLAIN_QUEUES || plain->running[queue] || setting->entries < 2 || setting->entries > PLAIN_ENTRIES ||
        setting->entries & (setting->entries - 1))
        abort();
    if (plain->start_result)
        return plain->start_result;
    if (setting->inflight) /* all of it can be written to */
        memset((uint8_t *)setting->inflight + 16, 1, 16u * setting->entries);
    UNDER_LOCK(plain, plain->queues[queue] = *setting);
    plain->running[queue] = true;
    plain->starts++;
    return 0;
}

static void queue_stop(void *device, unsigned queue, bool forget, uint16_t *position)
{
    struct plain_vhost_device *plain = device;
    if (queue >= PLAIN_QUEUES || !plain->running[queue])
        abort();
    plain->running[queue] = false;
    plain->stops++;
    plain->forgets += forget;
    *position = plain->position;
}

static void queue_call(void *device, unsigned queue, int fd)
{
    struct plain_vhost_device *plain = device;
    if (queue >= PLAIN_QUEUES)
        abort();
    plain->called[queue] = fd >= 0;
}

static void queue_kick(void *device, unsigned queue)
{
    struct plain_vhost_device *plain = device;
    if (queue >= PLAIN_QUEUES || !plain->running[queue])
        abort();
    plain->kicks[queue]++;
}

static void attach(void *device, const struct vhost_frontend *frontend)
{
    struct plain_vhost_device *plain = device;
    pthread_mutex_lock(&plain->lock);
    plain->has_frontend = frontend != NULL;
    if (frontend)
        plain->frontend = *frontend;
    pthread_mutex_unlock(&plain->lock);
}

static void reset(void *device)
{
    struct plain_vhost_device *plain = device;
    for (unsigned i = 0; i < PLAIN_QUEUES; i++)
        if (plain->running[i])
            abort();
    UNDER_LOCK(plain, plain->features = 0);
    plain->resets++;
}

const struct vhost_device_ops plain_vhost_device_ops = {.info = info,
                                                        .set_features = set_features,
                                                        .config_read = config_read,
                                                        .config_write = config_write,
                                                        .memory_map = memory_map,
                                                        .memory_unmap = memory_unmap,
                                                        .queue_start = queue_start,
                                                        .queue_stop = queue_stop,
                                                        .queue_call = queue_call,
                                                        .queue_kick = queue_kick,
                                                        .attach = attach,
                                                        .reset = reset};

void plain_vhost_device_init(struct plain_vhost_device *device)
{
    memset(device, 0, sizeof *device);
    pthread_mutex_init(&device->lock, NULL);
    for (size_t i = 0; i < sizeof device->config; i++)
        device->config[i] = (uint8_t)(i + 1);
}

void plain_vhost_device_free(struct plain_vhost_device *device)
{
    pthread_mutex_destroy(&device->lock);
}
