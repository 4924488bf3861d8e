/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells: a bitmap of pages that were rung, and pages that guests write themselves. A page that was looked at holds
 * PAGE_QUIET; anything else in it is a ring. Of an NVMe controller's page each word is a doorbell; where the guest
 * writes it itself, a word rings by being another one than before: a tail or head that was rung never comes back
 * unseen.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/native.h"

#define PAGE_QUIET 0xffffffffu

struct doorbell_block {
    struct native_card *card;
    struct hls_fifo *receive, *transmit, *host, *block, *nvme; /* NULL = not connected */
};

static void ring(struct native_card *card, uint32_t page)
{
    atomic_fetch_or(&card->doorbell_rung[page / 64], UINT64_C(1) << page % 64);
    atomic_store(&card->doorbell_any, true);
}

int native_doorbell(struct cipu_card *base, uint32_t page, uint32_t value)
{
    struct native_card *card = (struct native_card *)base;
    if (page >= DOORBELL_PAGES)
        return -EINVAL;
    atomic_store(&card->doorbell_value[page], value);
    ring(card, page);
    native_wake(card);
    return 0;
}

int native_doorbell_word(struct cipu_card *base, uint32_t page, uint32_t index, uint32_t value)
{
    struct native_card *card = (struct native_card *)base;
    if (page < DOORBELL_NVME || page >= DOORBELL_PAGES || index >= DOORBELL_NVME_WORDS)
        return -EINVAL;
    struct native_nvme_page *words = &card->nvme_pages[page - DOORBELL_NVME];
    uint8_t *pages = atomic_load(&card->doorbell_pages);
    /* What the guest may write by itself begins anew from here: whatever it writes next is another value, or a ring. */
    if (pages && (atomic_load(&card->doorbell_shared[page / 64]) >> page % 64 & 1)) {
        atomic_store((_Atomic uint32_t *)(void *)(pages + (size_t)page * DOORBELL_PAGE_BYTES) + index, value);
        atomic_store(&words->passed[index], value);
    }
    atomic_store(&words->value[index], value);
    atomic_fetch_or(&words->rung, UINT64_C(1) << index);
    ring(card, page);
    native_wake(card);
    return 0;
}

bool native_doorbell_next_word(struct native_card *card, uint32_t page, uint32_t *index, uint32_t *value)
{
    struct native_nvme_page *words = &card->nvme_pages[page - DOORBELL_NVME];
    uint64_t rung = atomic_load(&words->rung);
    if (!rung)
        return false;
    *index = (uint32_t)__builtin_ctzll(rung);
    atomic_fetch_and(&words->rung, ~(UINT64_C(1) << *index));
    *value = atomic_load(&words->value[*index]);
    return true;
}

void native_doorbell_reset(struct native_card *card)
{
    for (uint32_t i = 0; i < NATIVE_PAGE_WORDS; i++)
        atomic_store(&card->doorbell_rung[i], 0);
    for (uint32_t i = 0; i < NATIVE_NVME_PAGES; i++)
        atomic_store(&card->nvme_pages[i].rung, 0);
    atomic_store(&card->doorbell_any, false);
}

static int create_pages(struct native_card *card)
{
    size_t bytes = (size_t)DOORBELL_PAGES * DOORBELL_PAGE_BYTES;
    int fd = memfd_create("cipu-doorbells", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    uint8_t *pages = MAP_FAILED;
    /* The seal keeps whoever gets a page from taking the memory away. */
    if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED) {
        int code = -errno;
        close(fd);
        return code;
    }
    for (uint32_t page = 0; page < DOORBELL_NVME; page++)
        *(uint32_t *)(void *)(pages + (size_t)page * DOORBELL_PAGE_BYTES) = PAGE_QUIET;
    card->doorbell_fd = fd;
    atomic_store(&card->doorbell_pages, pages);
    return 0;
}

int native_doorbell_share(struct cipu_card *base, uint32_t page, int *fd, off_t *offset)
{
    struct native_card *card = (struct native_card *)base;
    if (page >= DOORBELL_PAGES)
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    int result = card->doorbell_fd < 0 ? create_pages(card) : 0;
    if (result == 0) {
        *fd = card->doorbell_fd;
        *offset = (off_t)page * DOORBELL_PAGE_BYTES;
        atomic_fetch_or(&card->doorbell_shared[page / 64], UINT64_C(1) << page % 64);
        atomic_store(&card->doorbell_any_shared, true);
    }
    pthread_mutex_unlock(&card->lock);
    /* A thread that sleeps without a time limit must come up once. */
    native_wake(card);
    return result;
}

void native_doorbell_free(struct native_card *card)
{
    uint8_t *pages = atomic_load(&card->doorbell_pages);
    if (pages)
        munmap(pages, (size_t)DOORBELL_PAGES * DOORBELL_PAGE_BYTES);
    if (card->doorbell_fd >= 0)
        close(card->doorbell_fd);
}

/* Whether a word is another one than was seen last. Only a hint: who finds one looks again. */
static bool differs(const uint8_t *memory, const _Atomic uint32_t *passed)
{
    typedef uint64_t words __attribute__((vector_size(64), aligned(4), may_alias));
    static_assert(DOORBELL_NVME_WORDS % 16 == 0, "whole vectors");
    const words *now = (const words *)(const void *)memory, *before = (const words *)(const void *)passed;
    words changed = now[0] ^ before[0];
    for (uint32_t i = 1; i < DOORBELL_NVME_WORDS / 16; i++)
        changed |= now[i] ^ before[i];
    return (changed[0] | changed[1] | changed[2] | changed[3] | changed[4] | changed[5] | changed[6] | changed[7]) != 0;
}

static void look_at_words(struct native_card *card, uint32_t page, const uint8_t *memory)
{
    const _Atomic uint32_t *word = (const _Atomic uint32_t *)(const void *)memory;
    struct native_nvme_page *words = &card->nvme_pages[page - DOORBELL_NVME];
    if (!differs(memory, words->passed))
        return;
    for (uint32_t i = 0; i < DOORBELL_NVME_WORDS; i++) {
        uint32_t value = atomic_load_explicit(&word[i], memory_order_acquire);
        if (value == atomic_load_explicit(&words->passed[i], memory_order_relaxed))
            continue;
        atomic_store_explicit(&words->passed[i], value, memory_order_relaxed);
        atomic_store_explicit(&words->value[i], value, memory_order_relaxed);
        atomic_fetch_or(&words->rung, UINT64_C(1) << i);
        ring(card, page);
    }
}

static void look_at_shared(struct native_card *card)
{
    uint8_t *pages = atomic_load(&card->doorbell_pages);
    for (uint32_t word = 0; word < NATIVE_PAGE_WORDS; word++) {
        uint64_t bits = atomic_load_explicit(&card->doorbell_shared[word], memory_order_relaxed);
        for (; bits; bits &= bits - 1) {
            uint32_t page = word * 64 + (uint32_t)__builtin_ctzll(bits);
            uint8_t *memory = pages + (size_t)page * DOORBELL_PAGE_BYTES;
            _Atomic uint32_t *place = (_Atomic uint32_t *)(void *)memory;
            if (page >= DOORBELL_NVME) {
                look_at_words(card, page, memory);
                continue;
            }
            if (atomic_load_explicit(place, memory_order_relaxed) == PAGE_QUIET)
                continue;
            /* A full exchange: what the guest wrote before its doorbell is seen, what it rings later is a new ring. */
            atomic_store(&card->doorbell_value[page], atomic_exchange(place, PAGE_QUIET));
            ring(card, page);
        }
    }
}

bool native_doorbell_pending(struct native_card *card, bool look)
{
    if (look && atomic_load_explicit(&card->doorbell_any_shared, memory_order_relaxed))
        look_at_shared(card);
    return atomic_load(&card->doorbell_any);
}

static struct hls_fifo *fifo_of_page(const struct doorbell_block *block, uint32_t page)
{
    if (page >= DOORBELL_NVME)
        return block->nvme;
    if (page >= DOORBELL_BLOCK)
        return block->block;
    if (page >= DOORBELL_HOST)
        return block->host;
    return page % 2 ? block->transmit : block->receive;
}

static bool push(struct hls_fifo *fifo, const struct doorbell *rung)
{
    struct hls_port port = hls_write_begin(fifo);
    if (hls_at_limit(&port))
        return false;
    struct doorbell *doorbell = hls_slot(&port, HLS_SLOT_BYTES(struct doorbell));
    *doorbell = *rung;
    port.index++;
    hls_write_end(fifo, &port);
    return true;
}

/* All words of a controller's page that rang; false = some found no room. */
static bool push_words(struct native_card *card, struct hls_fifo *fifo, uint32_t page, uint32_t time, unsigned *done)
{
    struct doorbell rung = {.page = page, .time = time};
    while (native_doorbell_next_word(card, page, &rung.index, &rung.value)) {
        if (fifo && !push(fifo, &rung)) {
            atomic_fetch_or(&card->nvme_pages[page - DOORBELL_NVME].rung, UINT64_C(1) << rung.index);
            return false;
        }
        ++*done;
    }
    return true;
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct doorbell_block *block = context;
    struct native_card *card = block->card;
    unsigned done = 0;
    bool full = false;
    if (!atomic_exchange(&card->doorbell_any, false))
        return 0;
    uint32_t time = (uint32_t)native_time(&card->base);
    for (uint32_t word = 0; word < NATIVE_PAGE_WORDS; word++) {
        if (!atomic_load_explicit(&card->doorbell_rung[word], memory_order_relaxed))
            continue;
        uint64_t bits = atomic_exchange(&card->doorbell_rung[word], 0);
        for (; bits; bits &= bits - 1) {
            uint32_t page = word * 64 + (uint32_t)__builtin_ctzll(bits);
            struct hls_fifo *fifo = fifo_of_page(block, page);
            /* A ring must not overtake the setting of a host ring that was written before it. */
            bool held = fifo == block->host && atomic_load(&card->settings_any);
            struct doorbell rung = {page, atomic_load(&card->doorbell_value[page]), 0, time};
            if (page >= DOORBELL_NVME) {
                if (!push_words(card, fifo, page, time, &done)) {
                    ring(card, page);
                    full = true;
                }
            } else if (!fifo) {
                done++;
            } else if (done < budget && !held && push(fifo, &rung)) {
                done++;
            } else {
                ring(card, page);
                full = true;
            }
        }
    }
    native_account(activity, done, full);
    return done;
}

int native_doorbell_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct doorbell_block *block = calloc(1, sizeof *block);
    if (!block)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    block->card = card;
    block->receive = native_shell_fifo(card, node, "receive");
    block->transmit = native_shell_fifo(card, node, "transmit");
    block->host = native_shell_fifo(card, node, "host");
    block->block = native_shell_fifo(card, node, "block");
    block->nvme = native_shell_fifo(card, node, "nvme");
    card->blocks[node] = block;
    card->tasks[node].run = run;
    card->tasks[node].context = block;
    card->doorbell_node = node;
    return 0;
}
