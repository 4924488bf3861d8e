/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command's lists mean, read from the specifications without regard to how the kernels do it: recursion over
 * whole lists in memory, one entry at a time. Gives the runs of guest memory in the order of the transfer.
 */
#ifndef CIPU_TEST_BLOCK_REFERENCE_H
#define CIPU_TEST_BLOCK_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hls/include/block.h"
#include "hls/include/nvme.h"
#include "hls/include/virtio.h"

#define REFERENCE_RUNS 4096u

struct reference_run {
    uint64_t address;
    uint32_t length;
    uint32_t offset; /* in the buffer */
};

struct reference {
    const uint8_t *memory;
    uint64_t memory_bytes;
    bool out; /* buffer -> guest */
    uint32_t length;
    uint32_t skip;
    uint32_t done; /* bytes of the transfer that have a place */
    struct reference_run runs[REFERENCE_RUNS];
    uint32_t count;
};

static inline bool reference_load(const struct reference *walk, uint64_t address, void *to, uint32_t bytes)
{
    if (address > walk->memory_bytes || bytes > walk->memory_bytes - address)
        return false;
    memcpy(to, walk->memory + address, bytes);
    return true;
}

/* Memory that the transfer meets next; `bucket`: bytes that go nowhere. Returns whether the transfer is complete. */
static inline bool reference_meet(struct reference *walk, uint64_t address, uint64_t bytes, bool bucket)
{
    uint64_t skipped = bytes < walk->skip ? bytes : walk->skip;
    walk->skip -= (uint32_t)skipped;
    address += skipped;
    bytes -= skipped;
    if (bytes > walk->length - walk->done)
        bytes = walk->length - walk->done;
    if (bytes != 0 && !bucket) {
        struct reference_run run = {address, (uint32_t)bytes, walk->done};
        walk->runs[walk->count++] = run;
    }
    walk->done += (uint32_t)bytes;
    return walk->done == walk->length;
}

static inline uint16_t reference_prp(struct reference *walk, uint64_t prp1, uint64_t prp2)
{
    uint32_t first = 4096u - (uint32_t)(prp1 % 4096u);
    uint32_t behind = walk->length > first ? walk->length - first : 0;
    if (prp1 % 4u != 0 || (behind > 4096u && prp2 % 8u != 0))
        return NVME_PRP_OFFSET;
    uint64_t entry;
    if (behind > 4096u && !reference_load(walk, prp2, &entry, 8))
        return NVME_DATA_TRANSFER_ERROR; /* nothing is moved before the list is there */
    if (reference_meet(walk, prp1, first, false))
        return 0;
    if (behind <= 4096u) {
        if (prp2 % 4096u != 0)
            return NVME_PRP_OFFSET;
        reference_meet(walk, prp2, 4096, false);
        return 0;
    }
    for (uint64_t at = prp2;;) {
        if (!reference_load(walk, at, &entry, 8))
            return NVME_DATA_TRANSFER_ERROR;
        if (entry % 4096u != 0)
            return NVME_PRP_OFFSET;
        if (at % 4096u == 4088u && walk->length - walk->done > 4096u) {
            at = entry;
            continue;
        }
        if (reference_meet(walk, entry, 4096, false))
            return 0;
        at += 8;
    }
}

static inline uint16_t reference_sgl(struct reference *walk, const struct nvme_sgl *sgl, bool in_last, bool at_end,
                                     uint32_t depth)
{
    unsigned type = sgl->identifier >> 4;
    if ((sgl->identifier & 0xf) != 0 || type > 3)
        return NVME_SGL_TYPE;
    if (type == NVME_SGL_DATA || type == NVME_SGL_BIT_BUCKET) {
        bool nothing = type == NVME_SGL_BIT_BUCKET && !walk->out;
        if (reference_meet(walk, sgl->address, nothing ? 0 : sgl->length, type == NVME_SGL_BIT_BUCKET))
            return 0;
        return at_end ? NVME_DATA_SGL_LENGTH : 0xffff;
    }
    if (in_last)
        return NVME_INVALID_SGL_SEGMENT;
    if (!at_end)
        return NVME_INVALID_SGL_COUNT;
    if (sgl->length == 0 || sgl->length % 16u != 0)
        return NVME_INVALID_SGL_SEGMENT;
    if (depth == 32)
        return NVME_INVALID_SGL_COUNT;
    uint16_t status = 0xffff;
    for (uint32_t i = 0; status == 0xffff; i++) {
        struct nvme_sgl next;
        if (!reference_load(walk, sgl->address + i * 16u, &next, 16))
            return NVME_DATA_TRANSFER_ERROR;
        status = reference_sgl(walk, &next, type == NVME_SGL_LAST_SEGMENT, (i + 1) * 16u == sgl->length, depth + 1);
    }
    return status;
}

static inline uint16_t reference_chain(struct reference *walk, uint64_t table, uint32_t entries, uint32_t index)
{
    for (uint32_t steps = 0; steps < 4096; steps++) {
        struct virtq_descriptor descriptor;
        if (index >= entries || !reference_load(walk, table + index * 16u, &descriptor, 16) ||
            (descriptor.flags & VIRTQ_INDIRECT))
            return 1;
        bool writable = descriptor.flags & VIRTQ_WRITE;
        if (writable == walk->out && reference_meet(walk, descriptor.address, descriptor.length, false))
            return 0;
        if (!(descriptor.flags & VIRTQ_NEXT))
            return 1;
        index = descriptor.next;
    }
    return 1;
}

/* Returns the status of the move. */
static inline uint16_t reference_walk(struct reference *walk, const struct block_context *context,
                                      const struct block_answer *answer)
{
    walk->out = answer->flags & ANSWER_MOVE_OUT;
    walk->length = answer->length;
    walk->skip = context->format == BLOCK_CHAIN ? answer->skip : 0;
    walk->done = 0;
    walk->count = 0;
    if (context->format == BLOCK_PRP)
        return reference_prp(walk, context->pointer0, context->pointer1);
    if (context->format == BLOCK_CHAIN)
        return reference_chain(walk, context->pointer0, context->table_entries, context->first);
    struct nvme_sgl sgl;
    memcpy(&sgl, &context->pointer0, 8);
    memcpy((uint8_t *)&sgl + 8, &context->pointer1, 8);
    return reference_sgl(walk, &sgl, false, true, 0);
}

#endif
