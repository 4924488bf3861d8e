/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transmit queues' kernels with their DMA guards, joined as in card.cfg, and a DMA master over the memories of
 * functions. Everything moves by single steps, so that a test chooses the order. CARD_CHECK(condition) is the
 * includer's.
 */
#ifndef CIPU_TEST_TRANSMIT_CARD_H
#define CIPU_TEST_TRANSMIT_CARD_H

#include "hls/dma_guard/dma_guard.c"
#include "hls/queue_events/queue_events.c"
#include "hls/virtio_tx/virtio_tx.c"
#include "hls/virtio_tx_packet/virtio_tx_packet.c"
#include "hls/virtq/virtq.c"
#include "tests/hls/stream.h"

/* What functions own, one after the other on the bus. */
#define MEMORY_BYTES (1u << 21)
#define GATHER_MAX   (PACKET_BYTES_MAX + 12u)
#define READ_MAX     (QUEUE_BLOCK_LINES * BEAT_BYTES)

enum card_channel { CHANNEL_READ, CHANNEL_WRITE, CHANNEL_DATA, CHANNELS };

struct transmit_card {
    struct queue_events_state queue_events;
    struct virtq_state virtq;
    struct virtio_tx_state virtio_tx;
    struct virtio_tx_packet_state virtio_tx_packet;
    struct dma_guard_state guard[CHANNELS];

    struct stream doorbell, command, event, again, credit, fault, segment, pending;
    struct stream asked[CHANNELS], request[CHANNELS]; /* before and after the guard */
    struct stream read_data, write_data, done, data;
    struct stream packet, used, completion, alert, packet_alert; /* what comes out */

    uint8_t *memory; /* functions * MEMORY_BYTES, the bus */
    uint32_t functions;
    uint64_t requests[CHANNELS];
    uint64_t windows[CHANNELS];
    /* A test's eyes, and its chance to make a transfer fail. May be NULL. */
    bool (*transfer)(void *context, enum card_channel channel, const struct dma_request *request);
    void *context;

    uint8_t answer[READ_MAX]; /* of the read channel, read but not all delivered */
    uint32_t answer_bytes, answered;
    uint16_t answer_tag;
    bool answer_error;
    struct dma_done written;
    bool answering_write;
    uint8_t gather[GATHER_MAX];
    uint32_t gathered, delivered;
    uint16_t gather_tag, gather_function;
    bool gather_open, gather_whole, gather_error;
};

/* Depths: what holds tokens is as deep as in card.cfg, the rest is `shallow`. */
static inline void transmit_card_open(struct transmit_card *card, uint32_t functions, uint32_t shallow)
{
    memset(card, 0, sizeof *card);
    card->functions = functions;
    card->memory = calloc(functions, MEMORY_BYTES);
    stream_open(&card->doorbell, 256, sizeof(struct doorbell));
    stream_open(&card->command, 8, sizeof(struct command_entry));
    stream_open(&card->event, shallow, sizeof(struct queue_event));
    stream_open(&card->again, 256, sizeof(struct queue_token));
    stream_open(&card->credit, 512, sizeof(struct queue_token));
    stream_open(&card->fault, 512, sizeof(struct queue_token));
    stream_open(&card->segment, shallow, sizeof(struct virtq_segment));
    stream_open(&card->pending, shallow, sizeof(struct transmit_pending));
    for (unsigned i = 0; i < CHANNELS; i++) {
        stream_open(&card->asked[i], i == CHANNEL_DATA ? shallow : 256, sizeof(struct dma_request));
        stream_open(&card->request[i], i == CHANNEL_DATA ? shallow : 256, sizeof(struct dma_request));
    }
    stream_open(&card->read_data, 256, sizeof(struct beat));
    stream_open(&card->write_data, 256, sizeof(struct beat));
    stream_open(&card->done, 256, sizeof(struct dma_done));
    stream_open(&card->data, shallow, sizeof(struct beat));
    stream_open(&card->packet, shallow, sizeof(struct beat));
    stream_open(&card->used, shallow, sizeof(struct queue_used));
    stream_open(&card->completion, shallow, sizeof(struct command_entry));
    stream_open(&card->alert, shallow, sizeof(struct event_entry));
    stream_open(&card->packet_alert, shallow, sizeof(struct event_entry));
}

static inline void transmit_card_close(struct transmit_card *card)
{
    struct stream *streams[] = {
        &card->doorbell, &card->command, &card->event,      &card->again,      &card->credit,      &card->fault,
        &card->segment,  &card->pending, &card->read_data,  &card->write_data, &card->done,        &card->data,
        &card->packet,   &card->used,    &card->completion, &card->alert,      &card->packet_alert};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        stream_close(streams[i]);
    for (unsigned i = 0; i < CHANNELS; i++) {
        stream_close(&card->asked[i]);
        stream_close(&card->request[i]);
    }
    free(card->memory);
}

#define CARD_IN(name)      struct hls_port name = hls_read_begin(&card->name.fifo)
#define CARD_OUT(name)     struct hls_port name = hls_write_begin(&card->name.fifo)
#define CARD_IN_END(name)  hls_read_end(&card->name.fifo, &name)
#define CARD_OUT_END(name) hls_write_end(&card->name.fifo, &name)

static inline bool run_queue_events(struct transmit_card *card)
{
    struct hls_port data = hls_read_begin(&card->read_data.fifo);
    CARD_IN(doorbell);
    CARD_IN(command);
    CARD_IN(done);
    CARD_IN(again);
    CARD_IN(credit);
    CARD_IN(fault);
    CARD_OUT(event);
    int ran = queue_events(&card->queue_events, &doorbell, &command, &data, &done, &again, &credit, &fault, &event);
    hls_read_end(&card->read_data.fifo, &data);
    CARD_IN_END(doorbell);
    CARD_IN_END(command);
    CARD_IN_END(done);
    CARD_IN_END(again);
    CARD_IN_END(credit);
    CARD_IN_END(fault);
    CARD_OUT_END(event);
    return ran;
}

static inline bool run_virtq(struct transmit_card *card)
{
    struct hls_port read = hls_write_begin(&card->asked[CHANNEL_READ].fifo);
    struct hls_port write = hls_write_begin(&card->asked[CHANNEL_WRITE].fifo);
    CARD_IN(event);
    CARD_OUT(write_data);
    CARD_OUT(segment);
    CARD_OUT(again);
    CARD_OUT(alert);
    int ran = virtq(&card->virtq, &event, &read, &write, &write_data, &segment, &again, &alert);
    hls_write_end(&card->asked[CHANNEL_READ].fifo, &read);
    hls_write_end(&card->asked[CHANNEL_WRITE].fifo, &write);
    CARD_IN_END(event);
    CARD_OUT_END(write_data);
    CARD_OUT_END(segment);
    CARD_OUT_END(again);
    CARD_OUT_END(alert);
    return ran;
}

static inline bool run_virtio_tx(struct transmit_card *card)
{
    struct hls_port request = hls_write_begin(&card->asked[CHANNEL_DATA].fifo);
    CARD_IN(segment);
    CARD_OUT(pending);
    int ran = virtio_tx(&card->virtio_tx, &segment, &request, &pending);
    hls_write_end(&card->asked[CHANNEL_DATA].fifo, &request);
    CARD_IN_END(segment);
    CARD_OUT_END(pending);
    return ran;
}

static inline bool run_virtio_tx_packet(struct transmit_card *card)
{
    CARD_IN(pending);
    CARD_IN(data);
    CARD_OUT(packet);
    CARD_OUT(used);
    CARD_OUT(credit);
    CARD_OUT(fault);
    CARD_OUT(completion);
    CARD_OUT(packet_alert);
    int ran = virtio_tx_packet(&card->virtio_tx_packet, &pending, &data, &packet, &used, &credit, &fault, &completion,
                               &packet_alert);
    CARD_IN_END(pending);
    CARD_IN_END(data);
    CARD_OUT_END(packet);
    CARD_OUT_END(used);
    CARD_OUT_END(credit);
    CARD_OUT_END(fault);
    CARD_OUT_END(completion);
    CARD_OUT_END(packet_alert);
    return ran;
}

static inline bool run_guard(struct transmit_card *card, enum card_channel channel)
{
    struct hls_port in = hls_read_begin(&card->asked[channel].fifo);
    struct hls_port out = hls_write_begin(&card->request[channel].fifo);
    bool window = false;
    if (in.index != in.limit)
        window = ((const struct dma_request *)hls_slot(&in, HLS_SLOT_BYTES(struct dma_request)))->flags & DMA_WINDOW;
    int ran = dma_guard(&card->guard[channel], &in, &out);
    card->windows[channel] += ran && window;
    hls_read_end(&card->asked[channel].fifo, &in);
    hls_write_end(&card->request[channel].fifo, &out);
    return ran;
}

/* Where a request leads, or NULL when it fails. Whatever passed the guard is inside the function's own memory. */
static inline uint8_t *card_transfer(struct transmit_card *card, enum card_channel channel,
                                     const struct dma_request *request)
{
    CARD_CHECK(!(request->flags & (DMA_WINDOW | DMA_BUS)));
    card->requests[channel]++;
    bool works = !card->transfer || card->transfer(card->context, channel, request);
    if (request->flags & DMA_REFUSED)
        return NULL;
    CARD_CHECK(request->function < card->functions && request->length != 0);
    uint64_t base = (uint64_t)request->function * MEMORY_BYTES;
    CARD_CHECK(request->address >= base && request->length <= MEMORY_BYTES &&
               request->address - base <= MEMORY_BYTES - request->length);
    return works ? card->memory + request->address : NULL;
}

static inline bool deliver_answer(struct transmit_card *card)
{
    uint32_t left = card->answer_bytes - card->answered, bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
    struct beat beat;
    memset(&beat, 0, sizeof beat);
    memcpy(beat.data, card->answer + card->answered, bytes);
    beat.meta.bytes = (uint8_t)bytes;
    beat.meta.last = bytes == left;
    beat.meta.error = beat.meta.last && card->answer_error;
    if (card->answered == 0) {
        beat.meta.length = (uint16_t)card->answer_bytes;
        beat.meta.source_id = card->answer_tag;
    }
    if (!stream_put(&card->read_data, &beat))
        return false;
    card->answered += bytes;
    return true;
}

/* Reads and answers are several steps: memory and queues may change between them. */
static inline bool run_read(struct transmit_card *card)
{
    if (card->answered != card->answer_bytes)
        return deliver_answer(card);
    struct dma_request request;
    if (!stream_get(&card->request[CHANNEL_READ], &request))
        return false;
    CARD_CHECK(request.length <= READ_MAX && (request.flags & DMA_LAST));
    const uint8_t *from = card_transfer(card, CHANNEL_READ, &request);
    memset(card->answer, 0, sizeof card->answer);
    if (from)
        memcpy(card->answer, from, request.length);
    card->answer_bytes = (uint32_t)request.length;
    card->answer_tag = request.tag;
    card->answer_error = !from;
    card->answered = 0;
    return true;
}

static inline bool run_write(struct transmit_card *card)
{
    if (card->answering_write) {
        card->answering_write = !stream_put(&card->done, &card->written);
        return !card->answering_write;
    }
    struct dma_request request;
    struct beat beat;
    if (!stream_get(&card->request[CHANNEL_WRITE], &request))
        return false;
    CARD_CHECK(stream_get(&card->write_data, &beat));
    CARD_CHECK(request.length == beat.meta.bytes && beat.meta.last && request.flags & DMA_LAST);
    uint8_t *to = card_transfer(card, CHANNEL_WRITE, &request);
    if (to)
        memcpy(to, beat.data, request.length);
    memset(&card->written, 0, sizeof card->written);
    card->written.tag = request.tag;
    card->written.function = request.function;
    card->written.error = !to;
    card->answering_write = true;
    return true;
}

/* A request or a beat. */
static inline bool run_data(struct transmit_card *card)
{
    struct dma_request request;
    if (!card->gather_whole) {
        if (!stream_get(&card->request[CHANNEL_DATA], &request))
            return false;
        CARD_CHECK(!card->gather_open ||
                   (request.function == card->gather_function && request.tag == card->gather_tag));
        CARD_CHECK(request.length >= 1 && request.length <= GATHER_MAX - card->gathered);
        const uint8_t *from = card_transfer(card, CHANNEL_DATA, &request);
        if (from)
            memcpy(card->gather + card->gathered, from, request.length);
        else
            memset(card->gather + card->gathered, 0, request.length);
        card->gathered += (uint32_t)request.length;
        card->gather_error |= !from;
        card->gather_open = true;
        card->gather_tag = request.tag;
        card->gather_function = request.function;
        card->gather_whole = request.flags & DMA_LAST;
        return true;
    }
    struct beat beat;
    memset(&beat, 0, sizeof beat);
    uint32_t left = card->gathered - card->delivered;
    uint32_t bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
    memcpy(beat.data, card->gather + card->delivered, bytes);
    beat.meta.bytes = (uint8_t)bytes;
    beat.meta.last = bytes == left;
    beat.meta.error = beat.meta.last && card->gather_error;
    if (card->delivered == 0) {
        beat.meta.length = (uint16_t)card->gathered;
        beat.meta.source_id = card->gather_tag;
    }
    if (!stream_put(&card->data, &beat))
        return false;
    card->delivered += bytes;
    if (beat.meta.last) {
        card->gathered = card->delivered = 0;
        card->gather_open = card->gather_whole = card->gather_error = false;
    }
    return true;
}

#define CARD_PARTS 10u

/* One step of one part; false when it had nothing to do. */
static inline bool card_step(struct transmit_card *card, uint32_t part)
{
    switch (part) {
    case 0:
        return run_queue_events(card);
    case 1:
        return run_virtq(card);
    case 2:
        return run_virtio_tx(card);
    case 3:
        return run_virtio_tx_packet(card);
    case 4:
        return run_guard(card, CHANNEL_READ);
    case 5:
        return run_guard(card, CHANNEL_WRITE);
    case 6:
        return run_guard(card, CHANNEL_DATA);
    case 7:
        return run_read(card);
    case 8:
        return run_write(card);
    default:
        return run_data(card);
    }
}

#endif
