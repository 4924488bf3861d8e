/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that an earlier life of the queue took and did not finish: of a daemon that was killed, or of a stop that
 * could not wait. The guest still waits for them; they are carried out (again) by software, in the order in which they
 * had come, and used, before the card goes on with the ring.
 *
 * Which ones, exactly: those that the record has in flight; those that it has as finished, but whose completions the
 * used ring does not show: completions are published in the order of their numbers, so the used index says how many are
 * missing at the end; and the rest of what is outstanding (avail index - used index) had not come to the engine. That
 * is the end of the avail ring, and left to the card, unless something overtook it.
 */
#include <errno.h>
#include <string.h>

#include "hls/include/virtio.h"
#include "runtime/device/virtio_blk_internal.h"

struct recovery {
    struct virtio_blk *blk;
    unsigned queue;
    uint32_t entries;
    struct inflight_record *record;
    uint16_t used, avail;                     /* indices in the guest's rings */
    struct inflight_entry known[BLOCK_SLOTS]; /* the record, copied: its client may write to it */
    uint16_t heads[BLOCK_SLOTS];              /* to be carried out, in order */
    unsigned count;
    bool taken[BLOCK_SLOTS]; /* by head: in `heads` */
};

static int read_index(struct recovery *recovery, uint64_t address, uint16_t *value)
{
    return guest_memory_read(recovery->blk->memory, address, value, sizeof *value);
}

static int look(struct virtio_blk *blk, unsigned queue, struct recovery *recovery)
{
    const struct blk_queue *state = &blk->queues[queue];
    memset(recovery, 0, sizeof *recovery);
    recovery->blk = blk;
    recovery->queue = queue;
    recovery->entries = state->setting.entries;
    recovery->record = state->record;
    memcpy(recovery->known, state->record->entry, recovery->entries * sizeof recovery->known[0]);
    int result = read_index(recovery, state->setting.used + VIRTQ_USED_INDEX, &recovery->used);
    return result ? result : read_index(recovery, state->setting.avail + VIRTQ_AVAIL_INDEX, &recovery->avail);
}

/* The numbers of completions that the used ring does not show begin here. */
static uint64_t first_unpublished(const struct recovery *recovery)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < recovery->entries; i++)
        if (recovery->known[i].finished >= next && recovery->known[i].finished)
            next = recovery->known[i].finished + 1;
    uint16_t missing = (uint16_t)((uint16_t)next - recovery->used);
    return next == 0 || missing > recovery->entries ? UINT64_MAX : next - missing;
}

/* Where a head belongs among those that are there already, by arrival. The record's numbers may be any. */
static void insert(struct recovery *recovery, uint16_t head)
{
    unsigned at = recovery->count++;
    for (; at > 0; at--) {
        uint16_t before = recovery->heads[at - 1];
        if ((int16_t)(recovery->known[head].arrived - recovery->known[before].arrived) >= 0)
            break;
        recovery->heads[at] = before;
    }
    recovery->heads[at] = head;
    recovery->taken[head] = true;
}

static void collect(struct recovery *recovery)
{
    uint64_t unpublished = first_unpublished(recovery);
    for (unsigned head = 0; head < recovery->entries; head++) {
        const struct inflight_entry *entry = &recovery->known[head];
        if (!entry->in_flight && (!entry->finished || entry->finished < unpublished))
            continue;
        insert(recovery, (uint16_t)head);
    }
}

/* What is known fits what the rings say is outstanding. */
static bool is_plausible(const struct recovery *recovery)
{
    uint16_t outstanding = (uint16_t)(recovery->avail - recovery->used);
    return recovery->count <= outstanding && outstanding <= recovery->entries;
}

static int avail_head(struct recovery *recovery, uint16_t position, uint16_t *head)
{
    const struct vhost_queue *setting = &recovery->blk->queues[recovery->queue].setting;
    int result = read_index(recovery, setting->avail + VIRTQ_AVAIL_RING + 2u * (position % setting->entries), head);
    return result ? result : *head < setting->entries ? 0 : -EPROTO;
}

/* Whether what had not come is the end of the avail ring. */
static int is_suffix(struct recovery *recovery, bool *suffix)
{
    *suffix = true;
    for (uint16_t at = (uint16_t)(recovery->used + recovery->count); at != recovery->avail; at++) {
        uint16_t head;
        int result = avail_head(recovery, at, &head);
        if (result)
            return result;
        *suffix = *suffix && !recovery->taken[head];
    }
    return 0;
}

/* Something overtook what had not come: then all of it is carried out here. The latest places in the ring are it. */
static int collect_rest(struct recovery *recovery)
{
    unsigned known = recovery->count, total = (uint16_t)(recovery->avail - recovery->used);
    for (unsigned back = 1; back <= recovery->entries && recovery->count < total; back++) {
        uint16_t head;
        int result = avail_head(recovery, (uint16_t)(recovery->avail - back), &head);
        if (result)
            return result;
        if (recovery->taken[head])
            continue;
        recovery->taken[head] = true;
        recovery->heads[recovery->count++] = head;
    }
    for (unsigned first = known, last = recovery->count; first + 1 < last; first++, last--) {
        uint16_t head = recovery->heads[first];
        recovery->heads[first] = recovery->heads[last - 1];
        recovery->heads[last - 1] = head;
    }
    return 0;
}

int blk_recover_check(struct virtio_blk *blk, unsigned queue, uint16_t *position)
{
    struct recovery recovery;
    int result = look(blk, queue, &recovery);
    if (result)
        return result;
    collect(&recovery);
    if (recovery.count == 0)
        return 0;
    if (is_plausible(&recovery)) {
        *position = recovery.used;
        return 1;
    }
    /* The driver has begun anew since: its rings know nothing of what is in the record. */
    for (unsigned i = 0; i < recovery.entries; i++)
        recovery.record->entry[i] = (struct inflight_entry){0};
    return 0;
}

static int chain_read(struct blk_request *request, void *to, uint32_t skip, uint32_t bytes)
{
    return split_chain_read(request->ring, request->chain, skip, to, bytes);
}

/* Nothing is written to a guest that was told meanwhile that the queue has stopped. */
static int chain_write(struct blk_request *request, const void *from, uint32_t skip, uint32_t bytes)
{
    pthread_mutex_lock(&request->blk->lock);
    int result = *request->cancelled ? -ECANCELED : split_chain_write(request->ring, request->chain, skip, from, bytes);
    pthread_mutex_unlock(&request->blk->lock);
    return result;
}

/* Marks it as finished before the used ring shows it, as the engine does. */
static void finish(struct recovery *recovery, uint16_t head, uint64_t number)
{
    struct inflight_entry *entry = &recovery->record->entry[head];
    entry->finished = number;
    recovery->record->finished = (uint16_t)(number + 1);
    atomic_signal_fence(memory_order_seq_cst);
    entry->in_flight = 0;
    atomic_signal_fence(memory_order_seq_cst);
}

/* With `lock` held. 1 when the driver wants to hear of it, 0, or a negative errno. */
static int use(struct recovery *recovery, struct blk_request *request, uint16_t head, uint8_t status, uint32_t written)
{
    struct blk_queue *state = &recovery->blk->queues[recovery->queue];
    struct split_ring *ring = request->ring;
    if (state->cancelled)
        return -ECANCELED;
    int result = split_chain_write(ring, request->chain, request->writable, &status, sizeof status);
    if (result)
        return result;
    finish(recovery, head, inflight_next(recovery->record, recovery->entries, ring->next_used));
    result = split_ring_use(ring, head, written + 1);
    if (!result)
        result = split_ring_publish(ring);
    state->position = ring->published;
    return result;
}

static int carry_out(struct recovery *recovery, struct split_ring *ring, uint16_t head)
{
    struct virtio_blk *blk = recovery->blk;
    struct split_chain *chain = blk->chain;
    int result = split_ring_chain(ring, head, chain);
    if (result < 0)
        return result;
    if (chain->writable_bytes == 0 || chain->writable_bytes > UINT32_MAX || chain->readable_bytes > UINT32_MAX)
        return -EPROTO;
    struct blk_request request = {.blk = blk,
                                  .readable = (uint32_t)chain->readable_bytes,
                                  .writable = (uint32_t)chain->writable_bytes - 1,
                                  .read = chain_read,
                                  .write = chain_write,
                                  .ring = ring,
                                  .chain = chain,
                                  .cancelled = &blk->queues[recovery->queue].cancelled};
    uint32_t written;
    uint8_t status = blk_execute(&request, &written);
    pthread_mutex_lock(&blk->lock);
    result = use(recovery, &request, head, status, written);
    pthread_mutex_unlock(&blk->lock);
    if (result < 0)
        return result;
    blk->recoveries++;
    if (result > 0 && blk->vhost)
        blk_vhost_used(blk, recovery->queue);
    else if (result > 0)
        blk_pci_used(blk, recovery->queue);
    return 0;
}

/* Should this life end early, the next one finds all of them in flight. */
static int mark(struct recovery *recovery)
{
    struct virtio_blk *blk = recovery->blk;
    pthread_mutex_lock(&blk->lock);
    int result = blk->queues[recovery->queue].cancelled ? -ECANCELED : 0;
    for (unsigned i = 0; i < recovery->count && !result; i++)
        recovery->record->entry[recovery->heads[i]].in_flight = 1;
    pthread_mutex_unlock(&blk->lock);
    return result;
}

static int plan(struct virtio_blk *blk, unsigned queue, struct recovery *recovery)
{
    bool suffix;
    pthread_mutex_lock(&blk->lock);
    int result = blk->queues[queue].cancelled ? -ECANCELED : look(blk, queue, recovery);
    pthread_mutex_unlock(&blk->lock);
    if (result)
        return result;
    collect(recovery);
    if (!is_plausible(recovery))
        return -EPROTO;
    result = is_suffix(recovery, &suffix);
    if (!result && !suffix)
        result = collect_rest(recovery);
    return result ? result : mark(recovery);
}

int blk_recover(struct virtio_blk *blk, unsigned queue)
{
    struct recovery recovery;
    struct blk_queue *state = &blk->queues[queue];
    int result = plan(blk, queue, &recovery);
    if (result)
        return result;
    struct split_ring ring = {.memory = blk->memory,
                              .descriptors = state->setting.descriptors,
                              .avail = state->setting.avail,
                              .used = state->setting.used,
                              .entries = recovery.entries,
                              .event_index = state->features & VIRTIO_F_EVENT_INDEX,
                              .indirect = state->features & VIRTIO_F_INDIRECT};
    split_ring_init(&ring, recovery.used);
    for (unsigned i = 0; i < recovery.count && !result; i++)
        result = state->cancelled ? -ECANCELED : carry_out(&recovery, &ring, recovery.heads[i]);
    return result;
}
