/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/virtio_net_driver.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "hls/include/virtio.h"
#include "runtime/device/virtio_pci.h"

#define CONFIG     7u
#define AVAIL      (DRIVER_ENTRIES * 16u)
#define USED       4096u
#define POLL_US    50u
#define SEND_MS    5000u
#define BUS_MASTER 6u /* memory and bus master enable */
#define VENDOR_ID  9u

#define TRY(call)                \
    do {                         \
        int try_result = (call); \
        if (try_result)          \
            return try_result;   \
    } while (0)

static uint16_t get_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t get_32(const uint8_t *bytes)
{
    return get_16(bytes) | (uint32_t)get_16(bytes + 2) << 16;
}

int virtio_net_driver_probe(struct virtio_net_driver *driver, struct vfio_user_client *client)
{
    uint8_t config[4096];
    memset(driver, 0, sizeof *driver);
    driver->client = client;
    TRY(vfio_user_client_read(client, CONFIG, 0, config, sizeof config));
    if (get_16(config) != 0x1af4 || get_16(config + 2) != 0x1041)
        return -ENODEV;
    struct virtio_structure *structures[] = {
        [1] = &driver->common, [2] = &driver->notify, [3] = &driver->isr, [4] = &driver->device, [5] = &driver->window};
    unsigned steps = 0;
    for (unsigned at = config[0x34]; at && steps < 64; at = config[at + 1], steps++) {
        unsigned type = config[at + 3];
        if (config[at] != VENDOR_ID || type < 1 || type > 5)
            continue;
        *structures[type] =
            (struct virtio_structure){config[at + 4], get_32(config + at + 8), get_32(config + at + 12)};
        if (type == 2)
            driver->notify_multiplier = get_32(config + at + 16);
        if (type == 5)
            driver->window.offset = at;
    }
    return driver->common.length && driver->notify.length && driver->isr.length && driver->device.length ? 0 : -ENODEV;
}

int virtio_net_driver_common_read(struct virtio_net_driver *driver, uint32_t offset, void *value, uint32_t bytes)
{
    return vfio_user_client_read(driver->client, driver->common.bar, driver->common.offset + offset, value, bytes);
}

int virtio_net_driver_common_write(struct virtio_net_driver *driver, uint32_t offset, uint64_t value, uint32_t bytes)
{
    return vfio_user_client_write(driver->client, driver->common.bar, driver->common.offset + offset, &value, bytes);
}

int virtio_net_driver_status(struct virtio_net_driver *driver, uint8_t *status)
{
    return virtio_net_driver_common_read(driver, VIRTIO_PCI_STATUS, status, 1);
}

int virtio_net_driver_kick(struct virtio_net_driver *driver, unsigned queue)
{
    uint16_t value = (uint16_t)queue;
    return vfio_user_client_write_posted(driver->client, driver->notify.bar,
                                         driver->notify.offset + driver->queues[queue].notify_offset, &value,
                                         sizeof value);
}

static int negotiate(struct virtio_net_driver *driver, uint64_t features)
{
    uint32_t low, high;
    uint8_t status;
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_STATUS, 0, 1));
    TRY(virtio_net_driver_status(driver, &status));
    if (status)
        return -EBUSY;
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_STATUS, 3, 1));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_DEVICE_FEATURE_SELECT, 0, 4));
    TRY(virtio_net_driver_common_read(driver, VIRTIO_PCI_DEVICE_FEATURE, &low, 4));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_DEVICE_FEATURE_SELECT, 1, 4));
    TRY(virtio_net_driver_common_read(driver, VIRTIO_PCI_DEVICE_FEATURE, &high, 4));
    driver->offered = low | (uint64_t)high << 32;
    driver->accepted = features & driver->offered;
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 0, 4));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_DRIVER_FEATURE, (uint32_t)driver->accepted, 4));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 1, 4));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_DRIVER_FEATURE, driver->accepted >> 32, 4));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_STATUS, 11, 1));
    TRY(virtio_net_driver_status(driver, &status));
    return status & VIRTIO_STATUS_FEATURES_OK ? 0 : -ENOTSUP;
}

static int set_address(struct virtio_net_driver *driver, uint32_t offset, uint64_t address)
{
    TRY(virtio_net_driver_common_write(driver, offset, (uint32_t)address, 4));
    return virtio_net_driver_common_write(driver, offset + 4, address >> 32, 4);
}

static int set_up_queue(struct virtio_net_driver *driver, unsigned index)
{
    struct driver_queue *queue = &driver->queues[index];
    uint16_t notify_off;
    memset(queue->ring, 0, DRIVER_RING_BYTES);
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_QUEUE_SELECT, index, 2));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_QUEUE_SIZE, DRIVER_ENTRIES, 2));
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_QUEUE_VECTOR, index + 1, 2));
    TRY(virtio_net_driver_common_read(driver, VIRTIO_PCI_QUEUE_NOTIFY_OFF, &notify_off, 2));
    queue->notify_offset = (uint64_t)notify_off * driver->notify_multiplier;
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_DESCRIPTORS, queue->ring_address));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_AVAIL, queue->ring_address + AVAIL));
    TRY(set_address(driver, VIRTIO_PCI_QUEUE_USED, queue->ring_address + USED));
    return virtio_net_driver_common_write(driver, VIRTIO_PCI_QUEUE_ENABLE, 1, 2);
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
    const uint16_t command = BUS_MASTER;
    TRY(vfio_user_client_write(driver->client, CONFIG, 4, &command, sizeof command));
    TRY(negotiate(driver, features | VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < DRIVER_QUEUES; i++) {
        const size_t ring = i * DRIVER_RING_BYTES,
                     buffers = DRIVER_QUEUES * DRIVER_RING_BYTES + i * DRIVER_ENTRIES * DRIVER_BUFFER_BYTES;
        driver->queues[i] = (struct driver_queue){.ring = memory + ring,
                                                  .buffers = memory + buffers,
                                                  .ring_address = address + ring,
                                                  .buffers_address = address + buffers};
        TRY(set_up_queue(driver, i));
    }
    TRY(virtio_net_driver_common_write(driver, VIRTIO_PCI_STATUS, 15, 1));
    for (unsigned i = 0; i < DRIVER_ENTRIES; i++) {
        put_descriptor(&driver->queues[DRIVER_RECEIVE], i, DRIVER_BUFFER_BYTES, VIRTQ_WRITE, 0);
        put_avail(&driver->queues[DRIVER_RECEIVE], (uint16_t)i);
    }
    return virtio_net_driver_kick(driver, DRIVER_RECEIVE);
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
    TRY(virtio_net_driver_kick(driver, DRIVER_TRANSMIT));
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
            buffers = driver->accepted & (UINT64_C(1) << 15) ? header.buffers : 1;
        }
        if (++i >= buffers)
            break;
        if (!wait_used(&driver->queues[DRIVER_RECEIVE], &element, SEND_MS))
            return -EPROTO;
    }
    TRY(virtio_net_driver_kick(driver, DRIVER_RECEIVE));
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
    TRY(virtio_net_driver_kick(driver, DRIVER_CONTROL));
    if (!wait_used(queue, &element, SEND_MS))
        return -EAGAIN;
    return element.id == 0 && element.length == 1 ? *ack : -EPROTO;
}
