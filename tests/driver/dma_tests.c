/* SPDX-License-Identifier: Apache-2.0 */
/* DMA, mappings, interrupts, doorbells and reset of an emulated card, with the graph in place and copying. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/registers.h"
#include "tests/driver/dma_tests.h"

#define FAR (UINT64_C(5) << 40)

static void fill(uint8_t *bytes, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1103515245u + 12345u;
        bytes[i] = (uint8_t)(seed >> 16);
    }
}

static int create_memory(size_t bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    return fd;
}

static void test_copies_of_all_sizes(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    uint8_t *from = mover.memory + MOVER_DATA, *to = mover.memory + MOVER_DATA + 0x20000, expected[70000];
    fill(from, 0x20000, 1);
    for (uint32_t length = 1; length <= 65536;
         length = length < 300 ? length + (mover_haste + 3) / 4 : length * 3 / 2) {
        uint32_t shift_from = length * 7 % 67, shift_to = length * 5 % 71;
        memset(to, 0xEE, length + 200);
        memset(expected, 0xEE, sizeof expected);
        memcpy(expected + shift_to, from + shift_from, length);
        struct dma_done done = mover_copy(&mover, (uint64_t)(to - mover.memory) + shift_to,
                                          (uint64_t)(from - mover.memory) + shift_from, length);
        assert_int_equal(done.error, 0);
        assert_int_equal(done.tag, (uint16_t)length);
        assert_memory_equal(to, expected, length + 200);
    }
    mover_close(&mover);
}

/* A random packet: segments with holes between them, the same bytes cut differently on both sides. */
static void test_gather_and_scatter(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    srand(7);
    uint8_t *from = mover.memory + MOVER_DATA, *to = mover.memory + 0x100000, packet[9300];
    fill(from, 0x40000, 2);
    for (unsigned round = 0; round < 300 / mover_haste; round++) {
        /* At most 50 segments: the test's own request streams hold 64. */
        uint32_t total = 1 + (uint32_t)rand() % 9228, smallest = total / 50 + 1, sent = 0, got = 0;
        uint32_t range = round % 2 ? 40 : 3000;
        uint64_t reading = MOVER_DATA, writing = 0x100000;
        uint64_t places[1024][2];
        unsigned writes = 0;
        memset(to, 0, 0x40000);
        while (sent < total || got < total) {
            struct mover_descriptor move = {.tag = (uint16_t)round};
            if (sent < total) {
                uint32_t length = smallest + (uint32_t)rand() % range;
                length = length < total - sent ? length : total - sent;
                move.from = reading;
                move.from_length = length;
                memcpy(packet + sent, mover.memory + reading, length);
                sent += length;
                reading += length + (uint32_t)rand() % 20;
                move.from_flags = sent == total ? DMA_LAST : 0;
            }
            if (got < total) {
                uint32_t length = smallest + (uint32_t)rand() % range;
                length = length < total - got ? length : total - got;
                move.to = writing;
                move.to_length = length;
                places[writes][0] = writing;
                places[writes++][1] = length;
                got += length;
                writing += length + (uint32_t)rand() % 20;
                move.to_flags = got == total ? DMA_LAST : 0;
            }
            /* Only the last write has a status: the ring's own room counts. */
            memcpy(mover.memory + (size_t)(mover.posted++ % MOVER_DESCRIPTORS) * 64, &move, sizeof move);
        }
        mover_ring(&mover);
        struct dma_done done = mover_wait(&mover);
        assert_int_equal(done.error, 0);
        assert_int_equal(done.tag, round);
        uint32_t at = 0;
        for (unsigned i = 0; i < writes; i++) {
            assert_memory_equal(mover.memory + places[i][0], packet + at, places[i][1]);
            assert_int_equal(
                mover.memory[places[i][0] + places[i][1]],
                i + 1 < writes && places[i + 1][0] == places[i][0] + places[i][1] ? packet[at + places[i][1]] : 0);
            at += (uint32_t)places[i][1];
        }
    }
    mover_close(&mover);
}

static void test_crosses_mappings(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    int fd = create_memory(16 * 4096);
    uint8_t *pages = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fill(pages, 16 * 4096, 3);
    /* In reverse order: neighbours in bus addresses, not in memory. */
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(cipu_card_dma_map(mover.card, fd, (15 - i) * 4096, FAR + i * 4096u, 4096, CIPU_DMA_READ, NULL),
                         0);
    assert_int_equal(mover_copy(&mover, MOVER_DATA, FAR + 100, 15 * 4096).error, 0);
    for (unsigned i = 0; i < 15 * 4096; i++) {
        unsigned address = i + 100;
        assert_int_equal(mover.memory[MOVER_DATA + i], pages[(15 - address / 4096) * 4096 + address % 4096]);
    }
    munmap(pages, 16 * 4096);
    close(fd);
    mover_close(&mover);
}

static void test_refuses(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    int fd = create_memory(4096);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, FAR, 4096, CIPU_DMA_READ, NULL), 0);
    memset(mover.memory + MOVER_DATA, 0xEE, 8192);
    assert_int_equal(mover_copy(&mover, MOVER_DATA, FAR + 4096, 10).error, 1); /* what could not be read are zeros */
    assert_int_equal(mover.memory[MOVER_DATA], 0);
    assert_int_equal(mover.memory[MOVER_DATA + 10], 0xEE);
    assert_int_equal(mover_copy(&mover, FAR, MOVER_DATA, 10).error, 1);              /* read only */
    assert_int_equal(mover_copy(&mover, FAR - 5, MOVER_DATA, 10).error, 1);          /* begins outside */
    assert_int_equal(mover_copy(&mover, MOVER_MEMORY - 5, MOVER_DATA, 10).error, 1); /* ends outside */
    assert_int_equal(mover_copy(&mover, UINT64_MAX - 4, MOVER_DATA, 10).error, 1);   /* wraps */
    /* A packet that is partly refused: the rest arrives. */
    struct mover_descriptor half = {MOVER_DATA, FAR, 100, 50, DMA_LAST, 0, 1, {0}};
    struct mover_descriptor rest = {0, MOVER_DATA + 4096, 0, 50, 0, DMA_LAST, 2, {0}};
    fill(mover.memory + MOVER_DATA, 100, 4);
    mover_post(&mover, &half);
    mover_post(&mover, &rest);
    mover_ring(&mover);
    struct dma_done done = mover_wait(&mover);
    assert_int_equal(done.error, 1);
    assert_int_equal(done.tag, 2);
    assert_memory_equal(mover.memory + MOVER_DATA + 4096, mover.memory + MOVER_DATA + 50, 50);
    /* Flags and lengths that no transfer has. */
    struct mover_descriptor refused = {MOVER_DATA, MOVER_DATA, 10, 10, DMA_LAST, DMA_LAST | DMA_REFUSED, 3, {0}};
    mover_post(&mover, &refused);
    struct mover_descriptor large = {MOVER_DATA, MOVER_DATA, 0, 65537, 0, DMA_LAST, 4, {0}};
    mover_post(&mover, &large);
    mover_ring(&mover);
    assert_int_equal(mover_wait(&mover).error, 1);
    assert_int_equal(mover_wait(&mover).error, 1);
    assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 64).error, 0);
    close(fd);
    mover_close(&mover);
}

static void test_map_arguments(void **state)
{
    struct mover mover;
    struct cipu_error error;
    mover_open(&mover, *state, "");
    int fd = create_memory(8192), pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, FAR + 1, 4096, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, FAR, 4097, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, FAR, 0, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, FAR, 4096, 0, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, -4096, FAR, 4096, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 4096, FAR, 8192, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, UINT64_MAX - 4095, 8192, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, pipes[0], 0, FAR, 4096, 3, &error), -EINVAL);
    assert_int_equal(cipu_card_dma_map(mover.card, -1, 0, FAR, 4096, 3, &error), -EBADF);
    assert_non_null(strstr(error.text, "descriptor -1"));
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, 4096, 4096, 3, &error), -EEXIST);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, UINT64_MAX - 4095, 4096, 3, &error), 0);
    assert_int_equal(cipu_card_dma_unmap(mover.card, UINT64_MAX - 4095, 8192), -ENOENT);
    assert_int_equal(cipu_card_dma_unmap(mover.card, UINT64_MAX - 4095, 4096), 0);
    assert_int_equal(cipu_card_dma_unmap(mover.card, UINT64_MAX - 4095, 4096), -ENOENT);
    assert_int_equal(cipu_card_dma_unmap(mover.card, 0, 4096), -ENOENT);
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
    mover_close(&mover);
}

static void test_thousands_of_mappings(void **state)
{
    struct mover mover;
    enum { COUNT = 5000 };
    mover_open(&mover, *state, "");
    int fd = create_memory(COUNT * 4096u);
    uint8_t *pages = mmap(NULL, COUNT * 4096u, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (unsigned i = 0; i < COUNT; i++)
        memcpy(pages + i * 4096u, &i, sizeof i);
    /* Every 8192 bytes, first the even ones, then the odd ones between them. */
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = pass; i < COUNT; i += 2)
            assert_int_equal(cipu_card_dma_map(mover.card, fd, i * 4096u, FAR + i * 8192u, 4096, CIPU_DMA_READ, NULL),
                             0);
    for (unsigned i = 0; i < COUNT; i += 97) {
        unsigned value;
        mover_copy(&mover, MOVER_DATA, FAR + i * 8192u, 4);
        memcpy(&value, mover.memory + MOVER_DATA, sizeof value);
        assert_int_equal(value, i);
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(cipu_card_dma_unmap(mover.card, FAR + (i * 7919u % COUNT) * 8192u, 4096), 0);
    mover_copy(&mover, MOVER_DATA, FAR, 4);
    unsigned value;
    memcpy(&value, mover.memory + MOVER_DATA, sizeof value);
    assert_int_equal(value, 0);
    munmap(pages, COUNT * 4096u);
    close(fd);
    mover_close(&mover);
}

struct remapper {
    struct cipu_card *card;
    int fd;
    atomic_bool stop;
    unsigned rounds;
};

static void *remap(void *argument)
{
    struct remapper *remapper = argument;
    while (!atomic_load(&remapper->stop)) {
        uint64_t iova = FAR + (uint64_t)(remapper->rounds % 5) * 0x10000;
        if (cipu_card_dma_map(remapper->card, remapper->fd, 0, iova, 0x10000, 3, NULL) < 0 ||
            cipu_card_dma_unmap(remapper->card, iova, 0x10000) < 0)
            break;
        remapper->rounds++;
    }
    return NULL;
}

/* What is unmapped is gone from the process at once: an access that comes too late would be a fault. */
static void test_unmap_under_load(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    struct remapper remapper = {.card = mover.card, .fd = create_memory(0x10000)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, remap, &remapper), 0);
    for (unsigned i = 0; i < 3000 / mover_haste; i++) {
        uint64_t there = FAR + i % 5 * 0x10000u;
        for (unsigned n = 0; n < 8; n++) {
            struct mover_descriptor in = {MOVER_DATA, there, 2000, 2000, DMA_LAST, DMA_LAST, 0, {0}};
            mover_post(&mover, &in);
        }
        mover_ring(&mover);
        for (unsigned n = 0; n < 8; n++)
            mover_wait(&mover);
    }
    atomic_store(&remapper.stop, true);
    pthread_join(thread, NULL);
    assert_true(remapper.rounds > 10);
    close(remapper.fd);
    mover_close(&mover);
}

static void test_memory_taken_away(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    int fd = create_memory(0x10000);
    assert_int_equal(cipu_card_dma_map(mover.card, fd, 0, FAR, 0x10000, 3, NULL), 0);
    assert_int_equal(mover_copy(&mover, FAR, MOVER_DATA, 5000).error, 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(mover_copy(&mover, FAR, MOVER_DATA, 5000).error, 1);
    memset(mover.memory + MOVER_DATA, 0xEE, 16);
    mover_copy(&mover, MOVER_DATA, FAR, 8);
    assert_int_equal(mover.memory[MOVER_DATA], 0);
    assert_int_equal(mover_copy(&mover, MOVER_DATA + 4096, MOVER_DATA, 100).error, 0);
    assert_int_equal(cipu_card_dma_unmap(mover.card, FAR, 0x10000), 0);
    close(fd);
    mover_close(&mover);
}

static uint64_t wait_event(int fd, int milliseconds)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint64_t count = 0;
    if (poll(&wait, 1, milliseconds) > 0 && read(fd, &count, sizeof count) < 0)
        return 0;
    return count;
}

/* One function cannot use up the mappings that the process may have. */
static void test_share_of_mappings(void **state)
{
    const uint64_t one = UINT64_C(1) << 40, other = UINT64_C(2) << 40;
    struct mover mover;
    uint64_t count = 0;
    int result;
    mover_open(&mover, *state, "");
    while ((result =
                cipu_card_dma_map(mover.card, mover.memory_fd, 0, one + count * 8192, 4096, CIPU_DMA_READ, NULL)) == 0)
        count++;
    assert_int_equal(result, -ENOSPC);
    assert_true(count > 1000 && count < 10000);
    assert_int_equal(cipu_card_dma_map(mover.card, mover.memory_fd, 0, other, 4096, CIPU_DMA_READ, NULL), 0);
    assert_int_equal(cipu_card_dma_unmap(mover.card, one, 4096), 0);
    assert_int_equal(cipu_card_dma_unmap(mover.card, one + 8192, 4096), 0);
    assert_int_equal(cipu_card_dma_map(mover.card, mover.memory_fd, 0, one, 4096, CIPU_DMA_READ, NULL), 0);
    mover_close(&mover);
}

static void test_interrupts(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), other = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(cipu_card_interrupt(mover.card, CARD_VECTORS, event), -EINVAL);
    assert_int_equal(cipu_card_interrupt(mover.card, MOVER_VECTOR, mover.memory_fd), -EINVAL);
    /* Latched: two interrupts, one delivery. */
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    usleep(20000);
    assert_int_equal(cipu_card_interrupt(mover.card, MOVER_VECTOR, event), 0);
    assert_int_equal(wait_event(event, 1000), 1);
    assert_int_equal(wait_event(event, 0), 0);
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    assert_int_equal(wait_event(event, 1000), 1);
    assert_int_equal(cipu_card_interrupt(mover.card, MOVER_VECTOR, other), 0);
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    assert_int_equal(wait_event(other, 1000), 1);
    assert_int_equal(wait_event(event, 0), 0);
    /* A full counter of a hostile owner, for whom writing blocks, stops nobody. */
    uint64_t full = UINT64_MAX - 1;
    assert_int_equal(write(other, &full, sizeof full), sizeof full);
    assert_int_equal(fcntl(other, F_SETFL, 0), 0);
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    assert_int_equal(cipu_card_interrupt(mover.card, MOVER_VECTOR, -1), 0);
    mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 1);
    close(event);
    close(other);
    mover_close(&mover);
}

/* A doorbell at any moment of falling asleep wakes the card. */
static void test_no_lost_wakeup(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    for (unsigned i = 0; i < 4000 / mover_haste; i++) {
        assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 8).error, 0);
        struct timespec pause = {0, (long)(i % 40) * 2500};
        nanosleep(&pause, NULL);
    }
    struct cipu_kernel_activity activity[16];
    size_t count = cipu_card_activity(mover.card, activity, 16);
    assert_string_equal(activity[count - 1].name, "thread");
    assert_true(activity[count - 1].stalls > 10); /* it slept */
    mover_close(&mover);
}

static void test_shared_doorbell(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    int fd;
    off_t offset;
    assert_int_equal(cipu_card_doorbell(mover.card, DOORBELL_PAGES, 0), -EINVAL);
    assert_int_equal(cipu_card_doorbell_share(mover.card, DOORBELL_PAGES, &fd, &offset), -EINVAL);
    assert_int_equal(cipu_card_doorbell_share(mover.card, DOORBELL_HOST + 2, &fd, &offset), 0);
    _Atomic uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    assert_true(page != MAP_FAILED);
    assert_int_equal(ftruncate(fd, 0), -1); /* sealed */
    for (unsigned i = 0; i < 50; i++) {
        struct mover_descriptor move = {MOVER_DATA, MOVER_DATA + 64, 8, 8, DMA_LAST, DMA_LAST, 9, {0}};
        mover_post(&mover, &move);
        atomic_store(page, mover.posted);
        assert_int_equal(mover_wait(&mover).tag, 9);
        usleep(i % 5 * 500);
    }
    munmap((void *)page, 4096);
    mover_close(&mover);
}

static void test_reset(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    for (unsigned i = 0; i < 100 / mover_haste + 4; i++) {
        struct mover_descriptor move = {MOVER_DATA, MOVER_DATA + 0x20000, 60000, 60000, DMA_LAST, DMA_LAST, 9, {0}};
        for (unsigned n = 0; n < 5; n++)
            mover_post(&mover, &move);
        mover_ring(&mover);
        if (i % 2)
            assert_int_equal(cipu_card_reset(mover.card), 0);
        else
            cipu_card_write(mover.card, CARD_BLOCK_OFFSET + offsetof(struct card_block, reset), 1);
        /* All indices begin at zero again, mappings stay. */
        memset(mover.memory + MOVER_STATUS, 0, MOVER_DESCRIPTORS * sizeof(struct dma_done));
        mover.posted = mover.taken = 0;
        assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 33).tag, 33);
    }
    mover_close(&mover);
}

static void test_registers(void **state)
{
    struct mover mover;
    mover_open(&mover, *state, "");
    assert_int_equal(cipu_card_read(mover.card, offsetof(struct card_block, magic)), CARD_MAGIC);
    assert_int_equal(cipu_card_read(mover.card, REGISTER_FILE_BYTES), UINT32_MAX);
    assert_int_equal(cipu_card_read(mover.card, 2), UINT32_MAX);
    unsigned blocks = 0, types = 0;
    for (uint32_t at = 0;; at = cipu_card_read(mover.card, at + offsetof(struct register_block, next))) {
        types |= 1u << cipu_card_read(mover.card, at);
        blocks++;
        if (!cipu_card_read(mover.card, at + offsetof(struct register_block, next)))
            break;
    }
    assert_int_equal(blocks, 4);
    assert_int_equal(types, 1u << BLOCK_CARD | 1u << BLOCK_RINGS | 1u << BLOCK_PORTS | 1u << BLOCK_STREAMS);
    for (uint32_t offset = 0; offset < REGISTER_FILE_BYTES; offset += 4)
        if (offset != offsetof(struct card_block, reset))
            cipu_card_write(mover.card, offset, 0xffffffff);
    assert_int_equal(mover_copy(&mover, MOVER_DATA, MOVER_DATA + 64, 3).error, 0);
    mover_close(&mover);
}

/* What passed is counted where it passes, and a reset begins anew. */
static void test_streams(void **state)
{
    static const struct {
        unsigned number;
        const char *name;
        uint64_t bytes; /* of one copy */
    } streams[] = {{MONITOR_DMA_READ, "dma_read_0", sizeof(struct mover_descriptor)},
                   {MONITOR_DMA_READ + 1, "dma_read_1", 5000},
                   {MONITOR_DMA_WRITE + 16, "dma_write_16", 5000},
                   {MONITOR_DMA_WRITE + 1, "dma_write_1", sizeof(struct dma_done)},
                   {MONITOR_DMA_WRITE + 15, "dma_write_15", 0},
                   {MONITOR_RECEIVE, "port0.receive", 0}};
    struct mover mover;
    struct cipu_stream stream;
    mover_open(&mover, *state, "");
    for (unsigned copies = 1; copies <= 3; copies++) {
        mover_copy(&mover, MOVER_DATA, MOVER_DATA + 0x10000, 5000);
        for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
            assert_int_equal(cipu_card_stream(mover.card, streams[i].number, &stream), 0);
            assert_string_equal(stream.name, streams[i].name);
            assert_int_equal(stream.packets, streams[i].bytes ? copies : 0);
            assert_int_equal(stream.bytes, copies * streams[i].bytes);
            assert_int_equal(stream.stuck, 0);
        }
    }
    assert_int_equal(cipu_card_stream(mover.card, MONITOR_STREAMS, &stream), -EINVAL);
    cipu_card_reset(mover.card);
    assert_int_equal(cipu_card_stream(mover.card, MONITOR_DMA_READ, &stream), 0);
    assert_int_equal(stream.packets + stream.bytes + stream.stalls, 0);
    mover_close(&mover);
}

static void test_two_cards(void **state)
{
    struct mover one, two;
    mover_open(&one, *state, "one");
    mover_open(&two, *state, "two?poll=always&cpu=0");
    for (unsigned i = 0; i < 200 / mover_haste + 4; i++) {
        memset(one.memory + MOVER_DATA, 1, 100);
        memset(two.memory + MOVER_DATA, 2, 100);
        struct mover_descriptor move = {MOVER_DATA, MOVER_DATA + 4096, 100, 100, DMA_LAST, DMA_LAST, 9, {0}};
        mover_post(&one, &move);
        mover_post(&two, &move);
        mover_ring(&one);
        mover_ring(&two);
        mover_wait(&one);
        mover_wait(&two);
        assert_int_equal(one.memory[MOVER_DATA + 4096 + 99], 1);
        assert_int_equal(two.memory[MOVER_DATA + 4096 + 99], 2);
    }
    mover_close(&one);
    assert_int_equal(mover_copy(&two, MOVER_DATA, MOVER_DATA + 64, 3).error, 0);
    mover_close(&two);
}

static void test_uri(void **state)
{
    static const char *const bad[] = {"?",      "?cpu=x",        "?cpu=",   "?poll=never",  "?port2=none",
                                      "?port0", "?port0=wifi:a", "?what=1", "?port0=none:x"};
    struct cipu_card *card;
    struct cipu_error error;
    for (size_t i = 1; i < sizeof bad / sizeof bad[0]; i++) {
        error.text[0] = 0;
        assert_int_equal(mover_card_open(*state, bad[i], &card, &error), -EINVAL);
        assert_true(strlen(error.text) > 10);
    }
    assert_int_equal(cipu_card_open("fpga:0", &card, &error), -EINVAL);
    assert_int_equal(mover_card_open(*state, bad[0], &card, &error), 0);
    cipu_card_close(card);
    cipu_card_close(NULL);
}

#define BOTH(name)                                                              \
    {#name, name, NULL, NULL, (void *)&native_graph_mover},                     \
    {                                                                           \
        #name "_copying", name, NULL, NULL, (void *)&native_graph_mover_copying \
    }

int run_dma_tests(int (*open)(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                              struct cipu_error *error),
                  unsigned haste)
{
    mover_card_open = open;
    mover_haste = haste;
    const struct CMUnitTest tests[] = {
        BOTH(test_copies_of_all_sizes),
        BOTH(test_gather_and_scatter),
        BOTH(test_crosses_mappings),
        BOTH(test_refuses),
        {"test_map_arguments", test_map_arguments, NULL, NULL, (void *)&native_graph_mover},
        {"test_thousands_of_mappings", test_thousands_of_mappings, NULL, NULL, (void *)&native_graph_mover},
        {"test_unmap_under_load", test_unmap_under_load, NULL, NULL, (void *)&native_graph_mover},
        {"test_memory_taken_away", test_memory_taken_away, NULL, NULL, (void *)&native_graph_mover},
        BOTH(test_share_of_mappings),
        BOTH(test_interrupts),
        {"test_no_lost_wakeup", test_no_lost_wakeup, NULL, NULL, (void *)&native_graph_mover},
        {"test_shared_doorbell", test_shared_doorbell, NULL, NULL, (void *)&native_graph_mover},
        BOTH(test_reset),
        {"test_registers", test_registers, NULL, NULL, (void *)&native_graph_mover},
        {"test_streams", test_streams, NULL, NULL, (void *)&native_graph_mover},
        {"test_two_cards", test_two_cards, NULL, NULL, (void *)&native_graph_mover},
        {"test_uri", test_uri, NULL, NULL, (void *)&native_graph_mover},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
