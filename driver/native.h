/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native card: one heap object with a graph (driver/native_graph.h), the shell's blocks and one thread that runs
 * both.
 *
 * The thread goes in rounds: it looks at doorbells, register writes and ports, then visits every node of the schedule
 * that may be able to do something (`ready`): a node that did something makes its neighbours ready. What a read channel
 * has fetched for a kernel before it is taken, and the next piece asked for, within the same round, and so are tokens
 * that a kernel gives itself. A round that did nothing is idle; after some idle time the thread sleeps until a
 * doorbell, a register write or a port wakes it.
 *
 * Other threads change what the card's thread looks at (mappings, eventfds, captures) by publishing the new thing and
 * waiting for native_synchronize: then the thread has begun a new round, or sleeps, and holds no pointer to the old
 * thing.
 *
 * Everything around the rounds (registers, doorbells, mappings, interrupts, ports, the thread) is the same for a card
 * that runs its nodes in another way: struct native_engine.
 */
#ifndef CIPU_NATIVE_H
#define CIPU_NATIVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver/card_ops.h"
#include "driver/native_graph.h"
#include "driver/port.h"
#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "hls/include/fifo.h"
#include "hls/include/host_ring.h"
#include "hls/include/registers.h"

#define NATIVE_NODES_MAX    256u
#define NATIVE_WORDS        (NATIVE_NODES_MAX / 64u)
#define NATIVE_MAPPINGS_MAX 49152u
#define NATIVE_BUDGET       128u /* activations per visit: less is slower, more does not help */

struct native_card;
struct signaller;

/* How a card runs its nodes. The thread calls `sweep` in each round; 0 = nothing was done, the card may sleep. All but
 * `ops` and `sweep` may be NULL. */
struct native_engine {
    const struct card_ops *ops;
    int (*prepare)(struct native_card *card, const void *argument); /* before anything else; of native_engine_open */
    /* An option of the card's URI that the native card does not have; -ENOENT = nor has the engine. */
    int (*option)(struct native_card *card, const char *key, const char *value, struct cipu_error *error);
    const char *options;                                               /* their names, for messages */
    int (*create)(struct native_card *card, struct cipu_error *error); /* the tasks stand */
    unsigned (*sweep)(struct native_card *card);
    bool (*asked)(struct native_card *card);    /* the card may not sleep; called by its thread */
    uint64_t (*time)(struct native_card *card); /* card time, nanoseconds; NULL = the host's monotonic clock */
    void (*destroy)(struct native_card *card);
};

struct native_task {
    unsigned (*run)(void *context, struct native_activity *activity, unsigned budget);
    void *context;
    uint64_t neighbours[NATIVE_WORDS];
    /* A way back, or NULL: a read channel's data for the kernel `before` that asked, a kernel's tokens for the one that
     * merges its events. */
    const struct hls_fifo *back;
    unsigned before;
    struct native_activity activity;
};

/* One dma_map. Never changes but for `failed`: the memory behind it went away (SIGBUS) and reads as zeros now. */
struct native_mapping {
    uint8_t *host;
    uint64_t length;
    int protection;
    atomic_bool failed;
};

struct native_map_entry {
    uint64_t iova, last; /* first and last address */
    struct native_mapping *mapping;
};

/* Sorted by address. Entries beyond `count` are written before count is raised, so appending needs no copy. */
struct native_map_table {
    uint64_t generation; /* another for each table */
    size_t capacity;
    _Atomic size_t count;
    struct native_map_entry entry[];
};

/* A channel's last hit: an entry of the table of generation `generation`. */
struct native_map_cache {
    uint64_t generation;
    const struct native_map_entry *entry;
};

struct native_vector {
    _Atomic int fd; /* -1 = none */
    atomic_bool latched;
};

struct native_capture;

/* What passed a stream between the shell and the kernels. One writer, any reader. */
struct native_passed {
    _Atomic uint64_t packets, bytes;
};

static inline void native_pass(struct native_passed *passed, uint64_t packets, uint64_t bytes)
{
    atomic_store_explicit(&passed->packets, atomic_load_explicit(&passed->packets, memory_order_relaxed) + packets,
                          memory_order_relaxed);
    atomic_store_explicit(&passed->bytes, atomic_load_explicit(&passed->bytes, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

#define NATIVE_PAGE_WORDS ((DOORBELL_PAGES + 63u) / 64u)
#define NATIVE_SETTINGS   64u
#define NATIVE_NVME_PAGES (DOORBELL_PAGES - DOORBELL_NVME)
#define NATIVE_TIMERS     4u

/* The doorbells of an NVMe controller, one a word. */
struct native_nvme_page {
    _Atomic uint32_t value[DOORBELL_NVME_WORDS];
    _Atomic uint64_t rung;                        /* a bit a word */
    _Atomic uint32_t passed[DOORBELL_NVME_WORDS]; /* of a page that the guest writes itself: what was seen last */
};

/* A kernel's wish to be woken, the thread's own. */
struct native_timer {
    size_t node;
    bool armed;
    uint32_t at;   /* in BLOCK_TICK_NANOSECONDS */
    uint32_t told; /* by the last tick; 0 before the first one */
};

struct native_card {
    struct cipu_card base;
    const struct native_graph *graph;
    const struct native_engine *engine;
    void *engine_state; /* the engine's */
    void *object;
    struct hls_fifo *fifo; /* the object's */
    uint8_t *slots;
    struct native_task *tasks;
    void **blocks; /* by node; the shell's own state, freed with the card */
    void (**resets)(void *block);

    /* The thread's own. */
    uint64_t ready[NATIVE_WORDS];
    const struct native_map_table *table; /* for this round */
    uint64_t generation;                  /* of table */
    uint32_t time_ms;
    struct native_timer timers[NATIVE_TIMERS];
    unsigned timer_count;
    unsigned round;
    bool woken;                                      /* since the ports were last looked at */
    size_t doorbell_node, registers_node, port_node; /* NATIVE_NODES_MAX = not in the graph */

    /* Between the thread and others. */
    pthread_t thread;
    bool thread_started;
    bool poll_always;
    int cpu; /* -1 = any */
    int epoll, wake_fd;
    atomic_bool stop, pause, sleeping;
    _Atomic uint64_t epoch, seen; /* native_synchronize */
    _Atomic uint64_t rounds, sleeps;
    pthread_mutex_t pause_lock;
    pthread_cond_t pause_changed;
    bool paused; /* under pause_lock */

    pthread_mutex_t lock; /* serialises the callers of card.h that change things */
    _Atomic(struct native_map_table *) map;
    uint32_t window_mappings[CARD_FUNCTIONS]; /* of the map, by function; under lock */

    _Atomic uint32_t doorbell_value[DOORBELL_PAGES];
    _Atomic uint64_t doorbell_rung[NATIVE_PAGE_WORDS];
    atomic_bool doorbell_any;
    int doorbell_fd; /* shared pages; -1 until the first is shared */
    uint8_t *_Atomic doorbell_pages;
    _Atomic uint64_t doorbell_shared[NATIVE_PAGE_WORDS];
    atomic_bool doorbell_any_shared;

    struct native_nvme_page nvme_pages[NATIVE_NVME_PAGES];
    _Atomic(struct cipu_attendant *) attendant; /* under lock to change */

    pthread_mutex_t settings_lock;
    struct ring_setting settings[NATIVE_SETTINGS]; /* under settings_lock */
    unsigned setting_first, setting_count;
    atomic_bool settings_any;
    struct ring_setting ring_registers[RING_COUNT]; /* under settings_lock */

    struct native_vector vectors[CARD_VECTORS];
    struct signaller *signaller, *latch_signaller; /* the thread's; under lock */
    struct port ports[CARD_PORTS];
    struct native_passed passed[MONITOR_STREAMS];
    struct native_capture *_Atomic capture;
    uint8_t *memory; /* CARD_MEMORY_LINES of 64 bytes, zero pages until written; NULL without memory ports */
};

/* native.c */
int native_card_open(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                     struct cipu_error *error);
/* A card with another engine. */
int native_engine_open(const struct native_engine *engine, const void *argument, const struct native_graph *graph,
                       const char *rest, struct cipu_card **card, struct cipu_error *error);
/* For the tables of such cards. */
void native_close(struct cipu_card *base);
size_t native_activity(struct cipu_card *base, struct cipu_kernel_activity *activity, size_t count);
/* FIFOs, kernels, tables and counters are as at first. The thread stands still, or calls it itself. */
void native_clear(struct native_card *card);

/* The FIFO of a shell instance's port; NULL if it is not connected. */
struct hls_fifo *native_shell_fifo(const struct native_card *card, size_t node, const char *port);

/* Which of the alike instances NAME_0, NAME_1, ... of the shell a node is. */
unsigned native_channel(const struct native_card *card, size_t node);

/* native_thread.c */
int native_thread_start(struct native_card *card, struct cipu_error *error);
void native_thread_stop(struct native_card *card);
void native_wake(struct native_card *card);
/* Returns when the thread cannot use anything any more that was unpublished before the call. */
void native_synchronize(struct native_card *card);
/* The native engine: visits every ready node. */
unsigned native_sweep(struct native_card *card);
/* Between them the thread stands still outside of any round. */
void native_pause(struct native_card *card);
void native_resume(struct native_card *card);
uint64_t native_time(struct cipu_card *base);

/* native_attend.c */
int native_attend(struct cipu_card *base, const struct cipu_attendant *attendant);
unsigned native_attendant_run(struct native_card *card); /* thread only; returns how much it did */
void native_attend_free(struct native_card *card);

static inline void native_make_ready(struct native_card *card, size_t node)
{
    card->ready[node / 64] |= UINT64_C(1) << node % 64;
}

/* native_map.c */
int native_map_init(struct native_card *card);
void native_map_free(struct native_card *card);
int native_dma_map(struct cipu_card *base, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                   struct cipu_error *error);
int native_dma_unmap(struct cipu_card *base, uint64_t iova, uint64_t length);
const struct native_map_entry *native_map_find(struct native_card *card, uint64_t address);
/* Tells the SIGBUS handler whose memory this thread touches; NULL at its end. */
void native_map_guard(const struct native_card *card);

/* The memory at a bus address as far as it is contiguous: *length is what is wanted and becomes what there is. NULL =
 * refused. Valid for the rest of the visit. Thread only. */
static inline uint8_t *native_translate(struct native_card *card, struct native_map_cache *cache, uint64_t address,
                                        uint32_t *length, int protection)
{
    const struct native_map_entry *entry = cache->entry;
    if (cache->generation != card->generation || !entry || address < entry->iova || address > entry->last) {
        entry = native_map_find(card, address);
        cache->generation = card->generation;
        cache->entry = entry;
        if (!entry)
            return NULL;
    }
    if (!(entry->mapping->protection & protection))
        return NULL;
    uint64_t left = entry->last - address + 1;
    *length = left < *length ? (uint32_t)left : *length;
    return entry->mapping->host + (address - entry->iova);
}

/* Bytes up to the end of the page: what one refusal is about. */
static inline uint32_t native_page_left(uint64_t address)
{
    return 4096u - (uint32_t)(address % 4096u);
}

static inline bool native_cache_failed(const struct native_map_cache *cache)
{
    return atomic_load_explicit(&cache->entry->mapping->failed, memory_order_relaxed);
}

/* The shell's blocks: each fills in its node's task, block and reset. */
int native_doorbell_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_registers_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_port_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_dma_read_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_dma_write_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_memory_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_interrupt_create(struct native_card *card, size_t node, struct cipu_error *error);
int native_timer_create(struct native_card *card, size_t node, struct cipu_error *error);

/* native_timer.c: makes the nodes of due timers ready; nanoseconds until the next is due, UINT64_MAX = none is armed.
 */
uint64_t native_timers_look(struct native_card *card);

/* native_dma_move.c: a read channel whose data goes straight to a write channel moves it with one copy. */
int native_dma_moves_create(struct native_card *card, struct cipu_error *error);

/* native_doorbell.c */
int native_doorbell(struct cipu_card *base, uint32_t page, uint32_t value);
int native_doorbell_word(struct cipu_card *base, uint32_t page, uint32_t index, uint32_t value);
void native_doorbell_reset(struct native_card *card);
/* For an engine that carries doorbells itself: the next word of a page that was rung, false when there is none left. */
bool native_doorbell_next_word(struct native_card *card, uint32_t page, uint32_t *index, uint32_t *value);
int native_doorbell_share(struct cipu_card *base, uint32_t page, int *fd, off_t *offset);
bool native_doorbell_pending(struct native_card *card, bool look_at_shared); /* thread only */
void native_doorbell_free(struct native_card *card);

/* native_registers.c */
uint32_t native_register_read(struct cipu_card *base, uint32_t offset);
void native_register_write(struct cipu_card *base, uint32_t offset, uint32_t value);
void native_registers_reset(struct native_card *card);

/* native_interrupt.c */
int native_interrupt_init(struct native_card *card, struct cipu_error *error);
void native_interrupt_free(struct native_card *card);
int native_interrupt(struct cipu_card *base, uint32_t vector, int fd);
void native_interrupt_reset(struct native_card *card);
void native_interrupt_raise(struct native_card *card, uint32_t vector); /* thread only */

/* native_capture.c */
int native_capture(struct cipu_card *base, int port, int fd, struct cipu_error *error);
void native_capture_frame(struct native_capture *capture, unsigned port, const uint8_t *frame, uint32_t length);

#endif
