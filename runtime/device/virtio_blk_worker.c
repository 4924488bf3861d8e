/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that carries out what the card does not: raw requests, requests of an earlier life, faults, resizes. */
#include <string.h>

#include "runtime/device/virtio_blk_internal.h"

static unsigned raw_room(const struct virtio_blk *blk)
{
    return blk->queue_count * BLOCK_SLOTS;
}

/* On the engine's thread. A tag is in flight once: there is room for each. */
static void take_raw(void *device, const struct block_raw *raw)
{
    struct virtio_blk *blk = device;
    pthread_mutex_lock(&blk->work_lock);
    bool room = blk->working && blk->raw_count < raw_room(blk);
    if (room)
        blk->raw[(blk->raw_first + blk->raw_count++) % raw_room(blk)] = raw;
    pthread_cond_signal(&blk->work);
    pthread_mutex_unlock(&blk->work_lock);
    if (!room)
        block_raw_complete(blk->engine, raw->command.tag, BLK_S_IOERR, 0, 1, false);
}

const struct block_device_ops blk_engine_ops = {.raw = take_raw};

static const struct block_raw *next_raw(struct virtio_blk *blk)
{
    if (!blk->raw_count)
        return NULL;
    const struct block_raw *raw = blk->raw[blk->raw_first];
    blk->raw_first = (blk->raw_first + 1) % raw_room(blk);
    blk->raw_count--;
    return raw;
}

void blk_raw_withdraw(struct virtio_blk *blk, unsigned queue)
{
    pthread_mutex_lock(&blk->work_lock);
    for (unsigned left = blk->raw_count; left > 0; left--) {
        const struct block_raw *raw = next_raw(blk);
        if (raw->command.queue == blk->first + queue)
            block_raw_complete(blk->engine, raw->command.tag, BLK_S_IOERR, 0, 1, true);
        else
            blk->raw[(blk->raw_first + blk->raw_count++) % raw_room(blk)] = raw;
    }
    pthread_mutex_unlock(&blk->work_lock);
}

static void handle_fault(struct virtio_blk *blk, unsigned queue)
{
    uint16_t generation = (uint16_t)blk->queues[queue].faulted;
    if (blk->vhost)
        blk_vhost_failed(blk, queue, generation);
    else
        blk_pci_failed(blk, queue, generation);
}

static void handle_resize(struct virtio_blk *blk)
{
    if (blk->vhost)
        blk_vhost_resized(blk);
    else
        blk_pci_resized(blk);
}

static unsigned take_bit(unsigned *set)
{
    unsigned bit = (unsigned)__builtin_ctz(*set);
    *set &= *set - 1;
    return bit;
}

/* Does one thing, with work_lock given back meanwhile. False when there is nothing to do. */
static bool work_once(struct virtio_blk *blk)
{
    const struct block_raw *raw = NULL;
    int fault = -1, recover = -1;
    bool resized = false;
    if (blk->fault)
        fault = (int)take_bit(&blk->fault);
    else if (blk->resized)
        resized = true;
    else if (blk->recover)
        recover = (int)take_bit(&blk->recover);
    else if (!(raw = next_raw(blk)))
        return false;
    if (resized)
        blk->resized = false;
    pthread_mutex_unlock(&blk->work_lock);
    if (fault >= 0)
        handle_fault(blk, (unsigned)fault);
    if (resized)
        handle_resize(blk);
    if (recover >= 0)
        blk_queue_recover(blk, (unsigned)recover);
    if (raw)
        blk_execute_raw(blk, raw);
    pthread_mutex_lock(&blk->work_lock);
    return true;
}

static void *run(void *argument)
{
    struct virtio_blk *blk = argument;
    pthread_setname_np(pthread_self(), "cipu-blk");
    pthread_mutex_lock(&blk->work_lock);
    while (!blk->stopping)
        if (!work_once(blk))
            pthread_cond_wait(&blk->work, &blk->work_lock);
    pthread_mutex_unlock(&blk->work_lock);
    return NULL;
}

int blk_worker_start(struct virtio_blk *blk)
{
    int result = -pthread_create(&blk->worker, NULL, run, blk);
    pthread_mutex_lock(&blk->work_lock);
    blk->working = !result;
    pthread_mutex_unlock(&blk->work_lock);
    return result;
}

void blk_worker_stop(struct virtio_blk *blk)
{
    pthread_mutex_lock(&blk->work_lock);
    bool working = blk->working;
    blk->working = false;
    blk->stopping = true;
    pthread_cond_signal(&blk->work);
    pthread_mutex_unlock(&blk->work_lock);
    if (working)
        pthread_join(blk->worker, NULL);
}

void blk_worker_recover(struct virtio_blk *blk, unsigned queue)
{
    pthread_mutex_lock(&blk->work_lock);
    blk->recover |= 1u << queue;
    pthread_cond_signal(&blk->work);
    pthread_mutex_unlock(&blk->work_lock);
}
