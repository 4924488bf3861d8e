/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of an NVMe controller.
 *
 * Three threads serve one: the frontend's (registers, memory, interrupts), the worker (commands, one after the other;
 * may block), the keeper (enable, disable, shutdown: so that a reset never waits for a command that waits for a disk).
 * Locks, outermost first: subsystem.managing, subsystem.reserving, subsystem.lock, then of one controller queue_lock,
 * lock, command_lock or vector_lock, event_lock. The frontend's thread takes none that is held while somebody waits for
 * card or disk, but move_lock.
 */
#ifndef CIPU_NVME_INTERNAL_H
#define CIPU_NVME_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "hls/include/dma.h"
#include "runtime/device/guest_memory.h"
#include "runtime/device/msix.h"
#include "runtime/device/nvme.h"
#include "runtime/device/nvme_reservation.h"
#include "runtime/device/nvme_spec.h"
#include "runtime/device/pci_config.h"

#define NVME_BAR_BYTES         0x4000u
#define NVME_MSIX_BAR          4u
#define NVME_ENTRIES_MAX       1024u /* of a queue: CAP.MQES + 1 */
#define NVME_ADMIN_ENTRIES_MAX 4096u /* AQA has 12 bits, 0's based */
#define NVME_READY_UNITS       20u   /* CAP.TO, in 500 ms */
#define NVME_TRANSFER_MAX      BLOCK_DATA_MAX
#define NVME_ASYNC_EVENTS      4u
#define NVME_ERROR_ENTRIES     64u
#define NVME_NOTICES           64u
#define NVME_TEMPERATURE       298u /* kelvin: there is no sensor */
#define NVME_COPY_RANGES       128u
#define NVME_COPY_BYTES        (16u * NVME_TRANSFER_MAX)
#define NVME_NO_VECTOR         0xffffu

struct nvme_namespace {
    struct nvme_subsystem *subsystem;
    uint32_t id;
    struct block_volume *volume;
    struct volume_info info;
    uint8_t shift; /* log2 of a block's bytes */
    uint64_t blocks;
    uint32_t ana_group;
    uint64_t attached; /* bit = controller id */
    bool made;         /* by a guest */
    bool shared;       /* not of one controller only */
    unsigned users;    /* commands that use it */
    struct volume_listener listener;
    struct nvme_reservation reservation;
};

enum nvme_sanitize_state { NVME_SANITIZE_IDLE, NVME_SANITIZE_RUNNING, NVME_SANITIZE_FAILED_STATE };

struct nvme_subsystem {
    struct block_engine *engine;
    struct nvme_subsystem_settings settings;
    pthread_mutex_t managing;  /* one command at a time that makes, deletes or attaches namespaces */
    pthread_mutex_t reserving; /* one reservation command at a time */
    pthread_mutex_t lock;      /* what follows */
    pthread_cond_t idle;       /* a command left a namespace */
    struct nvme_controller *controllers[NVME_CONTROLLERS_MAX];
    struct nvme_namespace *namespaces[NVME_NAMESPACES_MAX];
    uint64_t making; /* bit n: namespace n + 1 is being made by a guest */
    struct {
        enum nvme_sanitize_state state;
        uint8_t log; /* as in the log page's status */
        uint32_t dword10;
        uint64_t done, total; /* bytes */
        pthread_t thread;     /* the two under subsystem.reserving */
        bool has_thread;
    } sanitize;
};

struct nvme_queue {
    bool exists;
    uint32_t entries;
    uint64_t address;
    uint64_t shadow, event; /* of doorbells; 0 = none */
    uint16_t completion;    /* submission queues: the completion queue */
    uint16_t vector;        /* completion queues; NVME_NO_VECTOR without interrupts */
};

struct nvme_events {
    pthread_mutex_t lock;
    uint32_t enabled; /* feature 0Bh */
    unsigned waiting;
    struct {
        uint16_t tag, identifier;
    } request[NVME_ASYNC_EVENTS];
    uint32_t pending[NVME_EVENT_TYPES]; /* bit = information */
    bool masked[NVME_EVENT_TYPES];      /* until the log page of the one that was sent is read */
    uint8_t masked_by[NVME_EVENT_TYPES];
    uint64_t changed_namespaces; /* bit n: namespace n + 1 */
    uint64_t notice_count;
    unsigned notices, first_notice;
    struct {
        uint32_t nsid;
        uint8_t type;
    } notice[NVME_NOTICES];
};

struct nvme_features {
    uint32_t arbitration, power, error_recovery, coalescing, atomicity;
    uint16_t over_temperature, under_temperature;
    uint64_t uncoalesced;  /* bit = vector */
    bool queues_asked;     /* feature 07h came in time */
    uint64_t timestamp;    /* milliseconds when it was set */
    uint64_t timestamp_at; /* CLOCK_MONOTONIC then */
    bool timestamp_set;
    uint8_t host_behaviour[512];
    uint8_t host_identifier[16];
    uint8_t host_identifier_bytes; /* 0 = none, 8, 16 */
    uint8_t reservation_mask[NVME_NAMESPACES_MAX];
};

/* Of the raw command that the worker executes. */
struct nvme_request {
    struct nvme_controller *controller;
    struct nvme_command command;
    uint16_t tag;
    uint16_t sq_id;
    bool admin;
    bool deferred;     /* completes later */
    uint16_t location; /* of the field that is wrong: NVME_LOCATION */
    uint64_t lba;
    uint64_t specific; /* command specific information of the error */
    uint64_t result;
};

struct nvme_pending {
    struct nvme_pending *next;
    const struct block_raw *raw;
};

enum nvme_life { NVME_STOPPED, NVME_STARTING, NVME_RUNNING, NVME_STOPPING };

struct nvme_controller {
    struct cipu_card *card;
    struct cipu_host *host;
    struct block_engine *engine;
    struct guest_memory *memory;
    struct nvme_subsystem *subsystem;
    uint16_t function, id;
    uint16_t base;   /* block queue of the admin queue */
    uint16_t queues; /* I/O queue pairs */
    bool map_doorbells;
    bool has_queues;
    int doorbell_fd;
    off_t doorbell_offset;
    struct pci_config config;
    struct msix msix;

    pthread_mutex_t lock; /* registers and life */
    pthread_cond_t changed;
    uint32_t cc, csts, aqa, interrupt_mask;
    uint64_t asq, acq;
    enum nvme_life life;
    bool stop_asked, shutdown_asked, quit;
    bool bus_master;
    bool hidden; /* the card has queues that it did not stop: it may not see the guest */
    pthread_t keeper, worker;
    bool has_keeper, has_worker;

    pthread_mutex_t command_lock;
    pthread_cond_t work, idle;
    bool accepting, quit_worker;
    uint32_t closing; /* bit = submission queue that is being deleted */
    struct nvme_pending *first, *last;
    struct nvme_pending *pending; /* one a tag */
    bool executing;
    uint16_t executing_tag;

    /* Held while the tag of the command that executes is used: moves, completion. Outside of command_lock. */
    pthread_mutex_t move_lock;
    bool owns_tag;         /* nobody has completed it yet */
    atomic_bool abandoned; /* the guest has reset the controller: the command has no guest any more */

    pthread_mutex_t queue_lock; /* the queues and what the card is told of them */
    bool queues_live;
    uint16_t generation;
    _Atomic uint16_t sq_generation[BLOCK_CONTROLLER_QUEUES], cq_generation[BLOCK_CONTROLLER_QUEUES]; /* as set */
    struct nvme_queue sq[BLOCK_CONTROLLER_QUEUES], cq[BLOCK_CONTROLLER_QUEUES];
    uint64_t shadow, event; /* pages of shadow doorbells and EventIdx; 0 = none */

    pthread_mutex_t vector_lock; /* the vectors of completion queues and the card's connection */
    uint16_t vectors[BLOCK_CONTROLLER_QUEUES];
    atomic_uint rung; /* bit = submission queue whose doorbell was written */

    struct nvme_events events;
    struct nvme_features features; /* the worker's; host identifier and masks under subsystem.lock */

    /* under subsystem.lock */
    uint64_t attached; /* bit n: namespace n + 1 */
    uint8_t ana[NVME_ANA_GROUPS];
    uint64_t ana_changes[NVME_ANA_GROUPS], ana_change_count;

    /* the worker's, listed by others */
    _Atomic uint64_t commands, errors;
    uint64_t error_count, media_errors;
    struct nvme_error_entry error_log[NVME_ERROR_ENTRIES]; /* newest at (error_count - 1) % entries */

    uint64_t created_at;                     /* CLOCK_MONOTONIC, milliseconds */
    uint64_t resets, faults;                 /* as in struct nvme_state; under lock, as is the next */
    uint64_t power_cycles, unsafe_shutdowns; /* a client that goes away is a loss of power */
    unsigned self_tests;                     /* results that are valid, newest first */
    struct nvme_self_test_result self_test[20];
    uint8_t telemetry_generation;
    uint8_t *data, *other; /* NVME_TRANSFER_MAX each */
};

static inline uint32_t nvme_controller_queue(const struct nvme_controller *controller, unsigned queue)
{
    return controller->base + queue;
}

uint64_t nvme_now_ms(void);

/* With the lock held. */
static inline void nvme_set_fatal(struct nvme_controller *controller)
{
    controller->faults += !(controller->csts & NVME_CSTS_FATAL);
    controller->csts |= NVME_CSTS_FATAL;
}

/* A status with the place of the field that is wrong. */
static inline uint16_t nvme_refuse(struct nvme_request *request, uint16_t status, uint16_t location)
{
    request->location = location;
    return status;
}

/* nvme_worker.c: commands as they come, their data and ends */
extern const struct block_device_ops nvme_block_ops;
int nvme_worker_start(struct nvme_controller *controller);
void nvme_worker_stop(struct nvme_controller *controller);
/* False: commands that wait and the one that executes end silently, others that come as well. */
void nvme_accept(struct nvme_controller *controller, bool accept);
void nvme_wait_idle(struct nvme_controller *controller); /* until no command executes */
/* While a submission queue is deleted, commands of it end at once. */
void nvme_close_queue(struct nvme_controller *controller, unsigned queue, bool closing);
/* Ends a command that waits for the worker: false when there is none of that identifier. */
bool nvme_abort_waiting(struct nvme_controller *controller, unsigned queue, uint16_t identifier);
/* On the worker's thread; at most NVME_TRANSFER_MAX bytes. */
uint16_t nvme_from_guest(struct nvme_request *request, void *to, uint32_t bytes);
uint16_t nvme_to_guest(struct nvme_request *request, const void *from, uint32_t bytes);
static inline bool nvme_abandoned(const struct nvme_request *request)
{
    return request->controller->abandoned;
}
/* With move_lock held: the command's tag is the caller's from now on; false when its guest is gone: then nobody's. */
bool nvme_take_tag(struct nvme_request *request);
uint16_t nvme_final_status(uint16_t status); /* with do-not-retry where trying again is of no use */

/* nvme_keeper.c; with lock held */
int nvme_keeper_start(struct nvme_controller *controller);
void nvme_keeper_stop(struct nvme_controller *controller);
void nvme_fatal(struct nvme_controller *controller); /* without the lock */
/* What the card sees of the guest follows from bus mastering and `hidden`. */
void nvme_show_memory(struct nvme_controller *controller);
/* Asks for a stop and waits for it, at most as long as a client waits for a reset. If it is not over then, the card at
 * least does not see the guest any more. */
void nvme_stop_and_wait(struct nvme_controller *controller);

/* nvme_registers.c; the frontend's thread */
int nvme_register_read(struct nvme_controller *controller, uint64_t offset, void *data, size_t bytes);
int nvme_register_write(struct nvme_controller *controller, uint64_t offset, const void *data, size_t bytes);
void nvme_registers_reset(struct nvme_controller *controller);

/* nvme_queues.c */
int nvme_queues_start(struct nvme_controller *controller); /* the admin queues */
bool nvme_queues_stop(struct nvme_controller *controller); /* all; false when the card did not stop them */
int nvme_window_set(struct nvme_controller *controller, uint64_t length);
void nvme_vector_changed(struct nvme_controller *controller, unsigned vector);
uint16_t nvme_create_cq(struct nvme_request *request);
uint16_t nvme_create_sq(struct nvme_request *request);
uint16_t nvme_delete_cq(struct nvme_request *request);
uint16_t nvme_delete_sq(struct nvme_request *request);
uint16_t nvme_doorbell_buffer(struct nvme_request *request);
unsigned nvme_io_queue_count(struct nvme_controller *controller);

/* Commands; the worker's thread. Each returns a status without do-not-retry. */
uint16_t nvme_admin(struct nvme_request *request);
uint16_t nvme_io(struct nvme_request *request);
uint16_t nvme_identify(struct nvme_request *request);
uint16_t nvme_get_log_page(struct nvme_request *request);
uint16_t nvme_get_features(struct nvme_request *request);
uint16_t nvme_set_features(struct nvme_request *request);
uint16_t nvme_namespace_management(struct nvme_request *request);
uint16_t nvme_namespace_attachment(struct nvme_request *request);
uint16_t nvme_format(struct nvme_request *request);
uint16_t nvme_sanitize(struct nvme_request *request);
uint16_t nvme_reserve(struct nvme_request *request);
uint16_t nvme_reservation_report(struct nvme_request *request);
void nvme_features_reset(struct nvme_controller *controller);
bool nvme_feature_exists(unsigned identifier);
bool nvme_feature_by_namespace(unsigned identifier);
uint8_t nvme_critical_warning(const struct nvme_controller *controller);
void nvme_log_error(struct nvme_request *request, uint16_t status);
/* With subsystem.lock held: whether destroying keys makes the data of all namespaces unreadable. */
bool nvme_sanitize_crypto(const struct nvme_subsystem *subsystem);
/* What stands against reading and writing, with subsystem.lock held. */
uint16_t nvme_sanitize_status(const struct nvme_subsystem *subsystem);
void nvme_sanitize_fill(struct nvme_subsystem *subsystem, struct nvme_sanitize_log *log);
void nvme_sanitize_join(struct nvme_subsystem *subsystem);
void nvme_fill_effects(const struct nvme_controller *controller, struct nvme_effects_log *log);
uint16_t nvme_admin_supported(const struct nvme_controller *controller); /* OACS */
bool nvme_makes_namespaces(const struct nvme_subsystem *subsystem);

/* nvme_event.c; any thread */
void nvme_events_init(struct nvme_events *events);
uint16_t nvme_event_request(struct nvme_request *request);
void nvme_event_post(struct nvme_controller *controller, unsigned type, unsigned information);
void nvme_event_log_read(struct nvme_controller *controller, unsigned page);
void nvme_event_configure(struct nvme_controller *controller, uint32_t enabled);
void nvme_event_namespace(struct nvme_controller *controller, uint32_t nsid);
void nvme_event_notice(struct nvme_controller *controller, uint32_t nsid, uint8_t type);
bool nvme_event_abort(struct nvme_controller *controller, uint16_t identifier);
void nvme_events_reset(struct nvme_controller *controller); /* ends those that wait, silently; forgets all events */

/* nvme_namespace.c: who uses one */
enum nvme_use { NVME_USE_ADMIN, NVME_USE_READ, NVME_USE_WRITE };
/* The namespace of an I/O command, with ANA state and access checked; returned by nvme_namespace_put. The engine checks
 * access again for each operation. */
uint16_t nvme_namespace_get(struct nvme_request *request, uint32_t nsid, enum nvme_use use,
                            struct nvme_namespace **namespace);
void nvme_namespace_put(struct nvme_request *request, struct nvme_namespace *namespace);
/* Why the engine refused an operation that was allowed when its command began. */
uint16_t nvme_refusal(struct nvme_request *request, const struct nvme_namespace *namespace);
/* With subsystem.lock held: */
struct nvme_namespace *nvme_namespace_find(struct nvme_subsystem *subsystem, uint32_t nsid);
bool nvme_namespace_is_attached(const struct nvme_controller *controller, uint32_t nsid);
struct nvme_host nvme_host_of(const struct nvme_controller *controller);
unsigned nvme_access_of(const struct nvme_controller *controller, const struct nvme_namespace *namespace);
/* Without, but with subsystem.reserving: tells the engine. False when something that is not allowed any more may show
 * still (block_volume_set_access). */
bool nvme_access_update(struct nvme_subsystem *subsystem, uint32_t nsid);
int nvme_card_namespaces_set(struct nvme_controller *controller);               /* all of them */
int nvme_card_namespace_set(struct nvme_controller *controller, uint32_t nsid); /* with subsystem.lock held */
uint16_t nvme_ana_status(const struct nvme_controller *controller, uint32_t group);
/* ANA state, then a sanitize operation: what stands against all use of a namespace. */
uint16_t nvme_path_status(const struct nvme_controller *controller, const struct nvme_namespace *namespace);
void nvme_subsystem_leave(struct nvme_controller *controller);
/* As nvme_namespace_attach and _detach, with subsystem.reserving held. */
int nvme_attach(struct nvme_controller *controller, uint32_t nsid, struct cipu_error *error);
int nvme_detach(struct nvme_controller *controller, uint32_t nsid);

/* nvme_reserve.c: reservations that outlive the daemon; with subsystem.reserving held. */
bool nvme_can_persist(const struct nvme_subsystem *subsystem);
uint16_t nvme_reservation_store(struct nvme_subsystem *subsystem, uint32_t nsid);
void nvme_reservation_load(struct nvme_namespace *namespace);

#endif
