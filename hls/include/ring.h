/* SPDX-License-Identifier: Apache-2.0 */
/* What travels between the kernels of the host rings: what came from the host (settings, doorbells) and entries. */
#ifndef CIPU_RING_H
#define CIPU_RING_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"

enum ring_work_kind {
    RING_WORK_SETTING = 1,  /* data = struct ring_setting, then zeros */
    RING_WORK_DOORBELL = 2, /* value = the index that the host wrote */
    RING_WORK_ENTRY = 3,    /* data = one entry */
    RING_WORK_RELEASE = 4,  /* the host has read an entry of `source` */
};

struct ring_work {
    uint8_t data[RING_ENTRY_BYTES];
    uint32_t value;
    uint16_t entries; /* to the host, in a record's first entry: entries of the record; else 0 */
    uint8_t kind;     /* enum ring_work_kind */
    uint8_t last;     /* to the host: closes the record */
    uint8_t error;    /* with last: the record must not reach the host */
    uint8_t more;     /* another entry follows at once: the index may wait for it; set by ring_merge */
    uint8_t source;   /* to the host: whose record it is; RING_SOURCE_* */
    /* Between ring_admit and ring_post; `value` is then the count of dropped records. */
    uint8_t generation; /* of the ring's setting */
    uint8_t admitted;   /* the entry is to be written */
    uint8_t whole;      /* with last: the record is to be published */
    uint8_t reserved[2];
};

static_assert(sizeof(struct ring_work) == 80, "ring work is 80 bytes");

/* Sources of records to the host, each with its fair share of the ring. */
#define RING_SOURCE_ALONE    0u                                      /* the ring has no other: no share */
#define RING_SOURCE_FUNCTION 1u                                      /* + function */
#define RING_SOURCE_PORT     (RING_SOURCE_FUNCTION + CARD_FUNCTIONS) /* + port */
#define RING_SOURCE_HOST     (RING_SOURCE_PORT + CARD_PORTS)         /* what the host itself injected */
#define RING_SOURCES         256u

/* Tag of index writes that raise no interrupt; other tags are vectors. */
#define RING_TAG_QUIET 0xffffu

HLS_INLINE uint8_t ring_source(uint32_t endpoint, uint32_t id)
{
    uint32_t source = RING_SOURCE_HOST;
    if (endpoint == ENDPOINT_FUNCTION)
        source = RING_SOURCE_FUNCTION + (id & (CARD_FUNCTIONS - 1u));
    else if (endpoint == ENDPOINT_PORT)
        source = RING_SOURCE_PORT + (id & (CARD_PORTS - 1u));
    return (uint8_t)source;
}

HLS_INLINE void ring_entry_fill(struct ring_work *work, uint32_t source, uint32_t entries, uint32_t last,
                                uint32_t error)
{
    work->value = 0;
    work->entries = (uint16_t)entries;
    work->kind = RING_WORK_ENTRY;
    work->last = (uint8_t)last;
    work->error = (uint8_t)error;
    work->more = 0;
    work->source = (uint8_t)source;
    work->generation = 0;
    work->admitted = 0;
    work->whole = 0;
    HLS_ZERO(work->reserved, sizeof work->reserved);
}

/* A write of {index, dropped}, the words of struct ring_index that mean something, as one access of 8 bytes. */
HLS_INLINE void ring_index_request(struct dma_request *request, uint64_t address, uint32_t tag)
{
    request->address = address;
    request->length = 8;
    request->function = FUNCTION_HOST;
    request->flags = DMA_LAST | DMA_BUS;
    request->tag = (uint16_t)tag;
    HLS_ZERO(request->reserved, sizeof request->reserved);
}

HLS_INLINE void ring_index_data(struct beat *beat, uint32_t index, uint32_t dropped)
{
    HLS_ZERO(beat, sizeof *beat);
    HLS_COPY(beat->data, &index, 4);
    HLS_COPY(beat->data + 4, &dropped, 4);
    beat->meta.bytes = 8;
    beat->meta.last = 1;
}

#endif
