/* SPDX-License-Identifier: Apache-2.0 */
/* Software access to guest memory: pieces in any order, files that are cut, what may not be written, and the split ring
 * on top. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hls/include/virtio.h"
#include "runtime/device/split_ring.h"

#define PAGE 4096u

struct fixture {
    struct guest_memory *memory;
    int file;
    uint8_t *bytes; /* of the file */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    fixture->file = memfd_create("guest", MFD_ALLOW_SEALING);
    if (ftruncate(fixture->file, 64 * PAGE) || guest_memory_create(NULL, 0, 0, &fixture->memory))
        return -1;
    fixture->bytes = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fixture->file, 0);
    return fixture->bytes == MAP_FAILED;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    guest_memory_destroy(fixture->memory);
    munmap(fixture->bytes, 64 * PAGE);
    close(fixture->file);
    free(fixture);
    return 0;
}

static int map(struct fixture *fixture, uint64_t address, uint64_t length, off_t offset)
{
    return guest_memory_map(fixture->memory, address, length, fixture->file, offset, 3);
}

/* A file whose pages do not come from memory or a disk is never touched: messages reach what it stands for. */
static void test_foreign_file(void **state)
{
    struct fixture *fixture = *state;
    uint8_t byte;
    int file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
    if (file < 0)
        skip();
    assert_int_equal(guest_memory_map(fixture->memory, 0x10000, PAGE, file, 0, 3), 0);
    assert_int_equal(guest_memory_read(fixture->memory, 0x10000, &byte, 1), -ENOTCONN);
    assert_false(guest_memory_in_card(fixture->memory, 0x10000, PAGE));
    close(file);
}

static void test_pieces(void **state)
{
    struct fixture *fixture = *state;
    uint8_t data[8 * PAGE], back[8 * PAGE];
    for (unsigned i = 0; i < 8; i++) /* in the opposite order */
        assert_int_equal(map(fixture, 0x10000 + i * PAGE, PAGE, (7 - i) * PAGE), 0);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    assert_int_equal(guest_memory_write(fixture->memory, 0x10000, data, sizeof data), 0);
    assert_memory_equal(fixture->bytes + 7 * PAGE, data, PAGE);
    assert_memory_equal(fixture->bytes, data + 7 * PAGE, PAGE);
    assert_int_equal(guest_memory_read(fixture->memory, 0x10000, back, sizeof back), 0);
    assert_memory_equal(data, back, sizeof back);
    assert_int_equal(guest_memory_read(fixture->memory, 0x10fff, back, 2), 0);
    assert_memory_equal(data + 0xfff, back, 2);
    assert_int_equal(guest_memory_read(fixture->memory, 0xffff, back, 1), -EFAULT);
    assert_int_equal(guest_memory_read(fixture->memory, 0x17fff, back, 2), -EFAULT);
    assert_int_equal(guest_memory_read(fixture->memory, UINT64_MAX, back, 2), -EFAULT);
    assert_int_equal(guest_memory_read(fixture->memory, 5, back, 0), 0);
    guest_memory_unmap(fixture->memory, 0x13000);
    assert_int_equal(guest_memory_read(fixture->memory, 0x12fff, back, 2), -EFAULT);
    assert_int_equal(guest_memory_read(fixture->memory, 0x14000, back, 1), 0);
    assert_int_equal(map(fixture, 0x12000, 2 * PAGE, 0), -EEXIST);
    guest_memory_clear(fixture->memory);
    assert_int_equal(guest_memory_read(fixture->memory, 0x14000, back, 1), -EFAULT);
}

/* Larger than the window that is mapped at a time, and more of them than there is room for. */
static void test_large_file(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t size = UINT64_C(1) << 36;
    int file = memfd_create("large", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(file, (off_t)size), 0);
    assert_int_equal(guest_memory_map(fixture->memory, 0, size, file, 0, 3), 0);
    close(file);
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t address = (i * UINT64_C(0x9e3779b97f4a7c15)) % (size - 8), back;
        assert_int_equal(guest_memory_write(fixture->memory, address, &i, sizeof i), 0);
        assert_int_equal(guest_memory_read(fixture->memory, address, &back, sizeof back), 0);
        assert_int_equal(back, i);
    }
    uint8_t across[64], back[64];
    memset(across, 0x5a, sizeof across);
    assert_int_equal(guest_memory_write(fixture->memory, (2u << 20) - 32, across, sizeof across), 0);
    assert_int_equal(guest_memory_read(fixture->memory, (2u << 20) - 32, back, sizeof back), 0);
    assert_memory_equal(across, back, sizeof back);
}

static void test_what_a_client_may_pass(void **state)
{
    struct fixture *fixture = *state;
    uint32_t value = 0;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(guest_memory_map(fixture->memory, 0, PAGE, pipes[0], 0, 3), -EINVAL);
    int null = open("/dev/null", O_RDWR);
    assert_int_equal(guest_memory_map(fixture->memory, 0, PAGE, null, 0, 3), -EINVAL);
    assert_int_equal(guest_memory_map(fixture->memory, 0, PAGE, 999, 0, 3), -EBADF);
    assert_int_equal(map(fixture, 0, 65 * PAGE, 0), -EINVAL); /* beyond the file */
    assert_int_equal(map(fixture, 0, PAGE, 64 * PAGE), -EINVAL);
    /* Read-only pieces, and pieces without a descriptor when no client is there. */
    assert_int_equal(guest_memory_map(fixture->memory, 0, PAGE, fixture->file, 0, CIPU_DMA_READ), 0);
    assert_int_equal(guest_memory_read(fixture->memory, 0, &value, 4), 0);
    assert_int_equal(guest_memory_write(fixture->memory, 0, &value, 4), -EFAULT);
    assert_int_equal(guest_memory_map(fixture->memory, PAGE, PAGE, -1, 0, 3), 0);
    assert_int_equal(guest_memory_read(fixture->memory, PAGE, &value, 4), -ENOTCONN);
    assert_int_equal(guest_memory_read(fixture->memory, PAGE - 2, &value, 4), -ENOTCONN);
    close(null);
    close(pipes[0]);
    close(pipes[1]);
}

/* A sealable file cannot be cut any more; another one can, and that is an error, not the end of the process. */
static void test_cut_files(void **state)
{
    struct fixture *fixture = *state;
    uint64_t value = 7;
    assert_int_equal(map(fixture, 0, 8 * PAGE, 0), 0);
    assert_int_equal(ftruncate(fixture->file, 0), -1);

    int file = memfd_create("cut", 0);
    assert_int_equal(ftruncate(file, 8 * PAGE), 0);
    assert_int_equal(guest_memory_map(fixture->memory, 0x100000, 8 * PAGE, file, 0, 3), 0);
    assert_int_equal(guest_memory_write(fixture->memory, 0x100000, &value, sizeof value), 0);
    assert_int_equal(guest_memory_read(fixture->memory, 0x100000, &value, 2), 0);
    assert_int_equal(value, 7);
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(guest_memory_read(fixture->memory, 0x100000, &value, sizeof value), -EFAULT);
    assert_int_equal(guest_memory_write(fixture->memory, 0x100000, &value, sizeof value), -EFAULT);
    assert_int_equal(guest_memory_read(fixture->memory, 0x101000, &value, 2), -EFAULT);
    close(file);
}

#define ENTRIES     8u
#define DESCRIPTORS 0u
#define AVAIL       1024u
#define USED        2048u

static void start_ring(struct fixture *fixture, struct split_ring *ring, bool event_index)
{
    assert_int_equal(map(fixture, 0, 16 * PAGE, 0), 0);
    *ring = (struct split_ring){.memory = fixture->memory,
                                .descriptors = DESCRIPTORS,
                                .avail = AVAIL,
                                .used = USED,
                                .entries = ENTRIES,
                                .event_index = event_index,
                                .indirect = true};
    split_ring_init(ring, 0);
}

static void put_descriptor(struct fixture *fixture, unsigned at, uint64_t address, uint32_t length, uint16_t flags,
                           uint16_t next)
{
    const struct virtq_descriptor descriptor = {address, length, flags, next};
    memcpy(fixture->bytes + at * sizeof descriptor, &descriptor, sizeof descriptor);
}

static void offer(struct fixture *fixture, uint16_t index, uint16_t head)
{
    uint16_t *avail = (uint16_t *)(fixture->bytes + AVAIL);
    avail[2 + index % ENTRIES] = head;
    avail[1] = (uint16_t)(index + 1);
}

static void test_ring(void **state)
{
    struct fixture *fixture = *state;
    struct split_ring ring;
    static struct split_chain chain;
    char text[16] = {0};
    start_ring(fixture, &ring, false);
    assert_int_equal(split_ring_take(&ring, &chain), 0);
    memcpy(fixture->bytes + PAGE, "hello", 5);
    memcpy(fixture->bytes + 2 * PAGE, "world", 5);
    for (uint16_t round = 0; round < 3 * ENTRIES; round++) {
        put_descriptor(fixture, 0, PAGE, 5, VIRTQ_NEXT, 3);
        put_descriptor(fixture, 3, 2 * PAGE, 5, VIRTQ_NEXT, 1);
        put_descriptor(fixture, 1, 3 * PAGE, 4, VIRTQ_WRITE | VIRTQ_NEXT, 2);
        put_descriptor(fixture, 2, 4 * PAGE, 4, VIRTQ_WRITE, 0);
        offer(fixture, round, 0);
        assert_int_equal(split_ring_take(&ring, &chain), 1);
        assert_int_equal(chain.readable, 2);
        assert_int_equal(chain.writable, 2);
        assert_int_equal(chain.readable_bytes, 10);
        assert_int_equal(split_chain_read(&ring, &chain, 3, text, 6), 0);
        assert_string_equal(text, "loworl");
        assert_int_equal(split_chain_read(&ring, &chain, 5, text, 6), -EPROTO);
        assert_int_equal(split_chain_write(&ring, &chain, 2, "abcd", 4), 0);
        assert_memory_equal(fixture->bytes + 3 * PAGE + 2, "ab", 2);
        assert_memory_equal(fixture->bytes + 4 * PAGE, "cd", 2);
        assert_int_equal(split_ring_use(&ring, chain.head, 8), 0);
        assert_int_equal(split_ring_publish(&ring), 1);
        assert_int_equal(*(uint16_t *)(fixture->bytes + USED + 2), round + 1);
        assert_int_equal(split_ring_take(&ring, &chain), 0);
    }
    *(uint16_t *)(fixture->bytes + AVAIL) = VIRTQ_AVAIL_NO_INTERRUPT;
    assert_int_equal(split_ring_use(&ring, 0, 0), 0);
    assert_int_equal(split_ring_publish(&ring), 0);
}

static void test_ring_events(void **state)
{
    struct fixture *fixture = *state;
    struct split_ring ring;
    static struct split_chain chain;
    start_ring(fixture, &ring, true);
    uint16_t *used_event = (uint16_t *)(fixture->bytes + AVAIL + VIRTQ_AVAIL_USED_EVENT(ENTRIES));
    uint16_t *avail_event = (uint16_t *)(fixture->bytes + USED + VIRTQ_USED_AVAIL_EVENT(ENTRIES));
    put_descriptor(fixture, 0, PAGE, 5, 0, 0);
    offer(fixture, 0, 0);
    assert_int_equal(split_ring_take(&ring, &chain), 1);
    assert_int_equal(split_ring_arm(&ring), 0);
    assert_int_equal(*avail_event, 1);
    offer(fixture, 1, 0);
    assert_int_equal(split_ring_arm(&ring), 1);
    *used_event = 1;
    assert_int_equal(split_ring_use(&ring, 0, 0), 0);
    assert_int_equal(split_ring_publish(&ring), 0); /* index 0: not the one asked for */
    assert_int_equal(split_ring_use(&ring, 0, 0), 0);
    assert_int_equal(split_ring_publish(&ring), 1);
    assert_int_equal(split_ring_use(&ring, 0, 0), 0);
    assert_int_equal(split_ring_publish(&ring), 0);
}

static void test_ring_indirect(void **state)
{
    struct fixture *fixture = *state;
    struct split_ring ring;
    static struct split_chain chain;
    start_ring(fixture, &ring, false);
    struct virtq_descriptor *table = (struct virtq_descriptor *)(fixture->bytes + PAGE);
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = (struct virtq_descriptor){2 * PAGE, i + 1, i + 1 < ENTRIES ? VIRTQ_NEXT : 0, (uint16_t)(i + 1)};
    put_descriptor(fixture, 5, PAGE, ENTRIES * 16, VIRTQ_INDIRECT, 0);
    offer(fixture, 0, 5);
    assert_int_equal(split_ring_take(&ring, &chain), 1);
    assert_int_equal(chain.readable, ENTRIES);
    assert_int_equal(chain.readable_bytes, 36);
    /* Not negotiated, it is refused, and so is what else breaks the rules. */
    ring.indirect = false;
    offer(fixture, 1, 5);
    assert_int_equal(split_ring_take(&ring, &chain), -EPROTO);
    ring.indirect = true;
    table[3].flags = VIRTQ_INDIRECT;
    assert_int_equal(split_ring_take(&ring, &chain), -EPROTO);
    table[3] = (struct virtq_descriptor){2 * PAGE, 1, VIRTQ_NEXT, 3};
    assert_int_equal(split_ring_take(&ring, &chain), -EPROTO);
    table[3] = (struct virtq_descriptor){2 * PAGE, 1, VIRTQ_NEXT, ENTRIES};
    assert_int_equal(split_ring_take(&ring, &chain), -EPROTO);
    table[3] = (struct virtq_descriptor){2 * PAGE, 1, 0, 0};
    assert_int_equal(split_ring_take(&ring, &chain), 1);
}

/* Any bytes in a ring: no crash, no endless walk, no chain outside the bounds. */
static void test_ring_random(void **state)
{
    struct fixture *fixture = *state;
    struct split_ring ring;
    static struct split_chain chain;
    uint32_t random = 1;
    start_ring(fixture, &ring, true);
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < ENTRIES; i++) {
            random = random * 1664525 + 1013904223;
            put_descriptor(fixture, i, random % (20 * PAGE), (random >> 3) % 100, (random >> 9) % 8,
                           (random >> 13) % 10);
        }
        memcpy(fixture->bytes + PAGE, fixture->bytes, ENTRIES * 16);
        offer(fixture, ring.next_avail, (uint16_t)(random >> 20) % 9);
        ring.avail_index = ring.next_avail;
        int result = split_ring_take(&ring, &chain);
        assert_true(result == 1 || result == -EPROTO || result == -EFAULT);
        if (result == 1)
            assert_true(chain.readable + chain.writable <= ENTRIES + 1);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pieces),      TEST(test_large_file),    TEST(test_what_a_client_may_pass),
        TEST(test_cut_files),   TEST(test_foreign_file),  TEST(test_ring),
        TEST(test_ring_events), TEST(test_ring_indirect), TEST(test_ring_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
