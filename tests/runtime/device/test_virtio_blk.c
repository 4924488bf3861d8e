/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio-blk function as a driver sees it: configuration, every kind of request, what is refused, stops and resets.
 */
#include <sys/eventfd.h>

#include "tests/runtime/device/served_blk.h"

#define CONFIG_CAPACITY  0u
#define CONFIG_WRITEBACK 32u
#define CONFIG_QUEUES    34u
#define F_CONFIG_WCE     (UINT64_C(1) << 11)
#define F_FLUSH          (UINT64_C(1) << 9)
#define F_WRITE_ZEROES   (UINT64_C(1) << 14)
#define F_DISCARD        (UINT64_C(1) << 13)
#define F_RO             (UINT64_C(1) << 5)

static int setup(void **state)
{
    const struct volume_settings volume = {.name = "disk", .backend = "memory:", .bytes = VOLUME_BYTES};
    *state = calloc(1, sizeof(struct served_blk));
    return served_blk_open(*state, &volume);
}

static int setup_read_only(void **state)
{
    const struct volume_settings volume = {
        .name = "disk", .backend = "memory:", .bytes = VOLUME_BYTES, .read_only = true};
    *state = calloc(1, sizeof(struct served_blk));
    return served_blk_open(*state, &volume);
}

static int setup_stalling(void **state)
{
    const struct volume_settings volume = {
        .name = "disk", .backend = "fault:any-delay@300000,memory:", .bytes = VOLUME_BYTES};
    *state = calloc(1, sizeof(struct served_blk));
    return served_blk_open(*state, &volume);
}

static void fill(uint8_t *data, size_t bytes, uint8_t seed)
{
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static void test_configuration(void **state)
{
    struct served_blk *served = *state;
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t queues;
    served_blk_start(served, ALL_FEATURES);
    assert_int_equal(virtio_driver_config(&served->driver.pci, CONFIG_CAPACITY, &capacity, 8), 0);
    assert_int_equal(capacity, VOLUME_BYTES / 512);
    assert_int_equal(virtio_driver_config(&served->driver.pci, 8, &size_max, 4), 0);
    assert_int_equal(virtio_driver_config(&served->driver.pci, 12, &seg_max, 4), 0);
    assert_true((uint64_t)size_max * seg_max <= BLOCK_DATA_MAX);
    assert_int_equal(virtio_driver_config(&served->driver.pci, CONFIG_QUEUES, &queues, 2), 0);
    assert_int_equal(queues, GUEST_QUEUES);
    assert_true(served->driver.pci.offered & VIRTIO_F_ACCESS_PLATFORM);
    assert_false(served->driver.pci.offered & F_RO);
}

static void test_data(void **state)
{
    struct served_blk *served = *state;
    uint8_t out[16384], back[16384];
    served_blk_start(served, ALL_FEATURES);
    for (unsigned queue = 0; queue < GUEST_QUEUES; queue++) {
        fill(out, sizeof out, (uint8_t)queue);
        assert_int_equal(
            virtio_blk_driver_request(&served->driver, queue, T_OUT, 8 + queue * 32, out, sizeof out, false), S_OK);
        assert_int_equal(
            virtio_blk_driver_request(&served->driver, queue, T_IN, 8 + queue * 32, back, sizeof back, true), S_OK);
        assert_memory_equal(out, back, sizeof out);
        assert_int_equal(virtio_blk_driver_request(&served->driver, queue, T_FLUSH, 0, NULL, 0, false), S_OK);
    }
    /* The last sector, and the one behind it. */
    assert_int_equal(served_blk_request(served, T_OUT, VOLUME_BYTES / 512 - 1, out, 512, false), S_OK);
    assert_int_equal(served_blk_request(served, T_OUT, VOLUME_BYTES / 512, out, 512, false), S_IOERR);
    assert_int_equal(served_blk_request(served, T_IN, VOLUME_BYTES / 512 - 1, back, 1024, true), S_IOERR);
    assert_int_equal(served_blk_request(served, T_IN, UINT64_MAX, back, 512, true), S_IOERR);
    assert_int_equal(served_blk_request(served, T_IN, UINT64_MAX / 512, back, 512, true), S_IOERR);
}

static void test_identity(void **state)
{
    struct served_blk *served = *state;
    char id[20];
    served_blk_start(served, ALL_FEATURES);
    memset(id, 'x', sizeof id);
    assert_int_equal(served_blk_request(served, T_GET_ID, 0, id, sizeof id, true), S_OK);
    assert_memory_equal(id, "serial-0001\0\0\0\0\0\0\0\0", 20);
    assert_int_equal(
        served->driver.rings[0].used_length[served->driver.rings[0].free_heads[served->driver.rings[0].free_count - 1]],
        21);
    assert_int_equal(served_blk_request(served, T_GET_ID, 0, NULL, 0, true), S_IOERR);
    assert_int_equal(served_blk_request(served, 99, 0, id, 20, true), S_UNSUPP);
    assert_int_equal(served_blk_request(served, T_SECURE_ERASE, 0, id, 16, false), S_UNSUPP);
    assert_int_equal(served_blk_request(served, 0x80000001u, 0, id, 20, false), S_UNSUPP);
}

struct range {
    uint64_t sector;
    uint32_t sectors, flags;
};

static void test_clearing(void **state)
{
    struct served_blk *served = *state;
    uint8_t out[4096], back[4096], zeros[4096] = {0};
    served_blk_start(served, ALL_FEATURES);
    fill(out, sizeof out, 3);
    assert_int_equal(served_blk_request(served, T_OUT, 0, out, sizeof out, false), S_OK);
    assert_int_equal(served_blk_request(served, T_OUT, 100, out, sizeof out, false), S_OK);
    struct range ranges[] = {{0, 4, 0}, {102, 2, 1}};
    assert_int_equal(served_blk_request(served, T_WRITE_ZEROES, 0, ranges, sizeof ranges, false), S_OK);
    assert_int_equal(served_blk_request(served, T_IN, 0, back, sizeof back, true), S_OK);
    assert_memory_equal(back, zeros, 2048);
    assert_memory_equal(back + 2048, out + 2048, 2048);
    assert_int_equal(served_blk_request(served, T_IN, 100, back, sizeof back, true), S_OK);
    assert_memory_equal(back + 1024, zeros, 1024);
    assert_memory_equal(back, out, 1024);

    struct range discard = {8, 8, 0};
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, &discard, sizeof discard, false), S_OK);
    discard.flags = 1; /* unmap is of write zeroes alone */
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, &discard, sizeof discard, false), S_UNSUPP);
    discard.flags = 2;
    assert_int_equal(served_blk_request(served, T_WRITE_ZEROES, 0, &discard, sizeof discard, false), S_UNSUPP);
    discard = (struct range){VOLUME_BYTES / 512 - 4, 5, 0};
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, &discard, sizeof discard, false), S_IOERR);
    discard = (struct range){UINT64_MAX - 1, 4, 0};
    assert_int_equal(served_blk_request(served, T_WRITE_ZEROES, 0, &discard, sizeof discard, false), S_IOERR);
    discard = (struct range){0, UINT32_MAX, 0};
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, &discard, sizeof discard, false), S_IOERR);
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, &discard, 15, false), S_IOERR);
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, NULL, 0, false), S_IOERR);
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, back, 65 * 16, false), S_IOERR);
    /* The second of two is bad: nothing is done. */
    struct range second[] = {{100, 1, 0}, {0, 1, 4}};
    assert_int_equal(served_blk_request(served, T_WRITE_ZEROES, 0, second, sizeof second, false), S_UNSUPP);
    assert_int_equal(served_blk_request(served, T_IN, 100, back, 512, true), S_OK);
    assert_memory_equal(back, out, 512);
    /* Not negotiated. */
    served_blk_start(served, ~(F_DISCARD | F_WRITE_ZEROES));
    discard = (struct range){0, 1, 0};
    assert_int_equal(served_blk_request(served, T_DISCARD, 0, &discard, sizeof discard, false), S_UNSUPP);
    assert_int_equal(served_blk_request(served, T_WRITE_ZEROES, 0, &discard, sizeof discard, false), S_UNSUPP);
}

/* A driver may cut a chain anywhere (2.7.4.1). */
static void test_odd_chains(void **state)
{
    struct served_blk *served = *state;
    served_blk_start(served, ALL_FEATURES);
    struct block_ring *ring = &served->driver.rings[0];
    uint8_t back[512], expected[512];
    fill(expected, sizeof expected, 9);
    int head = block_ring_claim(ring);
    uint8_t *data = block_ring_data(ring, (unsigned)head);
    const struct {
        uint32_t type, reserved;
        uint64_t sector;
    } write = {T_OUT, 0, 40}, odd = {T_IN, 0, 40};
    memcpy(data, &write, 16);
    memcpy(data + 16, expected, 512);
    uint64_t at = block_ring_address(ring, (unsigned)head, BLOCK_RING_DATA), status = at - BLOCK_RING_DATA + 16;
    /* The header in two pieces, the second of which holds data too. */
    struct virtq_descriptor split[] = {{at, 5, VIRTQ_NEXT, 1},
                                       {at + 5, 100, VIRTQ_NEXT, 2},
                                       {at + 105, 16 + 512 - 105, VIRTQ_NEXT, 3},
                                       {status, 1, VIRTQ_WRITE, 0}};
    block_ring_submit_table(ring, (unsigned)head, split, 4);
    assert_int_equal(virtio_driver_kick(&served->driver.pci, 0), 0);
    assert_int_equal(block_ring_wait(ring, (unsigned)head, 5000), 0);
    assert_int_equal(block_ring_status(ring, (unsigned)head), S_OK);
    assert_int_equal(served_blk_request(served, T_IN, 40, back, 512, true), S_OK);
    assert_memory_equal(back, expected, 512);
    /* No whole sector; a header that is too short; nothing but a status. */
    assert_int_equal(served_blk_request(served, T_IN, 40, back, 100, true), S_IOERR);
    assert_int_equal(served_blk_request(served, T_OUT, 40, back, 511, false), S_IOERR);
    struct virtq_descriptor alone[] = {{status, 1, VIRTQ_WRITE, 0}};
    block_ring_submit_table(ring, (unsigned)(head = block_ring_claim(ring)), alone, 1);
    virtio_driver_kick(&served->driver.pci, 0);
    assert_int_equal(block_ring_wait(ring, (unsigned)head, 5000), 0);
    /* The header short of one byte, with room to read into. */
    head = block_ring_claim(ring);
    at = block_ring_address(ring, (unsigned)head, BLOCK_RING_DATA), status = at - BLOCK_RING_DATA + 16;
    memcpy(block_ring_data(ring, (unsigned)head), &odd, 16);
    struct virtq_descriptor less[] = {
        {at, 15, VIRTQ_NEXT, 1}, {at + 512, 512, VIRTQ_NEXT | VIRTQ_WRITE, 2}, {status, 1, VIRTQ_WRITE, 0}};
    block_ring_submit_table(ring, (unsigned)head, less, 3);
    virtio_driver_kick(&served->driver.pci, 0);
    assert_int_equal(block_ring_wait(ring, (unsigned)head, 5000), 0);
    assert_int_equal(block_ring_status(ring, (unsigned)head), S_IOERR);
    assert_false(served_blk_broken(served));
}

/* More than the card moves at once: in pieces. */
static void test_large(void **state)
{
    struct served_blk *served = *state;
    served_blk_start(served, ALL_FEATURES);
    struct block_ring *ring = &served->driver.rings[0];
    const uint32_t bytes = BLOCK_DATA_MAX + 512 * 40;
    /* The buffers of queue 1, which rests. */
    uint8_t *memory = block_ring_data(&served->driver.rings[1], 0);
    uint64_t address = block_ring_address(&served->driver.rings[1], 0, BLOCK_RING_DATA);
    fill(memory, bytes, 77);
    for (unsigned write = 1; write < 2; write--) {
        int head = block_ring_claim(ring);
        uint64_t slot = block_ring_address(ring, (unsigned)head, 0);
        const struct {
            uint32_t type, reserved;
            uint64_t sector;
        } header = {write ? T_OUT : T_IN, 0, 1000};
        memcpy(block_ring_data(ring, (unsigned)head), &header, 16);
        struct virtq_descriptor table[] = {
            {slot + BLOCK_RING_DATA, 16, VIRTQ_NEXT, 1},
            {write ? address : address + (2u << 20), bytes, (uint16_t)(VIRTQ_NEXT | (write ? 0 : VIRTQ_WRITE)), 2},
            {slot + 16, 1, VIRTQ_WRITE, 0}};
        block_ring_submit_table(ring, (unsigned)head, table, 3);
        virtio_driver_kick(&served->driver.pci, 0);
        assert_int_equal(block_ring_wait(ring, (unsigned)head, 10000), 0);
        assert_int_equal(block_ring_status(ring, (unsigned)head), S_OK);
        assert_int_equal(ring->used_length[head], write ? 1 : bytes + 1);
    }
    assert_memory_equal(memory, memory + (2u << 20), bytes);
}

static void test_read_only(void **state)
{
    struct served_blk *served = *state;
    uint8_t data[512] = {0};
    struct range range = {0, 1, 0};
    served_blk_start(served, ALL_FEATURES);
    assert_true(served->driver.pci.offered & F_RO);
    assert_false(served->driver.pci.offered & (F_DISCARD | F_WRITE_ZEROES | F_CONFIG_WCE));
    assert_int_equal(served_blk_request(served, T_OUT, 0, data, 512, false), S_IOERR);
    assert_int_equal(served_blk_request(served, T_IN, 0, data, 512, true), S_OK);
    assert_int_equal(served_blk_request(served, T_WRITE_ZEROES, 0, &range, sizeof range, false), S_UNSUPP);
}

static void test_write_cache(void **state)
{
    struct served_blk *served = *state;
    struct virtio_blk_state now;
    uint8_t mode;
    served_blk_start(served, ALL_FEATURES);
    assert_int_equal(virtio_driver_config(&served->driver.pci, CONFIG_WRITEBACK, &mode, 1), 0);
    assert_int_equal(mode, 1);
    mode = 0;
    assert_int_equal(vfio_user_client_write(served->client, 0, VIRTIO_PCI_DEVICE + CONFIG_WRITEBACK, &mode, 1), 0);
    assert_int_equal(virtio_driver_config(&served->driver.pci, CONFIG_WRITEBACK, &mode, 1), 0);
    assert_int_equal(mode, 0);
    virtio_blk_state(served->device, &now);
    assert_false(now.write_cache);
    /* No other field can be written. */
    uint64_t capacity = 1;
    assert_int_equal(vfio_user_client_write(served->client, 0, VIRTIO_PCI_DEVICE, &capacity, 8), 0);
    assert_int_equal(virtio_driver_config(&served->driver.pci, CONFIG_CAPACITY, &capacity, 8), 0);
    assert_int_equal(capacity, VOLUME_BYTES / 512);
    /* A reset forgets it; a driver that has not taken the feature does not set it. */
    served_blk_start(served, ~F_CONFIG_WCE);
    mode = 0;
    assert_int_equal(vfio_user_client_write(served->client, 0, VIRTIO_PCI_DEVICE + CONFIG_WRITEBACK, &mode, 1), 0);
    virtio_blk_state(served->device, &now);
    assert_true(now.write_cache);
}

static void test_resize(void **state)
{
    struct served_blk *served = *state;
    uint8_t before, after, data[512] = {1};
    uint64_t capacity;
    int interrupt = eventfd(0, EFD_NONBLOCK);
    served_blk_start(served, ALL_FEATURES);
    assert_int_equal(virtio_driver_write(&served->driver.pci, VIRTIO_PCI_CONFIG_VECTOR, 0, 2), 0);
    assert_int_equal(vfio_user_client_irq(served->client, 2, 0, interrupt), 0);
    assert_int_equal(virtio_driver_read(&served->driver.pci, VIRTIO_PCI_GENERATION, &before, 1), 0);
    assert_int_equal(served_blk_request(served, T_OUT, VOLUME_BYTES / 512, data, 512, false), S_IOERR);
    assert_int_equal(block_volume_resize(served->volume, 2 * VOLUME_BYTES, NULL), 0);
    eventfd_t count;
    for (unsigned i = 0; i < 500 && eventfd_read(interrupt, &count); i++)
        usleep(10000);
    assert_int_equal(virtio_driver_read(&served->driver.pci, VIRTIO_PCI_GENERATION, &after, 1), 0);
    assert_int_not_equal(before, after);
    assert_int_equal(virtio_driver_config(&served->driver.pci, CONFIG_CAPACITY, &capacity, 8), 0);
    assert_int_equal(capacity, 2 * VOLUME_BYTES / 512);
    assert_int_equal(served_blk_request(served, T_OUT, VOLUME_BYTES / 512, data, 512, false), S_OK);
    close(interrupt);
}

static void test_interrupts(void **state)
{
    struct served_blk *served = *state;
    uint8_t data[512];
    eventfd_t count;
    int interrupt = eventfd(0, EFD_NONBLOCK);
    served_blk_start(served, ALL_FEATURES & ~VIRTIO_F_EVENT_INDEX);
    assert_int_equal(served_blk_request(served, T_IN, 0, data, 512, true), S_OK); /* latched until there is a vector */
    assert_int_equal(vfio_user_client_irq(served->client, 2, 1, interrupt), 0);
    for (unsigned i = 0; i < 500 && eventfd_read(interrupt, &count); i++)
        usleep(10000);
    assert_int_equal(served_blk_request(served, T_IN, 0, data, 512, true), S_OK);
    for (unsigned i = 0; i < 500 && eventfd_read(interrupt, &count); i++)
        usleep(10000);
    assert_true(served->card->interrupts >= 2);
    close(interrupt);
}

static void test_faults(void **state)
{
    struct served_blk *served = *state;
    struct virtio_blk_state now;
    uint8_t data[512];
    served_blk_start(served, ALL_FEATURES);
    assert_int_equal(served_blk_request(served, T_IN, 0, data, 512, true), S_OK);
    struct block_ring *ring = &served->driver.rings[2];
    struct virtq_descriptor wrong[] = {{GUEST_ADDRESS, 16, 0, 0}}; /* no status byte */
    block_ring_submit_table(ring, (unsigned)block_ring_claim(ring), wrong, 1);
    assert_int_equal(virtio_driver_kick(&served->driver.pci, 2), 0);
    assert_true(served_blk_broken(served));
    virtio_blk_state(served->device, &now);
    assert_true(now.broken);
    for (unsigned i = 0; i < GUEST_QUEUES; i++)
        assert_false(now.running[i]);
    served_blk_start(served, ALL_FEATURES);
    assert_int_equal(served_blk_request(served, T_IN, 0, data, 512, true), S_OK);
    virtio_blk_state(served->device, &now);
    assert_false(now.broken);
    /* An event of the earlier setting says nothing about this one. */
    const struct event_entry old = {.kind = EVENT_QUEUE_STOPPED, .queue = (uint16_t)now.first_queue, .generation = 1};
    virtio_blk_queue_fault(served->device, &old);
    usleep(50000);
    assert_int_equal(served_blk_request(served, T_IN, 0, data, 512, true), S_OK);
}

/* Memory that the client does not share is out of the card's reach. */
static void test_private_rings(void **state)
{
    struct served_blk *served = *state;
    uint8_t *memory;
    assert_int_equal(vfio_user_client_memory(served->client, CLIENT_MEMORY_PRIVATE, GUEST_ADDRESS * 2,
                                             GUEST_QUEUES * BLOCK_RING_BYTES, &memory),
                     0);
    assert_int_equal(virtio_blk_driver_start(&served->driver, served->client, ALL_FEATURES, GUEST_QUEUES, 128, memory,
                                             GUEST_ADDRESS * 2),
                     0);
    assert_true(served_blk_broken(served));
}

static void submit_many(struct served_blk *served, unsigned queue, unsigned count)
{
    struct block_ring *ring = &served->driver.rings[queue];
    for (unsigned i = 0; i < count; i++) {
        int head = block_ring_claim(ring);
        assert_true(head >= 0);
        memset(block_ring_data(ring, (unsigned)head), (int)i + 1, 4096);
        block_ring_submit(ring, (unsigned)head, T_OUT, i * 8, 4096, false);
    }
    assert_int_equal(virtio_driver_kick(&served->driver.pci, queue), 0);
}

/* Bus mastering goes away with requests in flight and comes back: none is lost, none is done twice. */
static void test_pause(void **state)
{
    struct served_blk *served = *state;
    const uint16_t off = 2, on = 6;
    served_blk_start(served, ALL_FEATURES);
    for (unsigned round = 0; round < 3; round++) {
        submit_many(served, 1, 100);
        assert_int_equal(vfio_user_client_write(served->client, 7, 4, &off, 2), 0);
        assert_int_equal(vfio_user_client_write(served->client, 7, 4, &on, 2), 0);
        assert_int_equal(block_ring_drain(&served->driver.rings[1], 10000), 0);
        for (unsigned head = 0; head < 100; head++)
            assert_int_equal(block_ring_status(&served->driver.rings[1], 127 - head), S_OK);
    }
    uint8_t back[4096];
    assert_int_equal(served_blk_request(served, T_IN, 99 * 8, back, sizeof back, true), S_OK);
    assert_int_equal(back[4095], 100);
}

/* A reset with requests in flight; the rings begin anew. */
static void test_reset(void **state)
{
    struct served_blk *served = *state;
    uint8_t back[512];
    for (unsigned round = 0; round < 4; round++) {
        served_blk_start(served, ALL_FEATURES);
        for (unsigned queue = 0; queue < GUEST_QUEUES; queue++)
            submit_many(served, queue, 60);
    }
    assert_int_equal(vfio_user_client_reset(served->client), 0);
    served_blk_start(served, ALL_FEATURES);
    assert_int_equal(served_blk_request(served, T_IN, 0, back, 512, true), S_OK);
    assert_int_equal(back[0], 1);
}

/* 2.6.1: one queue is reset and set up anew while the others go on. */
static void test_queue_reset(void **state)
{
    struct served_blk *served = *state;
    uint8_t back[512];
    served_blk_start(served, ALL_FEATURES);
    submit_many(served, 1, 100);
    assert_int_equal(virtio_driver_write(&served->driver.pci, VIRTIO_PCI_QUEUE_SELECT, 1, 2), 0);
    assert_int_equal(virtio_driver_write(&served->driver.pci, VIRTIO_PCI_QUEUE_RESET, 1, 2), 0);
    assert_int_equal(served_blk_request(served, T_IN, 0, back, 512, true), S_OK);
    assert_int_equal(virtio_blk_driver_set_queue(&served->driver, 1, 64, served->memory + BLOCK_RING_BYTES,
                                                 GUEST_ADDRESS + BLOCK_RING_BYTES),
                     0);
    assert_int_equal(virtio_blk_driver_request(&served->driver, 1, T_IN, 0, back, 512, true), S_OK);
}

/* Slow requests, raw ones among them, and a reset that does not wait for all of them one after the other. */
static void test_slow_backend(void **state)
{
    struct served_blk *served = *state;
    struct range range = {0, 1, 0};
    served_blk_start(served, ALL_FEATURES);
    submit_many(served, 0, 100);
    struct block_ring *ring = &served->driver.rings[0];
    for (unsigned i = 0; i < 20; i++) {
        int head = block_ring_claim(ring);
        memcpy(block_ring_data(ring, (unsigned)head), &range, sizeof range);
        block_ring_submit(ring, (unsigned)head, T_WRITE_ZEROES, 0, sizeof range, false);
    }
    virtio_driver_kick(&served->driver.pci, 0);
    usleep(100000);
    uint64_t begin = cipu_card_time(NULL);
    served_blk_start(served, ALL_FEATURES);
    assert_true(cipu_card_time(NULL) - begin < UINT64_C(4000000000));
    uint8_t back[512];
    assert_int_equal(served_blk_request(served, T_IN, 0, back, 512, true), S_OK);
}

static void test_settings(void **state)
{
    struct served_blk *served = *state;
    struct virtio_blk *device = NULL;
    struct cipu_error error;
    struct virtio_blk_settings good = {.function = 5, .volume = served->volume}, bad = good;
    bad.function = FUNCTION_HOST;
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &bad, &device, &error), -EINVAL);
    bad = good;
    bad.queues = 9;
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &bad, &device, &error), -EINVAL);
    bad = good;
    bad.queue_entries = 256;
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &bad, &device, &error), -EINVAL);
    bad = good;
    bad.serial = "a serial number of 21";
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &bad, &device, &error), -EINVAL);
    assert_non_null(strstr(error.text, "at most 20"));
    bad = good;
    bad.function = BLK_FUNCTION; /* has the volume already */
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &bad, &device, &error), -EEXIST);
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &good, &device, &error), 0);
    virtio_blk_destroy(device);
    assert_int_equal(virtio_blk_create(served->card, served->host, served->engine, &good, &device, &error), 0);
    virtio_blk_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_configuration, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_data, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_identity, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_clearing, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_odd_chains, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup_read_only, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_write_cache, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_resize, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_interrupts, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_private_rings, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_pause, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_reset, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_queue_reset, setup, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_slow_backend, setup_stalling, served_blk_teardown),
        cmocka_unit_test_setup_teardown(test_settings, setup, served_blk_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
