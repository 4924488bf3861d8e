/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side of the queues: how they are told to it, and how they end. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hls/include/dma.h"
#include "hls/include/virtio.h"
#include "runtime/device/virtio_blk_internal.h"

#define STOP_POLL_US 200
#define QUIET_MS     500 /* of a stop's time, kept for ending what has not begun */
#define SETTLE_MS    100

static unsigned card_queue(const struct virtio_blk *blk, unsigned queue)
{
    return blk->first + queue;
}

int blk_window_set(struct virtio_blk *blk, uint64_t length)
{
    static const uint8_t targets[] = {TARGET_BLK, TARGET_BLK_USED};
    const struct window_setting window = {(uint64_t)blk->function << CIPU_WINDOW_SHIFT, length};
    struct command_entry commands[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
        commands[i].opcode = COMMAND_WINDOW_SET;
        commands[i].target = targets[i];
        commands[i].index = blk->function;
        memcpy(commands[i].data, &window, sizeof window);
    }
    return cipu_host_command(blk->host, commands, 2);
}

/* The used side is set first: it must know a queue before requests of it can end. */
static int card_queue_set(struct virtio_blk *blk, unsigned queue, const struct queue_setting *setting)
{
    static const uint8_t targets[] = {TARGET_BLK_USED, TARGET_BLK};
    for (unsigned i = 0; i < 2; i++) {
        struct command_entry command = {
            .opcode = COMMAND_QUEUE_SET, .target = targets[i], .index = card_queue(blk, queue)};
        memcpy(command.data, setting, sizeof *setting);
        int result = cipu_host_command(blk->host, &command, 1);
        if (result)
            return result;
    }
    return 0;
}

static int card_queue_stop(struct virtio_blk *blk, unsigned queue, uint8_t target, uint16_t *position)
{
    struct command_entry command = {.opcode = COMMAND_QUEUE_STOP, .target = target, .index = card_queue(blk, queue)};
    int result = cipu_host_command(blk->host, &command, 1);
    struct queue_position answer;
    memcpy(&answer, command.data, sizeof answer);
    if (!result)
        *position = answer.position;
    return result;
}

static bool card_sees_ring(struct virtio_blk *blk, const struct vhost_queue *queue)
{
    return guest_memory_in_card(blk->memory, queue->descriptors, queue->entries * sizeof(struct virtq_descriptor)) &&
           guest_memory_in_card(blk->memory, queue->avail, VIRTQ_AVAIL_USED_EVENT(queue->entries) + 2u) &&
           guest_memory_in_card(blk->memory, queue->used, VIRTQ_USED_AVAIL_EVENT(queue->entries) + 2u);
}

static struct queue_setting describe(struct virtio_blk *blk, unsigned queue)
{
    struct blk_queue *state = &blk->queues[queue];
    struct queue_setting setting = {.descriptors = state->setting.descriptors,
                                    .avail = state->setting.avail,
                                    .used = state->setting.used,
                                    .entries = state->setting.entries,
                                    .flags = QUEUE_BLOCK,
                                    .position = state->position,
                                    .vector = (uint16_t)(VECTOR_BLOCK + card_queue(blk, queue)),
                                    .function = blk->function,
                                    .generation = ++state->generation,
                                    .volume = blk->info.number};
    if (state->features & VIRTIO_F_EVENT_INDEX)
        setting.flags |= QUEUE_EVENT_INDEX;
    if (state->features & VIRTIO_F_INDIRECT)
        setting.flags |= QUEUE_INDIRECT;
    return setting;
}

/* With `lock` held; from state->position on. */
static int start_card_queue(struct virtio_blk *blk, unsigned queue)
{
    struct blk_queue *state = &blk->queues[queue];
    struct queue_setting setting = describe(blk, queue);
    block_queue_begin(blk->engine, card_queue(blk, queue), state->position, state->record, state->setting.entries);
    int result = card_queue_set(blk, queue, &setting);
    if (result) {
        uint16_t nowhere;
        card_queue_stop(blk, queue, TARGET_BLK, &nowhere);
        card_queue_stop(blk, queue, TARGET_BLK_USED, &nowhere);
        return result;
    }
    state->on_card = true;
    /* The driver may have made requests available before. */
    cipu_card_doorbell(blk->card, DOORBELL_BLOCK + card_queue(blk, queue), queue);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t blk_stop_deadline(void)
{
    return now_ms() + BLK_STOP_MS;
}

static bool is_faulted(const struct blk_queue *state)
{
    return state->faulted == (BLK_FAULTED | state->generation);
}

/* Whether all requests that the card took out of the queue have ended. Of a queue that broke, not all of them come. */
static bool is_over(struct virtio_blk *blk, unsigned queue)
{
    const struct blk_queue *state = &blk->queues[queue];
    struct block_queue_progress progress = block_queue_progress(blk->engine, card_queue(blk, queue));
    return progress.ended == progress.arrived && (progress.arrived == state->fetched || is_faulted(state));
}

static int check_idle(struct virtio_blk *blk, unsigned queue)
{
    const struct blk_queue *state = &blk->queues[queue];
    if (state->recovering || (state->stuck && !is_over(blk, queue))) {
        BLK_WARN(blk, "%u: queue %u cannot start: requests of before its stop hang at volume %s", blk->function, queue,
                 blk->info.settings.name);
        return -EBUSY;
    }
    return 0;
}

static int check_ring(struct virtio_blk *blk, unsigned queue, const struct vhost_queue *setting)
{
    if (!card_sees_ring(blk, setting)) {
        BLK_WARN(blk,
                 "%u: queue %u lies in memory that the card cannot reach: the client must share "
                 "the guest's memory (memory-backend-memfd,share=on)",
                 blk->function, queue);
        return -EFAULT;
    }
    return 0;
}

int blk_queue_start(struct virtio_blk *blk, unsigned queue, const struct vhost_queue *setting)
{
    struct blk_queue *state = &blk->queues[queue];
    pthread_mutex_lock(&blk->lock);
    int result = check_idle(blk, queue);
    if (!result)
        result = check_ring(blk, queue, setting);
    if (!result) {
        state->setting = *setting;
        state->features = blk->accepted;
        state->position = setting->position;
        state->record = setting->inflight ? setting->inflight : state->own;
        state->cancelled = state->stuck = false;
        result = blk_recover_check(blk, queue, &state->position);
    }
    if (result > 0) {
        state->running = state->recovering = true;
        blk_worker_recover(blk, queue);
    } else if (result == 0) {
        result = start_card_queue(blk, queue);
        state->running = !result;
    }
    pthread_mutex_unlock(&blk->lock);
    return result < 0 ? result : 0;
}

void blk_queue_recover(struct virtio_blk *blk, unsigned queue)
{
    struct blk_queue *state = &blk->queues[queue];
    int result = blk_recover(blk, queue);
    pthread_mutex_lock(&blk->lock);
    if (!result && !state->cancelled)
        result = start_card_queue(blk, queue);
    state->recovering = false;
    uint16_t generation = state->generation;
    pthread_cond_broadcast(&blk->recovered);
    pthread_mutex_unlock(&blk->lock);
    if (result == 0 || result == -ECANCELED)
        return;
    BLK_WARN(blk, "%u: queue %u: requests of an earlier life: %s", blk->function, queue, strerror(-result));
    if (blk->vhost)
        blk_vhost_failed(blk, queue, generation);
    else
        blk_pci_failed(blk, queue, generation);
}

/* With `lock` held, which is let go meanwhile. A request that hangs at its volume is not waited for: when it is done,
 * nothing comes of it. */
static void end_recovery(struct virtio_blk *blk, unsigned queue, int64_t deadline)
{
    struct blk_queue *state = &blk->queues[queue];
    const struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    state->cancelled = true;
    while (state->recovering)
        if (pthread_cond_timedwait(&blk->recovered, &blk->lock, &until) == ETIMEDOUT)
            return;
}

/* Waits until nothing of the queue is in flight any more. Of a driver that forgets its requests, those that have not
 * begun are ended; those of others are carried out, unless that takes too long: then they stay on record. */
static bool drain(struct virtio_blk *blk, unsigned queue, bool forget, int64_t deadline)
{
    for (int64_t now = now_ms(); !is_over(blk, queue); now = now_ms()) {
        if (now >= deadline)
            return false;
        if (forget || deadline - now < QUIET_MS) {
            blk_raw_withdraw(blk, queue);
            block_queue_drain(blk->engine, card_queue(blk, queue), BLK_S_IOERR, true);
        }
        usleep(STOP_POLL_US);
    }
    return true;
}

/* The engine has sent all completions: until the card has published them. Of a queue that broke, more may come, or
 * nothing; and the ring is the guest's, who can write to it. */
static void settle(struct virtio_blk *blk, unsigned queue)
{
    const struct blk_queue *state = &blk->queues[queue];
    uint16_t published;
    for (int64_t until = now_ms() + SETTLE_MS; now_ms() < until; usleep(STOP_POLL_US)) {
        struct block_queue_progress progress = block_queue_progress(blk->engine, card_queue(blk, queue));
        if (guest_memory_read(blk->memory, state->setting.used + VIRTQ_USED_INDEX, &published, sizeof published))
            return;
        if (published == progress.completed && !is_faulted(state))
            return;
    }
}

/* The fetching side first: then nothing new comes, and its position says how much there is to wait for. */
static bool stop_card_queue(struct virtio_blk *blk, unsigned queue, bool forget, int64_t deadline)
{
    struct blk_queue *state = &blk->queues[queue];
    bool stopped = card_queue_stop(blk, queue, TARGET_BLK, &state->fetched) == 0;
    if (stopped)
        state->stuck = !drain(blk, queue, forget, deadline);
    settle(blk, queue);
    return card_queue_stop(blk, queue, TARGET_BLK_USED, &state->position) == 0 && stopped && !state->stuck;
}

void blk_queue_stop(struct virtio_blk *blk, unsigned queue, bool forget, int64_t deadline)
{
    struct blk_queue *state = &blk->queues[queue];
    pthread_mutex_lock(&blk->lock);
    end_recovery(blk, queue, deadline);
    /* A card that does not stop the queue loses sight of the guest. */
    if (state->on_card && !stop_card_queue(blk, queue, forget, deadline)) {
        BLK_WARN(blk, "%u: queue %u did not stop in time", blk->function, queue);
        guest_memory_expose(blk->memory, false);
    }
    /* Nothing is written to the record any more. */
    if (state->on_card)
        block_queue_forget(blk->engine, card_queue(blk, queue));
    state->on_card = state->running = false;
    state->record = NULL;
    if (forget) {
        state->position = 0;
        memset(state->own, 0, sizeof *state->own + BLOCK_SLOTS * sizeof state->own->entry[0]);
    }
    pthread_mutex_unlock(&blk->lock);
}

bool blk_queue_is(struct virtio_blk *blk, unsigned queue, uint16_t generation)
{
    pthread_mutex_lock(&blk->lock);
    bool is = blk->queues[queue].running && blk->queues[queue].generation == generation;
    pthread_mutex_unlock(&blk->lock);
    return is;
}

bool blk_queues_stuck(struct virtio_blk *blk)
{
    bool stuck = false;
    pthread_mutex_lock(&blk->lock);
    for (unsigned i = 0; i < blk->queue_count; i++)
        stuck |= blk->queues[i].stuck && !is_over(blk, i); /* software's own accesses end with the queue */
    pthread_mutex_unlock(&blk->lock);
    return stuck;
}
