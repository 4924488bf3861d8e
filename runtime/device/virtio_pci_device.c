/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio function as its frontend sees it: the transport and the guest's memory. */
#include "runtime/device/guest_memory.h"
#include "runtime/device/virtio_pci.h"

static void region_info(void *device, unsigned region, struct device_region *info)
{
    virtio_pci_region_info(device, region, info);
}

static unsigned irq_count(void *device, unsigned irq)
{
    return virtio_pci_irq_count(device, irq);
}

static int region_read(void *device, unsigned region, uint64_t offset, void *data, size_t bytes)
{
    return virtio_pci_region_read(device, region, offset, data, bytes);
}

static int region_write(void *device, unsigned region, uint64_t offset, const void *data, size_t bytes)
{
    return virtio_pci_region_write(device, region, offset, data, bytes);
}

static int irq_set(void *device, unsigned irq, unsigned vector, int fd)
{
    return virtio_pci_irq_set(device, irq, vector, fd);
}

static int dma_map(void *device, uint64_t address, uint64_t length, int fd, off_t offset, int protection)
{
    return guest_memory_map(((struct virtio_pci *)device)->memory, address, length, fd, offset, protection);
}

static int dma_unmap(void *device, uint64_t address, uint64_t length)
{
    (void)length;
    guest_memory_unmap(((struct virtio_pci *)device)->memory, address);
    return 0;
}

static void memory_messages(void *device, const struct device_memory_messages *messages)
{
    struct virtio_pci *pci = device;
    if (pci->relays)
        guest_memory_messages(pci->memory, messages);
}

static void reset(void *device)
{
    virtio_pci_reset(device);
}

static void disconnected(void *device)
{
    struct virtio_pci *pci = device;
    virtio_pci_disconnected(pci);
    guest_memory_clear(pci->memory);
}

const struct device_ops virtio_pci_device_ops = {.region_info = region_info,
                                                 .irq_count = irq_count,
                                                 .region_read = region_read,
                                                 .region_write = region_write,
                                                 .irq_set = irq_set,
                                                 .dma_map = dma_map,
                                                 .dma_unmap = dma_unmap,
                                                 .memory_messages = memory_messages,
                                                 .reset = reset,
                                                 .disconnected = disconnected};
