/* SPDX-License-Identifier: Apache-2.0 */
/* The common configuration structure: VIRTIO 1.2, section 4.1.4.3, and the status of section 2.1. */
#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_pci.h"

/* Reset, as the driver sees it: 2.4. */
void virtio_pci_common_reset(struct virtio_pci *pci)
{
    pci->ops->reset(pci->device);
    pci->status = 0;
    pci->isr = 0;
    pci->accepted = 0;
    pci->device_feature_select = pci->driver_feature_select = 0;
    pci->queue_select = 0;
    pci->config_vector = VIRTIO_PCI_NO_VECTOR;
    for (unsigned i = 0; i < pci->queue_count; i++)
        pci->queues[i] = (struct virtio_pci_queue){.entries = pci->queue_entries_max, .vector = VIRTIO_PCI_NO_VECTOR};
}

bool virtio_pci_queue_should_run(const struct virtio_pci *pci, unsigned queue)
{
    return pci->queues[queue].enabled && pci->status & VIRTIO_STATUS_DRIVER_OK &&
           !(pci->status & VIRTIO_STATUS_NEEDS_RESET) && pci_config_bus_master(&pci->config);
}

static void write_status(struct virtio_pci *pci, uint8_t value)
{
    if (value == 0) {
        virtio_pci_common_reset(pci);
        return;
    }
    /* The driver only adds bits (2.1.1); NEEDS_RESET is the device's. */
    uint8_t added = value & (uint8_t)~pci->status & (uint8_t)~VIRTIO_STATUS_NEEDS_RESET;
    if (added & VIRTIO_STATUS_FEATURES_OK && (pci->accepted & ~pci->offered || !(pci->accepted & VIRTIO_F_VERSION_1) ||
                                              !pci->ops->features_ok(pci->device, pci->accepted)))
        added &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    if (!((pci->status | added) & VIRTIO_STATUS_FEATURES_OK))
        added &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
    pci->status |= added;
    pci->ops->update(pci->device);
}

static void write_driver_feature(struct virtio_pci *pci, uint32_t value)
{
    if (pci->status & VIRTIO_STATUS_FEATURES_OK)
        return;
    /* Bits beyond 63 exist for nobody: taking one is taking what was not offered. */
    if (pci->driver_feature_select > 1) {
        if (value)
            pci->accepted |= ~pci->offered;
        return;
    }
    unsigned shift = 32 * pci->driver_feature_select;
    pci->accepted = (pci->accepted & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
}

static struct virtio_pci_queue *selected(struct virtio_pci *pci)
{
    return pci->queue_select < pci->queue_count ? &pci->queues[pci->queue_select] : NULL;
}

/* 2.7: descriptors on 16 bytes, available ring on 2, used ring on 4. */
static void enable_queue(struct virtio_pci *pci, struct virtio_pci_queue *queue)
{
    if (queue->enabled || !(pci->status & VIRTIO_STATUS_FEATURES_OK) || pci->status & VIRTIO_STATUS_NEEDS_RESET)
        return;
    if (queue->descriptors % 16 || queue->avail % 2 || queue->used % 4) {
        virtio_pci_needs_reset(pci);
        return;
    }
    queue->enabled = true;
    pci->ops->update(pci->device);
}

/* 2.6.1: the reset is over when the write is. */
static void reset_queue(struct virtio_pci *pci, struct virtio_pci_queue *queue)
{
    if (!(pci->accepted & VIRTIO_F_RING_RESET) || !(pci->status & VIRTIO_STATUS_FEATURES_OK))
        return;
    pci->ops->queue_stop(pci->device, pci->queue_select);
    *queue = (struct virtio_pci_queue){.entries = pci->queue_entries_max, .vector = VIRTIO_PCI_NO_VECTOR};
}

static uint16_t checked_vector(const struct virtio_pci *pci, uint64_t vector)
{
    return vector < pci->msix.vectors ? (uint16_t)vector : VIRTIO_PCI_NO_VECTOR;
}

static void write_queue_vector(struct virtio_pci *pci, struct virtio_pci_queue *queue, uint64_t value)
{
    queue->vector = checked_vector(pci, value);
    pci->ops->vector_changed(pci->device, queue->vector);
}

static void set_half(uint64_t *address, uint64_t value, unsigned shift, size_t bytes)
{
    if (bytes == 8)
        *address = value;
    else
        *address = (*address & ~(UINT64_C(0xffffffff) << shift)) | value << shift;
}

static int write_queue_field(struct virtio_pci *pci, uint64_t offset, uint64_t value, size_t bytes)
{
    struct virtio_pci_queue *queue = selected(pci);
    if (!queue)
        return 0;
    if (bytes == 2) {
        switch (offset) {
        case VIRTIO_PCI_QUEUE_SIZE:
            if (!queue->enabled && value >= 2 && value <= pci->queue_entries_max && !(value & (value - 1)))
                queue->entries = (uint32_t)value;
            return 0;
        case VIRTIO_PCI_QUEUE_VECTOR:
            write_queue_vector(pci, queue, value);
            return 0;
        case VIRTIO_PCI_QUEUE_ENABLE:
            if (value == 1)
                enable_queue(pci, queue);
            return 0;
        case VIRTIO_PCI_QUEUE_RESET:
            if (value == 1)
                reset_queue(pci, queue);
            return 0;
        default:
            return -EINVAL;
        }
    }
    if (offset < VIRTIO_PCI_QUEUE_DESCRIPTORS || offset >= VIRTIO_PCI_QUEUE_NOTIFY_DATA || bytes < 4 || offset % bytes)
        return -EINVAL;
    if (queue->enabled)
        return 0;
    unsigned shift = offset % 8 ? 32 : 0;
    uint64_t *fields[] = {&queue->descriptors, &queue->avail, &queue->used};
    set_half(fields[(offset - VIRTIO_PCI_QUEUE_DESCRIPTORS) / 8], value, shift, bytes);
    return 0;
}

/* Fields are written in their own width, addresses also in halves (4.1.3.1). */
int virtio_pci_common_write(struct virtio_pci *pci, uint64_t offset, uint64_t value, size_t bytes)
{
    if (offset >= VIRTIO_PCI_QUEUE_SIZE)
        return write_queue_field(pci, offset, value, bytes);
    switch (offset << 4 | bytes) {
    case VIRTIO_PCI_DEVICE_FEATURE_SELECT << 4 | 4:
        pci->device_feature_select = (uint32_t)value;
        return 0;
    case VIRTIO_PCI_DRIVER_FEATURE_SELECT << 4 | 4:
        pci->driver_feature_select = (uint32_t)value;
        return 0;
    case VIRTIO_PCI_DRIVER_FEATURE << 4 | 4:
        write_driver_feature(pci, (uint32_t)value);
        return 0;
    case VIRTIO_PCI_CONFIG_VECTOR << 4 | 2:
        pci->config_vector = checked_vector(pci, value);
        return 0;
    case VIRTIO_PCI_STATUS << 4 | 1:
        write_status(pci, (uint8_t)value);
        return 0;
    case VIRTIO_PCI_QUEUE_SELECT << 4 | 2:
        pci->queue_select = (uint16_t)value;
        return 0;
    default:
        return -EINVAL;
    }
}

static uint32_t feature_half(uint64_t features, uint32_t select)
{
    return select > 1 ? 0 : (uint32_t)(features >> (32 * select));
}

static void put(uint8_t *bytes, size_t offset, uint64_t value, size_t size)
{
    memcpy(bytes + offset, &value, size);
}

int virtio_pci_common_read(struct virtio_pci *pci, uint64_t offset, void *data, size_t bytes)
{
    uint8_t fields[VIRTIO_PCI_COMMON_BYTES] = {0};
    const struct virtio_pci_queue *queue = selected(pci);
    put(fields, VIRTIO_PCI_DEVICE_FEATURE_SELECT, pci->device_feature_select, 4);
    put(fields, VIRTIO_PCI_DEVICE_FEATURE, feature_half(pci->offered, pci->device_feature_select), 4);
    put(fields, VIRTIO_PCI_DRIVER_FEATURE_SELECT, pci->driver_feature_select, 4);
    put(fields, VIRTIO_PCI_DRIVER_FEATURE, feature_half(pci->accepted, pci->driver_feature_select), 4);
    put(fields, VIRTIO_PCI_CONFIG_VECTOR, pci->config_vector, 2);
    put(fields, VIRTIO_PCI_NUM_QUEUES, pci->queue_count, 2);
    put(fields, VIRTIO_PCI_STATUS, pci->status, 1);
    put(fields, VIRTIO_PCI_GENERATION, pci->generation, 1);
    put(fields, VIRTIO_PCI_QUEUE_SELECT, pci->queue_select, 2);
    if (queue) {
        put(fields, VIRTIO_PCI_QUEUE_SIZE, queue->entries, 2);
        put(fields, VIRTIO_PCI_QUEUE_VECTOR, queue->vector, 2);
        put(fields, VIRTIO_PCI_QUEUE_ENABLE, queue->enabled, 2);
        put(fields, VIRTIO_PCI_QUEUE_NOTIFY_OFF, pci->queue_select, 2);
        put(fields, VIRTIO_PCI_QUEUE_DESCRIPTORS, queue->descriptors, 8);
        put(fields, VIRTIO_PCI_QUEUE_AVAIL, queue->avail, 8);
        put(fields, VIRTIO_PCI_QUEUE_USED, queue->used, 8);
        put(fields, VIRTIO_PCI_QUEUE_NOTIFY_DATA, pci->queue_select, 2);
    }
    if (offset >= sizeof fields || bytes > sizeof fields - offset)
        return -EINVAL;
    memcpy(data, fields + offset, bytes);
    return 0;
}
