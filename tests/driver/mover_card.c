/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/mover_card.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

int (*mover_card_open)(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                       struct cipu_error *error) = native_card_open;
unsigned mover_haste = 1;

void mover_open(struct mover *mover, const struct native_graph *graph, const char *uri)
{
    struct cipu_error error;
    *mover = (struct mover){0};
    if (mover_card_open(graph, uri, &mover->card, &error) < 0)
        fail_msg("%s", error.text);
    mover->memory_fd = memfd_create("mover", MFD_CLOEXEC);
    assert_int_equal(ftruncate(mover->memory_fd, MOVER_MEMORY), 0);
    mover->memory = mmap(NULL, MOVER_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, mover->memory_fd, 0);
    assert_true(mover->memory != MAP_FAILED);
    if (cipu_card_dma_map(mover->card, mover->memory_fd, 0, 0, MOVER_MEMORY, CIPU_DMA_READ | CIPU_DMA_WRITE, &error) <
        0)
        fail_msg("%s", error.text);
}

void mover_close(struct mover *mover)
{
    cipu_card_close(mover->card);
    munmap(mover->memory, MOVER_MEMORY);
    close(mover->memory_fd);
}

void mover_post(struct mover *mover, const struct mover_descriptor *descriptor)
{
    assert_true(mover->posted - mover->taken < MOVER_DESCRIPTORS);
    memcpy(mover->memory + (size_t)(mover->posted++ % MOVER_DESCRIPTORS) * sizeof *descriptor, descriptor,
           sizeof *descriptor);
}

void mover_ring(struct mover *mover)
{
    assert_int_equal(cipu_card_doorbell(mover->card, DOORBELL_HOST, mover->posted), 0);
}

struct dma_done mover_wait(struct mover *mover)
{
    uint8_t *place =
        mover->memory + MOVER_STATUS + (size_t)(mover->taken % MOVER_DESCRIPTORS) * sizeof(struct dma_done);
    uint8_t mark = (uint8_t)(1 + (mover->taken / MOVER_DESCRIPTORS) % 128);
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        uint64_t word = atomic_load((_Atomic uint64_t *)(void *)place);
        struct dma_done done;
        memcpy(&done, &word, sizeof done);
        if (done.reserved[2] == mark) {
            mover->taken++;
            return done;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec > 5)
            fail_msg("status %u did not come within five seconds", mover->taken);
    }
}

struct dma_done mover_copy(struct mover *mover, uint64_t to, uint64_t from, uint32_t length)
{
    struct mover_descriptor descriptor = {.from = from,
                                          .to = to,
                                          .from_length = length,
                                          .to_length = length,
                                          .from_flags = DMA_LAST,
                                          .to_flags = DMA_LAST,
                                          .tag = (uint16_t)length};
    mover_post(mover, &descriptor);
    mover_ring(mover);
    return mover_wait(mover);
}
