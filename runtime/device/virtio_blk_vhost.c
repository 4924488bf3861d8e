/* SPDX-License-Identifier: Apache-2.0 */
/* The function as a vhost-user device: its PCI side is the client's. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "driver/signaller.h"
#include "hls/include/dma.h"
#include "runtime/device/virtio_blk_internal.h"

static void info(void *device, struct vhost_device_info *info)
{
    const struct virtio_blk *blk = device;
    *info = (struct vhost_device_info){.features = blk->offered,
                                       .queues = blk->queue_count,
                                       .entries_max = blk->entries_max,
                                       .inflight = true,
                                       .config = true};
}

static int set_features(void *device, uint64_t features)
{
    struct virtio_blk *blk = device;
    if (features & ~blk->offered)
        return -EINVAL;
    blk_features_set(blk, features);
    return 0;
}

static void config_read(void *device, size_t offset, void *data, size_t bytes)
{
    uint8_t fields[256];
    blk_config_fill(device, fields, sizeof fields);
    memset(data, 0, bytes);
    if (offset < sizeof fields)
        memcpy(data, fields + offset, bytes < sizeof fields - offset ? bytes : sizeof fields - offset);
}

static int config_write(void *device, size_t offset, const void *data, size_t bytes)
{
    return blk_config_set(device, offset, data, bytes);
}

static int memory_map(void *device, uint64_t address, uint64_t length, int fd, off_t offset)
{
    struct virtio_blk *blk = device;
    guest_memory_expose(blk->memory, !blk_queues_stuck(blk));
    return guest_memory_map(blk->memory, address, length, fd, offset, CIPU_DMA_READ | CIPU_DMA_WRITE);
}

static void memory_unmap(void *device, uint64_t address)
{
    guest_memory_unmap(((struct virtio_blk *)device)->memory, address);
}

static int queue_start(void *device, unsigned queue, const struct vhost_queue *setting)
{
    struct virtio_blk *blk = device;
    guest_memory_expose(blk->memory, !blk_queues_stuck(blk));
    return blk_queue_start(blk, queue, setting);
}

static void queue_stop(void *device, unsigned queue, bool forget, uint16_t *position)
{
    struct virtio_blk *blk = device;
    blk_queue_stop(blk, queue, forget, blk_stop_deadline());
    *position = blk->queues[queue].position;
}

static void queue_call(void *device, unsigned queue, int fd)
{
    struct virtio_blk *blk = device;
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    cipu_card_interrupt(blk->card, VECTOR_BLOCK + blk->first + queue, copy);
    pthread_mutex_lock(&blk->frontend_lock);
    int old = blk->call[queue];
    blk->call[queue] = copy;
    pthread_mutex_unlock(&blk->frontend_lock);
    if (old >= 0)
        close(old);
}

static void queue_kick(void *device, unsigned queue)
{
    struct virtio_blk *blk = device;
    cipu_card_doorbell(blk->card, DOORBELL_BLOCK + blk->first + queue, queue);
}

static void attach(void *device, const struct vhost_frontend *frontend)
{
    struct virtio_blk *blk = device;
    pthread_mutex_lock(&blk->frontend_lock);
    blk->has_frontend = frontend != NULL;
    if (frontend)
        blk->frontend = *frontend;
    pthread_mutex_unlock(&blk->frontend_lock);
}

/* Stopping a queue that has stopped forgets what it had on record. */
static void reset(void *device)
{
    struct virtio_blk *blk = device;
    for (unsigned i = 0; i < blk->queue_count; i++)
        blk_queue_stop(blk, i, true, blk_stop_deadline());
    blk->broken = false;
    blk->resets += blk->accepted != 0;
    blk_features_set(blk, 0);
}

const struct vhost_device_ops virtio_blk_vhost_ops = {.info = info,
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

void blk_vhost_disconnect(struct virtio_blk *blk)
{
    int64_t deadline = blk_stop_deadline();
    attach(blk, NULL);
    for (unsigned i = 0; i < blk->queue_count; i++) {
        blk_queue_stop(blk, i, true, deadline);
        queue_call(blk, i, -1);
    }
}

void blk_vhost_failed(struct virtio_blk *blk, unsigned queue, uint16_t generation)
{
    if (!blk_queue_is(blk, queue, generation))
        return;
    blk->broken = true;
    pthread_mutex_lock(&blk->frontend_lock);
    if (blk->has_frontend)
        blk->frontend.queue_failed(blk->frontend.context, queue);
    pthread_mutex_unlock(&blk->frontend_lock);
}

void blk_vhost_resized(struct virtio_blk *blk)
{
    pthread_mutex_lock(&blk->frontend_lock);
    if (blk->has_frontend)
        blk->frontend.config_changed(blk->frontend.context);
    pthread_mutex_unlock(&blk->frontend_lock);
}

void blk_vhost_used(struct virtio_blk *blk, unsigned queue)
{
    pthread_mutex_lock(&blk->frontend_lock);
    if (blk->call[queue] >= 0) {
        signaller_add(blk->signaller, blk->call[queue]);
        signaller_flush(blk->signaller);
    }
    pthread_mutex_unlock(&blk->frontend_lock);
}
