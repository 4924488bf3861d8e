/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bus addresses to memory. The table is immutable for its readers: a change publishes a new one, waits until the thread
 * has left the old one, and frees it; a mapping above all others is appended in place.
 *
 * A guest may take its memory away (truncate the file behind it). The SIGBUS that follows in the card's thread is
 * answered by zero pages in the mapping's place and its `failed` mark: that guest's transfers end in errors, nothing
 * else happens.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "driver/host.h"
#include "driver/memory_fd.h"
#include "driver/native.h"

#define PAGE_BYTES          4096u
#define TABLE_ENTRIES_FIRST 64u

static _Thread_local const struct native_card *volatile guarded;
static struct sigaction previous_action;

static struct native_map_table *create_table(size_t capacity, uint64_t generation)
{
    struct native_map_table *table = calloc(1, sizeof *table + capacity * sizeof table->entry[0]);
    if (table) {
        table->capacity = capacity;
        table->generation = generation;
    }
    return table;
}

/* Only calls that are safe in a handler: the table is the thread's own snapshot, mmap is one system call. */
static bool replace_lost_memory(const struct native_card *card, const uint8_t *address)
{
    const struct native_map_table *table = card->table;
    size_t count = atomic_load(&table->count);
    for (size_t i = 0; i < count; i++) {
        struct native_mapping *mapping = table->entry[i].mapping;
        if (address < mapping->host || address >= mapping->host + mapping->length)
            continue;
        if (mmap(mapping->host, mapping->length, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
            return false;
        atomic_store(&mapping->failed, true);
        return true;
    }
    return false;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    if (guarded && guarded->table && replace_lost_memory(guarded, info->si_addr)) {
        errno = saved;
        return;
    }
    /* Not the card's: as if this handler were not there. */
    if (previous_action.sa_flags & SA_SIGINFO) {
        previous_action.sa_sigaction(signal, info, context);
    } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(signal);
    } else {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(signal, &action, NULL);
    }
    errno = saved;
}

/* With each card, because other code may have put a handler of its own in this one's place. */
static void install_handler(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER}, current;
    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&lock);
    sigaction(SIGBUS, NULL, &current);
    if (!(current.sa_flags & SA_SIGINFO) || current.sa_sigaction != on_bus_error) {
        previous_action = current;
        sigaction(SIGBUS, &action, NULL);
    }
    pthread_mutex_unlock(&lock);
}

void native_map_guard(const struct native_card *card)
{
    guarded = card;
}

int native_map_init(struct native_card *card)
{
    install_handler();
    struct native_map_table *table = create_table(TABLE_ENTRIES_FIRST, 1);
    if (!table)
        return -ENOMEM;
    atomic_store(&card->map, table);
    card->table = table;
    card->generation = table->generation;
    return 0;
}

static void free_mapping(struct native_mapping *mapping)
{
    munmap(mapping->host, mapping->length);
    free(mapping);
}

void native_map_free(struct native_card *card)
{
    struct native_map_table *table = atomic_load(&card->map);
    for (size_t i = 0; table && i < table->count; i++)
        free_mapping(table->entry[i].mapping);
    free(table);
    atomic_store(&card->map, NULL);
}

/* The index of the first of `count` entries that ends at or after the address; count = none. */
static size_t lower_bound(const struct native_map_table *table, size_t count, uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->entry[middle].last < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct native_map_entry *native_map_find(struct native_card *card, uint64_t address)
{
    const struct native_map_table *table = card->table;
    /* Read once: another thread may append meanwhile. */
    size_t count = atomic_load_explicit(&table->count, memory_order_acquire);
    size_t place = lower_bound(table, count, address);
    if (place == count || table->entry[place].iova > address)
        return NULL;
    return &table->entry[place];
}

static int check_file(int fd, off_t offset, uint64_t length, struct cipu_error *error)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return cipu_fail(error, -errno, "dma_map: descriptor %d: %s", fd, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return cipu_fail(error, -EINVAL, "dma_map: descriptor %d is no memory file", fd);
    if (!memory_fd_is_kernels(fd))
        return cipu_fail(error, -EINVAL,
                         "dma_map: descriptor %d: expected a file in memory (tmpfs, hugetlbfs) or on a disk", fd);
    if (offset < 0 || (uint64_t)offset > (uint64_t)status.st_size || length > (uint64_t)(status.st_size - offset))
        return cipu_fail(error, -EINVAL, "dma_map: %llu bytes at %lld, but the file has %lld",
                         (unsigned long long)length, (long long)offset, (long long)status.st_size);
    return 0;
}

static int check_range(off_t offset, uint64_t iova, uint64_t length, int protection, struct cipu_error *error)
{
    if (!length || length % PAGE_BYTES || iova % PAGE_BYTES || offset % PAGE_BYTES || iova + (length - 1) < iova)
        return cipu_fail(error, -EINVAL,
                         "dma_map: iova 0x%llx, length 0x%llx, offset 0x%llx: expected multiples of 4096",
                         (unsigned long long)iova, (unsigned long long)length, (unsigned long long)offset);
    if (!protection || (protection & ~(CIPU_DMA_READ | CIPU_DMA_WRITE)))
        return cipu_fail(error, -EINVAL, "dma_map: protection %d, expected read, write or both", protection);
    return 0;
}

static struct native_mapping *create_mapping(int fd, off_t offset, uint64_t length, int protection)
{
    struct native_mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return NULL;
    int pages =
        (protection & CIPU_DMA_READ ? PROT_READ : 0) | (protection & CIPU_DMA_WRITE ? PROT_WRITE | PROT_READ : 0);
    mapping->host = mmap(NULL, length, pages, MAP_SHARED | MAP_NORESERVE, fd, offset);
    if (mapping->host == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mapping->length = length;
    mapping->protection = protection;
    return mapping;
}

static int insert(struct native_card *card, size_t place, const struct native_map_entry *entry)
{
    struct native_map_table *table = atomic_load(&card->map);
    size_t count = table->count;
    if (place == count && count < table->capacity) {
        table->entry[count] = *entry;
        atomic_store_explicit(&table->count, count + 1, memory_order_release);
        return 0;
    }
    struct native_map_table *larger =
        create_table(count < table->capacity ? table->capacity : table->capacity * 2, table->generation + 1);
    if (!larger)
        return -ENOMEM;
    memcpy(larger->entry, table->entry, place * sizeof *entry);
    larger->entry[place] = *entry;
    memcpy(larger->entry + place + 1, table->entry + place, (count - place) * sizeof *entry);
    larger->count = count + 1;
    atomic_store(&card->map, larger);
    native_synchronize(card);
    free(table);
    return 0;
}

/* The process may have 65530 mappings by default (vm.max_map_count): a function has at most an eighth of what is free,
 * so that none takes what others need. */
static uint32_t *share_of(struct native_card *card, uint64_t iova)
{
    uint64_t window = iova >> CIPU_WINDOW_SHIFT;
    return &card->window_mappings[window < CARD_FUNCTIONS ? window : CARD_FUNCTIONS - 1u];
}

static int check_share(struct native_card *card, uint64_t iova, size_t count, struct cipu_error *error)
{
    if (count < NATIVE_MAPPINGS_MAX && *share_of(card, iova) < (NATIVE_MAPPINGS_MAX - count) / 8u)
        return 0;
    return cipu_fail(error, -ENOSPC, "dma_map: the function has %u mappings, its share of %zu that are free",
                     *share_of(card, iova), NATIVE_MAPPINGS_MAX - count);
}

int native_dma_map(struct cipu_card *base, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                   struct cipu_error *error)
{
    struct native_card *card = (struct native_card *)base;
    int result = check_range(offset, iova, length, protection, error);
    if (result < 0 || (result = check_file(fd, offset, length, error)) < 0)
        return result;
    struct native_mapping *mapping = create_mapping(fd, offset, length, protection);
    if (!mapping)
        return cipu_fail(error, -errno, "dma_map: cannot map 0x%llx bytes at offset 0x%llx: %s",
                         (unsigned long long)length, (unsigned long long)offset, strerror(errno));
    struct native_map_entry entry = {iova, iova + (length - 1), mapping};
    pthread_mutex_lock(&card->lock);
    const struct native_map_table *table = atomic_load(&card->map);
    size_t count = table->count, place = lower_bound(table, count, iova);
    if (place < count && table->entry[place].iova <= entry.last)
        result = cipu_fail(error, -EEXIST, "dma_map: 0x%llx..0x%llx overlaps the mapping at 0x%llx",
                           (unsigned long long)iova, (unsigned long long)entry.last,
                           (unsigned long long)table->entry[place].iova);
    else if ((result = check_share(card, iova, count, error)) == 0 && (result = insert(card, place, &entry)) < 0)
        cipu_fail(error, result, "dma_map: %s", strerror(-result));
    else if (result == 0)
        ++*share_of(card, iova);
    pthread_mutex_unlock(&card->lock);
    if (result < 0)
        free_mapping(mapping);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the table has it */
    return result;
}

static int remove_entry(struct native_card *card, uint64_t iova, uint64_t length)
{
    struct native_map_table *table = atomic_load(&card->map);
    size_t count = table->count, place = lower_bound(table, count, iova);
    if (!length || place == count || table->entry[place].iova != iova || table->entry[place].last - iova != length - 1)
        return -ENOENT;
    struct native_map_table *smaller = create_table(table->capacity, table->generation + 1);
    if (!smaller)
        return -ENOMEM;
    struct native_mapping *mapping = table->entry[place].mapping;
    memcpy(smaller->entry, table->entry, place * sizeof table->entry[0]);
    memcpy(smaller->entry + place, table->entry + place + 1, (count - place - 1) * sizeof table->entry[0]);
    smaller->count = count - 1;
    atomic_store(&card->map, smaller);
    native_synchronize(card);
    free(table);
    free_mapping(mapping);
    --*share_of(card, iova);
    return 0;
}

int native_dma_unmap(struct cipu_card *base, uint64_t iova, uint64_t length)
{
    struct native_card *card = (struct native_card *)base;
    pthread_mutex_lock(&card->lock);
    int result = remove_entry(card, iova, length);
    pthread_mutex_unlock(&card->lock);
    return result;
}
