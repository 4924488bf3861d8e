/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/arena.h"

#include "tools/hlsc/memory.h"

#include <stdalign.h>
#include <stdarg.h>

#define BLOCK_BYTES 65536u

struct arena_block {
    struct arena_block *next;
    size_t used, bytes;
    max_align_t data[];
};

void *arena_new(struct arena *arena, size_t count, size_t bytes)
{
    size_t wanted = (count * bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->bytes - block->used < wanted) {
        size_t room = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;
        block = memory_new(1, sizeof *block + room);
        block->next = arena->blocks;
        block->bytes = room;
        arena->blocks = block;
    }
    void *memory = (char *)block->data + block->used;
    block->used += wanted;
    return memory;
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_new(arena, length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = arena_new(arena, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
