/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the virtio-blk device. Locks, outermost first: the transport's (pci.lock; a vhost-user device is called
 * by one thread), `lock` for the queues, `work_lock` for what waits for the worker. The engine's thread takes work_lock
 * only, and nobody waits while holding that.
 */
#ifndef CIPU_VIRTIO_BLK_INTERNAL_H
#define CIPU_VIRTIO_BLK_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "hls/include/beat.h"
#include "hls/include/block.h"
#include "runtime/block/inflight.h"
#include "runtime/device/guest_memory.h"
#include "runtime/device/split_ring.h"
#include "runtime/device/virtio_blk.h"
#include "runtime/device/virtio_pci.h"

#define BLK_F_SIZE_MAX     (UINT64_C(1) << 1)
#define BLK_F_SEG_MAX      (UINT64_C(1) << 2)
#define BLK_F_RO           (UINT64_C(1) << 5)
#define BLK_F_BLK_SIZE     (UINT64_C(1) << 6)
#define BLK_F_FLUSH        (UINT64_C(1) << 9)
#define BLK_F_TOPOLOGY     (UINT64_C(1) << 10)
#define BLK_F_CONFIG_WCE   (UINT64_C(1) << 11)
#define BLK_F_MQ           (UINT64_C(1) << 12)
#define BLK_F_DISCARD      (UINT64_C(1) << 13)
#define BLK_F_WRITE_ZEROES (UINT64_C(1) << 14)

#define BLK_WARNINGS          16u /* of one function: a guest must not fill the log */
#define BLK_SECTOR_BYTES      512u
#define BLK_HEADER_BYTES      16u
#define BLK_STOP_MS           3500 /* a stop takes no longer; its client waits 5 s */
#define BLK_ZERO_SECTORS_MAX  (1u << 21)
#define BLK_ZERO_SEGMENTS_MAX 64u

/* No more data than the card moves at once, however a driver cuts it: seg_max * size_max <= BLOCK_DATA_MAX. */
#define BLK_SEGMENTS      126u
#define BLK_SEGMENT_BYTES 8192u
static_assert(BLK_SEGMENTS * BLK_SEGMENT_BYTES <= BLOCK_DATA_MAX, "one answer moves all of a request");

#define BLK_WARN(blk, ...)                                        \
    do {                                                          \
        if (atomic_fetch_add(&(blk)->warnings, 1) < BLK_WARNINGS) \
            cipu_warn("virtio-blk: function " __VA_ARGS__);       \
    } while (0)

enum blk_request_type { /* 5.2.6 */
                        BLK_T_IN = 0,
                        BLK_T_OUT = 1,
                        BLK_T_FLUSH = 4,
                        BLK_T_GET_ID = 8,
                        BLK_T_DISCARD = 11,
                        BLK_T_WRITE_ZEROES = 13,
};
enum blk_status { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

struct blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};

struct blk_queue {
    bool running; /* on the card, or to be there once it is recovered */
    bool on_card;
    bool recovering;             /* the worker carries out what an earlier life left */
    atomic_bool cancelled;       /* the worker is to leave it */
    bool stuck;                  /* requests of before a stop have not ended */
    uint16_t fetched;            /* where the card was stopped to take chains */
    uint16_t position;           /* where to go on after a stop without reset */
    _Atomic uint16_t generation; /* of the card's setting */
    _Atomic uint32_t faulted;    /* BLK_FAULTED | the generation of the setting that the card stopped last */
    _Atomic uint16_t vector;     /* PCI: the driver's */
    uint64_t features;
    struct vhost_queue setting;
    struct inflight_record *own; /* where the client keeps none */
    struct inflight_record *record;
};

#define BLK_FAULTED 0x10000u

struct virtio_blk {
    struct virtio_pci pci; /* unused by a vhost-user device */
    bool vhost;
    struct cipu_card *card;
    struct cipu_host *host;
    struct block_engine *engine;
    struct block_volume *volume;
    struct volume_info info;
    struct volume_listener listener;
    struct guest_memory *memory;
    uint16_t function;
    unsigned first; /* block queue of queue 0 */
    unsigned queue_count;
    uint32_t entries_max;
    char serial[VIRTIO_BLK_SERIAL_BYTES];
    uint64_t offered;
    _Atomic uint64_t accepted;
    _Atomic uint64_t sectors;
    atomic_bool write_cache; /* as the driver set it */
    bool attached, window;

    pthread_mutex_t lock; /* the queues */
    pthread_cond_t recovered;
    struct blk_queue queues[VIRTIO_BLK_QUEUES_MAX];

    pthread_mutex_t frontend_lock; /* vhost-user; held while it is called */
    struct vhost_frontend frontend;
    bool has_frontend;
    int call[VIRTIO_BLK_QUEUES_MAX]; /* vhost-user: the driver's eventfds; changed under frontend_lock */
    struct signaller *signaller;     /* under frontend_lock */
    atomic_bool broken;
    atomic_uint warnings; /* told to the log */

    pthread_mutex_t work_lock; /* what follows */
    pthread_cond_t work;
    pthread_t worker;
    bool working; /* the thread is there */
    bool stopping;
    bool resized;
    unsigned recover;             /* bit a queue */
    unsigned fault;               /* bit a queue */
    const struct block_raw **raw; /* a ring: as many as can be in flight */
    unsigned raw_first, raw_count;
    uint8_t *buffer; /* the worker's, BLOCK_DATA_MAX bytes */
    struct split_chain *chain;
    _Atomic uint64_t raw_requests, raw_errors, resets, recoveries;
};

/*
 * A request that this device carries out itself, wherever its bytes come from: a raw command's by the card, a chain's
 * of an earlier life by software. `skip` counts the device-readable, or the device-writable bytes of the chain. 0 or a
 * negative errno.
 */
struct blk_request {
    struct virtio_blk *blk;
    uint32_t readable, writable; /* bytes, without the status byte */
    int (*read)(struct blk_request *request, void *to, uint32_t skip, uint32_t bytes);
    int (*write)(struct blk_request *request, const void *from, uint32_t skip, uint32_t bytes);
    /* of a raw command */
    uint16_t tag;
    /* of a chain */
    struct split_ring *ring;
    const struct split_chain *chain;
    const atomic_bool *cancelled; /* its queue is being stopped */
};

/* virtio_blk_request.c, on the worker. Returns the status; *written is how many bytes were written into the chain,
 * without the status byte. */
uint8_t blk_execute(struct blk_request *request, uint32_t *written);
void blk_execute_raw(struct virtio_blk *blk, const struct block_raw *raw);

/* virtio_blk_queues.c */
int blk_window_set(struct virtio_blk *blk, uint64_t length);
/* Starts a queue; `setting` without a part of an inflight buffer is kept account of here. */
int blk_queue_start(struct virtio_blk *blk, unsigned queue, const struct vhost_queue *setting);
void blk_queue_stop(struct virtio_blk *blk, unsigned queue, bool forget, int64_t deadline);
int64_t blk_stop_deadline(void); /* from now on; one for all queues that stop together */
/* The worker's part of a start. */
void blk_queue_recover(struct virtio_blk *blk, unsigned queue);
/* Whether the queue runs with this setting. */
bool blk_queue_is(struct virtio_blk *blk, unsigned queue, uint16_t generation);
/* Whether requests of before a stop may still be under way in any queue. */
bool blk_queues_stuck(struct virtio_blk *blk);

/* virtio_blk_recover.c. With `lock` held: 1 when there is something to recover, from *position of both rings on, or 0.
 */
int blk_recover_check(struct virtio_blk *blk, unsigned queue, uint16_t *position);
/* On the worker: carries out what the record says was not done, in order, until the queue can go on at its position of
 * both rings; 0, -ECANCELED, or another negative errno. */
int blk_recover(struct virtio_blk *blk, unsigned queue);

/* virtio_blk_worker.c */
int blk_worker_start(struct virtio_blk *blk);
void blk_worker_stop(struct virtio_blk *blk);
void blk_worker_recover(struct virtio_blk *blk, unsigned queue);
/* Raw commands of the queue that the worker has not begun end now, and the guest hears nothing of it. */
void blk_raw_withdraw(struct virtio_blk *blk, unsigned queue);
extern const struct block_device_ops blk_engine_ops;

/* virtio_blk_pci.c, virtio_blk_vhost.c */
int blk_pci_init(struct virtio_blk *blk, bool map_doorbells);
void blk_pci_disconnect(struct virtio_blk *blk);
void blk_pci_failed(struct virtio_blk *blk, unsigned queue, uint16_t generation);
void blk_pci_resized(struct virtio_blk *blk);
void blk_pci_used(struct virtio_blk *blk, unsigned queue);
void blk_vhost_disconnect(struct virtio_blk *blk);
void blk_vhost_failed(struct virtio_blk *blk, unsigned queue, uint16_t generation);
void blk_vhost_resized(struct virtio_blk *blk);
void blk_vhost_used(struct virtio_blk *blk, unsigned queue);

/* virtio_blk.c */
void blk_config_fill(struct virtio_blk *blk, uint8_t *bytes, size_t size);
int blk_config_set(struct virtio_blk *blk, size_t offset, const void *data, size_t bytes);
size_t blk_config_bytes(void);
/* The driver's features are settled, or gone (0). */
void blk_features_set(struct virtio_blk *blk, uint64_t features);

#endif
