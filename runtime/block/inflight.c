/* SPDX-License-Identifier: Apache-2.0 */
/* The account of what a queue has in flight. Records may be memory that others write to: what is read from them only
 * decides about numbers. */
#include "runtime/block/inflight.h"

#include "runtime/block/engine_internal.h"

static struct inflight_entry *entry_of(const struct block_queue *queue, unsigned slot)
{
    return queue->record && slot < queue->record_entries ? &queue->record->entry[slot] : NULL;
}

/* The process may end between any two stores: the flag is the last one. */
void inflight_arrived(struct block_queue *queue, unsigned slot)
{
    struct inflight_entry *entry = entry_of(queue, slot);
    uint16_t arrived = atomic_load_explicit(&queue->arrived, memory_order_relaxed);
    if (entry) {
        entry->arrived = arrived;
        atomic_signal_fence(memory_order_seq_cst);
        entry->in_flight = 1;
    }
    atomic_store_explicit(&queue->arrived, (uint16_t)(arrived + 1), memory_order_release);
}

/* Before the answer is sent: no completion is ever published that the record does not know. */
void inflight_ended(struct block_queue *queue, unsigned slot, bool silent)
{
    struct inflight_entry *entry = entry_of(queue, slot);
    uint16_t ended = atomic_load_explicit(&queue->ended, memory_order_relaxed);
    if (!silent) {
        uint64_t number = queue->finished++;
        if (entry) {
            entry->finished = number;
            queue->record->finished = (uint16_t)(number + 1);
            atomic_signal_fence(memory_order_seq_cst);
            entry->in_flight = 0;
        }
        atomic_store_explicit(&queue->completed, (uint16_t)(number + 1), memory_order_release);
    }
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&queue->ended, (uint16_t)(ended + 1), memory_order_release);
}

struct queue_begin {
    struct block_queue *queue;
    struct inflight_record *record;
    unsigned entries;
    uint16_t position;
};

uint64_t inflight_next(const struct inflight_record *record, unsigned entries, uint16_t position)
{
    uint64_t highest = INFLIGHT_FIRST - 1;
    for (unsigned i = 0; record && i < entries; i++) {
        uint64_t number = record->entry[i].finished;
        highest = number > highest ? number : highest;
    }
    uint64_t next = ((highest + 1) & ~UINT64_C(0xffff)) | position;
    return next > highest ? next : next + 0x10000;
}

static void set_queue(void *context)
{
    const struct queue_begin *begin = context;
    struct block_queue *queue = begin->queue;
    queue->record = begin->record;
    queue->record_entries = begin->entries;
    queue->finished = inflight_next(begin->record, begin->entries, begin->position);
    if (begin->record)
        begin->record->finished = begin->position;
    atomic_store(&queue->arrived, begin->position);
    atomic_store(&queue->ended, begin->position);
    atomic_store(&queue->completed, begin->position);
}

void block_queue_begin(struct block_engine *engine, unsigned queue, uint16_t position, struct inflight_record *record,
                       unsigned entries)
{
    if (queue >= BLOCK_QUEUES)
        return;
    struct queue_begin begin = {&engine->queues[queue], record, entries, position};
    block_engine_call(engine, set_queue, &begin);
}

static void forget_record(void *context)
{
    ((struct block_queue *)context)->record = NULL;
}

void block_queue_forget(struct block_engine *engine, unsigned queue)
{
    if (queue < BLOCK_QUEUES)
        block_engine_call(engine, forget_record, &engine->queues[queue]);
}

struct block_queue_progress block_queue_progress(struct block_engine *engine, unsigned queue)
{
    struct block_queue *of = &engine->queues[queue % BLOCK_QUEUES];
    /* `ended` first: what ended had arrived. */
    uint16_t ended = atomic_load_explicit(&of->ended, memory_order_acquire);
    return (struct block_queue_progress){.arrived = atomic_load_explicit(&of->arrived, memory_order_acquire),
                                         .ended = ended,
                                         .completed = atomic_load_explicit(&of->completed, memory_order_acquire)};
}
