/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/virtio_blk_driver.h"

#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_pci.h"
#include "tests/peers/try.h"

#define TYPE_BLOCK 2u
#define WAIT_MS    5000u

int virtio_blk_driver_set_queue(struct virtio_blk_driver *driver, unsigned queue, uint32_t entries, uint8_t *memory,
                                uint64_t address)
{
    block_ring_init(&driver->rings[queue], memory, address, entries);
    driver->rings[queue].event_index = driver->pci.accepted & VIRTIO_F_EVENT_INDEX;
    const struct virtio_driver_ring ring = {entries, address, address + BLOCK_RING_AVAIL, address + BLOCK_RING_USED};
    return virtio_driver_set_queue(&driver->pci, queue, &ring);
}

int virtio_blk_driver_start(struct virtio_blk_driver *driver, struct vfio_user_client *client, uint64_t features,
                            unsigned queues, uint32_t entries, uint8_t *memory, uint64_t address)
{
    driver->queue_count = queues;
    TRY(virtio_driver_probe(&driver->pci, client, TYPE_BLOCK));
    TRY(virtio_driver_negotiate(&driver->pci, features | VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < queues; i++)
        TRY(virtio_blk_driver_set_queue(driver, i, entries, memory + (size_t)i * BLOCK_RING_BYTES,
                                        address + (uint64_t)i * BLOCK_RING_BYTES));
    return virtio_driver_start(&driver->pci);
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
    TRY(virtio_driver_kick(&driver->pci, queue));
    if (block_ring_wait(ring, (unsigned)head, WAIT_MS))
        return -EAGAIN;
    if (bytes && writable)
        memcpy(data, block_ring_data(ring, (unsigned)head), bytes);
    return block_ring_status(ring, (unsigned)head);
}
