/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the buffers of the receive queues, and turns what virtio_rx gives a packet into DMA writes: one segment an
 * activation. Segments of its last chain that it does not reach are passed over.
 */
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/receive.h"

struct virtio_rx_place_state {
    uint64_t address[CARD_FUNCTIONS * RECEIVE_SEGMENTS];
    uint16_t length[CARD_FUNCTIONS * RECEIVE_SEGMENTS];
    uint16_t head[CARD_FUNCTIONS * RECEIVE_SEGMENTS];
    uint8_t last[CARD_FUNCTIONS * RECEIVE_SEGMENTS]; /* of its chain */
    uint32_t remaining;                              /* bytes of the packet without a place */
    uint32_t written;                                /* bytes in the current chain */
    uint16_t function;
    uint16_t position; /* next segment */
    uint8_t left;      /* segments to go */
    uint8_t ends;      /* with them the packet does */
    uint8_t generation;
};

STEP(virtio_rx_place, struct virtio_rx_place_state *state, STREAM_IN_COND(struct receive_place, in),
     STREAM_OUT(struct dma_request, request), STREAM_OUT(struct receive_used, used))
{
    STREAM_WAIT((state->left != 0 || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(request) && STREAM_CAN_WRITE(used));
    struct receive_place item;
    HLS_ZERO(&item, sizeof item);
    bool fresh = state->left == 0;
    if (fresh) {
        STREAM_READ(struct receive_place, record, in);
        HLS_COPY(&item, record, sizeof item);
    }
    bool window = item.kind == PLACE_WINDOW;
    bool command = window || item.kind == PLACE_COMMAND;
    bool chains = !fresh || item.kind == PLACE_CHAINS;
    uint32_t function = fresh ? item.function : state->function;
    uint32_t position = fresh ? item.position : state->position;
    uint32_t left = (fresh ? item.segments : state->left) - 1u;
    bool ends = fresh ? item.last != 0 : state->ends != 0;
    uint8_t generation = fresh ? item.generation : state->generation;
    uint32_t place = (function & (CARD_FUNCTIONS - 1u)) * RECEIVE_SEGMENTS + (position & (RECEIVE_SEGMENTS - 1u));

    if (item.kind == PLACE_SEGMENT) {
        state->address[place] = item.address;
        state->length[place] = (uint16_t)item.length;
        state->head[place] = item.head;
        state->last[place] = item.last;
    }
    uint32_t here = state->length[place];
    uint32_t remaining = fresh ? (uint32_t)item.length : state->remaining;
    uint32_t take = here < remaining ? here : remaining;
    bool chain_ends = chains && state->last[place] != 0;
    uint32_t written = state->written + take;
    if (chains) {
        state->remaining = remaining - take;
        state->written = chain_ends ? 0 : written;
        state->function = (uint16_t)function;
        state->position = (uint16_t)(position + 1u);
        state->left = (uint8_t)left;
        state->ends = ends;
        state->generation = generation;
    }
    if (window || (chains && take != 0)) {
        bool done = ends && take == remaining;
        STREAM_OPEN(struct dma_request, write, request);
        HLS_ZERO(write, sizeof *write);
        write->address = window ? item.address : state->address[place];
        write->length = window ? item.length : take;
        write->function = (uint16_t)function;
        write->flags = (uint16_t)(window ? DMA_WINDOW : done ? DMA_LAST : 0);
        write->tag = (uint16_t)(window ? 0 : 2u * function);
        STREAM_PUSH(struct dma_request, write, request);
    }
    if (command || chain_ends) {
        STREAM_OPEN(struct receive_used, record, used);
        HLS_COPY(record->entry, item.entry, sizeof record->entry);
        record->length = command ? 0 : written;
        record->queue = (uint16_t)(2u * function);
        record->head = (uint16_t)(command ? 0 : state->head[place]);
        record->kind = command ? RECEIVE_COMMAND : RECEIVE_BUFFER;
        record->last = command || (ends && left == 0);
        record->generation = generation;
        HLS_ZERO(record->reserved, sizeof record->reserved);
        STREAM_PUSH(struct receive_used, record, used);
    }
    STEP_END;
}
