/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets a packet's buffers go to the used ring when the DMA writer is done with the packet. A packet that could not be
 * written spoils its queue: neither it nor a later one is reported to the guest, and virtq is told once. Commands
 * complete in their place between the packets.
 */
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/receive.h"

struct virtio_rx_used_state {
    uint8_t faulted[CARD_FUNCTIONS]; /* until the queue is stopped or set */
    struct receive_used held;        /* the first record of a packet that is not done yet */
    uint8_t waiting;                 /* for the DMA writer */
    uint8_t inside;                  /* within a packet's records */
    uint8_t swallow;                 /* the current packet's */
};

HLS_INLINE bool virtio_rx_used_renews(const struct command_entry *entry)
{
    return entry->status == STATUS_OK && (entry->opcode == COMMAND_QUEUE_STOP || entry->opcode == COMMAND_QUEUE_SET);
}

STEP(virtio_rx_used, struct virtio_rx_used_state *state, STREAM_IN_COND(struct dma_done, done),
     STREAM_IN_COND(struct receive_used, used), STREAM_OUT(struct queue_used, out),
     STREAM_OUT(struct command_entry, completion), STREAM_OUT(struct queue_token, fault))
{
    STREAM_WAIT((!state->waiting || STREAM_CAN_READ(done)) && (state->waiting || STREAM_CAN_READ(used)) &&
                STREAM_CAN_WRITE(out) && STREAM_CAN_WRITE(completion) && STREAM_CAN_WRITE(fault));
    bool answered = state->waiting != 0;
    bool failed = false;
    struct receive_used record = state->held;
    if (answered) {
        STREAM_READ(struct dma_done, answer, done);
        failed = answer->error != 0;
    } else {
        STREAM_READ(struct receive_used, next, used);
        HLS_COPY(&record, next, sizeof record);
    }
    uint32_t function = (record.queue >> 1) & (CARD_FUNCTIONS - 1u);
    uint8_t faulted = state->faulted[function];
    bool fresh = failed && !faulted;

    if (record.kind == RECEIVE_COMMAND) {
        struct command_entry entry;
        HLS_COPY(&entry, record.entry, sizeof entry);
        if (virtio_rx_used_renews(&entry))
            faulted = 0;
        STREAM_OPEN(struct command_entry, completed, completion);
        HLS_COPY(completed, &entry, sizeof *completed);
        STREAM_PUSH(struct command_entry, completed, completion);
    } else if (!answered && !state->inside) {
        state->held = record;
        state->waiting = 1;
    } else {
        if (answered) {
            faulted = faulted || failed;
            state->swallow = faulted;
            state->waiting = 0;
        }
        if (!state->swallow) {
            STREAM_OPEN(struct queue_used, buffer, out);
            buffer->queue = record.queue;
            buffer->head = record.head;
            buffer->length = record.length;
            buffer->more = record.last ? 0 : USED_FOLLOWED;
            HLS_ZERO(buffer->reserved, sizeof buffer->reserved);
            STREAM_PUSH(struct queue_used, buffer, out);
        }
        state->inside = !record.last;
    }
    if (fresh) {
        STREAM_OPEN(struct queue_token, token, fault);
        token->queue = record.queue;
        token->amount = 0;
        token->generation = record.generation;
        token->detail = FAULT_ADDRESS;
        HLS_ZERO(token->reserved, sizeof token->reserved);
        STREAM_PUSH(struct queue_token, token, fault);
    }
    state->faulted[function] = faulted;
    STEP_END;
}
