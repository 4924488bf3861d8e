/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/virtio_net_driver.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "hls/include/virtio.h"
#include "runtime/device/virtio_pci.h"
#include "tests/peers/try.h"

#define TYPE_NET 1u
#define AVAIL    (DRIVER_ENTRIES * 16u)
#define USED     4096u
#define POLL_US  50u
#define SEND_MS  5000u

int virtio_net_driver_probe(struct virtio_net_driver *driver, struct vfio_user_client *client)
{
    memset(driver, 0, sizeof *driver);
    return virtio_driver_probe(&driver->pci, client, TYPE_NET);
}

static int set_up_queue(struct virtio_net_driver *driver, unsigned index)
{
    const struct driver_queue *queue = &driver->queues[index];
    const struct virtio_driver_ring ring = {DRIVER_ENTRIES, queue->ring_address, queue->ring_address + AVAIL,
                                            queue->ring_address + USED};
    memset(queue->ring, 0, DRIVER_RING_BYTES);
    return virtio_driver_set_queue(&driver->pci, index, &ring);
}

static void put_descriptor(struct driver_queue *queue, unsigned index, uint32_t length, uint16_t flags, uint16_t next)
{
    const struct virtq_descriptor descriptor = {queue->buffers_address + index * DRIVER_BUFFER_BYTES, length, flags,
                                                next};
    memcpy(queue->ring + index * sizeof descriptor, &descriptor, sizeof descriptor);
}

static void put_avail(struct driver_queue *queue, uint16_t head)
{
    uint16_t *avail = (uint16_t *)(queue->ring + AVAIL);
    avail[2 + queue->avail_index % DRIVER_ENTRIES] = head;
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store((_Atomic uint16_t *)&avail[1], ++queue->avail_index);
}

static bool take_used(struct driver_queue *queue, struct virtq_used_element *element)
{
    if (atomic_load((_Atomic uint16_t *)(queue->ring + USED + VIRTQ_USED_INDEX)) == queue->used_seen)
        return false;
    memcpy(element, queue->ring + USED + VIRTQ_USED_RING + queue->used_seen++ % DRIVER_ENTRIES * sizeof *element,
           sizeof *element);
    return true;
}

static bool wait_used(struct driver_queue *queue, struct virtq_used_element *element, unsigned timeout_ms)
{
    for (unsigned waited = 0; waited <= timeout_ms * 1000u; waited += POLL_US) {
        if (take_used(queue, element))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000}, NULL);
    }
    return false;
}

int virtio_net_driver_start(struct virtio_net_driver *driver, uint64_t features, uint8_t *memory, uint64_t address)
{
    TRY(virtio_driver_negotiate(&driver->pci, features | VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < DRIVER_QUEUES; i++) {
        const size_t ring = i * DRIVER_RING_BYTES,
                     buffers = DRIVER_QUEUES * DRIVER_RING_BYTES + i * DRIVER_ENTRIES * DRIVER_BUFFER_BYTES;
        driver->queues[i] = (struct driver_queue){.ring = memory + ring,
                                                  .buffers = memory + buffers,
                                                  .ring_address = address + ring,
                                                  .buffers_address = address + buffers};
        TRY(set_up_queue(driver, i));
    }
    TRY(virtio_driver_start(&driver->pci));
    for (unsigned i = 0; i < DRIVER_ENTRIES; i++) {
        put_descriptor(&driver->queues[DRIVER_RECEIVE], i, DRIVER_BUFFER_BYTES, VIRTQ_WRITE, 0);
        put_avail(&driver->queues[DRIVER_RECEIVE], (uint16_t)i);
    }
    return virtio_driver_kick(&driver->pci, DRIVER_RECEIVE);
}

int virtio_net_driver_send(struct virtio_net_driver *driver, const void *frame, size_t bytes)
{
    struct driver_queue *queue = &driver->queues[DRIVER_TRANSMIT];
    struct virtq_used_element element;
    unsigned slot = queue->avail_index % DRIVER_ENTRIES;
    if (bytes > DRIVER_BUFFER_BYTES - sizeof(struct virtio_net_header))
        return -EMSGSIZE;
    memset(queue->buffers + slot * DRIVER_BUFFER_BYTES, 0, sizeof(struct virtio_net_header));
    memcpy(queue->buffers + slot * DRIVER_BUFFER_BYTES + sizeof(struct virtio_net_header), frame, bytes);
    put_descriptor(queue, slot, (uint32_t)(sizeof(struct virtio_net_header) + bytes), 0, 0);
    put_avail(queue, (uint16_t)slot);
    TRY(virtio_driver_kick(&driver->pci, DRIVER_TRANSMIT));
    return wait_used(queue, &element, SEND_MS) ? element.id == slot ? 0 : -EPROTO : -EAGAIN;
}

/* Copies a used buffer and gives it back to the device. */
static int take_buffer(struct virtio_net_driver *driver, const struct virtq_used_element *element, uint8_t *to,
                       size_t room)
{
    struct driver_queue *queue = &driver->queues[DRIVER_RECEIVE];
    if (element->id >= DRIVER_ENTRIES || element->length > DRIVER_BUFFER_BYTES || element->length > room)
        return -EPROTO;
    memcpy(to, queue->buffers + element->id * DRIVER_BUFFER_BYTES, element->length);
    put_avail(queue, (uint16_t)element->id);
    return (int)element->length;
}

int virtio_net_driver_receive(struct virtio_net_driver *driver, void *frame, size_t room, unsigned timeout_ms)
{
    uint8_t bytes[65536];
    struct virtio_net_header header;
    struct virtq_used_element element;
    size_t total = 0;
    if (!wait_used(&driver->queues[DRIVER_RECEIVE], &element, timeout_ms))
        return -EAGAIN;
    for (unsigned buffers = 1, i = 0;;) {
        int taken = take_buffer(driver, &element, bytes + total, sizeof bytes - total);
        if (taken < 0)
            return taken;
        total += (size_t)taken;
        if (i == 0) {
            if (total < sizeof header)
                return -EPROTO;
            memcpy(&header, bytes, sizeof header);
            buffers = driver->pci.accepted & (UINT64_C(1) << 15) ? header.buffers : 1;
        }
        if (++i >= buffers)
            break;
        if (!wait_used(&driver->queues[DRIVER_RECEIVE], &element, SEND_MS))
            return -EPROTO;
    }
    TRY(virtio_driver_kick(&driver->pci, DRIVER_RECEIVE));
    if (total - sizeof header > room)
        return -EMSGSIZE;
    memcpy(frame, bytes + sizeof header, total - sizeof header);
    return (int)(total - sizeof header);
}

int virtio_net_driver_control(struct virtio_net_driver *driver, uint8_t class, uint8_t command, const void *data,
                              size_t bytes)
{
    struct driver_queue *queue = &driver->queues[DRIVER_CONTROL];
    struct virtq_used_element element;
    if (bytes + 2 > DRIVER_BUFFER_BYTES)
        return -EMSGSIZE;
    queue->buffers[0] = class;
    queue->buffers[1] = command;
    if (bytes)
        memcpy(queue->buffers + 2, data, bytes);
    uint8_t *ack = queue->buffers + DRIVER_BUFFER_BYTES;
    *ack = 0xff;
    put_descriptor(queue, 0, (uint32_t)(2 + bytes), VIRTQ_NEXT, 1);
    put_descriptor(queue, 1, 1, VIRTQ_WRITE, 0);
    put_avail(queue, 0);
    TRY(virtio_driver_kick(&driver->pci, DRIVER_CONTROL));
    if (!wait_used(queue, &element, SEND_MS))
        return -EAGAIN;
    return element.id == 0 && element.length == 1 ? *ack : -EPROTO;
}
