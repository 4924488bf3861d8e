/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/guest_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "runtime/device/interval_map.h"
#include "runtime/device/memory_file.h"

#define PAGE 4096u

struct piece {
    struct interval range;
    struct memory_file *file; /* NULL: by messages */
    uint64_t offset;
    int protection;
    bool in_card;
};

struct guest_memory {
    struct cipu_card *card;
    uint64_t bus_base, limit;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct interval_map pieces;
    struct memory_files files;
    bool exposed;
    size_t in_card; /* pieces */
    struct device_memory_messages messages;
    bool has_messages;
    unsigned message_calls;
};

int guest_memory_create(struct cipu_card *card, uint64_t bus_base, uint64_t limit, struct guest_memory **memory)
{
    struct guest_memory *created = calloc(1, sizeof *created);
    if (!created)
        return -ENOMEM;
    created->card = card;
    created->bus_base = bus_base;
    created->limit = limit;
    pthread_mutex_init(&created->lock, NULL);
    pthread_cond_init(&created->idle, NULL);
    *memory = created;
    return 0;
}

void guest_memory_destroy(struct guest_memory *memory)
{
    if (!memory)
        return;
    guest_memory_clear(memory);
    pthread_cond_destroy(&memory->idle);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static uint64_t piece_length(const struct piece *piece)
{
    return piece->range.last - piece->range.first + 1;
}

/* What the card cannot take stays reachable for software. */
static void give_to_card(struct guest_memory *memory, struct piece *piece)
{
    uint64_t length = piece_length(piece);
    if (piece->in_card || !piece->file || (piece->range.first | length | piece->offset) % PAGE ||
        piece->range.last >= memory->limit)
        return;
    piece->in_card = cipu_card_dma_map(memory->card, piece->file->fd, (off_t)piece->offset,
                                       memory->bus_base + piece->range.first, length, piece->protection, NULL) == 0;
    memory->in_card += piece->in_card;
}

static void take_from_card(struct guest_memory *memory, struct piece *piece)
{
    if (!piece->in_card)
        return;
    cipu_card_dma_unmap(memory->card, memory->bus_base + piece->range.first, piece_length(piece));
    piece->in_card = false;
    memory->in_card--;
}

static void free_piece(struct guest_memory *memory, struct piece *piece)
{
    take_from_card(memory, piece);
    if (piece->file)
        memory_file_put(&memory->files, piece->file);
    free(piece);
}

static int insert(struct guest_memory *memory, struct piece *piece, int fd)
{
    if (fd >= 0) {
        int result = memory_file_get(&memory->files, fd, (off_t)piece->offset, piece_length(piece), &piece->file);
        if (result)
            return result;
    }
    int result = interval_map_insert(&memory->pieces, &piece->range);
    if (result && piece->file)
        memory_file_put(&memory->files, piece->file);
    return result;
}

int guest_memory_map(struct guest_memory *memory, uint64_t address, uint64_t length, int fd, off_t offset,
                     int protection)
{
    struct piece *piece = calloc(1, sizeof *piece);
    if (!piece)
        return -ENOMEM;
    piece->offset = (uint64_t)offset;
    piece->protection = protection;
    if (!interval_make(address, length, &piece->range)) {
        free(piece);
        return -EINVAL;
    }
    pthread_mutex_lock(&memory->lock);
    int result = insert(memory, piece, fd);
    if (result)
        free(piece);
    else if (memory->exposed)
        give_to_card(memory, piece);
    pthread_mutex_unlock(&memory->lock);
    return result;
}

void guest_memory_unmap(struct guest_memory *memory, uint64_t address)
{
    pthread_mutex_lock(&memory->lock);
    struct piece *piece = (struct piece *)interval_map_find(&memory->pieces, address);
    if (piece) {
        interval_map_remove(&memory->pieces, &piece->range);
        free_piece(memory, piece);
    }
    pthread_mutex_unlock(&memory->lock);
}

void guest_memory_clear(struct guest_memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    struct piece *piece;
    while ((piece = (struct piece *)interval_map_overlap(&memory->pieces, &(struct interval){0, UINT64_MAX}))) {
        interval_map_remove(&memory->pieces, &piece->range);
        free_piece(memory, piece);
    }
    pthread_mutex_unlock(&memory->lock);
}

void guest_memory_messages(struct guest_memory *memory, const struct device_memory_messages *messages)
{
    pthread_mutex_lock(&memory->lock);
    memory->has_messages = messages != NULL;
    if (messages)
        memory->messages = *messages;
    while (!messages && memory->message_calls)
        pthread_cond_wait(&memory->idle, &memory->lock);
    pthread_mutex_unlock(&memory->lock);
}

void guest_memory_cancel(struct guest_memory *memory, bool cancelled)
{
    pthread_mutex_lock(&memory->lock);
    if (memory->has_messages)
        memory->messages.cancel(memory->messages.context, cancelled);
    pthread_mutex_unlock(&memory->lock);
}

static void give_piece(struct interval *range, void *context)
{
    give_to_card(context, (struct piece *)range);
}

static void take_piece(struct interval *range, void *context)
{
    take_from_card(context, (struct piece *)range);
}

void guest_memory_expose(struct guest_memory *memory, bool exposed)
{
    pthread_mutex_lock(&memory->lock);
    if (memory->exposed != exposed)
        interval_map_each(&memory->pieces, exposed ? give_piece : take_piece, memory);
    memory->exposed = exposed;
    pthread_mutex_unlock(&memory->lock);
}

bool guest_memory_in_card(struct guest_memory *memory, uint64_t address, uint64_t length)
{
    struct interval range;
    if (!interval_make(address, length, &range))
        return false;
    bool all = true;
    pthread_mutex_lock(&memory->lock);
    for (uint64_t at = range.first;;) {
        const struct piece *piece = (const struct piece *)interval_map_find(&memory->pieces, at);
        all = piece && piece->in_card;
        if (!all || piece->range.last >= range.last)
            break;
        at = piece->range.last + 1;
    }
    pthread_mutex_unlock(&memory->lock);
    return all;
}

bool guest_memory_any_outside_card(struct guest_memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    bool any = memory->pieces.count > memory->in_card;
    pthread_mutex_unlock(&memory->lock);
    return any;
}

/* Called with the lock held; waits for the client without it, for the frontend's thread needs it to take memory away.
 */
static int by_message(struct guest_memory *memory, uint64_t address, uint8_t *data, size_t bytes, bool write)
{
    if (!memory->has_messages)
        return -ENOTCONN;
    struct device_memory_messages messages = memory->messages;
    memory->message_calls++;
    pthread_mutex_unlock(&memory->lock);
    int result = write ? messages.write(messages.context, address, data, bytes)
                       : messages.read(messages.context, address, data, bytes);
    pthread_mutex_lock(&memory->lock);
    if (--memory->message_calls == 0)
        pthread_cond_broadcast(&memory->idle);
    return result;
}

static int access_piece(struct guest_memory *memory, struct piece *piece, uint64_t address, uint8_t *data, size_t bytes,
                        bool write)
{
    if (!(piece->protection & (write ? CIPU_DMA_WRITE : CIPU_DMA_READ)))
        return -EFAULT;
    if (!piece->file)
        return by_message(memory, address, data, bytes, write);
    uint64_t offset = piece->offset + (address - piece->range.first);
    return write ? memory_file_write(&memory->files, piece->file, offset, data, bytes)
                 : memory_file_read(&memory->files, piece->file, offset, data, bytes);
}

static int access_memory(struct guest_memory *memory, uint64_t address, uint8_t *data, size_t bytes, bool write)
{
    struct interval range;
    int result = 0;
    if (bytes == 0)
        return 0;
    if (!interval_make(address, bytes, &range))
        return -EFAULT;
    pthread_mutex_lock(&memory->lock);
    while (bytes > 0 && !result) {
        struct piece *piece = (struct piece *)interval_map_find(&memory->pieces, address);
        if (!piece) {
            result = -EFAULT;
            break;
        }
        uint64_t left = piece->range.last - address;
        size_t step = bytes - 1 <= left ? bytes : (size_t)left + 1;
        result = access_piece(memory, piece, address, data, step, write);
        address += step;
        data += step;
        bytes -= step;
    }
    pthread_mutex_unlock(&memory->lock);
    return result;
}

int guest_memory_read(struct guest_memory *memory, uint64_t address, void *data, size_t bytes)
{
    return access_memory(memory, address, data, bytes, false);
}

int guest_memory_write(struct guest_memory *memory, uint64_t address, const void *data, size_t bytes)
{
    return access_memory(memory, address, (uint8_t *)(uintptr_t)data, bytes, true);
}
