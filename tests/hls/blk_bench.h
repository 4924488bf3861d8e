/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of virtio-blk queues around those that move the data, joined as in card.cfg: from a doorbell to the
 * backend ring, and from an answer to the used ring.
 */
#ifndef CIPU_TEST_BLK_BENCH_H
#define CIPU_TEST_BLK_BENCH_H

#include "tests/hls/block_bench.h"

#include "hls/queue_events/queue_events.c"
#include "hls/used_events/used_events.c"
#include "hls/used_write/used_write.c"
#include "hls/virtio_blk/virtio_blk.c"
#include "hls/virtio_blk_header/virtio_blk_header.c"
#include "hls/virtio_blk_status/virtio_blk_status.c"
#include "hls/virtio_blk_used/virtio_blk_used.c"
#include "hls/virtio_used/virtio_used.c"
#include "hls/virtq/virtq.c"

/* A DMA write channel for packets of one request. */
struct bench_writer {
    struct stream request, data, done;
    struct dma_request now;
    struct dma_done answer;
    uint32_t written;
    bool active, answering;
    struct dma_request window;
    uint32_t windows;
};

enum blk_reader { BLK_READ_RING = 0, BLK_READ_HEADER = 1, BLK_READ_WISH = 2, BLK_READERS = 3 };
enum blk_writer { BLK_WRITE_EVENT = 0, BLK_WRITE_STATUS = 1, BLK_WRITE_USED = 2, BLK_WRITERS = 3 };

struct blk_bench {
    struct block_bench *core;
    struct queue_events_state queue_events;
    struct virtq_state virtq;
    struct virtio_blk_state virtio_blk;
    struct virtio_blk_header_state virtio_blk_header;
    struct virtio_blk_status_state virtio_blk_status;
    struct virtio_blk_used_state virtio_blk_used;
    struct used_events_state used_events;
    struct virtio_used_state virtio_used;
    struct used_write_state used_write;

    struct stream doorbell, command, event, again, credit, fault, segment, pending, freed, written;
    struct stream used, used_command, used_again, used_event, used_data;
    struct bench_reader reader[BLK_READERS];
    struct bench_writer writer[BLK_WRITERS];
    uint32_t interrupts;
    struct stream virtq_alert, completion, used_alert, used_completion, interrupt; /* what comes out */
};

static inline void blk_bench_streams(struct blk_bench *bench, uint32_t depth)
{
    stream_open(&bench->doorbell, 256, sizeof(struct doorbell));
    stream_open(&bench->command, 8, sizeof(struct command_entry));
    stream_open(&bench->event, depth, sizeof(struct queue_event));
    stream_open(&bench->again, 256, sizeof(struct queue_token));
    stream_open(&bench->credit, 512, sizeof(struct queue_token));
    stream_open(&bench->fault, 512, sizeof(struct queue_token));
    stream_open(&bench->segment, depth, sizeof(struct virtq_segment));
    stream_open(&bench->pending, depth, sizeof(struct blk_pending));
    stream_open(&bench->freed, depth, sizeof(struct blk_freed));
    stream_open(&bench->written, depth, sizeof(struct block_completion));
    stream_open(&bench->used, depth, sizeof(struct queue_used));
    stream_open(&bench->used_command, 8, sizeof(struct command_entry));
    stream_open(&bench->used_again, 256, sizeof(struct queue_token));
    stream_open(&bench->used_event, depth, sizeof(struct queue_event));
    stream_open(&bench->used_data, depth, sizeof(struct used_write));
    stream_open(&bench->virtq_alert, 16, sizeof(struct event_entry));
    stream_open(&bench->completion, 16, sizeof(struct command_entry));
    stream_open(&bench->used_alert, 16, sizeof(struct event_entry));
    stream_open(&bench->used_completion, 16, sizeof(struct command_entry));
    stream_open(&bench->interrupt, 256, sizeof(struct interrupt_request));
}

static inline struct blk_bench *blk_bench_new(uint64_t seed, uint32_t depth)
{
    struct blk_bench *bench = aligned_alloc(64, sizeof *bench);
    memset(bench, 0, sizeof *bench);
    bench->core = block_bench_new(seed, depth);
    blk_bench_streams(bench, depth);
    for (uint32_t i = 0; i < BLK_READERS; i++)
        bench_reader_open(&bench->reader[i], i == BLK_READ_HEADER ? depth : 256);
    for (uint32_t i = 0; i < BLK_WRITERS; i++) {
        uint32_t deep = i == BLK_WRITE_STATUS ? depth : 256;
        stream_open(&bench->writer[i].request, deep, sizeof(struct dma_request));
        stream_open(&bench->writer[i].data, deep, sizeof(struct beat));
        stream_open(&bench->writer[i].done, deep, sizeof(struct dma_done));
    }
    return bench;
}

static inline void blk_bench_free(struct blk_bench *bench)
{
    struct stream *streams[] = {
        &bench->doorbell,    &bench->command,      &bench->event,      &bench->again,           &bench->credit,
        &bench->fault,       &bench->segment,      &bench->pending,    &bench->freed,           &bench->written,
        &bench->used,        &bench->used_command, &bench->used_again, &bench->used_event,      &bench->used_data,
        &bench->virtq_alert, &bench->completion,   &bench->used_alert, &bench->used_completion, &bench->interrupt};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        stream_close(streams[i]);
    for (uint32_t i = 0; i < BLK_READERS; i++)
        bench_reader_close(&bench->reader[i]);
    for (uint32_t i = 0; i < BLK_WRITERS; i++) {
        stream_close(&bench->writer[i].request);
        stream_close(&bench->writer[i].data);
        stream_close(&bench->writer[i].done);
    }
    block_bench_free(bench->core);
    free(bench);
}

/* A request, then its beats, then its answer: each is a step. */
static inline bool blk_write(struct blk_bench *bench, struct bench_writer *writer)
{
    if (writer->answering) {
        writer->answering = !stream_put(&writer->done, &writer->answer);
        return !writer->answering;
    }
    if (!writer->active) {
        if (!stream_get(&writer->request, &writer->now))
            return false;
        writer->active = !(writer->now.flags & DMA_WINDOW);
        writer->written = 0;
        if (!writer->active) {
            writer->window = writer->now;
            writer->windows++;
        }
        return true;
    }
    struct beat beat;
    if (!stream_get(&writer->data, &beat))
        return false;
    uint8_t *to = bench_at(bench->core, &writer->now);
    assert_true(writer->now.flags & DMA_LAST && writer->written + beat.meta.bytes <= writer->now.length);
    if (to)
        memcpy(to + writer->written, beat.data, beat.meta.bytes);
    writer->written += beat.meta.bytes;
    writer->active = !beat.meta.last;
    writer->answering = beat.meta.last;
    if (beat.meta.last) {
        assert_int_equal(writer->written, writer->now.length);
        memset(&writer->answer, 0, sizeof writer->answer);
        writer->answer.tag = writer->now.tag;
        writer->answer.function = writer->now.function;
        writer->answer.error = !to;
    }
    return true;
}

static inline bool blk_events(struct blk_bench *bench)
{
    BENCH_IN(doorbell, doorbell);
    BENCH_IN(command, command);
    BENCH_IN(data, reader[BLK_READ_RING].data);
    BENCH_IN(done, writer[BLK_WRITE_EVENT].done);
    BENCH_IN(again, again);
    BENCH_IN(credit, credit);
    BENCH_IN(fault, fault);
    BENCH_OUT(out, event);
    int ran = queue_events(&bench->queue_events, &doorbell, &command, &data, &done, &again, &credit, &fault, &out);
    BENCH_IN_END(doorbell, doorbell);
    BENCH_IN_END(command, command);
    BENCH_IN_END(data, reader[BLK_READ_RING].data);
    BENCH_IN_END(done, writer[BLK_WRITE_EVENT].done);
    BENCH_IN_END(again, again);
    BENCH_IN_END(credit, credit);
    BENCH_IN_END(fault, fault);
    BENCH_OUT_END(out, event);
    return ran;
}

static inline bool blk_virtq(struct blk_bench *bench)
{
    BENCH_IN(event, event);
    BENCH_OUT(read, reader[BLK_READ_RING].request);
    BENCH_OUT(write, writer[BLK_WRITE_EVENT].request);
    BENCH_OUT(write_data, writer[BLK_WRITE_EVENT].data);
    BENCH_OUT(segment, segment);
    BENCH_OUT(again, again);
    BENCH_OUT(alert, virtq_alert);
    int ran = virtq(&bench->virtq, &event, &read, &write, &write_data, &segment, &again, &alert);
    BENCH_IN_END(event, event);
    BENCH_OUT_END(read, reader[BLK_READ_RING].request);
    BENCH_OUT_END(write, writer[BLK_WRITE_EVENT].request);
    BENCH_OUT_END(write_data, writer[BLK_WRITE_EVENT].data);
    BENCH_OUT_END(segment, segment);
    BENCH_OUT_END(again, again);
    BENCH_OUT_END(alert, virtq_alert);
    return ran;
}

static inline bool blk_chains(struct blk_bench *bench)
{
    BENCH_IN(segment, segment);
    BENCH_IN(freed, freed);
    BENCH_OUT(request, reader[BLK_READ_HEADER].request);
    BENCH_OUT(pending, pending);
    BENCH_OUT(fault, fault);
    int ran = virtio_blk(&bench->virtio_blk, &segment, &freed, &request, &pending, &fault);
    BENCH_IN_END(segment, segment);
    BENCH_IN_END(freed, freed);
    BENCH_OUT_END(request, reader[BLK_READ_HEADER].request);
    BENCH_OUT_END(pending, pending);
    BENCH_OUT_END(fault, fault);
    return ran;
}

static inline bool blk_header(struct blk_bench *bench)
{
    struct hls_port submit = hls_write_begin(&bench->core->blk.fifo);
    BENCH_IN(pending, pending);
    BENCH_IN(data, reader[BLK_READ_HEADER].data);
    BENCH_OUT(completion, completion);
    int ran = virtio_blk_header(&bench->virtio_blk_header, &pending, &data, &submit, &completion);
    BENCH_IN_END(pending, pending);
    BENCH_IN_END(data, reader[BLK_READ_HEADER].data);
    BENCH_OUT_END(completion, completion);
    hls_write_end(&bench->core->blk.fifo, &submit);
    return ran;
}

static inline bool blk_status(struct blk_bench *bench)
{
    struct hls_port finished = hls_read_begin(&bench->core->blk_done.fifo);
    BENCH_OUT(write, writer[BLK_WRITE_STATUS].request);
    BENCH_OUT(write_data, writer[BLK_WRITE_STATUS].data);
    BENCH_OUT(pending, written);
    int ran = virtio_blk_status(&bench->virtio_blk_status, &finished, &write, &write_data, &pending);
    hls_read_end(&bench->core->blk_done.fifo, &finished);
    BENCH_OUT_END(write, writer[BLK_WRITE_STATUS].request);
    BENCH_OUT_END(write_data, writer[BLK_WRITE_STATUS].data);
    BENCH_OUT_END(pending, written);
    return ran;
}

static inline bool blk_used(struct blk_bench *bench)
{
    BENCH_IN(pending, written);
    BENCH_IN(done, writer[BLK_WRITE_STATUS].done);
    BENCH_OUT(used, used);
    BENCH_OUT(credit, credit);
    BENCH_OUT(freed, freed);
    int ran = virtio_blk_used(&bench->virtio_blk_used, &pending, &done, &used, &credit, &freed);
    BENCH_IN_END(pending, written);
    BENCH_IN_END(done, writer[BLK_WRITE_STATUS].done);
    BENCH_OUT_END(used, used);
    BENCH_OUT_END(credit, credit);
    BENCH_OUT_END(freed, freed);
    return ran;
}

static inline bool blk_used_events(struct blk_bench *bench)
{
    BENCH_IN(used, used);
    BENCH_IN(command, used_command);
    BENCH_IN(data, reader[BLK_READ_WISH].data);
    BENCH_IN(done, writer[BLK_WRITE_USED].done);
    BENCH_IN(again, used_again);
    BENCH_OUT(out, used_event);
    int ran = used_events(&bench->used_events, &used, &command, &data, &done, &again, &out);
    BENCH_IN_END(used, used);
    BENCH_IN_END(command, used_command);
    BENCH_IN_END(data, reader[BLK_READ_WISH].data);
    BENCH_IN_END(done, writer[BLK_WRITE_USED].done);
    BENCH_IN_END(again, used_again);
    BENCH_OUT_END(out, used_event);
    return ran;
}

static inline bool blk_used_ring(struct blk_bench *bench)
{
    BENCH_IN(event, used_event);
    BENCH_OUT(read, reader[BLK_READ_WISH].request);
    BENCH_OUT(write, writer[BLK_WRITE_USED].request);
    BENCH_OUT(write_data, used_data);
    BENCH_OUT(again, used_again);
    BENCH_OUT(interrupt, interrupt);
    BENCH_OUT(completion, used_completion);
    BENCH_OUT(alert, used_alert);
    int ran =
        virtio_used(&bench->virtio_used, &event, &read, &write, &write_data, &again, &interrupt, &completion, &alert);
    BENCH_IN_END(event, used_event);
    BENCH_OUT_END(read, reader[BLK_READ_WISH].request);
    BENCH_OUT_END(write, writer[BLK_WRITE_USED].request);
    BENCH_OUT_END(write_data, used_data);
    BENCH_OUT_END(again, used_again);
    BENCH_OUT_END(interrupt, interrupt);
    BENCH_OUT_END(completion, used_completion);
    BENCH_OUT_END(alert, used_alert);
    return ran;
}

static inline bool blk_used_write(struct blk_bench *bench)
{
    BENCH_IN(in, used_data);
    BENCH_OUT(data, writer[BLK_WRITE_USED].data);
    int ran = used_write(&bench->used_write, &in, &data);
    BENCH_IN_END(in, used_data);
    BENCH_OUT_END(data, writer[BLK_WRITE_USED].data);
    return ran;
}

#define BLK_KERNELS 9u
#define BLK_PARTS   (BLK_KERNELS + BLK_READERS + BLK_WRITERS)

static inline bool blk_part(struct blk_bench *bench, uint32_t part)
{
    static bool (*const kernels[BLK_KERNELS])(struct blk_bench *bench) = {
        blk_events, blk_virtq,       blk_chains,    blk_header,    blk_status,
        blk_used,   blk_used_events, blk_used_ring, blk_used_write};
    if (part < BLK_KERNELS)
        return kernels[part](bench);
    if (part < BLK_KERNELS + BLK_READERS)
        return bench_read(bench->core, &bench->reader[part - BLK_KERNELS]);
    return blk_write(bench, &bench->writer[part - BLK_KERNELS - BLK_READERS]);
}

/* All parts, in random order. Returns whether any did something. */
static inline bool blk_turn(struct blk_bench *bench)
{
    struct block_finished finished;
    uint32_t first = random_below(&bench->core->random, BLK_PARTS);
    bool busy = bench_turn(bench->core);
    struct interrupt_request raised;
    while (stream_get(&bench->core->finished_disk, &finished))
        busy = true;
    while (stream_get(&bench->interrupt, &raised)) {
        assert_true(raised.vector >= VECTOR_BLOCK && raised.vector < VECTOR_BLOCK + BLOCK_QUEUES);
        bench->interrupts++;
        busy = true;
    }
    for (uint32_t i = 0; i < BLK_PARTS; i++) {
        uint32_t part = (first + i * 7u) % BLK_PARTS;
        for (uint32_t steps = random_below(&bench->core->random, 4) + 1u; steps != 0; steps--)
            busy |= blk_part(bench, part);
    }
    return busy;
}

#endif
