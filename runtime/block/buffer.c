/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets a buffer of the engine's pool. A volume whose backend hangs keeps what it has; the share that it may have
 * shrinks with what is left (runtime/block/pool.h), and its commands wait in lists of its own: others are served past
 * them.
 */
#include "runtime/block/engine_internal.h"

static unsigned class_of(const struct block_tag *tag)
{
    return block_pool_class(&tag->engine->pool, tag->raw.command.length);
}

static void append_hungry(struct block_engine *engine, struct block_volume *volume)
{
    volume->is_hungry = true;
    volume->next_hungry = NULL;
    *engine->hungry_last = volume;
    engine->hungry_last = &volume->next_hungry;
}

void buffer_find(struct block_tag *tag)
{
    struct block_engine *engine = tag->engine;
    struct block_volume *volume = tag->volume;
    unsigned class = class_of(tag);
    if (!volume->starving[class].first && block_pool_take(&engine->pool, &volume->share, class, &tag->buffer)) {
        command_has_buffer(tag);
        return;
    }
    tag->state = TAG_BUFFER;
    tag->stopped = engine->now;
    tag_list_append(&volume->starving[class], tag);
    if (!volume->is_hungry)
        append_hungry(engine, volume);
}

void buffer_unlist(struct block_tag *tag)
{
    tag_list_remove(&tag->volume->starving[class_of(tag)], tag);
}

/* Large ones first: a small one would do with any. True: something still waits. */
static bool serve(struct block_engine *engine, struct block_volume *volume)
{
    bool waits = false;
    for (unsigned class = POOL_CLASSES; class --> 0;) {
        struct tag_list *list = &volume->starving[class];
        struct block_tag *tag = list->first;
        while (tag && block_pool_take(&engine->pool, &volume->share, class, &tag->buffer)) {
            tag_list_take(list);
            command_has_buffer(tag);
            tag = list->first;
        }
        waits |= tag != NULL;
    }
    return waits;
}

/* Each volume that waits has one turn; then it is the last one. */
static void serve_round(struct block_engine *engine)
{
    struct block_volume *volume = engine->hungry;
    engine->hungry = NULL;
    engine->hungry_last = &engine->hungry;
    while (volume) {
        struct block_volume *next = volume->next_hungry;
        volume->is_hungry = false;
        if (serve(engine, volume) && !volume->is_hungry)
            append_hungry(engine, volume);
        volume = next;
    }
}

/* What ends at once within a turn gives its buffer back: then all have another turn. */
void buffers_serve(struct block_engine *engine)
{
    engine->serve_again = true;
    if (engine->serving)
        return;
    engine->serving = true;
    while (engine->serve_again && engine->hungry) {
        engine->serve_again = false;
        serve_round(engine);
    }
    engine->serving = false;
}

void buffer_give(struct block_tag *tag)
{
    block_pool_give(&tag->engine->pool, &tag->volume->share, &tag->buffer);
    buffers_serve(tag->engine);
}

void buffers_forget(struct block_volume *volume)
{
    struct block_engine *engine = volume->engine;
    struct block_volume **link = &engine->hungry;
    while (*link && *link != volume)
        link = &(*link)->next_hungry;
    if (!*link)
        return;
    *link = volume->next_hungry;
    if (!*link)
        engine->hungry_last = link;
    volume->is_hungry = false;
}
