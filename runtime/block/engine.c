/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life, its thread and its rounds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/block/disk.h"
#include "runtime/block/engine_internal.h"

#define ROUND_ENTRIES 64u /* of the backend ring in one round, after which the answers are sent */
#define SPIN_ROUNDS   64u /* without work before the engine's own thread sleeps */
#define EVENTS        16
/* Within the card's thread: rounds without work after which what woke it is forgotten, so that it can sleep again. */
#define FORGET_FIRST 4u
#define FORGET_EVERY 256u

/* ---- a round ---- */

static void take_entry(struct block_engine *engine, const struct block_command *entry)
{
    if (engine->half) {
        memcpy(engine->record.bytes, entry, RING_ENTRY_BYTES);
        engine->half = false;
        command_take(engine, &engine->record);
        return;
    }
    memcpy(&engine->record.command, entry, sizeof *entry);
    if (engine->record.command.kind == BACKEND_RAW)
        engine->half = true;
    else
        command_take(engine, &engine->record);
}

static unsigned take_entries(struct block_engine *engine)
{
    unsigned taken = 0;
    while (taken < ROUND_ENTRIES) {
        uint32_t count = 0;
        const struct block_command *entries = cipu_host_block_entries(engine->host, &count);
        if (!entries || !count)
            break;
        if (!taken)
            engine->now = cipu_card_time(engine->card);
        if (count > ROUND_ENTRIES - taken)
            count = ROUND_ENTRIES - taken;
        for (uint32_t i = 0; i < count; i++)
            take_entry(engine, &entries[i]);
        cipu_host_block_release(engine->host, count);
        taken += count;
    }
    return taken;
}

/* Volumes leave the list of active ones while it is gone through: the last takes the place. */
static unsigned poll_backends(struct block_engine *engine)
{
    unsigned finished = 0;
    if (engine->active_count)
        engine->now = cipu_card_time(engine->card);
    for (unsigned i = engine->active_count; i-- > 0;) {
        if (i >= engine->active_count)
            continue;
        struct block_backend *backend = engine->active[i]->backend;
        if (backend->ops->poll)
            finished += backend->ops->poll(backend);
    }
    return finished;
}

/* Edge triggered events are gone when they were asked for: until the next one nothing wakes a thread. So everything is
 * looked at afterwards. */
static void forget_events(struct block_engine *engine)
{
    struct epoll_event events[EVENTS];
    (void)epoll_wait(engine->events, events, EVENTS, 0);
}

static unsigned run_round(void *context)
{
    struct block_engine *engine = context;
    engine_enter(engine);
    if (engine->attended && engine->idle % FORGET_EVERY == FORGET_FIRST)
        forget_events(engine);
    unsigned work = inbox_run(engine);
    work += command_send_unsent(engine);
    work += take_entries(engine);
    work += poll_backends(engine);
    work += volumes_wake(engine);
    if (engine->answered)
        cipu_host_block_send(engine->host);
    engine->answered = false;
    if (engine->waits)
        engine_check_waits(engine);
    engine->idle = work ? 0 : engine->idle + 1;
    engine_enter(NULL);
    return work;
}

static void *run_thread(void *context)
{
    struct block_engine *engine = context;
    struct epoll_event events[EVENTS];
    pthread_setname_np(pthread_self(), "cipu-block");
    while (!atomic_load_explicit(&engine->stop, memory_order_acquire)) {
        run_round(engine);
        /* Answers that wait for room are not announced by an event. */
        if (engine->idle > SPIN_ROUNDS)
            (void)epoll_wait(engine->events, events, EVENTS, engine->unsent.first ? 1 : -1);
    }
    return NULL;
}

/* ---- life ---- */

int engine_watch(struct block_engine *engine, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    return fd < 0 || epoll_ctl(engine->events, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void engine_unwatch(struct block_engine *engine, int fd)
{
    if (fd >= 0)
        (void)epoll_ctl(engine->events, EPOLL_CTL_DEL, fd, NULL);
}

static int open_events(struct block_engine *engine, struct cipu_error *error)
{
    engine->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->events = epoll_create1(EPOLL_CLOEXEC);
    if (engine->wake < 0 || engine->events < 0)
        return cipu_fail(error, -errno, "block engine: events: %s", strerror(errno));
    int result = engine_watch(engine, engine->wake);
    return result ? cipu_fail(error, result, "block engine: epoll: %s", strerror(-result)) : 0;
}

static int start_thread(struct block_engine *engine)
{
    engine->attended = false;
    int result = engine_watch(engine, cipu_host_block_fd(engine->host));
    return result ? result : -pthread_create(&engine->thread, NULL, run_thread, engine);
}

/* Within the card's thread nothing need tell of commands: who posts them is awake, and the same thread. */
static int start(struct block_engine *engine, struct cipu_error *error)
{
    struct cipu_attendant attendant = {run_round, engine, engine->events};
    engine->attended = true;
    int result = cipu_card_attend(engine->card, &attendant);
    if (result == -ENOTSUP)
        result = start_thread(engine);
    if (result)
        return cipu_fail(error, result, "block engine: thread: %s", strerror(-result));
    engine->started = true;
    return 0;
}

static void stop(struct block_engine *engine)
{
    if (!engine->started)
        return;
    if (engine->attended) {
        cipu_card_attend(engine->card, NULL);
        return;
    }
    atomic_store_explicit(&engine->stop, true, memory_order_release);
    eventfd_write(engine->wake, 1);
    pthread_join(engine->thread, NULL);
}

static int init_locks(struct block_engine *engine)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int result = pthread_mutex_init(&engine->lock, NULL) || pthread_mutex_init(&engine->control, NULL) ||
                 pthread_cond_init(&engine->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return result ? -ENOMEM : 0;
}

int block_engine_open(struct cipu_card *card, struct cipu_host *host, struct block_engine **result,
                      struct cipu_error *error)
{
    struct block_engine *engine = calloc(1, sizeof *engine);
    *result = NULL;
    if (!engine || init_locks(engine)) {
        free(engine);
        return cipu_fail(error, -ENOMEM, "block engine: no memory");
    }
    engine->card = card;
    engine->host = host;
    engine->inbox_last = &engine->inbox;
    engine->hungry_last = &engine->hungry;
    engine->wake = engine->events = -1;
    engine->pool.fd = engine->raw_pool.fd = -1;
    engine->tags = calloc(BLOCK_TAGS, sizeof engine->tags[0]);
    engine->disks = disk_set_create();
    int code = engine->tags && engine->disks && !errands_open(engine)
                   ? 0
                   : cipu_fail(error, -ENOMEM, "block engine: no memory");
    if (!code)
        code = block_pool_open(&engine->pool, card, BLOCK_BUS_BASE, error);
    if (!code)
        code = block_pool_open(&engine->raw_pool, card, BLOCK_BUS_BASE + BLOCK_BUS_POOLS / 2, error);
    if (!code)
        code = open_events(engine, error);
    if (!code)
        code = start(engine, error);
    if (code) {
        block_engine_close(engine);
        return code;
    }
    *result = engine;
    return 0;
}

/* ---- volumes whose backends hang ---- */

/* The thread has ended: nobody waits for anything, and what is under way is forgotten. */
static void end_volumes(struct block_engine *engine)
{
    bool stuck = false;
    engine_enter(engine);
    inbox_run(engine);
    engine_enter(NULL);
    for (unsigned i = 0; i < BLOCK_TAGS; i++)
        raw_forget(&engine->tags[i]);
    for (unsigned i = 0; i < BLOCK_VOLUMES; i++) {
        struct block_volume *volume = engine->volumes[i];
        if (!volume)
            continue;
        const struct backend_ops *ops = volume->backend->ops;
        stuck |= ops->abandon && ops->abandon(volume->backend);
        volume_destroy(volume);
    }
    if (stuck)
        block_pool_keep(&engine->pool);
    else
        errands_free_memory(engine);
}

void block_engine_close(struct block_engine *engine)
{
    if (!engine)
        return;
    stop(engine);
    if (engine->started)
        end_volumes(engine);
    block_pool_close(&engine->pool);
    block_pool_close(&engine->raw_pool);
    if (engine->wake >= 0)
        close(engine->wake);
    if (engine->events >= 0)
        close(engine->events);
    disk_set_destroy(engine->disks);
    while (engine->places)
        place_give(engine, engine->places->offset);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->control);
    pthread_mutex_destroy(&engine->lock);
    free(engine->errands);
    free(engine->tags);
    free(engine);
}

struct disk_set *block_engine_disks(struct block_engine *engine)
{
    return engine->disks;
}

void block_function_statistics(const struct block_engine *engine, unsigned function,
                               struct block_function_statistics *statistics)
{
    const struct block_function_statistics *from = &engine->functions[function];
    *statistics = (struct block_function_statistics){counter_read(&from->commands), counter_read(&from->errors)};
}

uint64_t block_engine_unexpected(const struct block_engine *engine)
{
    return counter_read(&engine->unexpected);
}
