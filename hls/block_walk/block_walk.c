/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts the moves of jobs into pieces of contiguous guest memory and asks the DMA channels to move each between it and
 * the host's buffer, which is contiguous: the same length on `source` and on `target`. The data goes from the one
 * channel to the other and meets no kernel.
 *
 * A piece is held until the next one is known: what joins it without a gap becomes one with it, and the one behind
 * which nothing comes, be it for an error, is marked as the job's last. So block_done knows which answers of the DMA
 * writer belong to a job.
 *
 * Bits come from guests here: what a list may cost is bounded in entry.h.
 */
#include "hls/block_walk/entry.h"

/* What an activation sends. */
struct block_walk_step {
    struct block_walk_held piece;
    struct block_read read;
    uint8_t moves; /* `piece` goes out */
    uint8_t last;  /* ... as the job's last */
    uint8_t reads;
    uint8_t ends; /* the job does */
    uint8_t window;
};

/* Takes a job over. PRP2 is a list of one entry, if it is no list's address. */
HLS_INLINE void block_walk_begin(struct block_walk_state *walk, const struct block_listed *listed)
{
    const struct block_context *context = &listed->job.context;
    const struct block_answer *answer = &listed->job.answer;
    HLS_COPY(&walk->job, &listed->job, sizeof walk->job);
    walk->held.address = listed->address;
    walk->held.address_end = listed->address;
    walk->held.buffer = answer->address;
    walk->held.length = listed->phase == WALK_END ? listed->available : 0u;
    walk->held.room = 0;
    walk->address = listed->address;
    walk->available = listed->available;
    walk->buffer = answer->address;
    walk->remaining = answer->length;
    walk->skip = context->format == BLOCK_CHAIN ? answer->skip : 0u;
    walk->list_address = listed->list_address;
    walk->segment_bytes = listed->segment_bytes;
    walk->index = context->first;
    walk->first = context->first;
    walk->descriptors = 0;
    walk->status = listed->status;
    walk->segments = 1;
    walk->cursor = 0;
    walk->words = (uint8_t)(listed->list_bytes / 8u);
    walk->line = 0;
    walk->spent = 0;
    walk->ended = context->format == BLOCK_SGL && listed->list_bytes == 0;
    walk->last_segment = listed->last_segment;
    walk->bucket = listed->bucket;
    walk->gap = 0;
    walk->more = 0;
    walk->phase = listed->phase;
    if (context->format == BLOCK_PRP && listed->list_bytes == 0) {
        walk->lines[0].words[0] = context->pointer1;
        walk->words = 1;
    }
}

HLS_INLINE void block_walk_fill(struct block_walk_state *walk, const struct beat *beat)
{
    HLS_COPY(&walk->lines[walk->line % BLOCK_WALK_LINES], beat->data, BEAT_BYTES);
    walk->line = (uint8_t)(walk->line + 1u);
    if (beat->meta.last)
        walk->phase = walk->available != 0 ? WALK_PIECE : WALK_ENTRY;
    if (beat->meta.last && beat->meta.error)
        block_walk_fail(walk, NVME_DATA_TRANSFER_ERROR);
}

HLS_INLINE void block_walk_read(struct block_walk_state *walk, struct block_walk_step *step)
{
    uint32_t format = walk->job.context.format;
    struct block_read read = block_list_chain(&walk->job.context, walk->index);
    if (format == BLOCK_PRP)
        read = block_list_prp(walk->list_address, walk->remaining);
    else if (format == BLOCK_SGL)
        read = block_list_sgl(walk->list_address, walk->segment_bytes);
    walk->segment_bytes = walk->segment_bytes > BLOCK_LIST_BYTES ? walk->segment_bytes - BLOCK_LIST_BYTES : 0u;
    walk->first = walk->index;
    walk->words = (uint8_t)(read.bytes / 8u);
    walk->cursor = 0;
    walk->line = 0;
    walk->spent = 0;
    walk->more = 1;
    walk->phase = WALK_FILL;
    step->read = read;
    step->reads = 1;
}

/* A part of the piece: it joins the held one or takes its place. */
HLS_INLINE void block_walk_hold(struct block_walk_state *walk, uint32_t take, struct block_walk_step *step)
{
    struct block_walk_held *held = &walk->held;
    bool room = walk->available <= held->room || walk->remaining <= held->room;
    bool joins = held->length != 0 && !walk->gap && held->address_end == walk->address && room;
    if (joins) {
        held->length += take;
        held->room -= take;
    } else {
        step->piece = *held;
        step->moves = held->length != 0;
        held->address = walk->address;
        held->buffer = walk->buffer;
        held->length = take;
        held->room = BLOCK_PIECE_MAX - take;
    }
    held->address_end = walk->address + take;
    walk->gap = 0;
}

/* Bytes that the host leaves out, then what can be moved at once. */
HLS_INLINE void block_walk_move(struct block_walk_state *walk, struct block_walk_step *step)
{
    bool skips = walk->skip != 0;
    bool large = walk->remaining > BLOCK_PIECE_MAX;
    uint32_t due = skips ? walk->skip : large ? BLOCK_PIECE_MAX : walk->remaining;
    bool used_up = walk->available <= due;
    uint32_t take = used_up ? walk->available : due;
    if (!skips && !large && walk->remaining <= walk->available)
        walk->phase = WALK_END;
    else if (used_up)
        walk->phase = WALK_ENTRY;
    if (walk->bucket)
        walk->gap = 1;
    else if (!skips && walk->available != 0)
        block_walk_hold(walk, take, step);
    walk->available -= take;
    walk->address += take;
    if (skips) {
        walk->skip -= take;
    } else {
        walk->remaining -= take;
        walk->buffer += take;
    }
}

/* One end of the move of a piece: the host's buffer or the guest's memory. */
HLS_INLINE void block_walk_request(struct dma_request *request, const struct block_walk_state *walk,
                                   const struct block_walk_step *step, bool guest)
{
    if (step->window)
        block_window_fill(request, &walk->job.context);
    else if (guest)
        block_request_fill(request, step->piece.address, step->piece.length, walk->job.context.function, DMA_LAST,
                           step->last ? BLOCK_MOVE_LAST : BLOCK_MOVE_MORE);
    else
        block_request_fill(request, step->piece.buffer, step->piece.length, FUNCTION_HOST, DMA_LAST | DMA_BUS,
                           step->last ? BLOCK_MOVE_LAST : BLOCK_MOVE_MORE);
}

STEP(block_walk, struct block_walk_state *state, STREAM_IN_COND(struct block_listed, job),
     STREAM_IN_COND(struct beat, list), STREAM_IN_COND(struct beat, more_data), STREAM_OUT(struct dma_request, more),
     STREAM_OUT(struct dma_request, source), STREAM_OUT(struct dma_request, target),
     STREAM_OUT(struct block_pending, pending))
{
    STREAM_WAIT((state->phase != WALK_IDLE || STREAM_CAN_READ(job)) &&
                (state->phase != WALK_FILL || state->more || STREAM_CAN_READ(list)) &&
                (state->phase != WALK_FILL || !state->more || STREAM_CAN_READ(more_data)) && STREAM_CAN_WRITE(more) &&
                STREAM_CAN_WRITE(source) && STREAM_CAN_WRITE(target) && STREAM_CAN_WRITE(pending));
    struct block_walk_step step;
    HLS_ZERO(&step, sizeof step);
    if (state->phase == WALK_IDLE) {
        STREAM_READ(struct block_listed, next, job);
        block_walk_begin(state, next);
        step.window = next->job.context.format == BLOCK_WINDOW;
        step.ends = next->phase == WALK_IDLE;
    } else if (state->phase == WALK_FILL && state->more) {
        STREAM_READ(struct beat, beat, more_data);
        block_walk_fill(state, beat);
    } else if (state->phase == WALK_FILL) {
        STREAM_READ(struct beat, beat, list);
        block_walk_fill(state, beat);
    } else if (state->phase == WALK_ENTRY) {
        block_walk_entry(state);
    } else if (state->phase == WALK_MORE) {
        block_walk_read(state, &step);
    } else if (state->phase == WALK_PIECE) {
        block_walk_move(state, &step);
    } else {
        step.piece = state->held;
        step.moves = state->held.length != 0;
        step.last = 1;
        step.ends = 1;
        state->phase = WALK_IDLE;
    }

    if (step.window || step.reads) {
        STREAM_OPEN(struct dma_request, read, more);
        if (step.window)
            block_window_fill(read, &state->job.context);
        else
            block_request_fill(read, step.read.address, step.read.bytes, state->job.context.function, DMA_LAST,
                               state->job.context.tag);
        STREAM_PUSH(struct dma_request, read, more);
    }
    if (step.window || step.moves) {
        bool to_guest = (state->job.answer.flags & ANSWER_MOVE_OUT) != 0;
        STREAM_OPEN(struct dma_request, from, source);
        block_walk_request(from, state, &step, !to_guest);
        STREAM_PUSH(struct dma_request, from, source);
        STREAM_OPEN(struct dma_request, to, target);
        block_walk_request(to, state, &step, to_guest);
        STREAM_PUSH(struct dma_request, to, target);
    }
    if (step.ends) {
        STREAM_OPEN(struct block_pending, ended, pending);
        HLS_COPY(&ended->context, &state->job.context, sizeof ended->context);
        HLS_COPY(&ended->answer, &state->job.answer, sizeof ended->answer);
        ended->status = state->status;
        ended->moving = step.moves;
        HLS_ZERO(ended->reserved, sizeof ended->reserved);
        STREAM_PUSH(struct block_pending, ended, pending);
    }
    STEP_END;
}
