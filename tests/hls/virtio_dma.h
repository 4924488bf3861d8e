/* SPDX-License-Identifier: Apache-2.0 */
/* DMA channels for tests of the virtqueue kernels: gathers and scatters over the memories of functions. */
#ifndef CIPU_TEST_VIRTIO_DMA_H
#define CIPU_TEST_VIRTIO_DMA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "tests/hls/stream.h"

#define VIRTIO_FUNCTIONS    4u
#define VIRTIO_MEMORY_BYTES (1u << 20)

/* What guests own. Outside is refused. */
struct virtio_memory {
    uint8_t function[VIRTIO_FUNCTIONS][VIRTIO_MEMORY_BYTES];
};

static inline uint8_t *virtio_at(struct virtio_memory *memory, const struct dma_request *request)
{
    bool inside = request->function < VIRTIO_FUNCTIONS && !(request->flags & DMA_REFUSED) &&
                  request->address <= VIRTIO_MEMORY_BYTES && request->length != 0 &&
                  request->length <= VIRTIO_MEMORY_BYTES - request->address;
    return inside ? &memory->function[request->function][request->address] : NULL;
}

struct virtio_write {
    struct virtio_memory *memory;
    struct stream request, data, done;
    struct dma_request current;
    struct beat beat;
    uint64_t moved; /* bytes of `current` */
    uint32_t used;  /* bytes of `beat` */
    bool active, error;
    uint32_t windows;
    struct dma_request window; /* the last one */
};

static inline void virtio_write_open(struct virtio_write *write, struct virtio_memory *memory, uint32_t depth,
                                     uint32_t done_depth)
{
    memset(write, 0, sizeof *write);
    write->memory = memory;
    stream_open(&write->request, depth, sizeof(struct dma_request));
    stream_open(&write->data, 16, sizeof(struct beat));
    stream_open(&write->done, done_depth, sizeof(struct dma_done));
}

static inline void virtio_write_close(struct virtio_write *write)
{
    stream_close(&write->request);
    stream_close(&write->data);
    stream_close(&write->done);
}

/* The packet's last request is written: its beats must end here too. */
static inline void virtio_write_finish(struct virtio_write *write)
{
    struct dma_done done = {write->current.tag, write->current.function, write->error, {0}};
    assert_int_equal(write->used, write->beat.meta.bytes);
    assert_true(write->beat.meta.last);
    assert_true(stream_put(&write->done, &done));
    memset(&write->beat, 0, sizeof write->beat);
    write->used = 0;
    write->error = false;
}

/* A part of a request. Returns whether anything happened. */
static inline bool virtio_write_step(struct virtio_write *write)
{
    if (!write->active) {
        if (!stream_room(&write->done) || !stream_get(&write->request, &write->current))
            return false;
        write->active = !(write->current.flags & DMA_WINDOW);
        write->moved = 0;
        if (!write->active) {
            write->window = write->current;
            write->windows++;
        }
        return true;
    }
    if (write->used == write->beat.meta.bytes) {
        assert_false(write->beat.meta.last);
        if (!stream_get(&write->data, &write->beat))
            return false;
        write->used = 0;
    }
    uint64_t wanted = write->current.length - write->moved;
    uint32_t there = write->beat.meta.bytes - write->used;
    uint32_t part = wanted < there ? (uint32_t)wanted : there;
    uint8_t *to = virtio_at(write->memory, &write->current);
    if (to)
        memcpy(to + write->moved, write->beat.data + write->used, part);
    else
        write->error = true;
    write->used += part;
    write->moved += part;
    if (write->moved == write->current.length) {
        write->active = false;
        if (write->current.flags & DMA_LAST)
            virtio_write_finish(write);
    }
    return true;
}

/* One read of at most a beat. Returns whether there was one; `request` is it. */
static inline bool virtio_read_step(struct virtio_memory *memory, struct stream *requests, struct stream *data,
                                    struct dma_request *request)
{
    if (!stream_room(data) || !stream_get(requests, request))
        return false;
    if (request->flags & DMA_WINDOW)
        return true;
    struct beat beat;
    memset(&beat, 0, sizeof beat);
    assert_true(request->length <= BEAT_BYTES && (request->flags & DMA_LAST));
    uint8_t *from = virtio_at(memory, request);
    if (from)
        memcpy(beat.data, from, request->length);
    beat.meta.bytes = (uint8_t)request->length;
    beat.meta.last = 1;
    beat.meta.error = from == NULL;
    beat.meta.length = (uint16_t)request->length;
    beat.meta.source_id = request->tag;
    return stream_put(data, &beat);
}

#endif
