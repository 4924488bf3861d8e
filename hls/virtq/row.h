/* SPDX-License-Identifier: Apache-2.0 */
/* What virtq remembers of a queue, and what one activation may send. */
#ifndef CIPU_VIRTQ_ROW_H
#define CIPU_VIRTQ_ROW_H

#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/queue.h"
#include "hls/include/virtio.h"

#define VIRTQ_BATCH 32u                              /* avail ring entries fetched at once */
#define VIRTQ_LINE  4u                               /* descriptors in a line of 64 bytes */
#define VIRTQ_BLOCK (VIRTQ_LINE * QUEUE_BLOCK_LINES) /* descriptors that may be fetched at once: 512 bytes */

enum virtq_phase {
    VIRTQ_STOPPED = 0,
    VIRTQ_IDLE,        /* waits for a doorbell; no token */
    VIRTQ_PARKED,      /* waits for credit; no token */
    VIRTQ_FAULTED,     /* waits for QUEUE_STOP; no token */
    VIRTQ_INDEX,       /* reads the avail index */
    VIRTQ_ARMING,      /* writes avail_event, to read the index once more */
    VIRTQ_RING,        /* reads avail ring entries */
    VIRTQ_DESCRIPTORS, /* reads lines of descriptors */
    VIRTQ_RUNNING,     /* token in `again` */
};

struct virtq_line {
    struct virtq_descriptor descriptor[VIRTQ_LINE];
};

struct virtq_row {
    uint64_t descriptors; /* guest addresses */
    uint64_t avail;
    uint64_t used;
    uint64_t table; /* the descriptor table that the chain is in: the queue's or an indirect one */
    uint32_t entries;
    uint32_t table_entries;
    uint32_t current; /* index into the table */
    uint32_t block;   /* of the table: what `lines` are in */
    uint32_t chain_bytes;
    uint32_t stop_tag;
    int32_t credit; /* segments (QUEUE_BLOCK: chains) that the kernel behind has room for; a transmit chain may overdraw
                       it */
    uint16_t chain_descriptors;
    uint16_t chain_segments; /* sent on */
    uint16_t position;       /* next avail ring entry */
    uint16_t seen;           /* the avail index when it was read last */
    uint16_t batch_count;
    uint16_t batch_next;
    uint16_t event;    /* avail_event, as it was written last */
    uint16_t woke;     /* position at the doorbell that the queue is busy for */
    uint16_t expected; /* entries that the doorbell before brought */
    uint16_t function;
    uint16_t flags;           /* enum queue_flags */
    uint16_t host_generation; /* queue_setting.generation */
    uint8_t phase;            /* enum virtq_phase */
    uint8_t generation;
    uint8_t armed;      /* avail_event is visible, and was before the index was read last */
    uint8_t rung;       /* a doorbell came meanwhile */
    uint8_t steady;     /* two doorbells brought as many entries */
    uint8_t unasked;    /* the index is read without a doorbell */
    uint8_t busy;       /* that found entries: the driver is faster than its doorbells */
    uint8_t stopping;   /* QUEUE_STOP came */
    uint8_t late_fault; /* enum queue_fault that a later kernel found; takes effect when the token returns */
    uint8_t lines;      /* of the block, one bit each: those that are at hand */
    uint8_t indirect;
    uint8_t transmit; /* or a block queue */
    uint8_t writable; /* QUEUE_BLOCK: the chain's readable descriptors are over */
    uint16_t heads[VIRTQ_BATCH];
};

/* At most one record on each stream. */
struct virtq_output {
    struct dma_request read;
    struct dma_request write;
    struct virtq_segment segment;
    uint16_t event; /* avail_event, the data of `write` */
    uint8_t reads;
    uint8_t writes;
    uint8_t segments;
    uint8_t again;
    uint8_t place; /* of the line that `again` asks for */
    uint8_t fault; /* enum queue_fault */
    uint64_t fault_value;
};

HLS_INLINE bool virtq_is_block(const struct virtq_row *row)
{
    return (row->flags & QUEUE_BLOCK) != 0;
}

HLS_INLINE bool virtq_has_token(const struct virtq_row *row)
{
    return row->phase >= VIRTQ_INDEX;
}

HLS_INLINE void virtq_request(struct dma_request *request, const struct virtq_row *row, uint16_t queue,
                              uint64_t address, uint32_t length)
{
    HLS_ZERO(request, sizeof *request);
    request->address = address;
    request->length = length;
    request->function = row->function;
    request->flags = DMA_LAST;
    request->tag = queue;
}

HLS_INLINE void virtq_read(struct virtq_output *output, struct virtq_row *row, uint16_t queue, uint8_t phase,
                           uint64_t address, uint32_t length)
{
    virtq_request(&output->read, row, queue, address, length);
    output->reads = 1;
    row->phase = phase;
}

HLS_INLINE void virtq_again(struct virtq_output *output, struct virtq_row *row)
{
    output->again = 1;
    output->place = (uint8_t)(row->current / VIRTQ_LINE % QUEUE_BLOCK_LINES);
    row->phase = VIRTQ_RUNNING;
}

HLS_INLINE void virtq_fault(struct virtq_output *output, struct virtq_row *row, uint8_t fault, uint64_t value)
{
    output->fault = fault;
    output->fault_value = value;
    row->phase = VIRTQ_FAULTED;
}

#endif
