/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strays: what is still at a backend though its command is over, aborted or lost in a reset. Its buffer stays its own
 * and its end is heard by nobody. What begins on the blocks that it may change waits for it: a write that was given up
 * must not land on top of a later one.
 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/block/engine_internal.h"

/* Each keeps a buffer. */
#define STRAYS_OF_VOLUME 1024u
#define STRAYS_MAX       4096u

struct block_errand *errand_take(struct block_engine *engine)
{
    struct block_errand *errand = engine->free_errands;
    engine->free_errands = errand->next;
    return errand;
}

void errand_give(struct block_engine *engine, struct block_errand *errand)
{
    errand->next = engine->free_errands;
    engine->free_errands = errand;
}

int errands_open(struct block_engine *engine)
{
    const size_t count = BLOCK_TAGS + STRAYS_MAX;
    engine->errands = calloc(count, sizeof engine->errands[0]);
    for (size_t i = 0; engine->errands && i < count; i++)
        errand_give(engine, &engine->errands[i]);
    return engine->errands ? 0 : -ENOMEM;
}

bool stray_leave(struct block_tag *tag)
{
    struct block_volume *volume = tag->volume;
    struct block_errand *errand = tag->errand;
    if (tag->state != TAG_BACKEND || volume->stray_count == STRAYS_OF_VOLUME || tag->engine->stray_count == STRAYS_MAX)
        return false;
    tag->engine->stray_count++;
    errand->tag = NULL;
    errand->buffer = tag->buffer;
    errand->next = volume->strays;
    volume->strays = errand;
    volume->stray_count++;
    volume->in_flight++;
    tag->engine->queues[BLOCK_TAG_QUEUE(tag->raw.command.tag)].at_backend--;
    tag->buffer.memory = NULL;
    tag->errand = NULL;
    return true;
}

void stray_done(struct block_errand *errand)
{
    struct block_volume *volume = errand->volume;
    struct block_engine *engine = volume->engine;
    struct block_errand **link = &volume->strays;
    while (*link != errand)
        link = &(*link)->next;
    *link = errand->next;
    volume->stray_count--;
    engine->stray_count--;
    volume->in_flight--;
    if (errand->buffer.memory)
        block_pool_give(&engine->pool, &errand->buffer);
    errand_give(engine, errand);
    command_serve_waiting(engine);
    if (!volume->held)
        volume_resume(volume);
}

bool stray_overlaps(const struct block_volume *volume, uint64_t offset, uint64_t length)
{
    for (const struct block_errand *stray = volume->strays; stray; stray = stray->next)
        if (stray->changes && offset < stray->request.offset + stray->request.length &&
            stray->request.offset < offset + length)
            return true;
    return false;
}
