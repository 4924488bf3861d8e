/* SPDX-License-Identifier: Apache-2.0 */
/* What nvme_cq remembers of a completion queue, and what one activation may send. */
#ifndef CIPU_NVME_CQ_ROW_H
#define CIPU_NVME_CQ_ROW_H

#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/nvme_queue.h"

#define NVME_CQ_NO_VECTOR 0xffffu

struct nvme_cq_row {
    uint64_t address; /* guest address */
    uint32_t entries;
    uint32_t stop_tag;
    uint32_t delay;       /* as in the setting */
    uint32_t writes;      /* under way */
    uint32_t unannounced; /* entries that are visible and that no interrupt told of */
    uint16_t tail;
    uint16_t first;      /* the first entry that has gathered */
    uint16_t submission; /* block queue of those that have gathered */
    uint16_t function;
    uint16_t vector;
    uint16_t generation; /* of the host's setting */
    uint8_t phase;       /* the phase tag of the next entry */
    uint8_t threshold;
    uint8_t enabled;
    uint8_t faulted;
    uint8_t stopping;
    uint8_t held;           /* the interrupt waits for `threshold` entries or for the timer */
    uint8_t gathered;       /* entries whose write is not asked for: while another one is under way */
    uint8_t tag_generation; /* of the tags of those that have gathered */
    uint8_t reserved[7];
};

/* What has gathered of a completion queue: a line of 64 bytes at most, of one submission queue. */
struct nvme_cq_line {
    struct nvme_completion entries[NVME_CQ_WRITE - 1u];
    uint8_t slots[NVME_CQ_WRITE - 1u];
    uint8_t reserved[5];
};

/* The newest head of a submission queue that is known to be completed: completions need not come in the order of the
 * commands, and a head that goes back would be one that the driver has passed. */
struct nvme_cq_head {
    uint32_t sequence;
    uint16_t head;
    uint8_t reserved[2];
};

/* One timer for all queues: when it is up, every interrupt that is held back is raised, so none is later than its own
 * delay, and some are earlier. Time is known only from ticks, so a delay begins with a tick that is asked for. */
struct nvme_cq_timer {
    uint64_t held[BLOCK_QUEUES / 64u]; /* queues for the next time, one bit each */
    uint64_t scan[BLOCK_QUEUES / 64u]; /* whose time is up */
    uint32_t now;                      /* at the last tick */
    uint32_t deadline;
    uint32_t delay;   /* the least of those that wait */
    uint8_t asking;   /* for the time, to put the deadline */
    uint8_t running;  /* there is a deadline */
    uint8_t scanning; /* the timer's token is in `again` */
    uint8_t reserved;
};

/* At most one record on each stream. */
struct nvme_cq_output {
    uint32_t timer_at;
    uint8_t leaves;  /* so many entries have gathered, and do not any more: their tags are free */
    uint8_t takes;   /* with them, behind, the event's own */
    uint8_t writes;  /* ... to the guest's memory; else they are lost */
    uint8_t gathers; /* the event's entry waits */
    uint8_t drops;   /* the event's command leaves nothing but its tag, which is free */
    uint8_t window;
    uint8_t hold; /* the timer is to know the queue */
    uint8_t interrupt;
    uint8_t timer;
    uint8_t complete;
    uint8_t status;
    uint8_t alert;
    uint8_t scan; /* on with the next queue whose time is up */
};

#endif
