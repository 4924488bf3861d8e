/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: who they belong to, and how what is in flight in them ends early. */
#include <errno.h>

#include "runtime/block/engine_internal.h"

#define DRAIN_MS 4000
#define RESET_MS 500 /* as a controller has many queues, which are drained one after the other */

/* A change of queues, made on the engine's thread. */
struct queue_change {
    struct block_engine *engine;
    unsigned first, count;
    struct block_queue queue;
};

static void set_queues(void *context)
{
    const struct queue_change *change = context;
    for (unsigned i = 0; i < change->count; i++)
        change->engine->queues[change->first + i] = change->queue;
    change->engine->cancelled[change->queue.function] = false;
}

/* Queues change only under engine->control: reading who they belong to needs no more. */
static bool free_run(const struct block_engine *engine, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (engine->queues[first + i].ops)
            return false;
    return true;
}

int block_queues_alloc(struct block_engine *engine, unsigned function, unsigned count,
                       const struct block_device_ops *ops, void *device)
{
    int result = -ENOSPC;
    if (!count || count > BLOCK_QUEUES || function >= FUNCTION_HOST || !ops)
        return -EINVAL;
    pthread_mutex_lock(&engine->control);
    for (unsigned first = 0; first + count <= BLOCK_QUEUES && result < 0; first++) {
        if (!free_run(engine, first, count))
            continue;
        struct queue_change change = {
            engine, first, count, {.ops = ops, .device = device, .function = (uint16_t)function}};
        block_engine_call(engine, set_queues, &change);
        result = (int)first;
    }
    pthread_mutex_unlock(&engine->control);
    return result;
}

void block_queues_free(struct block_engine *engine, unsigned first, unsigned count)
{
    if (first >= BLOCK_QUEUES || count > BLOCK_QUEUES - first)
        return;
    struct queue_change change = {engine, first, count, {0}};
    pthread_mutex_lock(&engine->control);
    block_engine_call(engine, set_queues, &change);
    pthread_mutex_unlock(&engine->control);
}

/* ---- drain ---- */

struct drain {
    struct block_engine *engine;
    unsigned queue;
    uint16_t status;
    bool silent;
};

/* Takes a command that waits out of its list. False: it does not wait. */
static bool unlist(struct block_tag *tag)
{
    if (tag->state == TAG_HELD) {
        tag_list_remove(&tag->volume->waiting, tag);
        tag->volume = NULL; /* it had not begun there */
        return true;
    }
    if (tag->state != TAG_BUFFER)
        return false;
    buffer_unlist(tag);
    return true;
}

static void end_early(struct block_tag *tag, uint16_t status)
{
    if (tag->state == TAG_MOVE_IN) { /* the card is at it: when it tells that it is done */
        tag->ended = true;
        tag->status = status;
    } else if (unlist(tag)) {
        command_refuse(tag, status);
    }
}

static void start_drain(void *context)
{
    struct drain *drain = context;
    struct block_queue *queue = &drain->engine->queues[drain->queue];
    queue->draining = true;
    queue->status = drain->status;
    queue->silent = drain->silent;
    for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++) {
        struct block_tag *tag = &drain->engine->tags[drain->queue * BLOCK_SLOTS + slot];
        if (tag->state == TAG_FREE || tag->state == TAG_RAW)
            continue;
        tag->silent |= drain->silent;
        end_early(tag, drain->status);
    }
}

/* What came in the meantime has ended, and what its backend still has is left to it. What comes from now on is carried
 * out: the queue is stopped, or goes on. */
static void end_drain(void *context)
{
    struct drain *drain = context;
    drain->engine->queues[drain->queue].draining = false;
    for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++) {
        struct block_tag *tag = &drain->engine->tags[drain->queue * BLOCK_SLOTS + slot];
        if (stray_leave(tag))
            command_refuse(tag, drain->status);
        else if (tag->state == TAG_BACKEND)
            tag->silent = true;
    }
}

static bool drained(void *context)
{
    const struct drain *drain = context;
    return drain->engine->queues[drain->queue].at_backend == 0;
}

int block_queue_drain(struct block_engine *engine, unsigned queue, uint16_t status, bool silent)
{
    if (queue >= BLOCK_QUEUES)
        return -EINVAL;
    struct drain drain = {engine, queue, status, silent};
    block_engine_call(engine, start_drain, &drain);
    engine_wait(engine, drained, &drain, silent ? RESET_MS : DRAIN_MS);
    block_engine_call(engine, end_drain, &drain);
    return engine_wait(engine, drained, &drain, 1);
}

/* ---- abort ---- */

struct abort_one {
    struct block_engine *engine;
    unsigned queue;
    uint16_t identifier, status;
    int result;
};

static void abort_command(void *context)
{
    struct abort_one *abort = context;
    abort->result = -ENOENT;
    for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++) {
        struct block_tag *tag = &abort->engine->tags[abort->queue * BLOCK_SLOTS + slot];
        if (tag->state == TAG_FREE || tag->state == TAG_COMPLETING || tag->raw.command.identifier != abort->identifier)
            continue;
        bool early = tag->state != TAG_BACKEND && tag->state != TAG_RAW && !tag->ended, left = stray_leave(tag);
        abort->result = early || left ? 0 : -EBUSY;
        if (left)
            command_refuse(tag, abort->status);
        else if (early)
            end_early(tag, abort->status);
        return;
    }
}

int block_command_abort(struct block_engine *engine, unsigned queue, uint16_t identifier, uint16_t status)
{
    if (queue >= BLOCK_QUEUES)
        return -EINVAL;
    struct abort_one abort = {engine, queue, identifier, status, 0};
    block_engine_call(engine, abort_command, &abort);
    return abort.result;
}
