/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that breaks every rule of a virtqueue, as a guest with bad intentions would: against a running cipud, over
 * vfio-user. After each attack it resets the device and sends a proper frame: the function must serve an honest driver
 * again.
 *
 * usage: hostile_driver SOCKET ROUNDS SEED; exit status 0 when the function survived all attacks
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hls/include/virtio.h"
#include "tests/peers/virtio_net_driver.h"

#define GUEST_ADDRESS 0x100000u
#define OTHER_ADDRESS 0x40000000u
#define OTHER_BYTES   0x10000u
#define FEATURES_ALL  UINT64_MAX

struct attacker {
    struct vfio_user_client *client;
    struct virtio_net_driver driver;
    uint8_t *memory;
    uint64_t random;
};

static uint64_t random_next(struct attacker *attacker)
{
    attacker->random ^= attacker->random << 13;
    attacker->random ^= attacker->random >> 7;
    attacker->random ^= attacker->random << 17;
    return attacker->random;
}

/* Rings of a queue: descriptors, avail and used ring as virtio_net_driver lays them out are found by what it told the
 * device. */
struct ring {
    struct virtq_descriptor *descriptors;
    uint8_t *avail;
};

static struct ring ring_of(struct attacker *attacker, unsigned queue)
{
    uint64_t descriptors = 0, avail = 0;
    virtio_driver_write(&attacker->driver.pci, 22, queue, 2);
    virtio_driver_read(&attacker->driver.pci, 32, &descriptors, 8);
    virtio_driver_read(&attacker->driver.pci, 40, &avail, 8);
    struct ring ring = {(struct virtq_descriptor *)(void *)(attacker->memory + (descriptors - GUEST_ADDRESS)),
                        attacker->memory + (avail - GUEST_ADDRESS)};
    return ring;
}

static void put16(uint8_t *bytes, uint16_t value)
{
    memcpy(bytes, &value, 2);
}

static uint16_t get16(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, 2);
    return value;
}

/* Makes chain `head` available once and kicks. */
static void offer(struct attacker *attacker, unsigned queue, uint16_t head)
{
    struct ring ring = ring_of(attacker, queue);
    uint16_t index = get16(ring.avail + VIRTQ_AVAIL_INDEX);
    put16(ring.avail + VIRTQ_AVAIL_RING + 2u * (index % DRIVER_ENTRIES), head);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    put16(ring.avail + VIRTQ_AVAIL_INDEX, (uint16_t)(index + 1u));
    virtio_driver_kick(&attacker->driver.pci, queue);
}

static void describe(struct attacker *attacker, unsigned queue, unsigned at, uint64_t address, uint32_t length,
                     uint16_t flags, uint16_t next)
{
    struct virtq_descriptor descriptor = {address, length, flags, next};
    ring_of(attacker, queue).descriptors[at] = descriptor;
}

static void attack_index(struct attacker *attacker, unsigned queue)
{
    struct ring ring = ring_of(attacker, queue);
    put16(ring.avail + VIRTQ_AVAIL_INDEX, (uint16_t)(get16(ring.avail + VIRTQ_AVAIL_INDEX) + 40000u));
    virtio_driver_kick(&attacker->driver.pci, queue);
}

static void attack_head(struct attacker *attacker, unsigned queue)
{
    offer(attacker, queue, (uint16_t)(DRIVER_ENTRIES + random_next(attacker) % 60000u));
}

static void attack_loop(struct attacker *attacker, unsigned queue)
{
    uint16_t write = queue == DRIVER_RECEIVE ? VIRTQ_WRITE : 0;
    describe(attacker, queue, 0, GUEST_ADDRESS, 64, (uint16_t)(VIRTQ_NEXT | write), 1);
    describe(attacker, queue, 1, GUEST_ADDRESS, 64, (uint16_t)(VIRTQ_NEXT | write), 0);
    offer(attacker, queue, 0);
}

/* Other functions' windows, the host's rings, the ends of the address space. */
static void attack_address(struct attacker *attacker, unsigned queue)
{
    static const uint64_t wild[] = {0,
                                    0x7fff00000000,
                                    UINT64_C(1) << 40,
                                    UINT64_C(2) << 40,
                                    (UINT64_C(127) << 40),
                                    ~UINT64_C(0),
                                    ~UINT64_C(63),
                                    GUEST_ADDRESS + DRIVER_MEMORY_BYTES - 1,
                                    OTHER_ADDRESS - 1,
                                    UINT64_C(1) << 63};
    uint16_t write = queue == DRIVER_RECEIVE ? VIRTQ_WRITE : 0;
    describe(attacker, queue, 0, wild[random_next(attacker) % (sizeof wild / sizeof *wild)], 1500, write, 0);
    offer(attacker, queue, 0);
}

static void attack_indirect(struct attacker *attacker, unsigned queue)
{
    static const uint32_t lengths[] = {0, 1, 15, 17, 16, 32, 0xfffffff0u, 0xffffffffu, 1u << 20};
    uint32_t length = lengths[random_next(attacker) % (sizeof lengths / sizeof *lengths)];
    /* The table is the ring itself: an indirect descriptor leads to an indirect descriptor. */
    virtio_driver_write(&attacker->driver.pci, 22, queue, 2);
    uint64_t table = 0;
    virtio_driver_read(&attacker->driver.pci, 32, &table, 8);
    describe(attacker, queue, 0, table, length, VIRTQ_INDIRECT, 0);
    offer(attacker, queue, 0);
}

static void attack_length(struct attacker *attacker, unsigned queue)
{
    static const uint32_t lengths[] = {0, 1, 11, 12, 13, 25, 9229, 65535, 65536, 0x7fffffff, 0xffffffffu};
    uint16_t write = queue == DRIVER_RECEIVE ? VIRTQ_WRITE : 0;
    describe(attacker, queue, 0, GUEST_ADDRESS, lengths[random_next(attacker) % (sizeof lengths / sizeof *lengths)],
             write, 0);
    offer(attacker, queue, 0);
}

static void attack_direction(struct attacker *attacker, unsigned queue)
{
    describe(attacker, queue, 0, GUEST_ADDRESS, 100, queue == DRIVER_RECEIVE ? 0 : VIRTQ_WRITE, 0);
    offer(attacker, queue, 0);
}

static void attack_garbage(struct attacker *attacker, unsigned queue)
{
    for (unsigned at = 0; at + 8 <= DRIVER_RING_BYTES * DRIVER_QUEUES; at += 8) {
        uint64_t value = random_next(attacker);
        memcpy(attacker->memory + at, &value, 8);
    }
    virtio_driver_kick(&attacker->driver.pci, queue);
}

/* Changes descriptors while the card reads them. */
static void attack_race(struct attacker *attacker, unsigned queue)
{
    struct ring ring = ring_of(attacker, queue);
    for (unsigned i = 0; i < 2000; i++) {
        ring.descriptors[i % DRIVER_ENTRIES].address = i % 3 ? GUEST_ADDRESS : random_next(attacker);
        ring.descriptors[i % DRIVER_ENTRIES].length = (uint32_t)(random_next(attacker) % 3000);
        if (i % 50 == 0)
            offer(attacker, queue, (uint16_t)(i % DRIVER_ENTRIES));
    }
}

/* Memory that is given and then taken out from under the card: a shrunk file gives SIGBUS to whoever touches it. */
static void attack_truncate(struct attacker *attacker, unsigned queue)
{
    int fd = memfd_create("hostile", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, OTHER_BYTES))
        return;
    if (vfio_user_client_dma_map(attacker->client, OTHER_ADDRESS, OTHER_BYTES, fd, 0, 3) == 0) {
        uint16_t write = queue == DRIVER_RECEIVE ? VIRTQ_WRITE : 0;
        describe(attacker, queue, 0, OTHER_ADDRESS, 1500, write, 0);
        if (ftruncate(fd, 0) == 0)
            offer(attacker, queue, 0);
        usleep(20000);
        vfio_user_client_dma_unmap(attacker->client, OTHER_ADDRESS, OTHER_BYTES);
    }
    close(fd);
}

static void attack_registers(struct attacker *attacker, unsigned queue)
{
    (void)queue;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t value = random_next(attacker);
        vfio_user_client_write(attacker->client, attacker->driver.pci.common.bar,
                               attacker->driver.pci.common.offset + random_next(attacker) % 64, &value,
                               1u << (random_next(attacker) % 4));
    }
}

static void attack_unmap(struct attacker *attacker, unsigned queue)
{
    offer(attacker, queue, 0);
    vfio_user_client_dma_unmap(attacker->client, GUEST_ADDRESS, DRIVER_MEMORY_BYTES);
    virtio_driver_kick(&attacker->driver.pci, queue);
}

static void attack_leave(struct attacker *attacker, unsigned queue)
{
    offer(attacker, queue, 0);
    vfio_user_client_close(attacker->client);
    attacker->client = NULL;
}

static const struct {
    const char *name;
    void (*run)(struct attacker *attacker, unsigned queue);
} attacks[] = {
    {"avail index beyond the queue", attack_index},
    {"head beyond the table", attack_head},
    {"descriptor loop", attack_loop},
    {"wild address", attack_address},
    {"bad indirect table", attack_indirect},
    {"bad length", attack_length},
    {"wrong direction", attack_direction},
    {"garbage rings", attack_garbage},
    {"descriptors that change while read", attack_race},
    {"truncated memory", attack_truncate},
    {"random registers", attack_registers},
    {"memory unmapped in use", attack_unmap},
    {"disconnect in use", attack_leave},
};

static int begin(struct attacker *attacker, const char *path)
{
    int status = vfio_user_client_connect(path, CLIENT_VERSION_JSON, &attacker->client);
    if (status == 0)
        status = vfio_user_client_memory(attacker->client, CLIENT_MEMORY_SHARED, GUEST_ADDRESS, DRIVER_MEMORY_BYTES,
                                         &attacker->memory);
    if (status == 0)
        status = virtio_net_driver_probe(&attacker->driver, attacker->client);
    if (status == 0)
        status = virtio_net_driver_start(&attacker->driver, FEATURES_ALL, attacker->memory, GUEST_ADDRESS);
    return status;
}

static int honest(struct attacker *attacker)
{
    uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    int status = 0;
    for (unsigned i = 0; i < 10 && status == 0; i++)
        status = virtio_net_driver_send(&attacker->driver, frame, sizeof frame);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: hostile_driver SOCKET ROUNDS SEED\n");
        return 2;
    }
    struct attacker attacker = {.random = strtoull(argv[3], NULL, 0) | 1};
    unsigned count = sizeof attacks / sizeof *attacks, rounds = (unsigned)strtoul(argv[2], NULL, 0);
    for (unsigned round = 0; round < rounds * count * 2; round++) {
        unsigned attack = round % count, queue = round / count % 2;
        int status = begin(&attacker, argv[1]);
        if (status == 0)
            status = honest(&attacker);
        if (status < 0) {
            fprintf(stderr, "round %u, before '%s': the device does not serve an honest driver: %s\n", round,
                    attacks[attack].name, strerror(-status));
            return 1;
        }
        attacks[attack].run(&attacker, queue);
        usleep(2000);
        /* A reset must work whatever state the queues are in; then the next round's honest driver. */
        if (attacker.client) {
            vfio_user_client_reset(attacker.client);
            vfio_user_client_close(attacker.client);
        }
    }
    printf("%u attacks survived\n", rounds * count * 2);
    return 0;
}
