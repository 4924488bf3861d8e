/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block path: how guests' disk commands reach the host's backends and how their data moves.
 *
 *   nvme_events -> nvme_queue -> nvme_decode ---------------+
 *   queue_events -> virtq -> virtio_blk -> virtio_blk_header -+-> block_merge -> block_context -> qos -> block_post
 *                                                                                                  -> backend ring
 *   block ring (answers) -> block_context -> block_list -> block_walk -> DMA read => DMA write -> block_done
 *   block_done -> nvme_cq_events -> nvme_cq, or virtio_blk_status -> virtio_blk_used; and notices to block_post
 *
 * Both kinds of guest commands become ONE internal command, struct block_command, with a tag that names its queue and
 * the place in it. The card keeps what it needs to reach the guest's memory (struct block_context); the host never sees
 * a guest address. The host answers with where the data lies or shall lie in ITS memory, and the card moves it once,
 * guest memory <-> that buffer:
 *
 *   read:  COMMAND ->, <- answer MOVE_OUT | COMPLETE {address}; with TELL also MOVED -> when the buffer is free again
 *   write: COMMAND ->, <- answer MOVE_IN | TELL {address}, MOVED ->, <- answer COMPLETE {status}
 *   flush: COMMAND ->, <- answer COMPLETE {status}
 *
 * A tag is in flight from its COMMAND until an answer with COMPLETE was obeyed; while a MOVE is under way the host
 * sends no other answer for it. So the backend ring holds at most three entries of a tag (a raw command takes two) and,
 * with room for four times BLOCK_TAGS, never overflows.
 *
 * What the card does not decide itself (admin commands, reservations, ranges to discard, everything out of order) goes
 * to the host as it is, BLOCK_RAW: the host moves data by the same answers.
 */
#ifndef CIPU_BLOCK_H
#define CIPU_BLOCK_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/host_ring.h"

/* A block queue is a virtqueue of a virtio-blk function, or a submission queue and the completion queue of the same
 * number of an NVMe controller. The host gives them out; those of one controller follow one another, the admin queue
 * first. */
#define BLOCK_QUEUES            128u
#define BLOCK_SLOTS             128u /* commands in flight in one queue */
#define BLOCK_TAGS              (BLOCK_QUEUES * BLOCK_SLOTS)
#define BLOCK_TAG_QUEUE(tag)    ((tag) / BLOCK_SLOTS)
#define BLOCK_CONTROLLER_QUEUES 32u        /* of one NVMe controller, with its admin queue */
#define BLOCK_DATA_MAX          (1u << 20) /* bytes that one answer moves */
#define BLOCK_NAMESPACES        16u        /* of one controller, that the card knows: namespace ids 1..16 */

enum block_opcode {
    BLOCK_READ = 1,
    BLOCK_WRITE = 2,
    BLOCK_FLUSH = 3,
    BLOCK_WRITE_ZEROES = 4,
};

enum block_command_flags {
    BLOCK_FUA = 1,    /* durable before it completes */
    BLOCK_UNMAP = 2,  /* write zeroes: may be deallocated */
    BLOCK_VIRTIO = 4, /* from virtio_blk, else from NVMe */
    BLOCK_ADMIN = 8,  /* from an NVMe admin queue; always raw */
};

enum backend_entry_kind { BACKEND_COMMAND = 1, BACKEND_RAW = 2, BACKEND_MOVED = 3 };

/*
 * An entry of the backend ring. BACKEND_RAW is followed by a second entry: of NVMe the submission queue entry, of
 * virtio-blk the request header (VIRTIO 1.2, 5.2.6) and zeros. BACKEND_MOVED says only tag and status.
 */
struct block_command {
    uint8_t kind;   /* enum backend_entry_kind */
    uint8_t opcode; /* COMMAND: enum block_opcode */
    uint16_t tag;
    uint16_t function;
    uint16_t queue;
    uint32_t flags;      /* enum block_command_flags */
    uint32_t volume;     /* COMMAND: of the namespace's setting */
    uint64_t offset;     /* COMMAND: bytes from the volume's beginning */
    uint32_t length;     /* COMMAND: bytes */
    uint32_t stamp;      /* card time of the doorbell that announced it: the low half of nanoseconds; 0 = there was none
                            (NVMe shadow doorbells) */
    uint16_t identifier; /* NVMe: command identifier; virtio: the chain's head */
    uint16_t status;     /* MOVED: as in struct block_answer; 0 = all bytes were moved */
    uint32_t namespace_id; /* NVMe */
    uint32_t readable;     /* virtio: device-readable bytes of the chain, with the request header */
    uint32_t writable;     /* virtio: device-writable bytes of the chain, without the status byte */
    uint32_t waited;       /* in qos, in units of BLOCK_TICK_NANOSECONDS */
    uint32_t weight;       /* reserved, 0 */
    uint8_t reserved[8];
};

enum block_answer_flags {
    ANSWER_MOVE_IN = 1,  /* guest -> buffer */
    ANSWER_MOVE_OUT = 2, /* buffer -> guest */
    ANSWER_COMPLETE = 4, /* after the move, if any; a failed move's status goes before `status` */
    ANSWER_TELL = 8,     /* report with BACKEND_MOVED when the move is done, after the completion, if any */
    ANSWER_SILENT = 16,  /* with COMPLETE: the tag is free again, the guest hears nothing (its queue is being reset) */
};

/* An entry of the block ring. */
struct block_answer {
    uint16_t tag;
    uint16_t status;  /* COMPLETE: NVMe: enum nvme_status with do-not-retry; virtio: the status byte */
    uint32_t flags;   /* enum block_answer_flags */
    uint64_t address; /* MOVE: bus address of the buffer, which is contiguous */
    uint32_t length;  /* MOVE: bytes, 1 .. BLOCK_DATA_MAX */
    uint32_t skip;   /* MOVE, virtio only: device-readable (IN) or device-writable (OUT) bytes of the chain to leave out
                        before */
    uint64_t result; /* COMPLETE, NVMe: dwords 0 and 1 */
    uint32_t written; /* COMPLETE, virtio: bytes written into the chain, with the status byte */
    uint8_t reserved[28];
};

/* WINDOW is no guest command: the function's window (pointer0 = bus base, pointer1 = bytes) on its way to all DMA
 * guards of the block path, in order with the commands; where an answer would be, the struct command_entry that
 * block_done completes. */
enum block_format { BLOCK_PRP = 1, BLOCK_SGL = 2, BLOCK_CHAIN = 3, BLOCK_WINDOW = 4 };

/* What the card keeps of a command in flight, to reach the guest's memory and to complete it. */
struct block_context {
    uint64_t pointer0; /* PRP: prp1; SGL: address; CHAIN: descriptor table */
    uint64_t
        pointer1; /* PRP: prp2; SGL: length and identifier as in struct nvme_sgl; CHAIN: address of the status byte */
    uint32_t table_entries; /* CHAIN */
    uint32_t readable;      /* CHAIN: as in struct block_command */
    uint32_t writable;
    uint16_t first; /* CHAIN: index of the first descriptor */
    uint16_t tag;
    uint16_t function;
    uint16_t queue;      /* = BLOCK_TAG_QUEUE(tag) */
    uint16_t completion; /* NVMe: the completion queue; virtio: the same as queue */
    uint16_t identifier;
    uint16_t sq_head;   /* NVMe: head of the submission queue when this one was taken out */
    uint16_t sq_id;     /* NVMe: as the guest numbers it */
    uint8_t format;     /* enum block_format */
    uint8_t generation; /* of the queue's setting */
    uint8_t reserved[2];
    uint32_t sequence; /* NVMe: commands of the block queue before this one, free running, also over QUEUE_SET */
    uint8_t reserved2[12];
};

/* From the decoders to block_context. `command.kind` is set but with BLOCK_WINDOW; raw = the second entry of a raw
 * command, with BLOCK_WINDOW the struct command_entry, else zeros. */
struct block_submit {
    struct block_context context;
    struct block_command command;
    uint8_t raw[RING_ENTRY_BYTES];
};

/* From block_context through qos to block_post. */
struct block_issue {
    struct block_command command;
    uint8_t raw[RING_ENTRY_BYTES];
};

/* From block_context to block_list and block_walk: an answer with its context. */
struct block_job {
    struct block_context context;
    struct block_answer answer;
};

/* From block_walk to block_done, in the order of the jobs. `moving`: a done record with tag BLOCK_MOVE_LAST follows. */
struct block_pending {
    struct block_context context;
    struct block_answer answer;
    uint16_t status; /* why the walk ended early, as in block_answer; 0 = it did not */
    uint8_t moving;
    uint8_t reserved[5];
};

/* Tags on the move's DMA channels. Each segment is a packet of its own on both. */
#define BLOCK_MOVE_MORE 0u
#define BLOCK_MOVE_LAST 1u /* the last segment of its job */

/* From block_done: the command is over. `window` (virtio only): no command, but the function's window, result = bus
 * base and status_address = bytes. */
struct block_completion {
    uint64_t result;
    uint64_t status_address; /* virtio */
    uint32_t written;        /* virtio */
    uint32_t sequence;
    uint16_t status;
    uint16_t tag;
    uint16_t function;
    uint16_t queue;
    uint16_t completion;
    uint16_t identifier;
    uint16_t sq_head;
    uint16_t sq_id;
    uint8_t silent;
    uint8_t generation;
    uint8_t window;
    uint8_t reserved[5];
};

/* NVMe: a tag's place in its queue is free again, and those of up to three more tags of the queue. */
struct block_free {
    uint16_t tag;
    uint8_t generation; /* of the queue's setting */
    uint8_t silent;     /* nothing was written to the completion queue: its room is free as well */
    uint8_t more;       /* in `slots` */
    uint8_t slots[3];
};

/* COMMAND_NAMESPACE_SET, TARGET_NVME_SQ: index = function * BLOCK_NAMESPACES + namespace id - 1. Reads, writes and
 * write zeroes of it within `blocks` become commands; all others stay raw. */
struct namespace_setting {
    uint64_t blocks; /* 0 = not there: everything is raw */
    uint32_t volume;
    uint8_t shift;     /* log2 of a block's bytes: 9 or 12 */
    uint8_t read_only; /* writes are raw */
    uint8_t reserved[34];
};

/*
 * COMMAND_QUEUE_SET, TARGET_NVME_CQ: index = block queue of a completion queue. TARGET_NVME_SQ: of a submission queue;
 * as nvme_queue keeps account of the room in completion queues, it has to have the completion queue's setting before,
 * with NVME_QUEUE_COMPLETION. So the host sends a completion queue's setting twice, and ends it twice: with QUEUE_STOP
 * to TARGET_NVME_SQ with argument = NVME_QUEUE_COMPLETION, when all its submission queues have stopped, and to
 * TARGET_NVME_CQ.
 */
struct nvme_queue_setting {
    uint64_t address; /* guest address, page aligned, contiguous */
    uint64_t shadow;  /* guest address of its shadow doorbell; 0 = none */
    uint64_t event;   /* guest address of its EventIdx */
    uint32_t entries; /* 2 .. 65536 */
    uint16_t function;
    uint16_t base;       /* block queue of the controller's admin queue */
    uint16_t completion; /* submission queues: block queue of its completion queue */
    uint16_t vector;     /* completion queues: card-wide; 0xffff = none */
    uint16_t generation; /* the host's; EVENT_QUEUE_STOPPED returns it */
    uint8_t flags;       /* enum nvme_queue_flags */
    uint8_t threshold;   /* completion queues: interrupts are held back until so many entries wait; 0 = not */
    uint32_t delay;      /* completion queues: ... or so long, in BLOCK_TICK_NANOSECONDS; 0 = not held back */
    uint8_t reserved[4];
};

enum nvme_queue_flags {
    NVME_QUEUE_ADMIN = 1,
    NVME_QUEUE_COMPLETION = 2, /* TARGET_NVME_SQ: this is a completion queue's setting */
    NVME_QUEUE_SHADOW = 4,     /* TARGET_NVME_SQ: the queue runs; nothing but `shadow` and `event` is taken over */
};

/* COMMAND_VOLUME_SET, TARGET_BLOCK: index = volume. Rates of 0 = unlimited. While commands of the volume wait it stays
 * with its disk and its kind of disk_limit, 0 or not: else STATUS_BUSY. */
struct volume_setting {
    uint32_t operations;       /* per second */
    uint32_t operations_burst; /* bucket, in operations; at least 1 */
    uint64_t bytes;            /* per second */
    uint64_t bytes_burst;      /* bucket, in bytes */
    uint16_t disk;             /* volumes of one disk share it by weight when `disk_operations` of it are in flight */
    uint16_t weight;           /* 1 .. 1000 */
    uint32_t disk_limit;       /* commands of the disk in flight at the host; 0 = unlimited */
    uint8_t reserved[16];
};
#define BLOCK_VOLUMES          1024u
#define BLOCK_DISKS            64u
#define BLOCK_TICK_NANOSECONDS 1024u

/* From the shell's timer: card time in ticks, free running. A tick comes when a request is due, not before. */
struct timer_tick {
    uint32_t now; /* in BLOCK_TICK_NANOSECONDS */
    uint32_t reserved;
};
/* To the shell's timer: wake me when `at` has come; a later request replaces an earlier one. `at` is at most half of
 * the range after the time of the last tick, or after 0 before there was one, however long ago that is; what is not
 * after it has come. */
struct timer_request {
    uint32_t at; /* in BLOCK_TICK_NANOSECONDS */
    uint32_t reserved;
};

static_assert(sizeof(struct block_command) == RING_ENTRY_BYTES, "one entry");
static_assert(sizeof(struct block_answer) == RING_ENTRY_BYTES, "one entry");
static_assert(sizeof(struct block_context) == 64, "block context");
static_assert(sizeof(struct namespace_setting) == 48, "fits a command");
static_assert(sizeof(struct nvme_queue_setting) == 48, "fits a command");
static_assert(sizeof(struct volume_setting) == 48, "fits a command");
static_assert(sizeof(struct block_completion) == 48, "block completion");
static_assert(sizeof(struct block_free) == 8, "block free");

#endif
