/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's parts: engine.c (life, thread, rounds), command.c (a command's way), queue.c (queues, drain, abort),
 * buffer.c (who gets a buffer), stray.c (what is at a backend and has nobody any more, or is not waited for),
 * inflight.c, inbox.c (what other threads ask for), raw.c (raw commands), operation.c (what a device does on a volume
 * itself), place.c (bus addresses), volume.c, volume_open.c, volume_change.c.
 *
 * What is not marked belongs to the engine's thread.
 */
#ifndef CIPU_BLOCK_ENGINE_INTERNAL_H
#define CIPU_BLOCK_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "driver/host_block.h"
#include "hls/include/beat.h"
#include "runtime/block/engine.h"
#include "runtime/block/inflight.h"
#include "runtime/block/latency.h"
#include "runtime/block/pool.h"
#include "runtime/block/status.h"
#include "runtime/block/volume.h"

/* Where the engine's memory lies on the card's bus: in the host's window, beyond the host rings (driver/host_ring.c).
 */
#define BLOCK_BUS_BASE      (((uint64_t)FUNCTION_HOST << CIPU_WINDOW_SHIFT) + (UINT64_C(1) << 38))
#define BLOCK_BUS_POOLS     (UINT64_C(1) << 30) /* before the first volume's memory */
#define BLOCK_BUS_BYTES     (CIPU_WINDOW_BYTES - (UINT64_C(1) << 38))
#define VIRTIO_HEADER_BYTES 16u /* VIRTIO 1.2, 5.2.6: struct virtio_blk_req up to its data */

enum tag_state {
    TAG_FREE,
    TAG_HELD,       /* waits for its volume to go on */
    TAG_BUFFER,     /* waits for a buffer */
    TAG_MOVE_IN,    /* the card fetches a write's data */
    TAG_BACKEND,    /* at its backend */
    TAG_COMPLETING, /* completed; the card tells when the buffer is free again */
    TAG_SILENT,     /* ended without its guest hearing of it; the card tells when it has obeyed that */
    TAG_RAW,        /* at its device */
};

/* What another thread asks for. */
struct inbox_item {
    struct inbox_item *next;
    void (*run)(struct block_engine *engine, struct inbox_item *item);
};

struct raw_move;
struct block_tag;
struct block_operation;

/* What a backend has of a command or of an operation. */
struct block_errand {
    struct backend_request request;
    struct block_volume *volume;
    struct block_tag *tag;             /* the command, */
    struct block_operation *operation; /* or the operation; both NULL = a stray */
    struct block_errand *next;         /* in the list of free ones, or of the volume's that others wait for */
    struct block_errand **link;        /* there: what points to it */
    struct pool_buffer buffer;         /* of a stray that was a command */
    void *memory;                      /* of one that was an operation */
    uint16_t function;
    bool operates; /* for an operation, now or once */
    bool changes;
    bool counted; /* among the volume's `writes` */
    bool listed;  /* what overlaps it waits for it */
};

#define OPERATIONS_MAX 512u /* at backends, strays with them */

/* What a device does on a volume itself. Its caller's, who waits for it. */
struct block_operation {
    struct inbox_item item;
    struct block_operation *next; /* in engine->operations */
    struct block_volume *volume;
    struct backend_request request;
    struct block_errand *errand; /* at the backend */
    void *memory;                /* of its buffer */
    uint16_t function;
    bool left; /* `memory` is the stray's */
    bool done; /* under the engine's lock */
    int result;
};

/* A command's place: what the engine knows of a tag. */
struct block_tag {
    struct block_raw raw;        /* the command, and of raw ones the second entry */
    struct block_errand *errand; /* BACKEND */
    struct block_engine *engine;
    struct block_volume *volume;
    struct pool_buffer buffer;
    struct block_tag *next; /* in the list that its state names, or waiting for room in the ring of answers */
    uint64_t doorbell;      /* card times: when the guest rang, */
    uint64_t begin, end;    /* the backend began and ended, */
    uint64_t waited;        /* nanoseconds without a buffer or on hold */
    uint64_t stopped;       /* since when it waits so */
    struct raw_move *move;  /* RAW: under way */
    struct block_answer answer;
    bool answers;  /* `answer` waits for room in the ring, or for the end of `move` */
    uint8_t state; /* enum tag_state */
    bool silent;   /* its guest is to hear nothing */
    bool ended;    /* is to complete with `status` as soon as that is possible, without its backend */
    bool late;     /* `successor` has come: the guest used the tag anew before the card told that the buffer is free */
    uint16_t status; /* of `ended` */
    struct block_raw successor;
};

struct tag_list {
    struct block_tag *first, *last;
};

struct block_queue {
    const struct block_device_ops *ops; /* NULL = not given out */
    void *device;
    uint16_t function;
    bool draining, silent;
    uint16_t status;                /* of what comes while it drains */
    unsigned at_backend;            /* commands */
    struct inflight_record *record; /* of virtio-blk; NULL = none is kept */
    unsigned record_entries;
    uint64_t finished;                          /* number of the next completion */
    _Atomic uint16_t arrived, ended, completed; /* commands; other threads read */
};

struct engine_wait {
    struct engine_wait *next;
    bool (*over)(void *context); /* on the engine's thread */
    void *context;
    bool done; /* under the engine's lock */
};

struct bus_place {
    struct bus_place *next;
    uint64_t offset, bytes;
};

struct block_engine {
    struct cipu_card *card;
    struct cipu_host *host;
    uint64_t now; /* card time; read when there is something to do, not in each round */
    struct block_pool pool;
    struct block_volume *hungry, **hungry_last; /* volumes with commands that wait for buffers */
    bool serving, serve_again;                  /* within buffers_serve; a buffer was given back meanwhile */
    struct block_volume *waking;                /* volumes whose waiting commands are to be looked at in this round */
    struct tag_list unsent;
    bool answered; /* answers that were not sent yet */
    struct block_raw record;
    bool half; /* the second half of `record` is the next entry */
    struct block_tag *tags;
    struct block_errand *errands, *free_errands; /* enough for all tags, strays and operations */
    unsigned stray_count, operation_count;       /* that have errands; strays that were commands, the others */
    struct block_operation *operations;          /* that have begun and not ended */
    bool cancelled[CARD_FUNCTIONS];              /* operations of the function do not begin */
    struct block_queue queues[BLOCK_QUEUES];
    struct block_volume *volumes[BLOCK_VOLUMES];
    struct block_volume *active[BLOCK_VOLUMES]; /* with something at their backends */
    unsigned active_count;
    struct engine_wait *waits;
    struct block_function_statistics functions[CARD_FUNCTIONS]; /* any thread reads */
    uint64_t unexpected; /* entries of the backend ring that contradict what is in flight; any thread reads */
    unsigned idle;       /* rounds without work */

    int wake;   /* eventfd */
    int events; /* epoll: the wake-up, the backend ring, backends */
    bool attended;
    bool started;
    atomic_bool stop;
    pthread_t thread;

    pthread_mutex_t lock;   /* of what follows */
    pthread_cond_t changed; /* something that another thread waits for is done */
    struct inbox_item *inbox, **inbox_last;
    atomic_bool posted; /* the inbox has something */
    struct block_pool raw_pool;
    struct pool_share raw_shares[CARD_FUNCTIONS];
    pthread_mutex_t control; /* one change of volumes and queues at a time; taken before `lock` */
    struct bus_place *places;
    struct disk_set *disks;
};

struct volume_mapping {
    uint64_t offset, bytes; /* of the place on the bus */
};
#define VOLUME_MAPPINGS 4u

struct block_volume {
    struct block_engine *engine;
    struct block_backend *backend;
    uint64_t bytes, block_mask;
    uint64_t bus;       /* `memory`: where its first byte lies */
    bool memory;        /* the card moves data itself */
    bool moves_nothing; /* and of this nothing at all */
    bool read_only, held;
    uint8_t access[CARD_FUNCTIONS];
    atomic_bool durable[CARD_FUNCTIONS]; /* every write; other threads set it */
    uint16_t denied[CARD_FUNCTIONS];     /* status of what a function may not */
    uint32_t writes[CARD_FUNCTIONS];     /* changes under way */
    uint32_t in_flight;                  /* commands past their checks, and strays */
    uint32_t at_backend;
    unsigned active;           /* place in engine->active */
    struct block_errand *late; /* strays, and what a change of access did not wait for: what overlaps them waits */
    unsigned late_count;
    unsigned stray_count, stray_operations; /* of them that have nobody any more: commands, operations */
    struct pool_share share;                /* of the buffers */
    struct tag_list starving[POOL_CLASSES]; /* wait for a buffer */
    bool is_hungry, is_waking;
    struct block_volume *next_hungry, *next_waking;
    struct tag_list waiting;
    struct inbox_item *held_items, **held_last;
    struct volume_statistics statistics;
    struct volume_latency latency[2]; /* reads, writes */

    /* Under engine->control. */
    struct volume_settings settings;
    struct backend_info info;
    uint32_t number;
    bool attached[CARD_FUNCTIONS];
    unsigned attachments;
    bool changing; /* is being resized, erased or closed */
    struct volume_listener *listeners;
    struct volume_mapping mappings[VOLUME_MAPPINGS];
    unsigned mapping_count;
};

/* command.c */
void command_take(struct block_engine *engine, const struct block_raw *record);
/* Completes it without its backend; it is in no list. */
void command_refuse(struct block_tag *tag, uint16_t status);
void command_answer(struct block_tag *tag, const struct block_answer *answer);
void command_finish(struct block_tag *tag);
/* A virtio command ends in silence: the queue is over when the card has obeyed, and nothing else shows that. */
bool command_ends_silently(struct block_tag *tag, const struct block_answer *answer);
unsigned command_send_unsent(struct block_engine *engine);
void command_has_buffer(struct block_tag *tag);
/* Begins or goes on with what waited for the volume. */
void command_resume(struct block_volume *volume);
void volume_submit(struct block_volume *volume, struct backend_request *request);
void volume_done(struct block_volume *volume);
void tag_list_append(struct tag_list *list, struct block_tag *tag);
struct block_tag *tag_list_take(struct tag_list *list);
bool tag_list_remove(struct tag_list *list, struct block_tag *tag);

/* inflight.c: a command of the queue came; one is over, and unless `silent` its guest hears of it */
void inflight_arrived(struct block_queue *queue, unsigned slot);
void inflight_ended(struct block_queue *queue, unsigned slot, bool silent);

/* volume_change.c: begins or goes on with all that waited for it, operations as well */
void volume_resume(struct block_volume *volume);

/* buffer.c */
void buffer_find(struct block_tag *tag);          /* one for its command, or it waits for it */
void buffer_give(struct block_tag *tag);          /* its buffer is free */
void buffer_unlist(struct block_tag *tag);        /* it waits no more */
void buffers_serve(struct block_engine *engine);  /* a buffer is free */
void buffers_forget(struct block_volume *volume); /* nothing of it waits */

/* stray.c */
int errands_open(struct block_engine *engine);
void errands_free_memory(struct block_engine *engine); /* of strays, when nothing is at a backend any more */
struct block_errand *errand_take(struct block_engine *engine);
void errand_give(struct block_engine *engine, struct block_errand *errand);
/* The command is at its backend no more, and the caller's to complete. False: the volume has too many strays. */
bool stray_leave(struct block_tag *tag);
/* As much of an operation. `memory`: of its buffer, freed when the backend is done with it. */
void stray_leave_operation(struct block_errand *errand, void *memory);
/* A backend is done with it; true = it was a stray, and is given back. */
bool errand_done(struct block_errand *errand);
/* Changes of this function that are under way are not waited for any more: what overlaps them waits. */
void errands_fence(struct block_volume *volume, unsigned function);
/* Something begun before may change these bytes still. */
bool stray_overlaps(const struct block_volume *volume, uint64_t offset, uint64_t length);
unsigned volumes_wake(struct block_engine *engine); /* those for which something late is over */
void volume_asleep(struct block_volume *volume);    /* it is not woken any more */

/* raw.c */
void raw_take(struct block_tag *tag);
void raw_moved(struct block_tag *tag, uint16_t status);
void raw_forget(struct block_tag *tag); /* the card has gone: a move under way has no end */

/* inbox.c */
void inbox_post(struct block_engine *engine, struct inbox_item *item);
unsigned inbox_run(struct block_engine *engine);
bool engine_is_here(const struct block_engine *engine); /* the caller is the engine's thread */
void engine_enter(const struct block_engine *engine);   /* from here to NULL it is */
/* Waits until `over`, at most so long (0 = for ever): 0 or -ETIMEDOUT. */
int engine_wait(struct block_engine *engine, bool (*over)(void *context), void *context, unsigned milliseconds);
void engine_check_waits(struct block_engine *engine);
void deadline_after(unsigned milliseconds, struct timespec *deadline);

/* place.c, under engine->control */
int place_take(struct block_engine *engine, uint64_t bytes, uint64_t *offset);
void place_give(struct block_engine *engine, uint64_t offset);

/* volume_open.c, under engine->control but for the second */
#define VOLUME_WEIGHT 100u
int volume_map(struct block_volume *volume, uint64_t *bus, struct cipu_error *error); /* its memory, anew */
int volume_check_limits(const struct volume_limits *limits, struct cipu_error *error);
int volume_send_limits(const struct block_volume *volume, const struct volume_limits *limits, struct cipu_error *error);
/* What the volume's number stands for in commands: it, or NULL. */
void volume_set_number(struct block_volume *volume, struct block_volume *known);
void volume_destroy(struct block_volume *volume); /* the engine's thread does not know it (any more) */

/* engine.c */
int engine_watch(struct block_engine *engine, int fd);
void engine_unwatch(struct block_engine *engine, int fd);

#endif
