/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of the block path (hls/include/block.h): takes commands from the backend ring, has backends carry them
 * out, answers the card. What the card passes on raw goes to the device that the function belongs to.
 *
 * Threads: the engine has one thread of its own, or runs within the card's where the card offers that
 * (cipu_card_attend): an emulated card and its host side then share one core. Callbacks of block_device_ops run on that
 * thread and must not block: a device hands work to a thread of its own and answers with block_raw_*, which may be
 * called from any thread but the engine's. Errors: negative errno.
 *
 * A command whose queue is unknown, that lies outside its volume, whose tag is in flight already, or that the volume
 * does not allow is answered with the right status by the engine itself; nothing that a guest does ends anything but
 * that guest's own commands.
 */
#ifndef CIPU_BLOCK_ENGINE_H
#define CIPU_BLOCK_ENGINE_H

#include "driver/host.h"
#include "hls/include/block.h"
#include "runtime/block/backend.h"

struct block_engine;
struct block_volume; /* runtime/block/volume.h */

int block_engine_open(struct cipu_card *card, struct cipu_host *host, struct block_engine **engine,
                      struct cipu_error *error);
/* No device is left. Volumes that could not be closed, as their backends hang, are closed now. */
void block_engine_close(struct block_engine *engine);

/* The disks that disk: backends are cut of (runtime/block/disk.h). */
struct disk_set *block_engine_disks(struct block_engine *engine);
/* Entries of the backend ring that contradicted what was in flight: the card's fault. */
uint64_t block_engine_unexpected(const struct block_engine *engine);

/* Commands of a function that the engine carried out by itself: all but the raw ones. */
struct block_function_statistics {
    uint64_t commands, errors; /* that ended; those of them that did with an error */
};
void block_function_statistics(const struct block_engine *engine, unsigned function,
                               struct block_function_statistics *statistics);

/* A raw command, valid until it is completed. */
struct block_raw {
    struct block_command command;
    uint8_t bytes[RING_ENTRY_BYTES]; /* the second entry */
};

struct block_device_ops {
    /* A raw command of this function came. */
    void (*raw)(void *device, const struct block_raw *raw);
};

/* Queues of a device. Gives out `count` consecutive block queues for a function: returns the first, or -ENOSPC. */
int block_queues_alloc(struct block_engine *engine, unsigned function, unsigned count,
                       const struct block_device_ops *ops, void *device);
/* After all its queues are stopped and nothing is in flight. */
void block_queues_free(struct block_engine *engine, unsigned first, unsigned count);

struct inflight_record; /* runtime/block/inflight.h */

/* A queue of virtio-blk is about to run from `position` of its rings: counting begins there, and until the next call
 * the engine keeps `record` (NULL = none), which has room for `entries` heads. Nothing is in flight in the queue. Any
 * thread but the engine's. */
void block_queue_begin(struct block_engine *engine, unsigned queue, uint16_t position, struct inflight_record *record,
                       unsigned entries);
/* The record is not touched any more when it returns. */
void block_queue_forget(struct block_engine *engine, unsigned queue);
/* How far the queue is, counted freely from its position on. Any thread. */
struct block_queue_progress {
    uint16_t arrived;   /* commands that came */
    uint16_t ended;     /* that are over: a completion was sent, or obeyed in silence */
    uint16_t completed; /* completions that the guest hears of: the used ring's index when all are published */
};
struct block_queue_progress block_queue_progress(struct block_engine *engine, unsigned queue);

/* Ends what is in flight in a queue so that QUEUE_STOP can complete: raw commands that wait at the device are the
 * device's business; commands at backends are waited for. status: what those get that had not begun (NVMe:
 * NVME_ABORT_SQ_DELETED); `silent`: the guest hears of none (reset). At most 4 s, 0.5 s if silent: what its backend
 * still has then is left to it, and its command gets `status`. -ETIMEDOUT: a volume has too many such; those commands
 * go on in the background and their answers are then silent. Any thread but the engine's. */
int block_queue_drain(struct block_engine *engine, unsigned queue, uint16_t status, bool silent);

/* Aborts one command (NVMe Abort): 0 when it completes with `status`; what its backend has begun is left to it, and who
 * comes to the same blocks waits for that. -EBUSY when it completes by itself, -ENOENT. */
int block_command_abort(struct block_engine *engine, unsigned queue, uint16_t identifier, uint16_t status);

/* Raw commands, any thread but the engine's. Moves wait for the card, at most 2 s: 0, or -EIO with *status = the status
 * to complete with, or -ETIMEDOUT. `skip` is for virtio. At most BLOCK_DATA_MAX bytes. */
int block_raw_from_guest(struct block_engine *engine, uint16_t tag, void *to, uint32_t skip, uint32_t length,
                         uint16_t *status);
int block_raw_to_guest(struct block_engine *engine, uint16_t tag, const void *from, uint32_t skip, uint32_t length,
                       uint16_t *status);
/* Also from the engine's thread. written: virtio. silent: the guest hears nothing. */
void block_raw_complete(struct block_engine *engine, uint16_t tag, uint16_t status, uint64_t result, uint32_t written,
                        bool silent);

/* One operation on a volume on behalf of a function's raw command, waited for (discard, compare, verify, copy); by
 * FUNCTION_HOST what the host does for itself. buffer: any memory (copied). Any thread but the engine's. -EACCES: the
 * function may not (block_volume_set_access). -ETIMEDOUT: its backend hangs, 30 s and a second for each 4 MiB: it may
 * still come about, and what overlaps it waits for that. -ECANCELED: as much by block_operations_cancel. */
int block_volume_operate(struct block_volume *volume, unsigned function, uint8_t operation, uint64_t offset,
                         uint64_t length, void *buffer, bool durable);
/* Operations of a function end and, until this is taken back, do not begin: its device is being reset. Any thread but
 * the engine's. */
void block_operations_cancel(struct block_engine *engine, unsigned function, bool cancelled);

/* Runs `work` on the engine's thread and returns when it is done. Any thread but the engine's. */
void block_engine_call(struct block_engine *engine, void (*work)(void *context), void *context);

#endif
