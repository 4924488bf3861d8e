/* SPDX-License-Identifier: Apache-2.0 */
/* The card's thread: rounds over the schedule, sleep without lost wake-ups, and how other threads wait for it. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "driver/cpu_pause.h"
#include "driver/native.h"

#define SEEN_ASLEEP             UINT64_MAX
#define IDLE_NANOSECONDS        30000u /* spinning this long costs less than a sleep and a wake-up */
#define SHARED_LOOK_ROUNDS      4u
#define SHARED_LOOK_NANOSECONDS 1000000u
#define RETURNS                 32u /* in a sweep */

static uint64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The first node from `node` on that is ready, NATIVE_NODES_MAX = none. */
static unsigned next_ready(const struct native_card *card, unsigned node)
{
    for (unsigned word = node / 64; word < NATIVE_WORDS; word++, node = word * 64) {
        uint64_t bits = card->ready[word] >> node % 64;
        if (bits)
            return node + (unsigned)__builtin_ctzll(bits);
    }
    return NATIVE_NODES_MAX;
}

unsigned native_sweep(struct native_card *card)
{
    unsigned work = 0, returns = 0, node = 0;
    while ((node = next_ready(card, node)) < NATIVE_NODES_MAX) {
        struct native_task *task = &card->tasks[node];
        card->ready[node / 64] &= ~(UINT64_C(1) << node % 64);
        unsigned done = task->run(task->context, &task->activity, NATIVE_BUDGET);
        work += done;
        if (done) {
            for (unsigned i = 0; i < NATIVE_WORDS; i++)
                card->ready[i] |= task->neighbours[i];
        }
        if (done >= NATIVE_BUDGET)
            native_make_ready(card, node);
        /* Who goes in small steps takes the next one at once: a round then carries them all. */
        bool again = done && task->back && returns < RETURNS && hls_fifo_used(task->back);
        returns += again;
        node = again ? task->before : node + 1;
    }
    return work;
}

uint64_t native_time(struct cipu_card *base)
{
    struct native_card *card = (struct native_card *)base;
    return card->engine->time ? card->engine->time(card) : now(CLOCK_MONOTONIC);
}

static void begin_round(struct native_card *card)
{
    uint64_t epoch = atomic_load(&card->epoch);
    if (atomic_load_explicit(&card->seen, memory_order_relaxed) != epoch)
        atomic_store(&card->seen, epoch);
    card->table = atomic_load(&card->map);
    card->generation = card->table->generation;
    card->time_ms = (uint32_t)(now(CLOCK_MONOTONIC_COARSE) / 1000000u);
    atomic_store_explicit(&card->rounds, atomic_load_explicit(&card->rounds, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static unsigned run_round(struct native_card *card)
{
    begin_round(card);
    if (card->registers_node < NATIVE_NODES_MAX && atomic_load_explicit(&card->settings_any, memory_order_acquire))
        native_make_ready(card, card->registers_node);
    if (card->doorbell_node < NATIVE_NODES_MAX &&
        native_doorbell_pending(card, card->round++ % SHARED_LOOK_ROUNDS == 0 || card->poll_always))
        native_make_ready(card, card->doorbell_node);
    if (card->port_node < NATIVE_NODES_MAX)
        native_make_ready(card, card->port_node);
    if (card->timer_count)
        native_timers_look(card);
    return card->engine->sweep(card) + native_attendant_run(card);
}

static void stand_still(struct native_card *card)
{
    pthread_mutex_lock(&card->pause_lock);
    atomic_store(&card->seen, SEEN_ASLEEP);
    card->paused = true;
    pthread_cond_broadcast(&card->pause_changed);
    while (atomic_load(&card->pause))
        pthread_cond_wait(&card->pause_changed, &card->pause_lock);
    card->paused = false;
    pthread_mutex_unlock(&card->pause_lock);
    atomic_store(&card->seen, atomic_load(&card->epoch));
}

/* Everything that wakes the card is looked at after `sleeping` is set: who does it later sees the flag and writes
 * wake_fd. */
static bool something_to_do(struct native_card *card)
{
    bool some = atomic_load(&card->stop) || atomic_load(&card->pause) || atomic_load(&card->settings_any) ||
                native_doorbell_pending(card, true) || (card->engine->asked && card->engine->asked(card)) ||
                native_attendant_run(card) != 0;
    for (unsigned i = 0; i < CARD_PORTS; i++)
        if (card->ports[i].ops->arm && card->ports[i].ops->arm(&card->ports[i]))
            some = true;
    return some;
}

static void sleep_until_woken(struct native_card *card)
{
    struct epoll_event events[8];
    atomic_store(&card->sleeping, true);
    if (!something_to_do(card)) {
        atomic_store(&card->seen, SEEN_ASLEEP);
        atomic_store_explicit(&card->sleeps, atomic_load_explicit(&card->sleeps, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        uint64_t wait = native_timers_look(card);
        if (atomic_load(&card->doorbell_any_shared) && wait > SHARED_LOOK_NANOSECONDS)
            wait = SHARED_LOOK_NANOSECONDS;
        struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        epoll_pwait2(card->epoll, events, 8, wait == UINT64_MAX ? NULL : &timeout, NULL);
    }
    atomic_store(&card->sleeping, false);
    uint64_t count;
    if (read(card->wake_fd, &count, sizeof count) < 0)
        count = 0; /* EAGAIN: a port or the timeout woke the card */
    atomic_store(&card->seen, atomic_load(&card->epoch));
    card->woken = true;
}

static void pin(const struct native_card *card)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)card->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *run(void *argument)
{
    struct native_card *card = argument;
    if (card->cpu >= 0)
        pin(card);
    pthread_setname_np(pthread_self(), "cipu-card");
    native_map_guard(card);
    uint64_t idle_since = 0;
    while (!atomic_load_explicit(&card->stop, memory_order_acquire)) {
        if (atomic_load_explicit(&card->pause, memory_order_acquire))
            stand_still(card);
        if (run_round(card)) {
            idle_since = 0;
            continue;
        }
        cpu_pause();
        if (card->poll_always)
            continue;
        uint64_t time = now(CLOCK_MONOTONIC);
        if (!idle_since) {
            idle_since = time;
        } else if (time - idle_since > IDLE_NANOSECONDS) {
            sleep_until_woken(card);
            idle_since = 0;
        }
    }
    native_map_guard(NULL);
    atomic_store(&card->seen, SEEN_ASLEEP);
    return NULL;
}

int native_thread_start(struct native_card *card, struct cipu_error *error)
{
    /* Signals are the program's business; faults still reach the thread that caused them. */
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(&card->thread, NULL, run, card);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code)
        return cipu_fail(error, -code, "native card: cannot start its thread: %s", strerror(code));
    card->thread_started = true;
    return 0;
}

void native_thread_stop(struct native_card *card)
{
    if (!card->thread_started)
        return;
    atomic_store(&card->stop, true);
    native_wake(card);
    pthread_join(card->thread, NULL);
    card->thread_started = false;
}

void native_wake(struct native_card *card)
{
    if (!atomic_load(&card->sleeping) || !atomic_exchange(&card->sleeping, false))
        return;
    uint64_t one = 1;
    if (write(card->wake_fd, &one, sizeof one) < 0)
        return; /* EAGAIN: the counter is full, so it is readable */
}

void native_synchronize(struct native_card *card)
{
    if (!card->thread_started)
        return;
    uint64_t epoch = atomic_fetch_add(&card->epoch, 1) + 1;
    for (unsigned tries = 0;; tries++) {
        uint64_t seen = atomic_load(&card->seen);
        if (seen == SEEN_ASLEEP || seen >= epoch)
            return;
        if (tries < 64) {
            sched_yield();
        } else {
            struct timespec pause = {0, 20000};
            nanosleep(&pause, NULL);
        }
    }
}

void native_pause(struct native_card *card)
{
    if (!card->thread_started)
        return;
    atomic_store(&card->pause, true);
    native_wake(card);
    pthread_mutex_lock(&card->pause_lock);
    while (!card->paused)
        pthread_cond_wait(&card->pause_changed, &card->pause_lock);
    pthread_mutex_unlock(&card->pause_lock);
}

void native_resume(struct native_card *card)
{
    pthread_mutex_lock(&card->pause_lock);
    atomic_store(&card->pause, false);
    pthread_cond_broadcast(&card->pause_changed);
    pthread_mutex_unlock(&card->pause_lock);
}
