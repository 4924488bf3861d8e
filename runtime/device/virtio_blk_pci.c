/* SPDX-License-Identifier: Apache-2.0 */
/* The function as a PCI device, for a vfio-user server. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "driver/host.h"
#include "hls/include/dma.h"
#include "runtime/device/virtio_blk_internal.h"

static_assert(offsetof(struct virtio_blk, pci) == 0, "virtio_pci_device_ops takes it for its struct virtio_pci");

#define VIRTIO_TYPE_BLOCK 2u
#define CLASS_STORAGE     0x018000u

static bool features_ok(void *device, uint64_t features)
{
    (void)device;
    (void)features;
    return true; /* none of those that are offered needs another one */
}

static void config(void *device, uint8_t *bytes, size_t size)
{
    blk_config_fill(device, bytes, size);
}

static void config_write(void *device, size_t offset, const void *data, size_t bytes)
{
    (void)blk_config_set(device, offset, data, bytes);
}

static void notify(void *device, unsigned queue)
{
    struct virtio_blk *blk = device;
    if (queue < blk->queue_count)
        cipu_card_doorbell(blk->card, DOORBELL_BLOCK + blk->first + queue, queue);
}

static void connect_vector(struct virtio_blk *blk, unsigned queue, bool running)
{
    uint16_t vector = blk->pci.queues[queue].vector;
    int fd = running ? virtio_pci_vector_fd(&blk->pci, vector) : -1;
    blk->queues[queue].vector = vector;
    cipu_card_interrupt(blk->card, VECTOR_BLOCK + blk->first + queue, fd);
}

/* Which queue has the vector now and which had it is one question: all are connected anew. */
static void vector_changed(void *device, unsigned vector)
{
    struct virtio_blk *blk = device;
    (void)vector;
    for (unsigned i = 0; i < blk->queue_count; i++)
        connect_vector(blk, i, blk->queues[i].running);
}

static void queue_start(struct virtio_blk *blk, unsigned queue)
{
    const struct virtio_pci_queue *from = &blk->pci.queues[queue];
    const struct vhost_queue setting = {.descriptors = from->descriptors,
                                        .avail = from->avail,
                                        .used = from->used,
                                        .entries = from->entries,
                                        .position = blk->queues[queue].position};
    blk->queues[queue].vector = from->vector;
    if (blk_queue_start(blk, queue, &setting)) {
        virtio_pci_needs_reset(&blk->pci);
        blk->broken = true;
        return;
    }
    connect_vector(blk, queue, true);
}

static void queue_pause(struct virtio_blk *blk, unsigned queue, bool forget, int64_t deadline)
{
    bool running = blk->queues[queue].running;
    blk_queue_stop(blk, queue, forget, deadline);
    if (running)
        connect_vector(blk, queue, false);
}

static void update(void *device)
{
    struct virtio_blk *blk = device;
    bool master = pci_config_bus_master(&blk->pci.config);
    int64_t deadline = blk_stop_deadline();
    if (blk->pci.status & VIRTIO_STATUS_FEATURES_OK && !blk->accepted)
        blk_features_set(blk, blk->pci.accepted);
    if (master && !blk_queues_stuck(blk))
        guest_memory_expose(blk->memory, true);
    for (unsigned i = 0; i < blk->queue_count; i++) {
        bool run = virtio_pci_queue_should_run(&blk->pci, i);
        if (run && !blk->queues[i].running)
            queue_start(blk, i);
        else if (!run && blk->queues[i].running)
            queue_pause(blk, i, blk->pci.status & VIRTIO_STATUS_NEEDS_RESET, deadline);
    }
    if (!master)
        guest_memory_expose(blk->memory, false);
}

static void queue_stop(void *device, unsigned queue)
{
    queue_pause(device, queue, true, blk_stop_deadline());
}

static void reset_device(void *device)
{
    struct virtio_blk *blk = device;
    int64_t deadline = blk_stop_deadline();
    for (unsigned i = 0; i < blk->queue_count; i++)
        queue_pause(blk, i, true, deadline);
    blk->broken = false;
    blk->resets += blk->accepted != 0;
    blk_features_set(blk, 0);
}

static const struct virtio_pci_ops TRANSPORT_OPS = {.features_ok = features_ok,
                                                    .config = config,
                                                    .config_write = config_write,
                                                    .update = update,
                                                    .queue_stop = queue_stop,
                                                    .vector_changed = vector_changed,
                                                    .reset = reset_device,
                                                    .notify = notify};

/* The queues' pages, if the card gives them as one piece. */
static int share_doorbells(struct virtio_blk *blk)
{
    for (unsigned i = 0; i < blk->queue_count; i++) {
        int fd;
        off_t offset;
        int result = cipu_card_doorbell_share(blk->card, DOORBELL_BLOCK + blk->first + i, &fd, &offset);
        if (result)
            return result;
        if (i == 0) {
            blk->pci.doorbell_fd = fd;
            blk->pci.doorbell_offset = offset;
        } else if (fd != blk->pci.doorbell_fd ||
                   offset != blk->pci.doorbell_offset + (off_t)(i * DOORBELL_PAGE_BYTES)) {
            return -ENOTSUP;
        }
    }
    blk->pci.doorbell_bytes = (uint64_t)blk->queue_count * DOORBELL_PAGE_BYTES;
    return 0;
}

int blk_pci_init(struct virtio_blk *blk, bool map_doorbells)
{
    const struct virtio_pci_settings transport = {.memory = blk->memory,
                                                  .type = VIRTIO_TYPE_BLOCK,
                                                  .class_code = CLASS_STORAGE,
                                                  .features = blk->offered,
                                                  .queues = blk->queue_count,
                                                  .vectors = blk->queue_count + 1,
                                                  .queue_entries_max = blk->entries_max,
                                                  .config_bytes = blk_config_bytes()};
    int result = virtio_pci_init(&blk->pci, &transport, &TRANSPORT_OPS, blk);
    return result || !map_doorbells ? result : share_doorbells(blk);
}

void blk_pci_disconnect(struct virtio_blk *blk)
{
    virtio_pci_disconnected(&blk->pci);
}

void blk_pci_failed(struct virtio_blk *blk, unsigned queue, uint16_t generation)
{
    pthread_mutex_lock(&blk->pci.lock);
    if (blk_queue_is(blk, queue, generation)) {
        blk->broken = true;
        virtio_pci_needs_reset(&blk->pci);
    }
    pthread_mutex_unlock(&blk->pci.lock);
}

void blk_pci_resized(struct virtio_blk *blk)
{
    pthread_mutex_lock(&blk->pci.lock);
    virtio_pci_config_changed(&blk->pci);
    pthread_mutex_unlock(&blk->pci.lock);
}

void blk_pci_used(struct virtio_blk *blk, unsigned queue)
{
    virtio_pci_interrupt(&blk->pci, blk->queues[queue].vector);
}
