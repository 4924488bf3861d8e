/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of NVMe queues with their DMA guards, joined as in card.cfg, and the shell's DMA channels and timer.
 * Everything moves by single steps, so that a test chooses the order. CARD_CHECK(condition) is the includer's.
 */
#ifndef CIPU_TEST_NVME_CARD_H
#define CIPU_TEST_NVME_CARD_H

#include "hls/dma_guard/dma_guard.c"
#include "hls/nvme_cq/nvme_cq.c"
#include "hls/nvme_cq_events/nvme_cq_events.c"
#include "hls/nvme_decode/nvme_decode.c"
#include "hls/nvme_entries/nvme_entries.c"
#include "hls/nvme_events/nvme_events.c"
#include "hls/nvme_queue/nvme_queue.c"
#include "tests/hls/stream.h"

/* What functions own, one after the other on the bus. */
#define MEMORY_BYTES (1u << 23)
#define READ_MAX     (NVME_FETCH * BEAT_BYTES)

enum card_channel { CHANNEL_READ, CHANNEL_WRITE, CHANNEL_CQ, CHANNELS };

struct card_write {
    struct dma_done done;
    bool answering;
};

struct nvme_card {
    struct nvme_entries_state nvme_entries;
    struct nvme_events_state nvme_events;
    struct nvme_queue_state nvme_queue;
    struct nvme_decode_state nvme_decode;
    struct nvme_cq_events_state nvme_cq_events;
    struct nvme_cq_state nvme_cq;
    struct dma_guard_state guard[CHANNELS];

    struct stream doorbell, command, event, again, freed, fetched, read_data, entries, alert, submit, completion;
    struct stream finished, cq_command, cq_event, cq_again, tick, timer, interrupt, cq_completion, cq_alert;
    struct stream asked[CHANNELS], request[CHANNELS]; /* before and after the guard */
    struct stream data[CHANNELS], done[CHANNELS];     /* of the writes */

    uint8_t *memory; /* functions * MEMORY_BYTES, the bus */
    uint32_t functions;
    uint64_t requests[CHANNELS];
    uint64_t windows[CHANNELS];
    /* A test's eyes, and its chance to make a transfer fail. */
    bool (*transfer)(void *context, enum card_channel channel, const struct dma_request *request);
    void *context;

    uint8_t answer[READ_MAX]; /* read but not all delivered */
    uint32_t answer_bytes, answered;
    uint16_t answer_tag;
    bool answer_error;
    struct card_write write[CHANNELS];
    uint32_t now, due;
    bool timed;
};

/* Depths: what holds tokens is as deep as in card.cfg, the rest is `shallow`. */
static inline void nvme_card_open(struct nvme_card *card, uint32_t functions, uint32_t shallow)
{
    card->functions = functions;
    card->memory = calloc(functions, MEMORY_BYTES);
    stream_open(&card->doorbell, 256, sizeof(struct doorbell));
    stream_open(&card->command, 8, sizeof(struct command_entry));
    stream_open(&card->event, shallow, sizeof(struct nvme_event));
    stream_open(&card->again, 512, sizeof(struct nvme_token));
    stream_open(&card->freed, shallow, sizeof(struct block_free));
    stream_open(&card->fetched, shallow, sizeof(struct nvme_fetched));
    stream_open(&card->read_data, shallow, sizeof(struct beat));
    stream_open(&card->entries, shallow, sizeof(struct beat));
    stream_open(&card->alert, shallow, sizeof(struct event_entry));
    stream_open(&card->submit, shallow, sizeof(struct block_submit));
    stream_open(&card->completion, shallow, sizeof(struct command_entry));
    stream_open(&card->finished, shallow, sizeof(struct block_completion));
    stream_open(&card->cq_command, 8, sizeof(struct command_entry));
    stream_open(&card->cq_event, shallow, sizeof(struct nvme_cq_event));
    stream_open(&card->cq_again, 4, sizeof(struct nvme_cq_token));
    stream_open(&card->tick, 4, sizeof(struct timer_tick));
    stream_open(&card->timer, 4, sizeof(struct timer_request));
    stream_open(&card->interrupt, shallow, sizeof(struct interrupt_request));
    stream_open(&card->cq_completion, shallow, sizeof(struct command_entry));
    stream_open(&card->cq_alert, shallow, sizeof(struct event_entry));
    for (unsigned i = 0; i < CHANNELS; i++) {
        uint32_t depth = i == CHANNEL_CQ ? shallow : 256;
        stream_open(&card->asked[i], depth, sizeof(struct dma_request));
        stream_open(&card->request[i], depth, sizeof(struct dma_request));
        stream_open(&card->data[i], depth, sizeof(struct beat));
        stream_open(&card->done[i], 256, sizeof(struct dma_done));
    }
}

static inline void nvme_card_close(struct nvme_card *card)
{
    struct stream *streams[] = {&card->doorbell,  &card->command,       &card->event,     &card->again,
                                &card->freed,     &card->fetched,       &card->read_data, &card->alert,
                                &card->submit,    &card->completion,    &card->finished,  &card->cq_command,
                                &card->cq_event,  &card->cq_again,      &card->tick,      &card->timer,
                                &card->interrupt, &card->cq_completion, &card->cq_alert,  &card->entries};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        stream_close(streams[i]);
    for (unsigned i = 0; i < CHANNELS; i++) {
        stream_close(&card->asked[i]);
        stream_close(&card->request[i]);
        stream_close(&card->data[i]);
        stream_close(&card->done[i]);
    }
    free(card->memory);
}

#define CARD_IN(port, stream)      struct hls_port port = hls_read_begin(&card->stream.fifo)
#define CARD_OUT(port, stream)     struct hls_port port = hls_write_begin(&card->stream.fifo)
#define CARD_IN_END(port, stream)  hls_read_end(&card->stream.fifo, &port)
#define CARD_OUT_END(port, stream) hls_write_end(&card->stream.fifo, &port)

static inline bool run_nvme_entries(struct nvme_card *card)
{
    CARD_IN(in, read_data);
    CARD_OUT(out, entries);
    int ran = nvme_entries(&card->nvme_entries, &in, &out);
    CARD_IN_END(in, read_data);
    CARD_OUT_END(out, entries);
    return ran;
}

static inline bool run_nvme_events(struct nvme_card *card)
{
    CARD_IN(doorbell, doorbell);
    CARD_IN(command, command);
    CARD_IN(data, entries);
    CARD_IN(done, done[CHANNEL_WRITE]);
    CARD_IN(again, again);
    CARD_IN(freed, freed);
    CARD_OUT(out, event);
    int ran = nvme_events(&card->nvme_events, &doorbell, &command, &data, &done, &again, &freed, &out);
    CARD_IN_END(doorbell, doorbell);
    CARD_IN_END(command, command);
    CARD_IN_END(data, entries);
    CARD_IN_END(done, done[CHANNEL_WRITE]);
    CARD_IN_END(again, again);
    CARD_IN_END(freed, freed);
    CARD_OUT_END(out, event);
    return ran;
}

static inline bool run_nvme_queue(struct nvme_card *card)
{
    CARD_IN(event, event);
    CARD_OUT(read, asked[CHANNEL_READ]);
    CARD_OUT(write, asked[CHANNEL_WRITE]);
    CARD_OUT(write_data, data[CHANNEL_WRITE]);
    CARD_OUT(fetched, fetched);
    CARD_OUT(again, again);
    CARD_OUT(alert, alert);
    /* What holds tokens is never full. */
    CARD_CHECK(read.index != read.limit && write.index != write.limit && again.index != again.limit);
    int ran = nvme_queue(&card->nvme_queue, &event, &read, &write, &write_data, &fetched, &again, &alert);
    CARD_IN_END(event, event);
    CARD_OUT_END(read, asked[CHANNEL_READ]);
    CARD_OUT_END(write, asked[CHANNEL_WRITE]);
    CARD_OUT_END(write_data, data[CHANNEL_WRITE]);
    CARD_OUT_END(fetched, fetched);
    CARD_OUT_END(again, again);
    CARD_OUT_END(alert, alert);
    return ran;
}

static inline bool run_nvme_decode(struct nvme_card *card)
{
    CARD_IN(fetched, fetched);
    CARD_OUT(submit, submit);
    CARD_OUT(completion, completion);
    int ran = nvme_decode(&card->nvme_decode, &fetched, &submit, &completion);
    CARD_IN_END(fetched, fetched);
    CARD_OUT_END(submit, submit);
    CARD_OUT_END(completion, completion);
    return ran;
}

static inline bool run_nvme_cq_events(struct nvme_card *card)
{
    CARD_IN(finished, finished);
    CARD_IN(command, cq_command);
    CARD_IN(done, done[CHANNEL_CQ]);
    CARD_IN(again, cq_again);
    CARD_IN(tick, tick);
    CARD_OUT(out, cq_event);
    int ran = nvme_cq_events(&card->nvme_cq_events, &finished, &command, &done, &again, &tick, &out);
    CARD_IN_END(finished, finished);
    CARD_IN_END(command, cq_command);
    CARD_IN_END(done, done[CHANNEL_CQ]);
    CARD_IN_END(again, cq_again);
    CARD_IN_END(tick, tick);
    CARD_OUT_END(out, cq_event);
    return ran;
}

static inline bool run_nvme_cq(struct nvme_card *card)
{
    CARD_IN(event, cq_event);
    CARD_OUT(write, asked[CHANNEL_CQ]);
    CARD_OUT(write_data, data[CHANNEL_CQ]);
    CARD_OUT(freed, freed);
    CARD_OUT(again, cq_again);
    CARD_OUT(timer, timer);
    CARD_OUT(interrupt, interrupt);
    CARD_OUT(completion, cq_completion);
    CARD_OUT(alert, cq_alert);
    CARD_CHECK(again.index != again.limit);
    int ran =
        nvme_cq(&card->nvme_cq, &event, &write, &write_data, &freed, &again, &timer, &interrupt, &completion, &alert);
    CARD_IN_END(event, cq_event);
    CARD_OUT_END(write, asked[CHANNEL_CQ]);
    CARD_OUT_END(write_data, data[CHANNEL_CQ]);
    CARD_OUT_END(freed, freed);
    CARD_OUT_END(again, cq_again);
    CARD_OUT_END(timer, timer);
    CARD_OUT_END(interrupt, interrupt);
    CARD_OUT_END(completion, cq_completion);
    CARD_OUT_END(alert, cq_alert);
    return ran;
}

static inline bool run_guard(struct nvme_card *card, enum card_channel channel)
{
    CARD_IN(in, asked[channel]);
    CARD_OUT(out, request[channel]);
    bool window = false;
    if (in.index != in.limit)
        window = ((const struct dma_request *)hls_slot(&in, HLS_SLOT_BYTES(struct dma_request)))->flags & DMA_WINDOW;
    int ran = dma_guard(&card->guard[channel], &in, &out);
    card->windows[channel] += ran && window;
    CARD_IN_END(in, asked[channel]);
    CARD_OUT_END(out, request[channel]);
    return ran;
}

/* Where a request leads, or NULL when it fails. Whatever passed the guard is inside the function's own memory. */
static inline uint8_t *card_transfer(struct nvme_card *card, enum card_channel channel,
                                     const struct dma_request *request)
{
    CARD_CHECK(!(request->flags & (DMA_WINDOW | DMA_BUS)) && (request->flags & DMA_LAST));
    card->requests[channel]++;
    bool works = card->transfer(card->context, channel, request);
    if (request->flags & DMA_REFUSED)
        return NULL;
    CARD_CHECK(request->function < card->functions && request->length != 0);
    uint64_t base = (uint64_t)request->function * MEMORY_BYTES;
    CARD_CHECK(request->address >= base && request->length <= MEMORY_BYTES &&
               request->address - base <= MEMORY_BYTES - request->length);
    return works ? card->memory + request->address : NULL;
}

static inline bool deliver_answer(struct nvme_card *card)
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
static inline bool run_read(struct nvme_card *card)
{
    if (card->answered != card->answer_bytes)
        return deliver_answer(card);
    struct dma_request request;
    if (!stream_get(&card->request[CHANNEL_READ], &request))
        return false;
    CARD_CHECK(request.length <= READ_MAX);
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

static inline bool run_write(struct nvme_card *card, enum card_channel channel)
{
    struct card_write *write = &card->write[channel];
    if (write->answering) {
        write->answering = !stream_put(&card->done[channel], &write->done);
        return !write->answering;
    }
    struct dma_request request;
    struct beat beat;
    if (!stream_get(&card->request[channel], &request))
        return false;
    CARD_CHECK(stream_get(&card->data[channel], &beat));
    CARD_CHECK(request.length == beat.meta.bytes && beat.meta.last);
    uint8_t *to = card_transfer(card, channel, &request);
    if (to)
        memcpy(to, beat.data, request.length);
    memset(&write->done, 0, sizeof write->done);
    write->done.tag = request.tag;
    write->done.function = request.function;
    write->done.error = !to;
    write->answering = true;
    return true;
}

static inline bool run_timer(struct nvme_card *card)
{
    struct timer_request request;
    if (stream_get(&card->timer, &request)) {
        card->due = request.at;
        card->timed = true;
        return true;
    }
    struct timer_tick tick = {card->now, 0};
    if (!card->timed || (int32_t)(card->now - card->due) < 0)
        return false;
    card->timed = !stream_put(&card->tick, &tick);
    return !card->timed;
}

#define CARD_PARTS 13u

/* One step of one part; false when it had nothing to do. */
static inline bool card_step(struct nvme_card *card, uint32_t part)
{
    switch (part) {
    case 0:
        return run_nvme_events(card);
    case 1:
        return run_nvme_queue(card);
    case 2:
        return run_nvme_decode(card);
    case 3:
        return run_nvme_cq_events(card);
    case 4:
        return run_nvme_cq(card);
    case 5:
    case 6:
    case 7:
        return run_guard(card, (enum card_channel)(part - 5));
    case 8:
        return run_read(card);
    case 9:
        return run_write(card, CHANNEL_WRITE);
    case 10:
        return run_write(card, CHANNEL_CQ);
    case 11:
        return run_nvme_entries(card);
    default:
        return run_timer(card);
    }
}

#endif
