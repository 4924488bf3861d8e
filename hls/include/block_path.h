/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the kernels of the block path share. Depths that they rely on: block_walk.job 16 and block_walk.list 256,
 * so that the channel which reads lists ahead always has room for what it has read, and no other channel waits for it;
 * virtio_blk_header.data at least as virtio_blk_header.pending, for the same reason; nvme_events.freed BLOCK_TAGS, as
 * each tag is there once at most: from block_context's jobs on, nothing waits for commands that are fetched or go to
 * the host, so these may wait for jobs. backend_append.data has room for the entries that gather. qos takes what is
 * finished, and virtio_blk what is free, at any time.
 */
#ifndef CIPU_BLOCK_PATH_H
#define CIPU_BLOCK_PATH_H

#include "hls/include/block.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/nvme.h"

/* From block_done to qos: an answer with COMPLETE was obeyed. */
struct block_finished {
    uint16_t tag;
    uint8_t reserved[2];
};

enum blk_pending_kind {
    BLK_HEADER = 1, /* a chain, whose request header comes on the data channel */
    BLK_BARE = 2,   /* a chain whose first descriptor does not hold a whole header */
    BLK_WINDOW = 3, /* table = bus base, status = bytes; entry to complete behind all data */
    BLK_ENTRY = 4,  /* entry to complete */
};

/* From virtio_blk to virtio_blk_header: what the bytes on the data channel are the header of. */
struct blk_pending {
    uint64_t table;  /* guest addresses */
    uint64_t status; /* of the status byte */
    uint32_t table_entries;
    uint32_t readable; /* as in struct block_command */
    uint32_t writable;
    uint32_t volume;
    uint16_t first; /* index of the first descriptor */
    uint16_t queue;
    uint16_t function;
    uint16_t head;
    uint8_t kind; /* enum blk_pending_kind */
    uint8_t generation;
    uint8_t reserved[6];
    uint8_t entry[64]; /* WINDOW, ENTRY: the completion; else zeros */
};

/* From virtio_blk_used to virtio_blk: the chain's head may come again. */
struct blk_freed {
    uint16_t tag;
    uint8_t generation; /* of the queue's setting */
    uint8_t fault;      /* enum queue_fault */
};

enum qos_event_kind {
    QOS_ISSUE = 1,    /* a command comes */
    QOS_COMMAND = 2,  /* issue.raw = struct command_entry */
    QOS_TICK = 3,     /* now */
    QOS_FINISHED = 4, /* tag: the command is over */
    QOS_TOKEN = 5,    /* volume: something of it waits, and it is its turn */
    QOS_MARK = 6,     /* the end of a round of tokens */
};

/* The one input of qos. */
struct qos_event {
    struct block_issue issue;
    uint32_t now; /* as in struct timer_tick */
    uint16_t volume;
    uint16_t tag;
    uint8_t kind; /* enum qos_event_kind */
    uint8_t reserved[7];
};

/* From qos to qos_events. On `again` each volume that waits has one, and a round that is under way its mark: depth
 * 2048. On `wake` one begins a round: depth 4. */
struct qos_token {
    uint16_t volume;
    uint8_t kind; /* enum qos_event_kind */
    uint8_t reserved;
};

/* From block_list to block_walk: a job and what comes first of it. */
struct block_listed {
    struct block_job job;
    uint64_t address;      /* of the first piece */
    uint64_t list_address; /* of what was asked for */
    uint32_t available; /* bytes of the first piece; END: all of the transfer, or 0 if status says why there is none */
    uint32_t segment_bytes; /* SGL: of the segment, behind what was asked for */
    uint16_t list_bytes;    /* that were asked for and come; 0 = none */
    uint16_t status;        /* as in struct block_answer */
    uint8_t phase;          /* enum block_walk_phase; IDLE: nothing is to be moved */
    uint8_t last_segment;   /* SGL: the list is in one */
    uint8_t bucket;         /* SGL: the first piece is not to be moved */
    uint8_t reserved;
};

static_assert(sizeof(struct block_listed) == 160, "listed job");
static_assert(sizeof(struct qos_event) == 144, "qos event");
static_assert(sizeof(struct qos_token) == 4, "qos token");
static_assert(sizeof(struct blk_pending) == 112, "pending chain");
static_assert(sizeof(struct blk_freed) == 4, "freed chain");
static_assert(sizeof(struct block_submit) == 192, "block submit");
static_assert(sizeof(struct block_issue) == 128, "block issue");
static_assert(sizeof(struct block_job) == 128, "block job");
static_assert(sizeof(struct block_pending) == 136, "block pending");
static_assert(sizeof(struct block_finished) == 4, "block finished");

/* virtio-blk, VIRTIO 1.2, 5.2.6: a request's header and its status byte. */
struct virtio_blk_request {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};

enum virtio_blk_type { VIRTIO_BLK_IN = 0, VIRTIO_BLK_OUT = 1, VIRTIO_BLK_FLUSH = 4 };

#define VIRTIO_BLK_SECTOR  512u
#define BLOCK_VIRTIO_IOERR 1u

static_assert(sizeof(struct virtio_blk_request) == 16, "5.2.6");

/* An answer moves data: in one direction, and not nothing. */
HLS_INLINE bool block_moves(const struct block_job *job)
{
    uint32_t direction = job->answer.flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT);
    return job->context.format != BLOCK_WINDOW && (direction == ANSWER_MOVE_IN || direction == ANSWER_MOVE_OUT) &&
           job->answer.length != 0;
}

HLS_INLINE void block_request_fill(struct dma_request *request, uint64_t address, uint64_t length, uint32_t function,
                                   uint32_t flags, uint32_t tag)
{
    request->address = address;
    request->length = length;
    request->function = (uint16_t)function;
    request->flags = (uint16_t)flags;
    request->tag = (uint16_t)tag;
    HLS_ZERO(request->reserved, sizeof request->reserved);
}

/* The window that a context of format BLOCK_WINDOW carries. */
HLS_INLINE void block_window_fill(struct dma_request *request, const struct block_context *context)
{
    block_request_fill(request, context->pointer0, context->pointer1, context->function, DMA_WINDOW, 0);
}

#endif
