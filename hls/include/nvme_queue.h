/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records between the kernels of NVMe queues.
 *
 *   doorbells, commands, DMA answers (by nvme_entries), own tokens, free tags -> nvme_events -> nvme_queue
 *                                                                            -> nvme_decode -> block_submit
 *   completions, commands, DMA answers, own tokens, ticks -> nvme_cq_events -> nvme_cq -> completion queue, interrupt
 *
 * A submission queue has one token: it rests in the queue's row, or in the set of those that wait for room in their
 * completion queue, or is out: a read in flight, a write in flight, or a record in nvme_queue's `again`. So these
 * streams never block. There is at most one record in nvme_cq's `again`.
 */
#ifndef CIPU_NVME_QUEUE_H
#define CIPU_NVME_QUEUE_H

#include <assert.h>
#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/block.h"
#include "hls/include/dma.h"
#include "hls/include/nvme.h"

#define NVME_QUEUE_ENTRIES_MAX 65536u
#define NVME_FETCH             8u /* submission queue entries that are read at once */

/* Tags of nvme_queue's reads and writes: the submission queue, its completion queue, and what is read. */
#define NVME_TAG_COMPLETION_SHIFT 7u
#define NVME_TAG_READ_SHIFT       14u
enum nvme_read {
    NVME_READ_ENTRIES = 0,
    NVME_READ_TAIL = 1, /* a submission queue's shadow doorbell */
    NVME_READ_HEAD = 2, /* a completion queue's */
};

enum nvme_event_kind {
    NVME_EVENT_DOORBELL = 1,
    NVME_EVENT_COMMAND = 2, /* data = struct command_entry */
    NVME_EVENT_ENTRY = 3,   /* data = a submission queue entry; last; error: none of its read came */
    NVME_EVENT_TAIL = 4,    /* data = a shadow doorbell; error */
    NVME_EVENT_HEAD = 5,
    NVME_EVENT_DONE = 6, /* a write is visible; error */
    NVME_EVENT_AGAIN = 7,
    NVME_EVENT_UNPARK = 8, /* a queue that is to stop may be waiting for room */
    NVME_EVENT_FREED = 9,  /* slot, generation, silent */
};

/* The one input of nvme_queue. */
struct nvme_event {
    uint8_t data[64];
    uint32_t value; /* DOORBELL: as struct doorbell */
    uint32_t time;
    uint16_t index;
    uint16_t base;       /* DOORBELL: block queue of the controller's admin queue; COMMAND: the command's index */
    uint16_t queue;      /* submission queue */
    uint16_t completion; /* completion queue; where it is not known, the one of the queue's last setting */
    uint8_t kind;        /* enum nvme_event_kind */
    uint8_t error;       /* DOORBELL: there is no such queue */
    uint8_t last;
    uint8_t slot;
    uint8_t generation;
    uint8_t silent;
    uint8_t reserved[2];
};

/* nvme_queue's `again`. */
struct nvme_token {
    uint16_t queue;
    uint16_t completion;
    uint8_t kind; /* NVME_EVENT_AGAIN, NVME_EVENT_UNPARK */
    uint8_t reserved[3];
};

enum nvme_fetched_kind {
    NVME_FETCHED_ENTRY = 1,
    NVME_FETCHED_WINDOW = 2,    /* data = struct command_entry: on to all guards behind */
    NVME_FETCHED_NAMESPACE = 3, /* data = struct command_entry, which nvme_decode obeys */
    NVME_FETCHED_COMMAND = 4,   /* data = struct command_entry: nothing but a completion */
};

/* From nvme_queue to nvme_decode; the fields behind `data` are for ENTRY, as in struct block_context. */
struct nvme_fetched {
    uint8_t data[64];
    uint32_t sequence;
    uint32_t stamp; /* as in struct block_command */
    uint16_t tag;
    uint16_t function;
    uint16_t queue;
    uint16_t completion;
    uint16_t sq_head;
    uint16_t sq_id;
    uint8_t kind; /* enum nvme_fetched_kind */
    uint8_t generation;
    uint8_t admin; /* an admin queue's entry */
    uint8_t reserved;
};

enum nvme_cq_event_kind {
    NVME_CQ_FINISHED = 1, /* data = struct block_completion */
    NVME_CQ_COMMAND = 2,  /* data = struct command_entry */
    NVME_CQ_DONE = 3,     /* a write of `entries` is visible; error */
    NVME_CQ_AGAIN = 4,    /* the time is up for the queue */
    NVME_CQ_TICK = 5,     /* now */
};

/* The one input of nvme_cq. */
struct nvme_cq_event {
    uint8_t data[64];
    uint32_t now;   /* as struct timer_tick */
    uint16_t queue; /* completion queue */
    uint16_t submission;
    uint8_t kind; /* enum nvme_cq_event_kind */
    uint8_t error;
    uint8_t entries;
    uint8_t reserved[5];
};

/* nvme_cq's `again`: the time is up for queues whose interrupts are held back, one after the other. */
struct nvme_cq_token {
    uint16_t queue;
    uint8_t reserved[2];
};

/* Tags of nvme_cq's writes: the completion queue, and how many entries but one. */
#define NVME_CQ_TAG_SHIFT 7u
#define NVME_CQ_WRITE     4u /* entries at most: a line of 64 bytes */

static_assert(sizeof(struct nvme_event) == 88, "event");
static_assert(sizeof(struct nvme_token) == 8, "token");
static_assert(sizeof(struct nvme_fetched) == 88, "fetched");
static_assert(sizeof(struct nvme_cq_event) == 80, "completion event");
static_assert(sizeof(struct nvme_cq_token) == 4, "completion token");
static_assert(BLOCK_QUEUES <= 1u << NVME_TAG_COMPLETION_SHIFT && 2u * NVME_TAG_COMPLETION_SHIFT <= NVME_TAG_READ_SHIFT,
              "a tag's parts");
static_assert(BLOCK_QUEUES <= 1u << NVME_CQ_TAG_SHIFT && sizeof(struct nvme_completion) * NVME_CQ_WRITE == BEAT_BYTES,
              "a tag's parts, and a line");
static_assert(DOORBELL_NVME % BLOCK_QUEUES == 0, "the low bits of the page are the admin queue");

#endif
