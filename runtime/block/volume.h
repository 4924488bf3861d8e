/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: a backend, a name, a unique identity, limits, and who may use it. A volume may be attached to many
 * functions; each attachment has its own access, which reservations (runtime/device) take away and give back.
 *
 * Threads: all functions on the daemon's main thread or a device's worker, serialised inside; never the engine's.
 */
#ifndef CIPU_BLOCK_VOLUME_H
#define CIPU_BLOCK_VOLUME_H

#include "runtime/block/engine.h"
#include "runtime/block/latency.h"

#define VOLUME_NAME_BYTES    64
#define VOLUME_BACKEND_BYTES 512

struct volume_limits {
    uint64_t operations, bytes;             /* per second; 0 = unlimited */
    uint64_t operations_burst, bytes_burst; /* 0 = a tenth of a second's worth */
    unsigned weight;                        /* 1 .. 1000; 0 = 100 */
};

struct volume_settings {
    char name[VOLUME_NAME_BYTES];
    char backend[VOLUME_BACKEND_BYTES]; /* URI */
    uint64_t bytes;                     /* 0 = what the backend has */
    uint32_t block_bytes;               /* 512 or 4096, as guests see it; 0 = 512 */
    bool read_only, create;
    uint8_t uuid[16]; /* zeros: derived from the name (RFC 4122 version 5), so that it is the same after a restart */
    struct volume_limits limits;
};

int block_volume_open(struct block_engine *engine, const struct volume_settings *settings, struct block_volume **volume,
                      struct cipu_error *error);
int block_volume_close(struct block_volume *volume); /* -EBUSY while attached */

struct volume_info {
    struct volume_settings settings; /* defaults filled in */
    struct backend_info backend;
    uint32_t number; /* as in struct block_command.volume */
    unsigned attachments;
};
void block_volume_info(const struct block_volume *volume, struct volume_info *info);

enum volume_access { VOLUME_READ = 1, VOLUME_WRITE = 2 };
int block_volume_attach(struct block_volume *volume, unsigned function, struct cipu_error *error);
void block_volume_detach(struct block_volume *volume, unsigned function);
/*
 * What a function may do from now on: a command that it may not is answered with `status` (NVMe: reservation conflict).
 *
 * When it returns 0, which takes half a second at most, no write of that function begun under the old access can show
 * any more: it has ended, or its backend hangs, and then whatever comes to the same blocks, by whichever function,
 * waits until it has ended. So nobody ever sees a block without it and then with it. It still completes with its own
 * result, unless it is aborted; a crash leaves it done or not, as any write that was not acknowledged.
 *
 * -ETIMEDOUT: the card has not moved for a second what it is moving into the volume's memory; such a write may show.
 */
int block_volume_set_access(struct block_volume *volume, unsigned function, unsigned access, uint16_t status);

/* Whether each write of a function is to be durable before it completes (virtio-blk's write-through mode). */
void block_volume_set_durable(struct block_volume *volume, unsigned function, bool durable);

/* Grows; -EINVAL for less than it has ("shrinking loses data"). Calls the listeners. */
int block_volume_resize(struct block_volume *volume, uint64_t bytes, struct cipu_error *error);
int block_volume_set_limits(struct block_volume *volume, const struct volume_limits *limits, struct cipu_error *error);
/* All of its bytes; of an encrypted volume the key, which takes no time. -EBUSY while attached. */
int block_volume_erase(struct block_volume *volume, struct cipu_error *error);
/* Destroys the key of an encrypted volume (backend_ops.new_key) on behalf of a function that may write it, or of the
 * host (FUNCTION_HOST); also while it is attached: commands wait meanwhile. -EOPNOTSUPP: it has none; -EROFS; -EACCES:
 * the function may not; -EBUSY: its backend hangs, or it is being changed. The key is the old one then; after another
 * error no command succeeds until the volume is opened anew, or its key destroyed. */
int block_volume_destroy_key(struct block_volume *volume, unsigned function, struct cipu_error *error);

/* Told after a resize, on the thread that resized. */
struct volume_listener {
    void (*resized)(void *context, struct block_volume *volume);
    void *context;
    struct volume_listener *next;
};
void block_volume_listen(struct block_volume *volume, struct volume_listener *listener);
void block_volume_unlisten(struct block_volume *volume, struct volume_listener *listener);

/* What a volume did, by enum backend_operation. */
#define VOLUME_OPERATIONS 7
struct volume_statistics {
    uint64_t operations[VOLUME_OPERATIONS], bytes[VOLUME_OPERATIONS]; /* that went well */
    uint64_t errors[VOLUME_OPERATIONS];
};
void block_volume_statistics(const struct block_volume *volume, struct volume_statistics *statistics);

/*
 * Where the time of reads and writes went (buckets: runtime/block/latency.h). FETCH: from the guest's doorbell until
 * the backend began, with the move of a write's data, without QUEUE: what limits and a want of buffers took. COMPLETE:
 * from the backend's end until the data was moved, or the completion was sent. TOTAL is the sum.
 */
enum latency_stage { LATENCY_FETCH, LATENCY_QUEUE, LATENCY_BACKEND, LATENCY_COMPLETE, LATENCY_TOTAL, LATENCY_STAGES };
struct volume_latency {
    uint64_t buckets[LATENCY_STAGES][LATENCY_BUCKETS];
    uint64_t count, bytes, nanoseconds;
};
/* operation: BACKEND_READ or BACKEND_WRITE. */
void block_volume_latency(const struct block_volume *volume, uint8_t operation, struct volume_latency *latency);

/* New rules for a volume whose backend is fault: (runtime/block/backend_fault.h); -EINVAL for others. */
int block_volume_set_faults(struct block_volume *volume, const char *rules, struct cipu_error *error);

#endif
