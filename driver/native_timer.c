/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of kernels: a request names a time, and when that has come one tick tells the time. */
#include <errno.h>
#include <stdlib.h>

#include "driver/native.h"
#include "hls/include/block.h"

struct timer_block {
    struct native_card *card;
    struct native_timer *timer;
    struct hls_fifo *request, *tick;
};

static uint32_t ticks_now(struct native_card *card)
{
    return (uint32_t)(native_time(&card->base) / BLOCK_TICK_NANOSECONDS);
}

/* What a kernel knows of the time is what its last tick told, which may be longer ago than half of the range. */
static uint32_t ticks_left(const struct native_timer *timer, uint32_t now)
{
    uint32_t wanted = timer->at - timer->told, passed = now - timer->told;
    return (int32_t)wanted <= 0 || passed >= wanted ? 0 : wanted - passed;
}

uint64_t native_timers_look(struct native_card *card)
{
    uint64_t next = UINT64_MAX;
    uint32_t now = 0;
    bool have_now = false;
    for (unsigned i = 0; i < card->timer_count; i++) {
        const struct native_timer *timer = &card->timers[i];
        if (!timer->armed)
            continue;
        if (!have_now)
            now = ticks_now(card);
        have_now = true;
        uint64_t wait = (uint64_t)ticks_left(timer, now) * BLOCK_TICK_NANOSECONDS;
        if (!wait)
            native_make_ready(card, timer->node);
        next = wait < next ? wait : next;
    }
    return next;
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct timer_block *block = context;
    struct native_timer *timer = block->timer;
    struct hls_port requests = hls_read_begin(block->request);
    unsigned done = 0;
    for (; done < budget && !hls_at_limit(&requests); done++) {
        const struct timer_request *request = hls_slot(&requests, HLS_SLOT_BYTES(struct timer_request));
        timer->armed = true;
        timer->at = request->at;
        requests.index++;
    }
    hls_read_end(block->request, &requests);
    bool full = false;
    uint32_t now = timer->armed ? ticks_now(block->card) : 0;
    if (timer->armed && ticks_left(timer, now) == 0) {
        struct hls_port ticks = hls_write_begin(block->tick);
        full = hls_at_limit(&ticks);
        if (!full) {
            struct timer_tick *tick = hls_slot(&ticks, HLS_SLOT_BYTES(struct timer_tick));
            *tick = (struct timer_tick){.now = now};
            ticks.index++;
            timer->told = now;
            timer->armed = false;
            done++;
        }
        hls_write_end(block->tick, &ticks);
    }
    native_account(activity, done, full);
    return done;
}

static void reset(void *context)
{
    struct timer_block *block = context;
    block->timer->armed = false;
    block->timer->told = 0;
}

int native_timer_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    if (card->timer_count == NATIVE_TIMERS)
        return cipu_fail(error, -EINVAL, "graph %s: more than %u timers", card->graph->name, NATIVE_TIMERS);
    struct timer_block *block = calloc(1, sizeof *block);
    if (!block)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    block->card = card;
    block->timer = &card->timers[card->timer_count++];
    block->timer->node = node;
    block->request = native_shell_fifo(card, node, "request");
    block->tick = native_shell_fifo(card, node, "tick");
    card->blocks[node] = block;
    card->resets[node] = reset;
    card->tasks[node].run = run;
    card->tasks[node].context = block;
    return 0;
}
