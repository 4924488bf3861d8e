/* SPDX-License-Identifier: Apache-2.0 */
/* What nvme_queue remembers of a submission queue and of the room in a completion queue, and what one activation may
 * send. */
#ifndef CIPU_NVME_QUEUE_ROW_H
#define CIPU_NVME_QUEUE_ROW_H

#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/nvme_queue.h"

enum nvme_queue_phase {
    NVME_QUEUE_STOPPED = 0,
    NVME_QUEUE_IDLE,    /* waits for a doorbell, or to stop; the token rests here */
    NVME_QUEUE_SLOTS,   /* waits for a free slot; the token rests here */
    NVME_QUEUE_FAULTED, /* waits for QUEUE_STOP; the token rests here */
    NVME_QUEUE_PARKED,  /* waits for room in the completion queue, or was woken and the token is in `again` */
    NVME_QUEUE_RUNNING, /* token in `again` */
    NVME_QUEUE_FETCH,   /* reads entries */
    NVME_QUEUE_TAIL,    /* reads the shadow doorbell */
    NVME_QUEUE_ARMING,  /* writes its EventIdx */
    NVME_QUEUE_HEAD,    /* reads the completion queue's shadow doorbell */
    NVME_QUEUE_HEAD_ARMING,
};

/* How sure it is that the driver will ring when it changes a shadow doorbell (Base 5.8). */
enum nvme_shadow_step {
    SHADOW_FRESH = 0, /* to be read */
    SHADOW_READ = 1,  /* brought no news: EventIdx is to be written */
    SHADOW_ARMED = 2, /* EventIdx is visible: to be read once more, the driver may have gone on before it was */
    SHADOW_QUIET = 3, /* brought no news: the next change rings */
};

struct nvme_queue_row {
    uint64_t busy[BLOCK_SLOTS / 64u]; /* slots in flight, one bit each */
    uint64_t address;                 /* guest addresses, as in the setting */
    uint64_t shadow;
    uint64_t event;
    uint32_t entries;
    uint32_t stop_tag;
    uint32_t stamp;    /* of the doorbell that announced what is fetched */
    uint32_t kicked;   /* time of the doorbell since the shadow doorbell brought news */
    uint32_t sequence; /* entries fetched, free running */
    uint16_t head;     /* next entry to fetch */
    uint16_t tail;
    uint16_t function;
    uint16_t base;
    uint16_t completion;
    uint16_t host_generation; /* nvme_queue_setting.generation */
    uint8_t in_flight;        /* slots */
    uint8_t phase;            /* enum nvme_queue_phase */
    uint8_t admin;
    uint8_t stopping;  /* QUEUE_STOP came */
    uint8_t rung;      /* shadow doorbell: the driver rang since it was read */
    uint8_t tail_step; /* enum nvme_shadow_step */
    uint8_t head_step; /* of the completion queue's, as far as this queue is concerned */
    uint8_t reserved[5];
};

/* A completion queue: entries are promised when a command is fetched and come back with the head doorbell. */
struct nvme_queue_room {
    uint64_t shadow;
    uint64_t event;
    uint32_t entries;
    uint32_t used;   /* promised or written, and not given back */
    uint32_t parked; /* submission queues that wait, by their number in the controller */
    uint32_t woken;  /* the one that was woken last, as a bit */
    uint16_t head;   /* as the driver told it last */
    uint16_t armed;  /* EventIdx as it was written last */
    uint16_t base;
    uint16_t function;
    uint8_t valid;
    uint8_t rung; /* shadow doorbell: the driver rang since it was read */
    uint8_t reserved[6];
};

/* Whose page a doorbell page is. */
struct nvme_queue_owner {
    uint16_t function;
    uint8_t valid;
    uint8_t reserved;
};

/* At most one record on each stream. */
struct nvme_queue_output {
    uint64_t read_address;
    uint64_t write_address;
    uint64_t alert_address; /* what was refused, or the offending value */
    uint32_t read_bytes;
    uint32_t write_value;
    uint8_t read;      /* there is a read */
    uint8_t what;      /* enum nvme_read */
    uint8_t write;     /* there is a write */
    uint8_t window;    /* both are the window of the command */
    uint8_t token;     /* the submission queue's token is here */
    uint8_t again;     /* it goes round */
    uint8_t unpark;    /* looks for the token among those that wait for room */
    uint8_t wake;      /* one that waits for room is to look whether there is some */
    uint8_t fault;     /* the queue stopped: enum queue_fault */
    uint8_t alert;     /* a bad doorbell, of the queue and function: */
    uint8_t fetched;   /* enum nvme_fetched_kind */
    uint8_t slot;      /* ENTRY */
    uint8_t status;    /* COMMAND, NAMESPACE, WINDOW */
    uint8_t owner;     /* the owner of the page changes */
    uint16_t function; /* of the alert */
    uint16_t alert_queue;
};

HLS_INLINE uint32_t nvme_queue_distance(uint32_t from, uint32_t to, uint32_t entries)
{
    return to >= from ? to - from : to + entries - from;
}

/* A completion queue is full with one entry less than it has (Base 3.3.1.4). */
HLS_INLINE uint32_t nvme_queue_left(const struct nvme_queue_room *room)
{
    return room->entries - 1u - room->used;
}

HLS_INLINE bool nvme_queue_token_out(const struct nvme_queue_row *row)
{
    return row->phase >= NVME_QUEUE_PARKED;
}

HLS_INLINE void nvme_queue_fault(struct nvme_queue_output *output, struct nvme_queue_row *row, uint64_t address)
{
    output->fault = FAULT_ADDRESS;
    output->alert_address = address;
    row->phase = NVME_QUEUE_FAULTED;
}

HLS_INLINE void nvme_queue_bad_doorbell(struct nvme_queue_output *output, uint32_t queue, uint32_t function,
                                        uint32_t value, uint32_t index)
{
    output->alert = 1;
    output->alert_queue = (uint16_t)queue;
    output->function = (uint16_t)function;
    output->alert_address = (uint64_t)value << 32 | index;
}

#endif
