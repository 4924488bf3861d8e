/* SPDX-License-Identifier: Apache-2.0 */
/* Frames through a native card and back: memory of every kind, features on and off, resets and disconnections under
 * way. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "runtime/device/virtio_net_internal.h"
#include "tests/runtime/device/reflecting_card.h"

#define MERGEABLE (UINT64_C(1) << 15)
#define RX_FRAMES 300u

#define SLICE_MS 20
#define LOST_MS  200
#define LATE_MS  5000

/* Nothing that anybody answers: a local experimental Ethertype. */
static size_t make_frame(uint8_t *frame, unsigned sequence)
{
    size_t bytes = 60 + (sequence * 97) % 1455;
    for (size_t k = 0; k < bytes; k++)
        frame[k] = (uint8_t)(sequence + k * 13);
    memcpy(frame, "\2\0\0\0\0\5\2\0\0\0\0\6\x88\xb5", 14);
    memcpy(frame + 14, &sequence, sizeof sequence);
    return bytes;
}

/* The next frame but for copies of those that came before `sequence`. -EAGAIN: none came, in LATE_MS, or in LOST_MS
 * where one may be lost: `first` of its queues, or a queue of the card stopped after the count of `stopped`. */
static int receive_frame(struct reflecting_card *reflecting, uint8_t *back, unsigned sequence, bool first,
                         unsigned stopped)
{
    for (unsigned waited = 0; waited < LATE_MS; waited += SLICE_MS) {
        int received = virtio_net_driver_receive(&reflecting->driver, back, 2048, SLICE_MS);
        unsigned number = sequence;
        if (received >= 60)
            memcpy(&number, back + 14, sizeof number);
        if (received != -EAGAIN && number >= sequence)
            return received;
        if (waited >= LOST_MS && (first || reflecting->stopped_queues != stopped))
            break;
    }
    return -EAGAIN;
}

/* Lost, and sent again, are the frame that a queue of the card fails on, and one that comes before the card has fetched
 * the first receive buffers. */
static void exchange_frames(struct reflecting_card *reflecting, unsigned count)
{
    static unsigned sequence;
    unsigned stopped = reflecting->stopped_queues;
    bool again = false;
    for (unsigned i = 0; i < count; i++) {
        uint8_t frame[1514], back[2048];
        size_t bytes = make_frame(frame, sequence);
        assert_int_equal(virtio_net_driver_send(&reflecting->driver, frame, bytes), 0);
        bool first = i == 0 && !again;
        int received = receive_frame(reflecting, back, sequence, first, stopped);
        if (received == -EAGAIN && (reflecting->stopped_queues != stopped || first)) {
            stopped = reflecting->stopped_queues;
            again = true;
            i--;
            continue;
        }
        assert_int_equal(received, (int)bytes);
        assert_memory_equal(frame, back, bytes);
        sequence++;
    }
}

static void all_features(void **state, enum vfio_user_memory_kind kind)
{
    static const uint64_t FEATURES[] = {UINT64_MAX, 0, VIRTIO_F_EVENT_INDEX, MERGEABLE, VIRTIO_F_INDIRECT | MERGEABLE};
    struct reflecting_card *reflecting = *state;
    for (size_t i = 0; i < sizeof FEATURES / sizeof FEATURES[0]; i++) {
        reflecting_card_start(reflecting, kind, FEATURES[i]);
        exchange_frames(reflecting, RX_FRAMES);
        assert_false(reflecting_card_state(reflecting).broken);
    }
}

static void test_shared(void **state)
{
    struct reflecting_card *reflecting = *state;
    all_features(state, CLIENT_MEMORY_SHARED);
    assert_int_equal(vfio_user_client_dma_messages(reflecting->client), 0);
}

static void test_pages(void **state)
{
    all_features(state, CLIENT_MEMORY_PAGES);
}

static void test_private(void **state)
{
    struct reflecting_card *reflecting = *state;
    all_features(state, CLIENT_MEMORY_PRIVATE);
    assert_true(vfio_user_client_dma_messages(reflecting->client) > 1000);
}

/* Rings that the card sees, buffers that it does not: it starts, meets one, and the relay goes on. */
static void test_mixed(void **state)
{
    struct reflecting_card *reflecting = *state;
    all_features(state, CLIENT_MEMORY_MIXED);
    assert_true(reflecting->stopped_queues > 0);
    assert_true(vfio_user_client_dma_messages(reflecting->client) > 1000);
}

static bool interrupted(int fd)
{
    eventfd_t value;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 2000) == 1 && eventfd_read(fd, &value) == 0;
}

static void test_interrupts(void **state)
{
    struct reflecting_card *reflecting = *state;
    int fds[4];
    for (uint32_t i = 0; i < 4; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        assert_int_equal(vfio_user_client_irq(reflecting->client, 2, i, fds[i]), 0);
    }
    for (unsigned kind = CLIENT_MEMORY_SHARED; kind <= CLIENT_MEMORY_PRIVATE; kind++) {
        reflecting_card_start(reflecting, kind, MERGEABLE);
        exchange_frames(reflecting, 1);
        assert_true(interrupted(fds[1]));
        assert_true(interrupted(fds[2]));
        assert_int_equal(vfio_user_client_dma_unmap(reflecting->client, 0, UINT64_C(1) << 48), 0);
        reflecting->memory = NULL;
    }
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
}

/* A client whose eventfds are full, and who made writing to them block, holds up neither the card nor anybody who
 * changes the device. */
static void test_full_interrupts(void **state)
{
    struct reflecting_card *reflecting = *state;
    int fds[4];
    for (uint32_t i = 0; i < 4; i++) {
        fds[i] = eventfd(0, 0);
        assert_int_equal(vfio_user_client_irq(reflecting->client, 2, i, fds[i]), 0);
        assert_int_equal(eventfd_write(fds[i], UINT64_MAX - 1), 0);
        assert_int_equal(fcntl(fds[i], F_SETFL, 0), 0);
    }
    for (unsigned kind = CLIENT_MEMORY_SHARED; kind <= CLIENT_MEMORY_PRIVATE; kind++) {
        reflecting_card_start(reflecting, kind, MERGEABLE);
        assert_int_equal(virtio_driver_write(&reflecting->driver.pci, VIRTIO_PCI_CONFIG_VECTOR, 3, 2), 0);
        exchange_frames(reflecting, 20);
        virtio_net_set_link(reflecting->device, kind % 2);
        exchange_frames(reflecting, 20);
        assert_int_equal(vfio_user_client_dma_unmap(reflecting->client, 0, UINT64_C(1) << 48), 0);
        reflecting->memory = NULL;
    }
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
}

/* Interrupts from before a vector had its eventfd come with it. */
static void test_latched_interrupt(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, 0);
    exchange_frames(reflecting, 1);
    int fd = eventfd(0, EFD_NONBLOCK);
    assert_int_equal(vfio_user_client_irq(reflecting->client, 2, 1, fd), 0);
    assert_true(interrupted(fd));
    assert_int_equal(vfio_user_client_irq(reflecting->client, 2, 1, -1), 0);
    assert_int_equal(virtio_driver_write(&reflecting->driver.pci, VIRTIO_PCI_CONFIG_VECTOR, 3, 2), 0);
    uint16_t vector; /* a write is answered before it is done, a read after */
    assert_int_equal(virtio_driver_read(&reflecting->driver.pci, VIRTIO_PCI_CONFIG_VECTOR, &vector, 2), 0);
    assert_int_equal(vector, 3);
    virtio_net_set_link(reflecting->device, false);
    assert_int_equal(vfio_user_client_irq(reflecting->client, 2, 3, fd), 0);
    assert_true(interrupted(fd));
    close(fd);
}

static void set_command(struct reflecting_card *reflecting, uint16_t command)
{
    assert_int_equal(vfio_user_client_write(reflecting->client, DEVICE_REGION_CONFIG, 4, &command, sizeof command), 0);
}

/* Without bus mastering nothing moves; with it the queues go on where they were. */
static void bus_master(struct reflecting_card *reflecting, enum vfio_user_memory_kind kind)
{
    uint8_t frame[64] = {2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 6, 0x88, 0xb5}, back[2048];
    reflecting_card_start(reflecting, kind, UINT64_MAX);
    exchange_frames(reflecting, 100);
    for (unsigned i = 0; i < 3; i++) {
        set_command(reflecting, 2);
        unsigned frames = reflecting->frames;
        struct driver_queue *queue = &reflecting->driver.queues[DRIVER_TRANSMIT];
        uint16_t used_before = queue->used_seen;
        usleep(20000);
        set_command(reflecting, 6);
        assert_int_equal(reflecting->frames, frames);
        assert_int_equal(queue->used_seen, used_before);
        assert_int_equal(virtio_net_driver_send(&reflecting->driver, frame, sizeof frame), 0);
        assert_true(virtio_net_driver_receive(&reflecting->driver, back, sizeof back, 3000) != -EPROTO);
        exchange_frames(reflecting, 100);
    }
    assert_false(reflecting_card_state(reflecting).broken);
}

static void test_bus_master(void **state)
{
    bus_master(*state, CLIENT_MEMORY_SHARED);
}

static void test_bus_master_private(void **state)
{
    bus_master(*state, CLIENT_MEMORY_PRIVATE);
}

static void test_resets(void **state)
{
    struct reflecting_card *reflecting = *state;
    for (unsigned i = 0; i < 20; i++) {
        reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
        exchange_frames(reflecting, 5);
        if (i % 2)
            assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
        uint8_t status;
        if (i % 2) {
            assert_int_equal(virtio_driver_status(&reflecting->driver.pci, &status), 0);
            assert_int_equal(status, 0);
        }
    }
}

/* One queue alone is reset and set up again (2.6.1): the other goes on. */
static void test_queue_reset(void **state)
{
    struct reflecting_card *reflecting = *state;
    struct virtio_net_driver *driver = &reflecting->driver;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    exchange_frames(reflecting, 10);
    for (unsigned i = 0; i < 3; i++) {
        uint16_t enabled;
        struct driver_queue *queue = &driver->queues[DRIVER_TRANSMIT];
        assert_int_equal(virtio_driver_write(&driver->pci, VIRTIO_PCI_QUEUE_SELECT, DRIVER_TRANSMIT, 2), 0);
        assert_int_equal(virtio_driver_write(&driver->pci, VIRTIO_PCI_QUEUE_RESET, 1, 2), 0);
        assert_int_equal(virtio_driver_read(&driver->pci, VIRTIO_PCI_QUEUE_ENABLE, &enabled, 2), 0);
        assert_int_equal(enabled, 0);
        assert_int_equal(virtio_driver_read(&driver->pci, VIRTIO_PCI_QUEUE_RESET, &enabled, 2), 0);
        assert_int_equal(enabled, 0);
        memset(queue->ring, 0, DRIVER_RING_BYTES);
        queue->avail_index = queue->used_seen = 0;
        assert_int_equal(virtio_driver_write(&driver->pci, VIRTIO_PCI_QUEUE_SIZE, DRIVER_ENTRIES, 2), 0);
        const uint64_t addresses[3] = {queue->ring_address, queue->ring_address + DRIVER_ENTRIES * 16,
                                       queue->ring_address + 4096};
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(virtio_driver_write(&driver->pci, VIRTIO_PCI_QUEUE_DESCRIPTORS + 8 * k, addresses[k], 8),
                             0);
        assert_int_equal(virtio_driver_write(&driver->pci, VIRTIO_PCI_QUEUE_ENABLE, 1, 2), 0);
        exchange_frames(reflecting, 100);
    }
}

/* A client that vanishes in the middle leaves a device for the next. */
static void test_disconnect(void **state)
{
    struct reflecting_card *reflecting = *state;
    for (unsigned i = 0; i < 6; i++) {
        reflecting_card_start(reflecting, i % 2 ? CLIENT_MEMORY_PRIVATE : CLIENT_MEMORY_SHARED, UINT64_MAX);
        exchange_frames(reflecting, 20);
        vfio_user_client_close(reflecting->client);
        reflecting->memory = NULL;
        assert_int_equal(vfio_user_client_connect(reflecting->path, CLIENT_VERSION_JSON, &reflecting->client), 0);
        assert_int_equal(virtio_net_driver_probe(&reflecting->driver, reflecting->client), 0);
        assert_int_equal(reflecting_card_state(reflecting).status, 0);
    }
}

/* Private memory whose client stops answering: the others' calls come back, and so does the device after a reset. */
static void test_silent_client(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_PRIVATE, UINT64_MAX);
    exchange_frames(reflecting, 5);
    vfio_user_client_answer(reflecting->client, false);
    assert_int_equal(virtio_driver_kick(&reflecting->driver.pci, DRIVER_TRANSMIT), 0);
    usleep(20000);
    assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
    vfio_user_client_answer(reflecting->client, true);
    reflecting_card_start(reflecting, CLIENT_MEMORY_PRIVATE, UINT64_MAX);
    exchange_frames(reflecting, 5);
}

/* The memory goes while the queues run: a fault, and a fresh start. */
static void test_unmapped_under_way(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    exchange_frames(reflecting, 5);
    assert_int_equal(vfio_user_client_dma_unmap(reflecting->client, 0, UINT64_C(1) << 40), 0);
    assert_int_equal(virtio_driver_kick(&reflecting->driver.pci, DRIVER_TRANSMIT), 0);
    assert_true(reflecting_card_broken(reflecting));
    assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
    reflecting->memory = NULL;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    exchange_frames(reflecting, 5);
}

/* The driver claims more buffers than its ring has: the card stops the queue. */
static void break_transmit_queue(struct reflecting_card *reflecting)
{
    unsigned stopped = reflecting->stopped_queues;
    uint16_t index = (uint16_t)(reflecting->driver.queues[DRIVER_TRANSMIT].avail_index + DRIVER_ENTRIES + 1);
    memcpy(reflecting->driver.queues[DRIVER_TRANSMIT].ring + DRIVER_ENTRIES * 16 + 2, &index, sizeof index);
    assert_int_equal(virtio_driver_kick(&reflecting->driver.pci, DRIVER_TRANSMIT), 0);
    for (unsigned i = 0; i < 5000 && reflecting->stopped_queues == stopped; i++)
        usleep(1000);
    assert_int_equal(reflecting->stopped_queues, stopped + 1);
}

static void wait_until_handled(struct virtio_net *net)
{
    for (bool pending = true; pending;) {
        pthread_mutex_lock(&net->fault_lock);
        pending = net->faults[NET_TRANSMIT].pending;
        pthread_mutex_unlock(&net->fault_lock);
    }
}

/* An event that waits in its ring while the device is reset says nothing about the device as it is afterwards; one of
 * the present queue does. */
static void test_late_event(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    exchange_frames(reflecting, 5);
    reflecting->hold_events = true;
    break_transmit_queue(reflecting);
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    exchange_frames(reflecting, 5);
    virtio_net_queue_fault(reflecting->device, &reflecting->held);
    wait_until_handled(reflecting->device);
    assert_false(reflecting_card_state(reflecting).broken);
    exchange_frames(reflecting, 5);
    break_transmit_queue(reflecting);
    virtio_net_queue_fault(reflecting->device, &reflecting->held);
    assert_true(reflecting_card_broken(reflecting));
}

int main(void)
{
#define REFLECTED(test) cmocka_unit_test_setup_teardown(test, reflecting_card_setup, reflecting_card_teardown)
    const struct CMUnitTest tests[] = {
        REFLECTED(test_shared),
        REFLECTED(test_pages),
        REFLECTED(test_private),
        REFLECTED(test_mixed),
        REFLECTED(test_interrupts),
        REFLECTED(test_full_interrupts),
        REFLECTED(test_latched_interrupt),
        REFLECTED(test_bus_master),
        REFLECTED(test_bus_master_private),
        REFLECTED(test_resets),
        REFLECTED(test_queue_reset),
        REFLECTED(test_disconnect),
        REFLECTED(test_silent_client),
        REFLECTED(test_unmapped_under_way),
        REFLECTED(test_late_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
