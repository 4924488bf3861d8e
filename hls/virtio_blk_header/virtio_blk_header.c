/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes commands of virtio-blk chains by their request headers (VIRTIO 1.2, 5.2.6). Reads, writes of whole sectors and
 * flushes are commands; everything else goes to the host as it is.
 */
#include "hls/include/block_path.h"

struct virtio_blk_header_state {
    struct blk_pending held; /* the chain whose header comes next, when `waiting` */
    uint8_t waiting;
};

/* Whole sectors, as many as one answer moves; an offset that is one. */
HLS_INLINE bool virtio_blk_header_plain(const struct virtio_blk_request *header, uint32_t length)
{
    return length != 0 && length <= BLOCK_DATA_MAX && length % VIRTIO_BLK_SECTOR == 0 && header->sector >> 55 == 0;
}

HLS_INLINE void virtio_blk_header_command(struct block_command *command, const struct blk_pending *chain,
                                          const struct virtio_blk_request *header)
{
    uint32_t behind = chain->readable - (uint32_t)sizeof *header;
    bool read = header->type == VIRTIO_BLK_IN && virtio_blk_header_plain(header, chain->writable);
    bool write = header->type == VIRTIO_BLK_OUT && virtio_blk_header_plain(header, behind);
    bool flush = header->type == VIRTIO_BLK_FLUSH;
    bool raw = chain->kind == BLK_BARE || !(read || write || flush);
    HLS_ZERO(command, sizeof *command);
    command->kind = raw ? BACKEND_RAW : BACKEND_COMMAND;
    command->tag = (uint16_t)(chain->queue * BLOCK_SLOTS + (chain->head & (BLOCK_SLOTS - 1u)));
    command->function = chain->function;
    command->queue = chain->queue;
    command->flags = BLOCK_VIRTIO;
    command->volume = chain->volume;
    command->identifier = chain->head;
    command->readable = chain->readable;
    command->writable = chain->writable;
    if (!raw) {
        command->opcode = read ? BLOCK_READ : write ? BLOCK_WRITE : BLOCK_FLUSH;
        command->offset = flush ? 0u : header->sector * VIRTIO_BLK_SECTOR;
        command->length = read ? chain->writable : write ? behind : 0u;
    }
}

HLS_INLINE void virtio_blk_header_context(struct block_context *context, const struct blk_pending *chain, uint16_t tag)
{
    HLS_ZERO(context, sizeof *context);
    context->pointer0 = chain->table;
    context->pointer1 = chain->status;
    context->table_entries = chain->table_entries;
    context->readable = chain->readable;
    context->writable = chain->writable;
    context->first = chain->first;
    context->tag = tag;
    context->function = chain->function;
    context->queue = chain->queue;
    context->completion = chain->queue;
    context->identifier = chain->head;
    context->format = chain->kind == BLK_WINDOW ? BLOCK_WINDOW : BLOCK_CHAIN;
    context->generation = chain->generation;
}

STEP(virtio_blk_header, struct virtio_blk_header_state *state, STREAM_IN_COND(struct blk_pending, pending),
     STREAM_IN_COND(struct beat, data), STREAM_OUT(struct block_submit, submit),
     STREAM_OUT(struct command_entry, completion))
{
    STREAM_WAIT((state->waiting || STREAM_CAN_READ(pending)) && (!state->waiting || STREAM_CAN_READ(data)) &&
                STREAM_CAN_WRITE(submit) && STREAM_CAN_WRITE(completion));
    struct blk_pending chain = state->held;
    struct virtio_blk_request header;
    HLS_ZERO(&header, sizeof header);
    bool submits = true;
    if (state->waiting) {
        STREAM_READ(struct beat, beat, data);
        if (beat->meta.error)
            chain.kind = BLK_BARE; /* the host will find out */
        else
            HLS_COPY(&header, beat->data, sizeof header);
        state->waiting = 0;
    } else {
        STREAM_READ(struct blk_pending, next, pending);
        HLS_COPY(&chain, next, sizeof chain);
        HLS_COPY(&state->held, next, sizeof state->held);
        state->waiting = next->kind == BLK_HEADER;
        submits = next->kind == BLK_BARE || next->kind == BLK_WINDOW;
        if (next->kind == BLK_ENTRY) {
            STREAM_OPEN(struct command_entry, completed, completion);
            HLS_COPY(completed, next->entry, sizeof *completed);
            STREAM_PUSH(struct command_entry, completed, completion);
        }
    }
    if (submits) {
        STREAM_OPEN(struct block_submit, command, submit);
        virtio_blk_header_command(&command->command, &chain, &header);
        virtio_blk_header_context(&command->context, &chain, command->command.tag);
        HLS_COPY(command->raw, chain.entry, sizeof command->raw);
        if (chain.kind != BLK_WINDOW && command->command.kind == BACKEND_RAW)
            HLS_COPY(command->raw, &header, sizeof header);
        STREAM_PUSH(struct block_submit, command, submit);
    }
    STEP_END;
}
