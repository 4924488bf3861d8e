/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams between kernels and the shell's DMA master, card memory and MSI-X block.
 *
 * Reads are gathers, writes are scatters: the shell packs the bytes of successive read requests into whole beats until
 * one that carries DMA_LAST, and takes the bytes of successive write requests out of a packed stream of beats. So the
 * byte shifters are in one place and kernels see packets that start at byte 0.
 *
 * Every DMA channel is independent (its own request, data and done streams): a channel whose data stream is full stops
 * itself alone. Within a channel everything is in order. A write is visible to the guest before its `done` record
 * appears; a read issued after that record sees it (PCIe ordering). Aligned accesses of 2, 4 and 8 bytes are single
 * accesses.
 */
#ifndef CIPU_DMA_H
#define CIPU_DMA_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum dma_flags {
    DMA_LAST = 1, /* closes the packet: read: the last beat leaves; write: the rest of the current beat is skipped */
    DMA_REFUSED =
        2, /* set by dma_guard: the address is outside the function's window; the shell must not touch memory */
    DMA_WINDOW = 4, /* not a transfer: dma_guard sets the window of `function` to {address = bus base, length = bytes}
                       and swallows the record */
    DMA_BUS = 8,    /* a bus address of the host's own rings or buffers: dma_guard lets it pass */
};

struct dma_request {
    uint64_t address; /* guest address; after dma_guard: bus address */
    uint64_t length;  /* bytes, 1 .. 65536 for transfers */
    uint16_t function;
    uint16_t flags; /* enum dma_flags */
    uint16_t tag;   /* the issuer's; comes back in meta.source_id of the packet's first beat (read) or in done.tag */
    uint8_t reserved[10];
};

/* Read data is `struct beat` with meta.bytes, last, error and, in the first beat, length (at most 65535) and source_id
 * = tag. Segments that are refused deliver zeros, as do those pages (4 KiB) of others that fail, and set meta.error in
 * the packet's last beat. */

/* One per write request with DMA_LAST, after all requests of the packet. */
struct dma_done {
    uint16_t tag;
    uint16_t function;
    uint8_t error; /* 1: refused or failed, some bytes were not written; or a beat of its data had an error */
    uint8_t reserved[3];
};

enum memory_operation {
    MEMORY_READ = 0,  /* the line comes back, in order */
    MEMORY_WRITE = 1, /* the line becomes `data`, then zeros; no answer; atomic as seen by reads */
    MEMORY_COUNT = 2, /* the line is a flow entry: packets += 1, bytes += amount, last_seen = card time; no answer */
    MEMORY_WRITE_WORD = 3, /* bytes 8 * word .. 8 * word + 7 of the line become data[0..7]; else as MEMORY_WRITE */
};

#define MEMORY_WRITE_BYTES 48u /* as many as a control command carries */

struct memory_request {
    uint32_t line; /* lines at or beyond CARD_MEMORY_LINES: reads give zeros, the rest is ignored */
    uint8_t operation;
    uint8_t word; /* 0..7 */
    uint8_t reserved[2];
    uint32_t amount;
    uint8_t reserved2[4];
    uint8_t data[MEMORY_WRITE_BYTES]; /* zero in other operations than writes */
};

struct memory_line {
    uint8_t data[64];
};

struct interrupt_request {
    uint16_t vector; /* card-wide, see VECTOR_* */
    uint8_t reserved[2];
};

#define VECTOR_CONTROL 0u   /* + enum host_ring: something was posted */
#define VECTOR_QUEUE   8u   /* + queue */
#define VECTOR_BLOCK   264u /* + block queue */
#define CARD_VECTORS   (VECTOR_BLOCK + 128u)

/*
 * A write to a doorbell page (4 KiB each): page = queue, DOORBELL_HOST + enum host_ring, DOORBELL_BLOCK + block queue
 * of a virtio-blk function, or DOORBELL_NVME + block queue of an NVMe controller's admin queue: there each of the first
 * DOORBELL_NVME_WORDS words is a doorbell, as in the controller's registers from 0x1000 on with CAP.DSTRD = 0 (NVMe
 * over PCIe Transport 1.0c, 3.1.2).
 */
struct doorbell {
    uint32_t page;
    uint32_t value; /* virtio queues: ignored (virtio writes the queue index); host rings: the new index */
    uint32_t index; /* NVMe: the word in the page: 2 * queue + (completion queue's head ? 1 : 0); else 0 */
    uint32_t time;  /* card time: the low half of nanoseconds */
};

#define DOORBELL_PAGE_BYTES 4096u
#define DOORBELL_HOST       256u
#define DOORBELL_BLOCK      512u /* a multiple of 256: the low bits are the queue */
#define DOORBELL_NVME       640u
#define DOORBELL_PAGES      768u
#define DOORBELL_NVME_WORDS 64u

static_assert(sizeof(struct dma_request) == 32, "dma request is 32 bytes");
static_assert(sizeof(struct dma_done) == 8, "dma done is 8 bytes");
static_assert(sizeof(struct doorbell) == 16, "doorbell is 16 bytes");
static_assert(sizeof(struct memory_request) == 64, "memory request is 64 bytes");

#endif
