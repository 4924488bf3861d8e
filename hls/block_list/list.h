/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the list of a command's memory is read: PRP lists (NVM Express Base 2.0c, 4.1.1), SGL segments (4.1.2), the
 * descriptor table of a virtqueue (VIRTIO 1.2, 2.7.5). block_list reads its beginning and says what that means,
 * block_walk reads the rest, if there is one.
 */
#ifndef CIPU_BLOCK_LIST_H
#define CIPU_BLOCK_LIST_H

#include "hls/include/block_path.h"
#include "hls/include/virtio.h"

#define BLOCK_LIST_BYTES 512u /* read at once, at most */
#define BLOCK_PIECE_MAX  65536u

enum block_walk_phase {
    WALK_IDLE = 0,
    WALK_FILL = 1,  /* the bytes of a read come */
    WALK_ENTRY = 2, /* the next entry of the list is due */
    WALK_MORE = 3,  /* the next read of the list is due */
    WALK_PIECE = 4, /* `available` bytes from `address` on are due */
    WALK_END = 5,   /* what is held is the last piece */
};

struct block_read {
    uint64_t address;
    uint32_t bytes; /* 0: nothing is read */
};

HLS_INLINE uint32_t block_list_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

HLS_INLINE uint32_t block_list_page_left(uint64_t address)
{
    return NVME_PAGE_BYTES - ((uint32_t)address & (NVME_PAGE_BYTES - 1u));
}

/* `bytes` of the transfer are behind the list from `address` on, which lies in a page; so the entries up to that
 * page's end are read at most. */
HLS_INLINE struct block_read block_list_prp(uint64_t address, uint32_t bytes)
{
    uint32_t pages = bytes / NVME_PAGE_BYTES + (bytes % NVME_PAGE_BYTES != 0 ? 1u : 0u);
    uint32_t few = pages < BLOCK_LIST_BYTES / 8u ? pages * 8u : BLOCK_LIST_BYTES;
    struct block_read read;
    read.address = address;
    read.bytes = block_list_least(few, block_list_page_left(address));
    return read;
}

HLS_INLINE struct block_read block_list_sgl(uint64_t address, uint32_t bytes)
{
    struct block_read read;
    read.address = address;
    read.bytes = block_list_least(bytes, BLOCK_LIST_BYTES);
    return read;
}

HLS_INLINE struct block_read block_list_chain(const struct block_context *context, uint32_t index)
{
    uint32_t left = index < context->table_entries ? context->table_entries - index : 0u;
    uint32_t entries = block_list_least(left, BLOCK_LIST_BYTES / (uint32_t)sizeof(struct virtq_descriptor));
    struct block_read read;
    read.address = context->pointer0 + (uint64_t)index * sizeof(struct virtq_descriptor);
    read.bytes = entries * (uint32_t)sizeof(struct virtq_descriptor);
    return read;
}

/* 4.1.2: descriptors fill a segment. */
HLS_INLINE bool block_list_segment_good(uint32_t bytes)
{
    return bytes != 0 && bytes % sizeof(struct nvme_sgl) == 0;
}

/* The lower half is a subtype: only addresses are known. */
HLS_INLINE bool block_list_identifier_good(uint32_t identifier)
{
    return (identifier & 15u) == 0 && identifier >> 4 <= NVME_SGL_LAST_SEGMENT;
}

HLS_INLINE bool block_list_segment(uint32_t type)
{
    return type == NVME_SGL_SEGMENT || type == NVME_SGL_LAST_SEGMENT;
}

/* Of a pointer that is refused nothing is read. */
HLS_INLINE void block_list_refuse(struct block_listed *listed, uint32_t status)
{
    listed->status = (uint16_t)status;
    listed->available = 0;
    listed->list_bytes = 0;
    listed->phase = WALK_END;
}

HLS_INLINE void block_list_read(struct block_listed *listed, const struct block_read *read)
{
    listed->list_address = read->address;
    listed->list_bytes = (uint16_t)read->bytes;
    listed->phase = WALK_FILL;
}

HLS_INLINE void block_list_piece(struct block_listed *listed, uint64_t address, uint32_t bytes)
{
    uint32_t length = listed->job.answer.length;
    bool whole = !listed->bucket && length <= bytes && length <= BLOCK_PIECE_MAX;
    listed->address = address;
    listed->available = whole ? length : bytes;
    listed->phase = whole ? WALK_END : WALK_PIECE;
}

/* 4.1.1: PRP1 is a page or its end, PRP2 another page or, if there are more, where their list is. */
HLS_INLINE void block_list_begin_prp(struct block_listed *listed)
{
    const struct block_context *context = &listed->job.context;
    uint32_t in_first = block_list_page_left(context->pointer0), length = listed->job.answer.length;
    uint32_t behind = length > in_first ? length - in_first : 0u;
    bool is_list = behind > NVME_PAGE_BYTES;
    struct block_read read = block_list_prp(context->pointer1, behind);
    block_list_piece(listed, context->pointer0, in_first);
    if (is_list)
        block_list_read(listed, &read);
    if ((context->pointer0 & 3u) != 0 || (is_list && (context->pointer1 & 7u) != 0))
        block_list_refuse(listed, NVME_PRP_OFFSET);
}

/* The length of a bit bucket counts only where the guest reads (4.1.2). */
HLS_INLINE uint32_t block_list_sgl_bytes(const struct block_answer *answer, uint32_t bytes, uint32_t type)
{
    return type != NVME_SGL_BIT_BUCKET || (answer->flags & ANSWER_MOVE_OUT) != 0 ? bytes : 0u;
}

HLS_INLINE void block_list_begin_sgl(struct block_listed *listed)
{
    const struct block_context *context = &listed->job.context;
    uint32_t bytes = (uint32_t)context->pointer1, identifier = (uint32_t)(context->pointer1 >> 56);
    uint32_t type = identifier >> 4;
    struct block_read read = block_list_sgl(context->pointer0, bytes);
    listed->bucket = type == NVME_SGL_BIT_BUCKET;
    listed->last_segment = type == NVME_SGL_LAST_SEGMENT;
    if (!block_list_identifier_good(identifier))
        block_list_refuse(listed, NVME_SGL_TYPE);
    else if (!block_list_segment(type))
        block_list_piece(listed, context->pointer0, block_list_sgl_bytes(&listed->job.answer, bytes, type));
    else if (!block_list_segment_good(bytes))
        block_list_refuse(listed, NVME_INVALID_SGL_SEGMENT);
    else
        block_list_read(listed, &read);
    listed->segment_bytes = block_list_segment(type) ? bytes - read.bytes : 0u;
}

HLS_INLINE void block_list_begin(struct block_listed *listed, const struct block_job *job)
{
    HLS_COPY(&listed->job, job, sizeof *job);
    listed->address = 0;
    listed->list_address = 0;
    listed->available = 0;
    listed->segment_bytes = 0;
    listed->list_bytes = 0;
    listed->status = 0;
    listed->phase = WALK_IDLE;
    listed->last_segment = 0;
    listed->bucket = 0;
    listed->reserved = 0;
    struct block_read chain = block_list_chain(&job->context, job->context.first);
    bool moves = block_moves(job);
    if (moves && job->context.format == BLOCK_PRP)
        block_list_begin_prp(listed);
    else if (moves && job->context.format == BLOCK_SGL)
        block_list_begin_sgl(listed);
    else if (moves && chain.bytes != 0)
        block_list_read(listed, &chain);
    else if (moves)
        block_list_refuse(listed, BLOCK_VIRTIO_IOERR);
}

#endif
