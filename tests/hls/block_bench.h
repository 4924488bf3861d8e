/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that move the block path's data, joined as in card.cfg, with DMA channels over the memories of guests and
 * of the host. Parts move in random order, by single steps; streams are shallow.
 */
#ifndef CIPU_TEST_BLOCK_BENCH_H
#define CIPU_TEST_BLOCK_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/block_context/block_context.c"
#include "hls/block_done/block_done.c"
#include "hls/block_list/block_list.c"
#include "hls/block_merge/block_merge.c"
#include "hls/block_post/block_post.c"
#include "hls/block_walk/block_walk.c"
#include "tests/hls/stream.h"

#define BENCH_MEMORY    (8u << 20) /* of a guest, and of the host */
#define BENCH_GUESTS    2u
#define BENCH_GUEST     5u              /* function of guest 0; the others follow */
#define BENCH_HOST_BASE 0x4000000000ull /* bus address of the host's memory */

enum bench_reader_name { READER_LIST = 0, READER_MORE = 1, READERS = 2 };

/* A DMA read channel for requests of a packet each. */
struct bench_reader {
    struct stream request, data;
    struct dma_request now;
    uint32_t delivered;
    bool active;
    uint64_t requests;
    struct dma_request window; /* the last one */
    uint32_t windows;
};

struct block_bench {
    struct block_merge_state block_merge;
    struct block_context_state block_context;
    struct block_post_state block_post;
    struct block_list_state block_list;
    struct block_walk_state block_walk;
    struct block_done_state block_done;

    struct stream nvme, blk, submit, issue, answer, job, listed, moved, pending;
    struct stream source, target, notice, finished_disk;
    struct bench_reader reader[READERS];
    struct stream entry, nvme_done, blk_done, window_done; /* what comes out */

    uint8_t *guest[BENCH_GUESTS];
    uint8_t *host;
    struct dma_done done;
    bool answering;
    struct dma_request window[2]; /* the last of source and target */
    uint32_t windows[2];
    uint64_t pieces;
    uint64_t random;
};

static inline void bench_reader_open(struct bench_reader *reader, uint32_t depth)
{
    stream_open(&reader->request, depth, sizeof(struct dma_request));
    stream_open(&reader->data, depth, sizeof(struct beat));
}

static inline void bench_reader_close(struct bench_reader *reader)
{
    stream_close(&reader->request);
    stream_close(&reader->data);
}

static inline struct block_bench *block_bench_new(uint64_t seed, uint32_t depth)
{
    struct block_bench *bench = aligned_alloc(64, sizeof *bench);
    memset(bench, 0, sizeof *bench);
    bench->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    bench->host = malloc(BENCH_MEMORY);
    random_fill(&bench->random, bench->host, 1u << 20);
    for (uint32_t i = 0; i < BENCH_GUESTS; i++)
        bench->guest[i] = calloc(1, BENCH_MEMORY);
    memset(bench->host + (1u << 20), 0x5a, BENCH_MEMORY - (1u << 20));
    struct stream *submits[] = {&bench->nvme, &bench->blk, &bench->submit};
    for (size_t i = 0; i < 3; i++)
        stream_open(submits[i], depth, sizeof(struct block_submit));
    stream_open(&bench->issue, depth, sizeof(struct block_issue));
    stream_open(&bench->answer, depth, sizeof(struct ring_work));
    stream_open(&bench->job, depth, sizeof(struct block_job));
    stream_open(&bench->listed, depth, sizeof(struct block_listed));
    stream_open(&bench->moved, depth, sizeof(struct dma_done));
    stream_open(&bench->pending, depth, sizeof(struct block_pending));
    for (size_t i = 0; i < READERS; i++)
        bench_reader_open(&bench->reader[i], depth);
    stream_open(&bench->source, depth, sizeof(struct dma_request));
    stream_open(&bench->target, depth, sizeof(struct dma_request));
    stream_open(&bench->notice, depth, sizeof(struct block_command));
    stream_open(&bench->finished_disk, depth, sizeof(struct block_finished));
    stream_open(&bench->entry, depth, sizeof(struct ring_work));
    stream_open(&bench->nvme_done, depth, sizeof(struct block_completion));
    stream_open(&bench->blk_done, depth, sizeof(struct block_completion));
    stream_open(&bench->window_done, depth, sizeof(struct command_entry));
    return bench;
}

static inline void block_bench_free(struct block_bench *bench)
{
    struct stream *streams[] = {
        &bench->nvme,   &bench->blk,           &bench->submit,    &bench->issue,    &bench->answer,     &bench->job,
        &bench->listed, &bench->moved,         &bench->pending,   &bench->source,   &bench->target,     &bench->notice,
        &bench->entry,  &bench->finished_disk, &bench->nvme_done, &bench->blk_done, &bench->window_done};
    for (size_t i = 0; i < READERS; i++)
        bench_reader_close(&bench->reader[i]);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        stream_close(streams[i]);
    for (uint32_t i = 0; i < BENCH_GUESTS; i++)
        free(bench->guest[i]);
    free(bench->host);
    free(bench);
}

/* NULL = refused, as a guard and the bus would. */
static inline uint8_t *bench_at(struct block_bench *bench, const struct dma_request *request)
{
    uint64_t address = request->address;
    uint8_t *memory = NULL;
    if (request->flags & DMA_BUS) {
        assert_int_equal(request->function, FUNCTION_HOST);
        address -= BENCH_HOST_BASE;
        memory = bench->host;
    } else if (request->function >= BENCH_GUEST && request->function < BENCH_GUEST + BENCH_GUESTS) {
        memory = bench->guest[request->function - BENCH_GUEST];
    }
    assert_true(request->length >= 1 && request->length <= 65536);
    bool inside = memory && address <= BENCH_MEMORY && request->length <= BENCH_MEMORY - address;
    return inside ? memory + address : NULL;
}

static inline bool bench_read(struct block_bench *bench, struct bench_reader *reader)
{
    if (!reader->active) {
        if (!stream_get(&reader->request, &reader->now))
            return false;
        reader->delivered = 0;
        reader->active = !(reader->now.flags & DMA_WINDOW);
        if (reader->active) {
            reader->requests++;
            assert_true(reader->now.flags == DMA_LAST && reader->now.length <= 512);
        } else {
            reader->window = reader->now;
            reader->windows++;
        }
        return true;
    }
    struct beat beat;
    memset(&beat, 0, sizeof beat);
    uint32_t left = (uint32_t)reader->now.length - reader->delivered;
    uint32_t bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
    const uint8_t *from = bench_at(bench, &reader->now);
    if (from)
        memcpy(beat.data, from + reader->delivered, bytes);
    beat.meta.bytes = (uint8_t)bytes;
    beat.meta.last = bytes == left;
    beat.meta.error = beat.meta.last && !from;
    if (reader->delivered == 0) {
        beat.meta.length = (uint16_t)reader->now.length;
        beat.meta.source_id = reader->now.tag;
    }
    if (!stream_put(&reader->data, &beat))
        return false;
    reader->delivered += bytes;
    reader->active = !beat.meta.last;
    return true;
}

/* One piece: the read's data goes straight to the write. */
static inline bool bench_move(struct block_bench *bench)
{
    struct dma_request from = {0}, to = {0};
    if (bench->answering) {
        bench->answering = !stream_put(&bench->moved, &bench->done);
        return !bench->answering;
    }
    if (!stream_get(&bench->source, &from))
        return false;
    assert_true(stream_get(&bench->target, &to));
    assert_int_equal(from.flags & DMA_WINDOW, to.flags & DMA_WINDOW);
    if (from.flags & DMA_WINDOW) {
        bench->window[0] = from;
        bench->window[1] = to;
        bench->windows[0]++;
        bench->windows[1]++;
        return true;
    }
    assert_int_equal(from.length, to.length);
    assert_true(from.flags & DMA_LAST && to.flags & DMA_LAST);
    assert_int_not_equal(from.flags & DMA_BUS, to.flags & DMA_BUS);
    const uint8_t *bytes = bench_at(bench, &from);
    uint8_t *place = bench_at(bench, &to);
    if (place && bytes)
        memcpy(place, bytes, to.length);
    else if (place)
        memset(place, 0, to.length);
    memset(&bench->done, 0, sizeof bench->done);
    bench->done.tag = to.tag;
    bench->done.function = to.function;
    bench->done.error = !place || !bytes;
    bench->answering = true;
    bench->pieces++;
    return true;
}

#define BENCH_IN(name, stream)      struct hls_port name = hls_read_begin(&bench->stream.fifo)
#define BENCH_OUT(name, stream)     struct hls_port name = hls_write_begin(&bench->stream.fifo)
#define BENCH_IN_END(name, stream)  hls_read_end(&bench->stream.fifo, &name)
#define BENCH_OUT_END(name, stream) hls_write_end(&bench->stream.fifo, &name)

static inline bool bench_merge(struct block_bench *bench)
{
    BENCH_IN(nvme, nvme);
    BENCH_IN(blk, blk);
    BENCH_OUT(out, submit);
    int ran = block_merge(&bench->block_merge, &nvme, &blk, &out);
    BENCH_IN_END(nvme, nvme);
    BENCH_IN_END(blk, blk);
    BENCH_OUT_END(out, submit);
    return ran;
}

static inline bool bench_context(struct block_bench *bench)
{
    BENCH_IN(submit, submit);
    BENCH_IN(answer, answer);
    BENCH_OUT(issue, issue);
    BENCH_OUT(job, job);
    int ran = block_context(&bench->block_context, &submit, &answer, &issue, &job);
    BENCH_IN_END(submit, submit);
    BENCH_IN_END(answer, answer);
    BENCH_OUT_END(issue, issue);
    BENCH_OUT_END(job, job);
    return ran;
}

static inline bool bench_post(struct block_bench *bench)
{
    BENCH_IN(issue, issue);
    BENCH_IN(notice, notice);
    BENCH_OUT(out, entry);
    int ran = block_post(&bench->block_post, &issue, &notice, &out);
    BENCH_IN_END(issue, issue);
    BENCH_IN_END(notice, notice);
    BENCH_OUT_END(out, entry);
    return ran;
}

static inline bool bench_list(struct block_bench *bench)
{
    BENCH_IN(job, job);
    BENCH_OUT(request, reader[READER_LIST].request);
    BENCH_OUT(out, listed);
    int ran = block_list(&bench->block_list, &job, &request, &out);
    BENCH_IN_END(job, job);
    BENCH_OUT_END(request, reader[READER_LIST].request);
    BENCH_OUT_END(out, listed);
    return ran;
}

static inline bool bench_walk(struct block_bench *bench)
{
    BENCH_IN(job, listed);
    BENCH_IN(list, reader[READER_LIST].data);
    BENCH_IN(more_data, reader[READER_MORE].data);
    BENCH_OUT(more, reader[READER_MORE].request);
    BENCH_OUT(source, source);
    BENCH_OUT(target, target);
    BENCH_OUT(pending, pending);
    int ran = block_walk(&bench->block_walk, &job, &list, &more_data, &more, &source, &target, &pending);
    BENCH_IN_END(job, listed);
    BENCH_IN_END(list, reader[READER_LIST].data);
    BENCH_IN_END(more_data, reader[READER_MORE].data);
    BENCH_OUT_END(more, reader[READER_MORE].request);
    BENCH_OUT_END(source, source);
    BENCH_OUT_END(target, target);
    BENCH_OUT_END(pending, pending);
    return ran;
}

static inline bool bench_done(struct block_bench *bench)
{
    BENCH_IN(pending, pending);
    BENCH_IN(moved, moved);
    BENCH_OUT(nvme, nvme_done);
    BENCH_OUT(blk, blk_done);
    BENCH_OUT(notice, notice);
    BENCH_OUT(finished_disk, finished_disk);
    BENCH_OUT(completion, window_done);
    int ran = block_done(&bench->block_done, &pending, &moved, &nvme, &blk, &notice, &finished_disk, &completion);
    BENCH_IN_END(pending, pending);
    BENCH_IN_END(moved, moved);
    BENCH_OUT_END(nvme, nvme_done);
    BENCH_OUT_END(blk, blk_done);
    BENCH_OUT_END(notice, notice);
    BENCH_OUT_END(finished_disk, finished_disk);
    BENCH_OUT_END(completion, window_done);
    return ran;
}

#define BENCH_PARTS 9u

static inline bool bench_part(struct block_bench *bench, uint32_t part)
{
    switch (part) {
    case 0:
        return bench_merge(bench);
    case 1:
        return bench_context(bench);
    case 2:
        return bench_post(bench);
    case 3:
        return bench_list(bench);
    case 4:
        return bench_walk(bench);
    case 5:
        return bench_done(bench);
    case 6:
        return bench_read(bench, &bench->reader[READER_LIST]);
    case 7:
        return bench_read(bench, &bench->reader[READER_MORE]);
    default:
        return bench_move(bench);
    }
}

/* Some parts in random order. Returns whether any did something. */
static inline bool bench_turn(struct block_bench *bench)
{
    uint32_t first = random_below(&bench->random, BENCH_PARTS);
    bool busy = false;
    for (uint32_t i = 0; i < BENCH_PARTS; i++) {
        uint32_t part = (first + i * 4u) % BENCH_PARTS;
        for (uint32_t steps = random_below(&bench->random, 4) + 1u; steps != 0; steps--)
            busy |= bench_part(bench, part);
    }
    return busy;
}

/* Until nothing moves any more: bounded, whatever a guest's list says. Returns activations of all parts, about. */
static inline uint32_t bench_settle(struct block_bench *bench)
{
    uint32_t turns = 0;
    while (bench_turn(bench))
        assert_true(++turns < 20000);
    return turns;
}

static inline void bench_answer(struct block_bench *bench, const struct block_answer *answer)
{
    struct ring_work work;
    memset(&work, 0, sizeof work);
    memcpy(work.data, answer, sizeof *answer);
    ring_entry_fill(&work, RING_SOURCE_ALONE, 0, 1, 0);
    while (!stream_put(&bench->answer, &work))
        assert_true(bench_turn(bench));
}

#endif
