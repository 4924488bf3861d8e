/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of one ring in each direction (INJECT and PUNT), joined as in the card, with a host memory and the DMA
 * channels that they use. ring_card_run lets them run in random order for random lengths.
 */
#ifndef CIPU_TEST_RING_CARD_H
#define CIPU_TEST_RING_CARD_H

#include "hls/include/beat.h"
#include "hls/ring_admit/ring_admit.c"
#include "hls/ring_fetch/ring_fetch.c"
#include "hls/ring_interrupt/ring_interrupt.c"
#include "hls/ring_merge/ring_merge.c"
#include "hls/ring_post/ring_post.c"
#include "hls/ring_router/ring_router.c"
#include "tests/hls/stream.h"

#define RING_CARD_BYTES 65536u
#define RING_CARD_BUS   UINT64_C(0x7f0000000000)

/* A DMA channel of ring entries: requests of whole beats, one beat moved per call. */
struct ring_card_read {
    struct stream request, data;
    struct dma_request current;
    uint64_t left;
    bool refuse;  /* answer with zeros and an error */
    bool stalled; /* answer nothing */
};

struct ring_card_write {
    struct stream request, data, done;
    uint64_t index_writes;
};

struct ring_card {
    uint64_t random;
    struct ring_router_state router;
    struct ring_fetch_state fetch;
    struct ring_merge_state merge;
    struct ring_admit_state admit;
    struct ring_post_state post;
    struct ring_interrupt_state interrupt;
    struct stream setting, doorbell;
    struct stream to_fetch, to_post, to_command, to_completion, to_event, to_backend, to_block;
    struct ring_card_read read;
    struct ring_card_write fetch_write, post_write;
    struct stream fetched;       /* what comes out of the INJECT ring */
    struct stream entry, merged; /* entry: what goes into the PUNT ring */
    struct stream admitted, given_back;
    struct stream none[5]; /* done streams that nobody uses */
    struct stream interrupts;
    uint8_t memory[RING_CARD_BYTES]; /* at bus address RING_CARD_BUS */
};

static inline void ring_card_open(struct ring_card *card, uint64_t seed)
{
    memset(card, 0, sizeof *card);
    card->random = seed;
    stream_open(&card->setting, 8, sizeof(struct ring_setting));
    stream_open(&card->doorbell, 8, sizeof(struct doorbell));
    struct stream *work[] = {&card->to_fetch, &card->to_post,    &card->to_command, &card->to_completion,
                             &card->to_event, &card->to_backend, &card->to_block,   &card->entry,
                             &card->merged,   &card->admitted,   &card->given_back};
    for (size_t i = 0; i < sizeof work / sizeof *work; i++)
        stream_open(work[i], 8, sizeof(struct ring_work));
    stream_open(&card->fetched, 1024, sizeof(struct ring_work)); /* so that the test's driver need not hurry */
    struct stream *requests[] = {&card->read.request, &card->fetch_write.request, &card->post_write.request};
    for (size_t i = 0; i < 3; i++)
        stream_open(requests[i], 8, sizeof(struct dma_request));
    struct stream *beats[] = {&card->read.data, &card->fetch_write.data, &card->post_write.data};
    for (size_t i = 0; i < 3; i++)
        stream_open(beats[i], 4, sizeof(struct beat));
    struct stream *done[] = {&card->fetch_write.done, &card->post_write.done, &card->none[0], &card->none[1],
                             &card->none[2],          &card->none[3],         &card->none[4]};
    for (size_t i = 0; i < 7; i++)
        stream_open(done[i], 4, sizeof(struct dma_done));
    stream_open(&card->interrupts, 8, sizeof(struct interrupt_request));
}

static inline void ring_card_close(struct ring_card *card)
{
    struct stream *all[] = {&card->setting,
                            &card->doorbell,
                            &card->to_fetch,
                            &card->to_post,
                            &card->to_command,
                            &card->to_completion,
                            &card->to_event,
                            &card->to_backend,
                            &card->to_block,
                            &card->none[3],
                            &card->none[4],
                            &card->fetched,
                            &card->entry,
                            &card->merged,
                            &card->admitted,
                            &card->given_back,
                            &card->read.request,
                            &card->read.data,
                            &card->fetch_write.request,
                            &card->fetch_write.data,
                            &card->fetch_write.done,
                            &card->post_write.request,
                            &card->post_write.data,
                            &card->post_write.done,
                            &card->none[0],
                            &card->none[1],
                            &card->none[2],
                            &card->interrupts};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stream_close(all[i]);
}

static inline uint8_t *ring_card_memory(struct ring_card *card, uint64_t address, uint64_t length)
{
    assert_true(address >= RING_CARD_BUS && length <= RING_CARD_BYTES &&
                address - RING_CARD_BUS <= RING_CARD_BYTES - length);
    return card->memory + (address - RING_CARD_BUS);
}

static inline bool ring_card_read_beat(struct ring_card *card)
{
    struct ring_card_read *channel = &card->read;
    if (channel->stalled || !stream_room(&channel->data))
        return false;
    bool first = channel->left == 0;
    if (first) {
        if (!stream_get(&channel->request, &channel->current))
            return false;
        assert_int_equal(channel->current.flags, DMA_LAST | DMA_BUS);
        assert_true(channel->current.length != 0 && channel->current.length % 64 == 0);
        channel->left = channel->current.length;
    }
    struct beat beat;
    memset(&beat, 0, sizeof beat);
    uint64_t address = channel->current.address + channel->current.length - channel->left;
    if (!channel->refuse)
        memcpy(beat.data, ring_card_memory(card, address, 64), 64);
    channel->left -= 64;
    beat.meta.bytes = 64;
    beat.meta.length = first ? (uint16_t)channel->current.length : 0;
    beat.meta.last = channel->left == 0;
    beat.meta.error = beat.meta.last && channel->refuse;
    assert_true(stream_put(&channel->data, &beat));
    return true;
}

/* Requests are one beat or a part of one; the index write closes the packet. */
static inline bool ring_card_write_beat(struct ring_card *card, struct ring_card_write *channel)
{
    struct dma_request request = {0};
    struct beat beat = {{0}, {0}};
    if (!stream_room(&channel->done) || hls_fifo_used(&channel->data.fifo) == 0 ||
        !stream_get(&channel->request, &request))
        return false;
    assert_true(stream_get(&channel->data, &beat));
    assert_int_equal(beat.meta.bytes, request.length);
    memcpy(ring_card_memory(card, request.address, request.length), beat.data, request.length);
    if (request.flags & DMA_LAST) {
        struct dma_done done = {.tag = request.tag, .function = request.function};
        assert_int_equal(request.length, 8);
        assert_true(beat.meta.last);
        assert_true(stream_put(&channel->done, &done));
        channel->index_writes++;
    }
    return true;
}

static inline bool ring_card_router(struct ring_card *card)
{
    struct stream *setting = &card->setting, *doorbell = &card->doorbell, *command = &card->to_command;
    struct stream *completion = &card->to_completion, *punt = &card->to_post, *inject = &card->to_fetch;
    struct stream *event = &card->to_event, *backend = &card->to_backend, *block = &card->to_block;
    STREAM_TEST_IN(setting);
    STREAM_TEST_IN(doorbell);
    STREAM_TEST_OUT(command);
    STREAM_TEST_OUT(completion);
    STREAM_TEST_OUT(punt);
    STREAM_TEST_OUT(inject);
    STREAM_TEST_OUT(event);
    STREAM_TEST_OUT(backend);
    STREAM_TEST_OUT(block);
    bool ran = ring_router(&card->router, &setting_port, &doorbell_port, &command_port, &completion_port, &punt_port,
                           &inject_port, &event_port, &backend_port, &block_port);
    STREAM_TEST_IN_END(setting);
    STREAM_TEST_IN_END(doorbell);
    STREAM_TEST_OUT_END(command);
    STREAM_TEST_OUT_END(completion);
    STREAM_TEST_OUT_END(punt);
    STREAM_TEST_OUT_END(inject);
    STREAM_TEST_OUT_END(event);
    STREAM_TEST_OUT_END(backend);
    STREAM_TEST_OUT_END(block);
    return ran;
}

static inline bool ring_card_fetch(struct ring_card *card)
{
    struct stream *work = &card->to_fetch, *data = &card->read.data, *request = &card->read.request;
    struct stream *out = &card->fetched, *index_request = &card->fetch_write.request;
    struct stream *index_data = &card->fetch_write.data;
    STREAM_TEST_IN(work);
    STREAM_TEST_IN(data);
    STREAM_TEST_OUT(request);
    STREAM_TEST_OUT(out);
    STREAM_TEST_OUT(index_request);
    STREAM_TEST_OUT(index_data);
    bool ran = ring_fetch(&card->fetch, &work_port, &data_port, &request_port, &out_port, &index_request_port,
                          &index_data_port);
    STREAM_TEST_IN_END(work);
    STREAM_TEST_IN_END(data);
    STREAM_TEST_OUT_END(request);
    STREAM_TEST_OUT_END(out);
    STREAM_TEST_OUT_END(index_request);
    STREAM_TEST_OUT_END(index_data);
    return ran;
}

static inline bool ring_card_merge(struct ring_card *card)
{
    struct stream *host = &card->to_post, *entry = &card->entry, *read = &card->given_back, *out = &card->merged;
    STREAM_TEST_IN(host);
    STREAM_TEST_IN(entry);
    STREAM_TEST_IN(read);
    STREAM_TEST_OUT(out);
    bool ran = ring_merge(&card->merge, &host_port, &entry_port, &read_port, &out_port);
    STREAM_TEST_IN_END(host);
    STREAM_TEST_IN_END(entry);
    STREAM_TEST_IN_END(read);
    STREAM_TEST_OUT_END(out);
    return ran;
}

static inline bool ring_card_admit(struct ring_card *card)
{
    struct stream *in = &card->merged, *out = &card->admitted;
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(out);
    bool ran = ring_admit(&card->admit, &in_port, &out_port);
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(out);
    return ran;
}

static inline bool ring_card_post(struct ring_card *card)
{
    struct stream *in = &card->admitted, *request = &card->post_write.request, *data = &card->post_write.data,
                  *read = &card->given_back;
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(request);
    STREAM_TEST_OUT(data);
    STREAM_TEST_OUT(read);
    bool ran = ring_post(&card->post, &in_port, &request_port, &data_port, &read_port);
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(request);
    STREAM_TEST_OUT_END(data);
    STREAM_TEST_OUT_END(read);
    return ran;
}

static inline bool ring_card_interrupt(struct ring_card *card)
{
    struct stream *command = &card->none[0], *completion = &card->none[1], *punt = &card->post_write.done;
    struct stream *inject = &card->fetch_write.done, *event = &card->none[2], *out = &card->interrupts;
    struct stream *backend = &card->none[3], *block = &card->none[4];
    STREAM_TEST_IN(command);
    STREAM_TEST_IN(completion);
    STREAM_TEST_IN(punt);
    STREAM_TEST_IN(inject);
    STREAM_TEST_IN(event);
    STREAM_TEST_IN(backend);
    STREAM_TEST_IN(block);
    STREAM_TEST_OUT(out);
    bool ran = ring_interrupt(&card->interrupt, &command_port, &completion_port, &punt_port, &inject_port, &event_port,
                              &backend_port, &block_port, &out_port);
    STREAM_TEST_IN_END(command);
    STREAM_TEST_IN_END(completion);
    STREAM_TEST_IN_END(punt);
    STREAM_TEST_IN_END(inject);
    STREAM_TEST_IN_END(event);
    STREAM_TEST_IN_END(backend);
    STREAM_TEST_IN_END(block);
    STREAM_TEST_OUT_END(out);
    return ran;
}

#define RING_CARD_PARTS 9u

static inline bool ring_card_part(struct ring_card *card, uint32_t part)
{
    switch (part) {
    case 0:
        return ring_card_router(card);
    case 1:
        return ring_card_fetch(card);
    case 2:
        return ring_card_merge(card);
    case 3:
        return ring_card_post(card);
    case 4:
        return ring_card_interrupt(card);
    case 5:
        return ring_card_read_beat(card);
    case 6:
        return ring_card_write_beat(card, &card->fetch_write);
    case 7:
        return ring_card_admit(card);
    default:
        return ring_card_write_beat(card, &card->post_write);
    }
}

static inline void ring_card_run(struct ring_card *card, unsigned visits)
{
    for (unsigned i = 0; i < visits; i++) {
        uint32_t part = random_below(&card->random, RING_CARD_PARTS);
        uint32_t times = 1 + random_below(&card->random, 6);
        while (times-- > 0 && ring_card_part(card, part))
            ;
    }
}

/* Until nothing moves. */
static inline void ring_card_settle(struct ring_card *card)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint32_t part = 0; part < RING_CARD_PARTS; part++)
            while (ring_card_part(card, part))
                moved = true;
    }
}

static inline void ring_card_set(struct ring_card *card, enum host_ring ring, uint32_t entries, uint32_t index,
                                 uint32_t log2, uint32_t enabled)
{
    struct ring_setting setting = {RING_CARD_BUS + entries, RING_CARD_BUS + index, log2, ring, enabled, 0};
    while (!stream_put(&card->setting, &setting))
        ring_card_run(card, 10);
}

static inline void ring_card_doorbell(struct ring_card *card, enum host_ring ring, uint32_t value)
{
    struct doorbell doorbell = {.page = DOORBELL_HOST + (uint32_t)ring, .value = value};
    while (!stream_put(&card->doorbell, &doorbell))
        ring_card_run(card, 10);
}

static inline struct ring_index ring_card_index(const struct ring_card *card, uint32_t index)
{
    struct ring_index line;
    memcpy(&line, card->memory + index, sizeof line);
    return line;
}

#endif
