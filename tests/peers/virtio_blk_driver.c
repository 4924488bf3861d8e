/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/virtio_blk_driver.h"

#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_pci.h"

#define CONFIG     7u
#define BUS_MASTER 6u /* memory and bus master enable */
#define WAIT_MS    5000u

#define TRY(call)                \
    do {                         \
        int try_result = (call); \
        if (try_result)          \
            return try_result;   \
    } while (0)

int virtio_blk_driver_read(struct virtio_blk_driver *driver, uint32_t offset, void *value, uint32_t bytes)
{
    return vfio_user_client_read(driver->client, 0, VIRTIO_PCI_COMMON + offset, value, bytes);
}

int virtio_blk_driver_write(struct virtio_blk_driver *driver, uint32_t offset, uint64_t value, uint32_t bytes)
{
    return vfio_user_client_write(driver->client, 0, VIRTIO_PCI_COMMON + offset, &value, bytes);
}

int virtio_blk_driver_config(struct virtio_blk_driver *driver, uint32_t offset, void *value, uint32_t bytes)
{
    return vfio_user_client_read(driver->client, 0, VIRTIO_PCI_DEVICE + offset, value, bytes);
}

int virtio_blk_driver_kick(struct virtio_blk_driver *driver, unsigned queue)
{
    uint16_t value = (uint16_t)queue;
    return vfio_user_client_write_posted(driver->client, 0, VIRTIO_PCI_NOTIFY + queue * VIRTIO_PCI_NOTIFY_STRIDE,
                                         &value, sizeof value);
}

int virtio_blk_driver_negotiate(struct virtio_blk_driver *driver, uint64_t features)
{
    uint32_t low, high;
    uint8_t status;
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_STATUS, 0, 1));
    TRY(virtio_blk_driver_read(driver, VIRTIO_PCI_STATUS, &status, 1));
    if (status)
        return -EBUSY;
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_STATUS, 3, 1));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_DEVICE_FEATURE_SELECT, 0, 4));
    TRY(virtio_blk_driver_read(driver, VIRTIO_PCI_DEVICE_FEATURE, &low, 4));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_DEVICE_FEATURE_SELECT, 1, 4));
    TRY(virtio_blk_driver_read(driver, VIRTIO_PCI_DEVICE_FEATURE, &high, 4));
    driver->offered = low | (uint64_t)high << 32;
    driver->accepted = features & driver->offered;
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 0, 4));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE, (uint32_t)driver->accepted, 4));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 1, 4));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_DRIVER_FEATURE, driver->accepted >> 32, 4));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_STATUS, 11, 1));
    TRY(virtio_blk_driver_read(driver, VIRTIO_PCI_STATUS, &status, 1));
    return status & VIRTIO_STATUS_FEATURES_OK ? 0 : -ENOTSUP;
}

static int set_address(struct virtio_blk_driver *driver, uint32_t offset, uint64_t address)
{
    TRY(virtio_blk_driver_write(driver, offset, (uint32_t)address, 4));
    return virtio_blk_driver_write(driver, offset + 4, address >> 32, 4);
}

int virtio_blk_driver_set_queue(struct virtio_blk_driver *driver, unsigned queue, uint32_t entries, uint8_t *memory,
                                uint64_t address)
{
    block_ring_init(&driver->rings[queue], memory, address, entries);
    driver->rings[queue].event_index = driver->accepted & VIRTIO_F_EVENT_INDEX;
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_QUEUE_SELECT, queue, 2));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_QUEUE_SIZE, entries, 2));
    TRY(virtio_blk_driver_write(driver, VIRTIO_PCI_QUEUE_VECTOR, queue + 1, 2));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_DESCRIPTORS, address));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_AVAIL, address + BLOCK_RING_AVAIL));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_USED, address + BLOCK_RING_USED));
    return virtio_blk_driver_write(driver, VIRTIO_PCI_QUEUE_ENABLE, 1, 2);
}

int virtio_blk_driver_start(struct virtio_blk_driver *driver, struct vfio_user_client *client, uint64_t features,
                            unsigned queues, uint32_t entries, uint8_t *memory, uint64_t address)
{
    const uint16_t command = BUS_MASTER;
    driver->client = client;
    driver->queue_count = queues;
    TRY(vfio_user_client_write(client, CONFIG, 4, &command, sizeof command));
    TRY(virtio_blk_driver_negotiate(driver, features | VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < queues; i++)
        TRY(virtio_blk_driver_set_queue(driver, i, entries, memory + (size_t)i * BLOCK_RING_BYTES,
                                        address + (uint64_t)i * BLOCK_RING_BYTES));
    return virtio_blk_driver_write(driver, VIRTIO_PCI_STATUS, 15, 1);
}

int virtio_blk_driver_request(struct virtio_blk_driver *driver, unsigned queue, uint32_t type, uint64_t sector,
                              void *data, uint32_t bytes, bool writable)
{
    struct block_ring *ring = &driver->rings[queue];
    int head = block_ring_claim(ring);
    if (head < 0)
        return -ENOSPC;
    if (bytes && !writable)
        memcpy(block_ring_data(ring, (unsigned)head), data, bytes);
    block_ring_submit(ring, (unsigned)head, type, sector, bytes, writable);
    TRY(virtio_blk_driver_kick(driver, queue));
    if (block_ring_wait(ring, (unsigned)head, WAIT_MS))
        return -EAGAIN;
    if (bytes && writable)
        memcpy(data, block_ring_data(ring, (unsigned)head), bytes);
    return block_ring_status(ring, (unsigned)head);
}
