/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/virtio_pci.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define VIRTIO_VENDOR     0x1af4u
#define CAPABILITY_VENDOR 0x09u
#define ISR_CONFIG        2u

enum virtio_pci_structure {
    STRUCTURE_COMMON = 1,
    STRUCTURE_NOTIFY = 2,
    STRUCTURE_ISR = 3,
    STRUCTURE_DEVICE = 4,
    STRUCTURE_WINDOW = 5
};

/* struct virtio_pci_cap, 4.1.4, after the id and the link. */
struct capability_body {
    uint8_t length;
    uint8_t structure;
    uint8_t bar;
    uint8_t id;
    uint8_t padding[2];
    uint8_t offset[4];
    uint8_t bytes[4];
    uint8_t extra[4]; /* notify: multiplier; window: data */
};

/* From the capability's start. */
enum { WINDOW_BAR = 4, WINDOW_OFFSET = 8, WINDOW_LENGTH = 12, WINDOW_DATA = 16 };

static uint8_t add_structure(struct virtio_pci *pci, enum virtio_pci_structure structure, uint32_t offset,
                             uint32_t length, uint32_t extra)
{
    bool long_form = structure == STRUCTURE_NOTIFY || structure == STRUCTURE_WINDOW;
    struct capability_body body = {.length = long_form ? 20 : 16, .structure = (uint8_t)structure}, mask = {0};
    memcpy(body.offset, &offset, 4);
    memcpy(body.bytes, &length, 4);
    memcpy(body.extra, &extra, 4);
    if (structure == STRUCTURE_WINDOW) {
        mask.bar = 0xff;
        memset(mask.offset, 0xff, sizeof mask.offset);
        memset(mask.bytes, 0xff, sizeof mask.bytes);
        memset(mask.extra, 0xff, sizeof mask.extra);
    }
    return pci_config_add_capability(&pci->config, CAPABILITY_VENDOR, &body, &mask, (size_t)body.length - 2);
}

static void build_config(struct virtio_pci *pci, const struct virtio_pci_settings *settings)
{
    const struct pci_identity identity = {.vendor = VIRTIO_VENDOR,
                                          .device = (uint16_t)(0x1040 + settings->type),
                                          .subsystem_vendor = VIRTIO_VENDOR,
                                          .subsystem = (uint16_t)(0x1040 + settings->type),
                                          .revision = 1,
                                          .class_code = settings->class_code};
    pci_config_init(&pci->config, &identity);
    pci_config_add_bar(&pci->config, 0, VIRTIO_PCI_BAR_BYTES, false);
    pci_config_add_bar(&pci->config, VIRTIO_PCI_MSIX_BAR, MSIX_BAR_BYTES, false);
    pci_config_add_express(&pci->config);
    pci_config_add_power_management(&pci->config);
    pci_config_add_msix(&pci->config, settings->vectors, VIRTIO_PCI_MSIX_BAR, MSIX_TABLE, MSIX_PENDING);
    add_structure(pci, STRUCTURE_COMMON, VIRTIO_PCI_COMMON, VIRTIO_PCI_COMMON_BYTES, 0);
    add_structure(pci, STRUCTURE_NOTIFY, VIRTIO_PCI_NOTIFY, settings->queues * VIRTIO_PCI_NOTIFY_STRIDE,
                  VIRTIO_PCI_NOTIFY_STRIDE);
    add_structure(pci, STRUCTURE_ISR, VIRTIO_PCI_ISR, 1, 0);
    add_structure(pci, STRUCTURE_DEVICE, VIRTIO_PCI_DEVICE, (uint32_t)settings->config_bytes, 0);
    pci->window_capability = add_structure(pci, STRUCTURE_WINDOW, 0, 0, 0);
}

int virtio_pci_init(struct virtio_pci *pci, const struct virtio_pci_settings *settings,
                    const struct virtio_pci_ops *ops, void *device)
{
    memset(pci, 0, sizeof *pci);
    pci->ops = ops;
    pci->device = device;
    pci->memory = settings->memory;
    pci->relays = settings->relays;
    pci->offered = settings->features;
    pci->queue_count = settings->queues;
    pci->queue_entries_max = settings->queue_entries_max;
    pci->device_config_bytes = settings->config_bytes;
    pci->config_vector = VIRTIO_PCI_NO_VECTOR;
    pci->doorbell_fd = -1;
    for (unsigned i = 0; i < pci->queue_count; i++)
        pci->queues[i] = (struct virtio_pci_queue){.entries = pci->queue_entries_max, .vector = VIRTIO_PCI_NO_VECTOR};
    pthread_mutex_init(&pci->lock, NULL);
    build_config(pci, settings);
    return msix_init(&pci->msix, settings->vectors);
}

void virtio_pci_free(struct virtio_pci *pci)
{
    msix_free(&pci->msix);
    pthread_mutex_destroy(&pci->lock);
}

void virtio_pci_region_info(struct virtio_pci *pci, unsigned region, struct device_region *info)
{
    *info = (struct device_region){.mmap_fd = -1};
    if (region == 0)
        info->size = VIRTIO_PCI_BAR_BYTES;
    else if (region == VIRTIO_PCI_MSIX_BAR)
        info->size = MSIX_BAR_BYTES;
    else if (region == DEVICE_REGION_CONFIG)
        info->size = PCI_CONFIG_BYTES;
    info->readable = info->writable = info->size > 0;
    if (region == 0 && pci->doorbell_fd >= 0) {
        info->mmap_fd = pci->doorbell_fd;
        info->mmap_fd_offset = pci->doorbell_offset;
        info->mmap_offset = VIRTIO_PCI_NOTIFY;
        info->mmap_length = pci->doorbell_bytes;
    }
}

unsigned virtio_pci_irq_count(const struct virtio_pci *pci, unsigned irq)
{
    return irq == DEVICE_IRQ_MSIX ? pci->msix.vectors : 0;
}

static int read_device_config(struct virtio_pci *pci, uint64_t offset, void *data, size_t bytes)
{
    uint8_t fields[256] = {0};
    if (offset >= pci->device_config_bytes || bytes > pci->device_config_bytes - offset)
        return -EINVAL;
    pci->ops->config(pci->device, fields, sizeof fields);
    memcpy(data, fields + offset, bytes);
    return 0;
}

static int read_bar(struct virtio_pci *pci, uint64_t offset, void *data, size_t bytes)
{
    if (offset >= VIRTIO_PCI_DEVICE)
        return read_device_config(pci, offset - VIRTIO_PCI_DEVICE, data, bytes);
    memset(data, 0, bytes);
    if (offset == VIRTIO_PCI_ISR) { /* 4.1.4.5: reading clears */
        *(uint8_t *)data = pci->isr;
        pci->isr = 0;
        return 0;
    }
    if (offset >= VIRTIO_PCI_COMMON && offset < VIRTIO_PCI_COMMON + VIRTIO_PCI_COMMON_BYTES)
        return virtio_pci_common_read(pci, offset - VIRTIO_PCI_COMMON, data, bytes);
    return 0;
}

static bool is_notification(const struct virtio_pci *pci, unsigned region, uint64_t offset, size_t bytes)
{
    return region == 0 && offset < (uint64_t)pci->queue_count * VIRTIO_PCI_NOTIFY_STRIDE &&
           offset % VIRTIO_PCI_NOTIFY_STRIDE == 0 && (bytes == 2 || bytes == 4);
}

static int write_bar(struct virtio_pci *pci, uint64_t offset, const void *data, size_t bytes)
{
    uint64_t value = 0;
    if (bytes > sizeof value || bytes & (bytes - 1))
        return -EINVAL;
    memcpy(&value, data, bytes);
    if (offset >= VIRTIO_PCI_COMMON && offset < VIRTIO_PCI_COMMON + VIRTIO_PCI_COMMON_BYTES)
        return virtio_pci_common_write(pci, offset - VIRTIO_PCI_COMMON, value, bytes);
    if (offset < VIRTIO_PCI_DEVICE)
        return -EINVAL;
    offset -= VIRTIO_PCI_DEVICE;
    if (pci->ops->config_write && offset < pci->device_config_bytes && bytes <= pci->device_config_bytes - offset)
        pci->ops->config_write(pci->device, offset, data, bytes);
    return 0;
}

/* The window's data field stands for an access to the BAR that its other fields describe. */
static bool window_access(const struct virtio_pci *pci, uint64_t offset, size_t bytes, unsigned *region,
                          uint64_t *target, size_t *length)
{
    const uint8_t *capability = pci->config.bytes + pci->window_capability;
    uint32_t at, size;
    if (offset != pci->window_capability + (uint64_t)WINDOW_DATA || bytes > 4)
        return false;
    memcpy(&at, capability + WINDOW_OFFSET, 4);
    memcpy(&size, capability + WINDOW_LENGTH, 4);
    *region = capability[WINDOW_BAR];
    *target = at;
    *length = size;
    uint64_t end = *region == 0 ? VIRTIO_PCI_BAR_BYTES : *region == VIRTIO_PCI_MSIX_BAR ? MSIX_BAR_BYTES : 0;
    return (size == 1 || size == 2 || size == 4) && size <= bytes && at % size == 0 && (uint64_t)at + size <= end;
}

static int read_region(struct virtio_pci *pci, unsigned region, uint64_t offset, void *data, size_t bytes)
{
    unsigned target_region;
    uint64_t target;
    size_t length;
    switch (region) {
    case 0:
        return read_bar(pci, offset, data, bytes);
    case VIRTIO_PCI_MSIX_BAR:
        msix_read(&pci->msix, offset, data, bytes);
        return 0;
    case DEVICE_REGION_CONFIG:
        if (window_access(pci, offset, bytes, &target_region, &target, &length))
            (void)read_region(pci, target_region, target, pci->config.bytes + offset, length);
        pci_config_read(&pci->config, offset, data, bytes);
        return 0;
    default:
        return -EINVAL;
    }
}

int virtio_pci_region_read(struct virtio_pci *pci, unsigned region, uint64_t offset, void *data, size_t bytes)
{
    pthread_mutex_lock(&pci->lock);
    int result = read_region(pci, region, offset, data, bytes);
    pthread_mutex_unlock(&pci->lock);
    return result;
}

static void reset_function(struct virtio_pci *pci)
{
    virtio_pci_common_reset(pci);
    pci_config_reset(&pci->config);
    pci->ops->update(pci->device);
    msix_reset_table(&pci->msix);
}

static int write_region(struct virtio_pci *pci, unsigned region, uint64_t offset, const void *data, size_t bytes)
{
    switch (region) {
    case 0:
        return write_bar(pci, offset, data, bytes);
    case VIRTIO_PCI_MSIX_BAR:
        msix_write(&pci->msix, offset, data, bytes);
        return 0;
    case DEVICE_REGION_CONFIG:
        pci_config_write(&pci->config, offset, data, bytes);
        if (pci_config_take_function_reset(&pci->config))
            reset_function(pci);
        else
            pci->ops->update(pci->device);
        return 0;
    default:
        return -EINVAL;
    }
}

int virtio_pci_region_write(struct virtio_pci *pci, unsigned region, uint64_t offset, const void *data, size_t bytes)
{
    unsigned target_region;
    uint64_t target;
    size_t length;
    if (is_notification(pci, region, offset, bytes)) {
        pci->ops->notify(pci->device, (unsigned)(offset / VIRTIO_PCI_NOTIFY_STRIDE));
        return 0;
    }
    if (region == DEVICE_REGION_CONFIG && window_access(pci, offset, bytes, &target_region, &target, &length))
        return virtio_pci_region_write(pci, target_region, target, data, length);
    pthread_mutex_lock(&pci->lock);
    int result = write_region(pci, region, offset, data, bytes);
    pthread_mutex_unlock(&pci->lock);
    return result;
}

int virtio_pci_irq_set(struct virtio_pci *pci, unsigned irq, unsigned vector, int fd)
{
    int old = -1;
    if (irq != DEVICE_IRQ_MSIX || vector >= pci->msix.vectors)
        return -EINVAL;
    pthread_mutex_lock(&pci->lock);
    int result = msix_connect(&pci->msix, vector, fd, &old);
    if (!result)
        pci->ops->vector_changed(pci->device, vector);
    if (old >= 0)
        close(old);
    pthread_mutex_unlock(&pci->lock);
    return result;
}

void virtio_pci_interrupt(struct virtio_pci *pci, uint16_t vector)
{
    msix_raise(&pci->msix, vector);
}

int virtio_pci_vector_fd(struct virtio_pci *pci, uint16_t vector)
{
    return msix_fd(&pci->msix, vector);
}

void virtio_pci_config_changed(struct virtio_pci *pci)
{
    pci->generation++;
    pci->isr |= ISR_CONFIG;
    if (pci->status & VIRTIO_STATUS_DRIVER_OK)
        virtio_pci_interrupt(pci, pci->config_vector);
}

/* 2.1.2: the driver hears of it if it is already up. */
void virtio_pci_needs_reset(struct virtio_pci *pci)
{
    if (pci->status & VIRTIO_STATUS_NEEDS_RESET)
        return;
    pci->status |= VIRTIO_STATUS_NEEDS_RESET;
    virtio_pci_config_changed(pci);
    pci->ops->update(pci->device);
}

void virtio_pci_reset(struct virtio_pci *pci)
{
    pthread_mutex_lock(&pci->lock);
    reset_function(pci);
    pthread_mutex_unlock(&pci->lock);
}

void virtio_pci_disconnected(struct virtio_pci *pci)
{
    virtio_pci_reset(pci);
    pthread_mutex_lock(&pci->lock);
    msix_disconnect_all(&pci->msix);
    for (unsigned i = 0; i < pci->msix.vectors; i++)
        pci->ops->vector_changed(pci->device, i);
    pthread_mutex_unlock(&pci->lock);
}
