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
};

struct ring_work {
    uint8_t data[RING_ENTRY_BYTES];
    uint32_t value;
    uint16_t entries; /* to the host, in a record's first entry: entries of the record; else 0 */
    uint8_t kind;     /* enum ring_work_kind */
    uint8_t last;     /* to the host: closes the record */
    uint8_t error;    /* with last: the record must not reach the host */
    uint8_t more;     /* another entry follows at once: the index may wait for it; set by ring_merge */
    uint8_t reserved[6];
};

static_assert(sizeof(struct ring_work) == 80, "ring work is 80 bytes");

/* Tag of index writes that raise no interrupt; other tags are vectors. */
#define RING_TAG_QUIET 0xffffu

HLS_INLINE void ring_entry_fill(struct ring_work *work, uint32_t entries, uint32_t last, uint32_t error)
{
    work->value = 0;
    work->entries = (uint16_t)entries;
    work->kind = RING_WORK_ENTRY;
    work->last = (uint8_t)last;
    work->error = (uint8_t)error;
    work->more = 0;
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
