/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds a volume's bytes. A backend knows nothing of NVMe, virtio or the card: it reads, writes, flushes and
 * deallocates ranges of bytes. One file per kind: null:, memory:, file:PATH, disk:NAME/VOLUME, and two that stand in
 * front of another one: crypt: (encryption at rest) and fault: (errors and stalls, for tests and drills).
 *
 * Threads: submit and poll on the engine's one thread; open, close and resize on any other while nothing is in flight
 * of the backend (the engine sees to it). Nothing on the engine's thread may block.
 */
#ifndef CIPU_BACKEND_H
#define CIPU_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/card.h"

enum backend_operation {
    BACKEND_READ = 1,
    BACKEND_WRITE = 2,
    BACKEND_FLUSH = 3, /* all writes that were completed before are durable */
    BACKEND_WRITE_ZEROES = 4,
    BACKEND_DISCARD = 5, /* reads of it give zeros or what was there; backend_info says which */
    BACKEND_ERASE = 6,   /* the old bytes cannot be had back by any later read through any path */
};

struct block_backend;

/* One operation. The submitter owns it; from submit until `done` it is the backend's. */
struct backend_request {
    uint8_t operation; /* enum backend_operation */
    bool durable;      /* WRITE, WRITE_ZEROES: not done before it is durable (FUA) */
    bool unmap;        /* WRITE_ZEROES: may deallocate */
    uint64_t offset;   /* bytes; a multiple of backend_info.block_bytes, as is length */
    uint64_t length;
    void *buffer;                                  /* READ, WRITE: aligned to 4096; WRITE may leave anything in it */
    int result;                                    /* 0 or a negative errno */
    void (*done)(struct backend_request *request); /* on the engine's thread, maybe within submit */
    void *context;                                 /* the submitter's */
    uint64_t scratch[8];                           /* the backend's */
};

struct backend_info {
    uint64_t bytes;       /* capacity */
    uint32_t block_bytes; /* 512 or 4096: the smallest unit it can read and write */
    bool read_only;
    bool write_cache;       /* a write may be lost in a power cut until it is flushed */
    bool discards_zero;     /* what was discarded reads as zeros */
    bool encrypted;         /* another key makes its data unreadable */
    uint32_t optimal_bytes; /* 0 = no preference */
};

struct disk_set; /* runtime/block/disk.h */

struct backend_options {
    uint64_t bytes; /* what memory:, null: and new files and volumes of disks are made with; 0 = what is there */
    bool create;    /* file:, disk: make it if it is not there */
    bool read_only; /* file: opened so that others may read it too */
    struct disk_set *disks; /* where disk: finds its disk; NULL = there are none */
};

/* How another thread has something done on the engine's. */
struct backend_caller {
    void (*call)(void *context, void (*work)(void *argument), void *argument);
    void *context;
};

struct backend_ops {
    const char *scheme; /* "file:" */
    /* `rest` is what follows the scheme. */
    int (*open)(const char *rest, const struct backend_options *options, struct block_backend **backend,
                struct cipu_error *error);
    void (*close)(struct block_backend *backend);
    void (*info)(const struct block_backend *backend, struct backend_info *info);
    /* Never fails: errors come by done. */
    void (*submit)(struct block_backend *backend, struct backend_request *request);
    /* Sends what submit gathered and takes in what is finished; returns the number of finished requests. NULL = done in
     * submit. */
    unsigned (*poll)(struct block_backend *backend);
    int (*fd)(const struct block_backend *backend); /* readable when poll finds something; -1 or NULL = never */
    int (*resize)(struct block_backend *backend, uint64_t bytes, struct cipu_error *error); /* NULL = cannot */
    /* The bytes themselves where they lie in memory that the card can map: fd and offset of all of them; NULL = no such
     * memory. Data then moves between them and the guest without a buffer in between. */
    int (*memory)(const struct block_backend *backend, int *fd, off_t *offset);
    /* All buffers of READ and WRITE will lie in these bytes; called once, before the first submit. NULL = no use. */
    void (*use_buffers)(struct block_backend *backend, void *base, size_t bytes);
    /* Erases everything, waits for it, and goes on with it after a crash. Not on the engine's thread and with nothing
     * in flight. NULL = as BACKEND_ERASE. */
    int (*erase)(struct block_backend *backend, struct cipu_error *error);
    /* Destroys the key that the data is encrypted by: when it returns 0 another one is durable and the old one nowhere,
     * and reads give anything but the old data; a crash before that leaves either. After an error all operations fail
     * until the backend is opened anew. Not on the engine's thread, with nothing in flight, and with no new operations
     * until it returns; what it does at the backend it does by `caller`. NULL = there is no key. */
    int (*new_key)(struct block_backend *backend, const struct backend_caller *caller, struct cipu_error *error);
    /* The backend that it stands in front of; NULL = in front of none. */
    struct block_backend *(*inner)(const struct block_backend *backend);
    /* Forgets all that it has: nobody is told any more, and only close follows. When it returns true the kernel has
     * still not let go of buffers, which must stay where they are. NULL = has nothing that it could not end. */
    bool (*abandon)(struct block_backend *backend);
    /* Reads give nothing worth moving (null:). */
    bool moves_nothing;
};

/* The first member of every backend. */
struct block_backend {
    const struct backend_ops *ops;
};

/* Opens "SCHEME:REST". Errors: -EINVAL for a scheme that does not exist, with the list of those that do; else what the
 * backend says. */
int backend_open(const char *uri, const struct backend_options *options, struct block_backend **backend,
                 struct cipu_error *error);

/* Of a URI, which may be a wrong one: the part that names the backend that this one stands in front of; NULL = in front
 * of none. And the part that names the one behind all of them. */
const char *backend_uri_next(const char *uri);
const char *backend_uri_innermost(const char *uri);

extern const struct backend_ops backend_null, backend_memory, backend_file, backend_disk, backend_crypt, backend_fault;

#endif
