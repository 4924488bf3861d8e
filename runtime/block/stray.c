/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is late at a backend. A stray's command or operation is over, aborted or lost in a reset: its buffer stays its
 * own and its end is heard by nobody. A fenced one goes on, but a change of access has not waited for it. What begins
 * on the blocks that either may change waits for it: a write that was given up must not land on top of a later one, and
 * nobody may see that it was not there yet.
 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/block/engine_internal.h"

/* Each keeps a buffer. */
#define STRAYS_OF_VOLUME 1024u
#define STRAYS_MAX       4096u
#define ERRANDS          (BLOCK_TAGS + STRAYS_MAX + OPERATIONS_MAX)
/* More than so many on a volume's list are not gone through by each command: all wait. */
#define LATE_LOOKED_AT STRAYS_OF_VOLUME

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
    engine->errands = calloc(ERRANDS, sizeof engine->errands[0]);
    for (size_t i = 0; engine->errands && i < ERRANDS; i++)
        errand_give(engine, &engine->errands[i]);
    return engine->errands ? 0 : -ENOMEM;
}

void errands_free_memory(struct block_engine *engine)
{
    for (unsigned i = 0; i < ERRANDS; i++)
        free(engine->errands[i].memory);
}

/* ---- the list ---- */

static void uncount(struct block_errand *errand)
{
    errand->volume->writes[errand->function] -= errand->counted;
    errand->counted = false;
}

static void list(struct block_errand *errand)
{
    struct block_volume *volume = errand->volume;
    uncount(errand);
    if (errand->listed || !errand->changes)
        return;
    errand->listed = true;
    errand->link = &volume->late;
    errand->next = volume->late;
    if (errand->next)
        errand->next->link = &errand->next;
    volume->late = errand;
    volume->late_count++;
}

static void unlist(struct block_errand *errand)
{
    struct block_volume *volume = errand->volume;
    struct block_engine *engine = volume->engine;
    errand->listed = false;
    *errand->link = errand->next;
    if (errand->next)
        errand->next->link = errand->link;
    volume->late_count--;
    if (volume->is_waking)
        return;
    volume->is_waking = true;
    volume->next_waking = engine->waking;
    engine->waking = volume;
}

bool stray_overlaps(const struct block_volume *volume, uint64_t offset, uint64_t length)
{
    if (volume->late_count > LATE_LOOKED_AT)
        return true;
    for (const struct block_errand *late = volume->late; late; late = late->next)
        if (offset < late->request.offset + late->request.length && late->request.offset < offset + length)
            return true;
    return false;
}

unsigned volumes_wake(struct block_engine *engine)
{
    unsigned woken = 0;
    for (struct block_volume *volume = engine->waking; volume; volume = engine->waking, woken++) {
        engine->waking = volume->next_waking;
        volume->is_waking = false;
        if (!volume->held)
            volume_resume(volume);
    }
    return woken;
}

void volume_asleep(struct block_volume *volume)
{
    struct block_volume **link = &volume->engine->waking;
    while (*link && *link != volume)
        link = &(*link)->next_waking;
    if (*link)
        *link = volume->next_waking;
    volume->is_waking = false;
}

/* ---- leaving, fencing, ending ---- */

bool stray_leave(struct block_tag *tag)
{
    struct block_volume *volume = tag->volume;
    struct block_errand *errand = tag->errand;
    if (tag->state != TAG_BACKEND || volume->stray_count == STRAYS_OF_VOLUME || tag->engine->stray_count == STRAYS_MAX)
        return false;
    tag->engine->stray_count++;
    volume->stray_count++;
    volume->in_flight++;
    errand->tag = NULL;
    errand->buffer = tag->buffer;
    list(errand);
    tag->engine->queues[BLOCK_TAG_QUEUE(tag->raw.command.tag)].at_backend--;
    tag->buffer.memory = NULL;
    tag->errand = NULL;
    return true;
}

void stray_leave_operation(struct block_errand *errand, void *memory)
{
    errand->operation = NULL;
    errand->memory = memory;
    errand->volume->stray_operations++;
    list(errand);
}

void errands_fence(struct block_volume *volume, unsigned function)
{
    struct block_engine *engine = volume->engine;
    for (unsigned queue = 0; queue < BLOCK_QUEUES; queue++) {
        if (!engine->queues[queue].ops || engine->queues[queue].function != function)
            continue;
        for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++) {
            const struct block_tag *tag = &engine->tags[queue * BLOCK_SLOTS + slot];
            if (tag->state == TAG_BACKEND && tag->volume == volume && tag->errand->changes)
                list(tag->errand);
        }
    }
    for (struct block_operation *operation = engine->operations; operation; operation = operation->next)
        if (operation->errand && operation->errand->volume == volume && operation->errand->function == function &&
            operation->errand->changes)
            list(operation->errand);
}

static void end_stray(struct block_errand *errand)
{
    struct block_volume *volume = errand->volume;
    struct block_engine *engine = volume->engine;
    volume->in_flight--;
    if (errand->operates) {
        volume->stray_operations--;
        engine->operation_count--;
        free(errand->memory);
        errand->memory = NULL;
    } else {
        volume->stray_count--;
        engine->stray_count--;
        if (errand->buffer.memory) {
            block_pool_give(&engine->pool, &volume->share, &errand->buffer);
            buffers_serve(engine);
        }
    }
    errand_give(engine, errand);
}

bool errand_done(struct block_errand *errand)
{
    bool stray = !errand->tag && !errand->operation;
    volume_done(errand->volume);
    uncount(errand);
    if (errand->listed)
        unlist(errand);
    if (stray)
        end_stray(errand);
    return stray;
}
