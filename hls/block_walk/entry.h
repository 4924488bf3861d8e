/* SPDX-License-Identifier: Apache-2.0 */
/* What block_walk remembers of a job, and what an entry of its list means: the next piece of guest memory, where the
 * list goes on, or why the walk ends. */
#ifndef CIPU_BLOCK_WALK_ENTRY_H
#define CIPU_BLOCK_WALK_ENTRY_H

#include "hls/block_list/list.h"

#define BLOCK_WALK_DESCRIPTORS 1024u /* of a job, at most: a guest's list may lead into itself */
#define BLOCK_WALK_SEGMENTS    32u   /* SGL segments of a job, at most */
#define BLOCK_WALK_LINES       (BLOCK_LIST_BYTES / BEAT_BYTES)

/* Contiguous in the guest's memory and in the buffer; not sent yet, as it may be the job's last. */
struct block_walk_held {
    uint64_t address;
    uint64_t address_end;
    uint64_t buffer;
    uint32_t length; /* 0 = none */
    uint32_t room;   /* bytes that may still join it */
};

struct block_walk_line {
    uint64_t words[BEAT_BYTES / 8u];
};

struct block_walk_state {
    struct block_job job;
    struct block_walk_held held;
    struct block_walk_line lines[BLOCK_WALK_LINES]; /* what was read of the list last */
    uint64_t address;                               /* of the piece */
    uint64_t buffer;
    uint64_t list_address;  /* of lines[0] */
    uint32_t available;     /* bytes of the entry that are left */
    uint32_t remaining;     /* bytes of the transfer that are left */
    uint32_t skip;          /* CHAIN: bytes that are left out before */
    uint32_t segment_bytes; /* SGL: of the segment, behind what was read */
    uint16_t index;         /* CHAIN: of the next descriptor */
    uint16_t first;         /* CHAIN: index of the descriptor in lines[0] */
    uint16_t descriptors;   /* rounds of WALK_ENTRY so far */
    uint16_t status;
    uint8_t segments;     /* so far */
    uint8_t cursor;       /* the next entry, in words of 8 bytes */
    uint8_t words;        /* in lines */
    uint8_t line;         /* the next one that comes */
    uint8_t spent;        /* the next entry is not in lines */
    uint8_t ended;        /* there is no next entry */
    uint8_t last_segment; /* SGL: the list is in one */
    uint8_t bucket;       /* SGL: the piece is not to be moved */
    uint8_t gap;          /* SGL: of the buffer between the held piece and what comes next */
    uint8_t more;         /* the read was asked for on `more`, not by block_list */
    uint8_t phase;        /* enum block_walk_phase */
};

HLS_INLINE void block_walk_fail(struct block_walk_state *walk, uint32_t nvme_status)
{
    walk->status = (uint16_t)(walk->job.context.format == BLOCK_CHAIN ? BLOCK_VIRTIO_IOERR : nvme_status);
    walk->phase = WALK_END;
}

HLS_INLINE void block_walk_piece(struct block_walk_state *walk, uint64_t address, uint32_t bytes)
{
    walk->address = address;
    walk->available = bytes;
    walk->phase = WALK_PIECE;
}

/* A segment's first descriptors are to be read. */
HLS_INLINE void block_walk_segment(struct block_walk_state *walk, uint64_t address, uint32_t bytes, uint32_t type)
{
    if (!block_list_segment_good(bytes)) {
        block_walk_fail(walk, NVME_INVALID_SGL_SEGMENT);
    } else if (walk->segments == BLOCK_WALK_SEGMENTS) {
        block_walk_fail(walk, NVME_INVALID_SGL_COUNT);
    } else {
        walk->segments = (uint8_t)(walk->segments + 1u);
        walk->last_segment = type == NVME_SGL_LAST_SEGMENT;
        walk->list_address = address;
        walk->segment_bytes = bytes;
        walk->ended = 0;
        walk->phase = WALK_MORE;
    }
}

/* 4.1.1: an entry is a page, and the last one of a page of entries, if more bytes than a page are due, where the next
 * entries are. Offsets are 0. */
HLS_INLINE void block_walk_prp(struct block_walk_state *walk, uint64_t entry)
{
    uint32_t place = ((uint32_t)walk->list_address + walk->cursor * 8u) & (NVME_PAGE_BYTES - 1u);
    bool pointer = place == NVME_PAGE_BYTES - 8u && walk->remaining > NVME_PAGE_BYTES;
    walk->cursor = (uint8_t)(walk->cursor + 1u);
    walk->spent = walk->cursor == walk->words;
    if ((entry & (NVME_PAGE_BYTES - 1u)) != 0) {
        block_walk_fail(walk, NVME_PRP_OFFSET);
    } else if (pointer) {
        walk->list_address = entry;
        walk->phase = WALK_MORE;
    } else {
        block_walk_piece(walk, entry, NVME_PAGE_BYTES);
    }
}

HLS_INLINE void block_walk_sgl(struct block_walk_state *walk, const struct nvme_sgl *sgl)
{
    uint32_t type = (uint32_t)sgl->identifier >> 4;
    walk->cursor = (uint8_t)(walk->cursor + 2u);
    walk->spent = walk->cursor == walk->words;
    walk->ended = walk->spent && walk->segment_bytes == 0;
    walk->bucket = type == NVME_SGL_BIT_BUCKET;
    if (!block_list_identifier_good(sgl->identifier))
        block_walk_fail(walk, NVME_SGL_TYPE);
    else if (!block_list_segment(type))
        block_walk_piece(walk, sgl->address, block_list_sgl_bytes(&walk->job.answer, sgl->length, type));
    else if (walk->last_segment)
        block_walk_fail(walk, NVME_INVALID_SGL_SEGMENT);
    else if (!walk->ended)
        block_walk_fail(walk, NVME_INVALID_SGL_COUNT);
    else
        block_walk_segment(walk, sgl->address, sgl->length, type);
}

/* The guest may have changed the chain since virtq looked at it. */
HLS_INLINE void block_walk_chain(struct block_walk_state *walk, const struct virtq_descriptor *descriptor)
{
    bool writable = (descriptor->flags & VIRTQ_WRITE) != 0;
    bool wanted = writable == ((walk->job.answer.flags & ANSWER_MOVE_OUT) != 0);
    uint16_t ahead = (uint16_t)(descriptor->next - walk->first);
    walk->index = descriptor->next;
    walk->cursor = (uint8_t)(ahead * 2u % (BLOCK_LIST_BYTES / 8u));
    walk->spent = ahead >= walk->words / 2u;
    walk->ended = (descriptor->flags & VIRTQ_NEXT) == 0 || descriptor->next >= walk->job.context.table_entries;
    if (descriptor->flags & VIRTQ_INDIRECT)
        block_walk_fail(walk, 0);
    else
        block_walk_piece(walk, descriptor->address, wanted ? descriptor->length : 0u);
}

/* The entry that is due: of the list as it was read, or of a part of it that has to be read first. */
HLS_INLINE void block_walk_entry(struct block_walk_state *walk)
{
    struct block_walk_line line = walk->lines[walk->cursor / 8u % BLOCK_WALK_LINES];
    uint64_t pair[2] = {line.words[walk->cursor & 6u], line.words[(walk->cursor & 6u) + 1u]};
    if (walk->descriptors == BLOCK_WALK_DESCRIPTORS) {
        block_walk_fail(walk, NVME_INVALID_SGL_COUNT);
    } else if (walk->ended) {
        block_walk_fail(walk, NVME_DATA_SGL_LENGTH);
    } else if (walk->spent) {
        walk->list_address += BLOCK_LIST_BYTES;
        walk->phase = WALK_MORE;
    } else if (walk->job.context.format == BLOCK_PRP) {
        block_walk_prp(walk, pair[walk->cursor & 1u]);
    } else if (walk->job.context.format == BLOCK_SGL) {
        struct nvme_sgl sgl;
        HLS_COPY(&sgl, pair, sizeof sgl);
        block_walk_sgl(walk, &sgl);
    } else {
        struct virtq_descriptor descriptor;
        HLS_COPY(&descriptor, pair, sizeof descriptor);
        block_walk_chain(walk, &descriptor);
    }
    walk->descriptors = (uint16_t)(walk->descriptors + 1u);
}

#endif
