/* SPDX-License-Identifier: Apache-2.0 */
/* What other threads ask of the engine's, and how they wait for it. */
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

#include "runtime/block/engine_internal.h"

/* Which engine's round this thread is in. */
static _Thread_local const struct block_engine *here;

void engine_enter(const struct block_engine *engine)
{
    here = engine;
}

bool engine_is_here(const struct block_engine *engine)
{
    return here == engine;
}

void inbox_post(struct block_engine *engine, struct inbox_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&engine->lock);
    *engine->inbox_last = item;
    engine->inbox_last = &item->next;
    atomic_store_explicit(&engine->posted, true, memory_order_release);
    pthread_mutex_unlock(&engine->lock);
    eventfd_write(engine->wake, 1);
}

unsigned inbox_run(struct block_engine *engine)
{
    unsigned done = 0;
    if (!atomic_load_explicit(&engine->posted, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&engine->lock);
    struct inbox_item *item = engine->inbox;
    engine->inbox = NULL;
    engine->inbox_last = &engine->inbox;
    atomic_store_explicit(&engine->posted, false, memory_order_relaxed);
    pthread_mutex_unlock(&engine->lock);
    engine->now = cipu_card_time(engine->card);
    while (item) {
        struct inbox_item *next = item->next;
        item->run(engine, item); /* which may be the end of it */
        item = next;
        done++;
    }
    return done;
}

/* ---- calls ---- */

struct call {
    struct inbox_item item;
    void (*work)(void *context);
    void *context;
    bool done;
};

static void run_call(struct block_engine *engine, struct inbox_item *item)
{
    struct call *call = (struct call *)item;
    call->work(call->context);
    pthread_mutex_lock(&engine->lock);
    call->done = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

void block_engine_call(struct block_engine *engine, void (*work)(void *context), void *context)
{
    if (engine_is_here(engine)) {
        work(context);
        return;
    }
    struct call call = {{NULL, run_call}, work, context, false};
    inbox_post(engine, &call.item);
    pthread_mutex_lock(&engine->lock);
    while (!call.done)
        pthread_cond_wait(&engine->changed, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
}

/* ---- waiting for a condition ---- */

void deadline_after(unsigned milliseconds, struct timespec *deadline)
{
    clock_gettime(CLOCK_MONOTONIC, deadline);
    deadline->tv_sec += milliseconds / 1000;
    deadline->tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (deadline->tv_nsec >= 1000000000) {
        deadline->tv_nsec -= 1000000000;
        deadline->tv_sec++;
    }
}

void engine_check_waits(struct block_engine *engine)
{
    struct engine_wait **link = &engine->waits;
    while (*link) {
        struct engine_wait *wait = *link;
        if (!wait->over(wait->context)) {
            link = &wait->next;
            continue;
        }
        *link = wait->next;
        pthread_mutex_lock(&engine->lock);
        wait->done = true;
        pthread_cond_broadcast(&engine->changed);
        pthread_mutex_unlock(&engine->lock);
    }
}

struct waiting {
    struct block_engine *engine;
    struct engine_wait wait;
};

static void begin_wait(void *context)
{
    struct waiting *waiting = context;
    waiting->wait.next = waiting->engine->waits;
    waiting->engine->waits = &waiting->wait;
}

static void end_wait(void *context)
{
    struct waiting *waiting = context;
    struct engine_wait **link = &waiting->engine->waits;
    while (*link && *link != &waiting->wait)
        link = &(*link)->next;
    if (*link)
        *link = waiting->wait.next;
}

int engine_wait(struct block_engine *engine, bool (*over)(void *context), void *context, unsigned milliseconds)
{
    struct waiting waiting = {engine, {NULL, over, context, false}};
    struct timespec deadline;
    int result = 0;
    deadline_after(milliseconds, &deadline);
    block_engine_call(engine, begin_wait, &waiting);
    pthread_mutex_lock(&engine->lock);
    while (!waiting.wait.done && result == 0) {
        if (milliseconds)
            result = -pthread_cond_timedwait(&engine->changed, &engine->lock, &deadline);
        else
            pthread_cond_wait(&engine->changed, &engine->lock);
    }
    bool done = waiting.wait.done;
    pthread_mutex_unlock(&engine->lock);
    if (done)
        return 0;
    block_engine_call(engine, end_wait, &waiting);
    return waiting.wait.done ? 0 : -ETIMEDOUT;
}
