/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/virtio_driver.h"

#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_pci.h"
#include "tests/peers/try.h"

#define CONFIG     7u
#define BUS_MASTER 6u /* memory and bus master enable */
#define VENDOR_ID  9u

static uint16_t get_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t get_32(const uint8_t *bytes)
{
    return get_16(bytes) | (uint32_t)get_16(bytes + 2) << 16;
}

int virtio_driver_probe(struct virtio_driver *driver, struct vfio_user_client *client, unsigned type)
{
    uint8_t config[4096];
    memset(driver, 0, sizeof *driver);
    driver->client = client;
    TRY(vfio_user_client_read(client, CONFIG, 0, config, sizeof config));
    if (get_16(config) != 0x1af4 || get_16(config + 2) != 0x1040 + type)
        return -ENODEV;
    struct virtio_structure *structures[] = {
        [1] = &driver->common, [2] = &driver->notify, [3] = &driver->isr, [4] = &driver->device, [5] = &driver->window};
    unsigned steps = 0;
    for (unsigned at = config[0x34]; at && steps < 64; at = config[at + 1], steps++) {
        unsigned structure = config[at + 3];
        if (config[at] != VENDOR_ID || structure < 1 || structure > 5)
            continue;
        *structures[structure] =
            (struct virtio_structure){config[at + 4], get_32(config + at + 8), get_32(config + at + 12)};
        if (structure == 2)
            driver->notify_multiplier = get_32(config + at + 16);
        if (structure == 5)
            driver->window.offset = at;
    }
    return driver->common.length && driver->notify.length && driver->isr.length && driver->device.length ? 0 : -ENODEV;
}

int virtio_driver_read(struct virtio_driver *driver, uint32_t offset, void *value, uint32_t bytes)
{
    return vfio_user_client_read(driver->client, driver->common.bar, driver->common.offset + offset, value, bytes);
}

int virtio_driver_write(struct virtio_driver *driver, uint32_t offset, uint64_t value, uint32_t bytes)
{
    return vfio_user_client_write(driver->client, driver->common.bar, driver->common.offset + offset, &value, bytes);
}

int virtio_driver_status(struct virtio_driver *driver, uint8_t *status)
{
    return virtio_driver_read(driver, VIRTIO_PCI_STATUS, status, 1);
}

int virtio_driver_config(struct virtio_driver *driver, uint32_t offset, void *value, uint32_t bytes)
{
    return vfio_user_client_read(driver->client, driver->device.bar, driver->device.offset + offset, value, bytes);
}

int virtio_driver_kick(struct virtio_driver *driver, unsigned queue)
{
    uint16_t value = (uint16_t)queue;
    return vfio_user_client_write_posted(driver->client, driver->notify.bar,
                                         driver->notify.offset + driver->notify_offset[queue], &value, sizeof value);
}

int virtio_driver_negotiate(struct virtio_driver *driver, uint64_t features)
{
    const uint16_t command = BUS_MASTER;
    uint32_t low, high;
    uint8_t status;
    TRY(vfio_user_client_write(driver->client, CONFIG, 4, &command, sizeof command));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_STATUS, 0, 1));
    TRY(virtio_driver_status(driver, &status));
    if (status)
        return -EBUSY;
    TRY(virtio_driver_write(driver, VIRTIO_PCI_STATUS, 3, 1));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_DEVICE_FEATURE_SELECT, 0, 4));
    TRY(virtio_driver_read(driver, VIRTIO_PCI_DEVICE_FEATURE, &low, 4));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_DEVICE_FEATURE_SELECT, 1, 4));
    TRY(virtio_driver_read(driver, VIRTIO_PCI_DEVICE_FEATURE, &high, 4));
    driver->offered = low | (uint64_t)high << 32;
    driver->accepted = features & driver->offered;
    TRY(virtio_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 0, 4));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE, (uint32_t)driver->accepted, 4));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 1, 4));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE, driver->accepted >> 32, 4));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_STATUS, 11, 1));
    TRY(virtio_driver_status(driver, &status));
    return status & VIRTIO_STATUS_FEATURES_OK ? 0 : -ENOTSUP;
}

static int set_address(struct virtio_driver *driver, uint32_t offset, uint64_t address)
{
    TRY(virtio_driver_write(driver, offset, (uint32_t)address, 4));
    return virtio_driver_write(driver, offset + 4, address >> 32, 4);
}

int virtio_driver_set_queue(struct virtio_driver *driver, unsigned queue, const struct virtio_driver_ring *ring)
{
    uint16_t notify_off;
    if (queue >= VIRTIO_DRIVER_QUEUES)
        return -EINVAL;
    TRY(virtio_driver_write(driver, VIRTIO_PCI_QUEUE_SELECT, queue, 2));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_QUEUE_SIZE, ring->entries, 2));
    TRY(virtio_driver_write(driver, VIRTIO_PCI_QUEUE_VECTOR, queue + 1, 2));
    TRY(virtio_driver_read(driver, VIRTIO_PCI_QUEUE_NOTIFY_OFF, &notify_off, 2));
    driver->notify_offset[queue] = (uint64_t)notify_off * driver->notify_multiplier;
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_DESCRIPTORS, ring->descriptors));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_AVAIL, ring->avail));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_USED, ring->used));
    return virtio_driver_write(driver, VIRTIO_PCI_QUEUE_ENABLE, 1, 2);
}

int virtio_driver_start(struct virtio_driver *driver)
{
    return virtio_driver_write(driver, VIRTIO_PCI_STATUS, 15, 1);
}
