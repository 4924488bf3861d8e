/* SPDX-License-Identifier: Apache-2.0 */
/* Commands with random lists in a guest's memory, and what has to become of them: every byte of all memories is known.
 */
#ifndef CIPU_TEST_BLOCK_LAYOUT_H
#define CIPU_TEST_BLOCK_LAYOUT_H

#include "tests/hls/block_bench.h"
#include "tests/hls/block_reference.h"

#define LIST_AREA (1u << 20) /* of a guest's memory: lists below, data above */

#define HOST_IN (1u << 20) /* of the host's memory: what comes from guests; below is what goes to them */

struct layout {
    struct block_bench *bench;
    struct reference walk;
    struct block_context context;
    struct block_answer answer;
    uint8_t *guest_shadow[BENCH_GUESTS];
    uint8_t *host_shadow;
};

static inline uint32_t below(struct layout *layout, uint32_t bound)
{
    return random_below(&layout->bench->random, bound);
}

static inline uint64_t data_page(struct layout *layout)
{
    return LIST_AREA + (uint64_t)below(layout, (BENCH_MEMORY - LIST_AREA) / 4096u) * 4096u;
}

static inline uint8_t *guest_of(struct layout *layout)
{
    return layout->bench->guest[layout->context.function - BENCH_GUEST];
}

static inline void put(struct layout *layout, uint64_t address, const void *from, uint32_t bytes)
{
    assert_true(address + bytes <= LIST_AREA);
    memcpy(guest_of(layout) + address, from, bytes);
    memcpy(layout->guest_shadow[layout->context.function - BENCH_GUEST] + address, from, bytes);
}

static inline void begin(struct layout *layout, uint8_t format, uint16_t tag)
{
    memset(&layout->context, 0, sizeof layout->context);
    memset(&layout->answer, 0, sizeof layout->answer);
    layout->context.format = format;
    layout->context.tag = tag;
    layout->context.queue = BLOCK_TAG_QUEUE(tag);
    layout->context.function = (uint16_t)(BENCH_GUEST + below(layout, BENCH_GUESTS));
    layout->answer.tag = tag;
    bool out = below(layout, 2);
    layout->answer.length = below(layout, 4) == 0 ? below(layout, BLOCK_DATA_MAX) + 1 : (below(layout, 64) + 1) * 512;
    layout->answer.flags = (out ? ANSWER_MOVE_OUT : ANSWER_MOVE_IN) | ANSWER_COMPLETE | ANSWER_TELL;
    layout->answer.address = BENCH_HOST_BASE + (out ? below(layout, HOST_IN - layout->answer.length + 1)
                                                    : HOST_IN + below(layout, BENCH_MEMORY - HOST_IN - BLOCK_DATA_MAX));
}

/* Pages that sometimes follow one another, in lists that begin anywhere in their page. */
static inline void lay_prp(struct layout *layout)
{
    uint32_t behind = 0;
    layout->context.pointer0 = data_page(layout) + below(layout, 1024) * 4u;
    uint32_t first = 4096u - (uint32_t)(layout->context.pointer0 % 4096u);
    behind = layout->answer.length > first ? layout->answer.length - first : 0;
    if (behind <= 4096u) {
        layout->context.pointer1 = data_page(layout);
        return;
    }
    uint64_t at = (uint64_t)below(layout, 64) * 4096u + below(layout, 512) * 8u, page = data_page(layout);
    layout->context.pointer1 = at;
    for (uint32_t left = (behind + 4095u) / 4096u; left != 0; left--) {
        if (at % 4096u == 4088u && left > 1) {
            uint64_t next = (uint64_t)below(layout, 256) * 4096u;
            put(layout, at, &next, 8);
            at = next;
        }
        page = below(layout, 3) == 0 || page + 8192u > BENCH_MEMORY ? data_page(layout) : page + 4096u;
        put(layout, at, &page, 8);
        at += 8;
    }
}

static inline struct nvme_sgl sgl_of(uint64_t address, uint32_t length, unsigned type)
{
    struct nvme_sgl sgl;
    memset(&sgl, 0, sizeof sgl);
    sgl.address = address;
    sgl.length = length;
    sgl.identifier = (uint8_t)(type << 4);
    return sgl;
}

/* Data descriptors and buckets from `at` on, for what is left of the transfer. Returns where they end. */
static inline uint32_t lay_data(struct layout *layout, uint32_t at, uint32_t entries, uint32_t few, uint32_t *left)
{
    bool out = layout->answer.flags & ANSWER_MOVE_OUT;
    for (; entries != 0 && *left != 0; entries--) {
        bool bucket = below(layout, 10) == 0;
        uint32_t length = below(layout, 12) == 0 ? 0 : below(layout, few) + few / 2 + 1;
        uint64_t address = LIST_AREA + below(layout, BENCH_MEMORY - LIST_AREA - 2 * BLOCK_DATA_MAX);
        struct nvme_sgl data = sgl_of(address, length, bucket ? NVME_SGL_BIT_BUCKET : NVME_SGL_DATA);
        uint32_t counts = bucket && !out ? 0 : length;
        *left -= counts < *left ? counts : *left;
        put(layout, at, &data, sizeof data);
        at += 16;
    }
    return at;
}

/* One data descriptor, or up to five segments anywhere, of which the last holds as many descriptors as it takes. */
static inline void lay_sgl(struct layout *layout)
{
    uint32_t length = layout->answer.length, left = length, segments = below(layout, 6), at = below(layout, 1000);
    uint32_t few = below(layout, 3) != 0 ? length / (below(layout, 20) + 1) + 1 : 1500;
    uint64_t data_at = LIST_AREA + below(layout, BENCH_MEMORY - LIST_AREA - BLOCK_DATA_MAX - 100);
    struct nvme_sgl first = sgl_of(data_at, length + below(layout, 100), NVME_SGL_DATA), pointer = first;
    for (uint32_t segment = 1, pointer_at = 0; segment <= segments; segment++) {
        bool last = segment == segments;
        uint32_t end = lay_data(layout, at, last ? 1000 : below(layout, 80), few, &left);
        uint32_t bytes = end - at + (last && end != at ? 0 : 16); /* with the next pointer, or what is never reached */
        pointer = sgl_of(at, bytes, last ? NVME_SGL_LAST_SEGMENT : NVME_SGL_SEGMENT);
        if (segment == 1)
            first = pointer;
        else
            put(layout, pointer_at, &pointer, sizeof pointer);
        pointer_at = end;
        at = end + 16 + below(layout, 5000);
    }
    memcpy(&layout->context.pointer0, &first, 8);
    memcpy(&layout->context.pointer1, (uint8_t *)&first + 8, 8);
}

/* Descriptors in any order in their table; readable ones, then writable ones. */
static inline void lay_chain(struct layout *layout)
{
    uint32_t entries = 4u << below(layout, 6), place[128] = {0};
    bool out = layout->answer.flags & ANSWER_MOVE_OUT, straight = below(layout, 2);
    uint64_t table = below(layout, 4000) * 16u;
    for (uint32_t i = 0; i < entries; i++)
        place[i] = i;
    for (uint32_t i = 0; !straight && i < entries; i++) {
        uint32_t other = below(layout, entries), swap = place[i];
        place[i] = place[other];
        place[other] = swap;
    }
    layout->context.pointer0 = table;
    layout->context.table_entries = entries;
    layout->context.first = (uint16_t)place[0];
    layout->answer.skip = out ? below(layout, 3) * 512u : below(layout, 3) * 8u;
    uint32_t data = entries - 2u, total = layout->answer.length + layout->answer.skip;
    for (uint32_t i = 0; i < entries; i++) {
        struct virtq_descriptor descriptor;
        bool last = i + 1 == entries, middle = i != 0 && !last;
        descriptor.address = LIST_AREA + below(layout, BENCH_MEMORY - LIST_AREA - 2 * BLOCK_DATA_MAX);
        uint32_t header = 16 + below(layout, 20);
        descriptor.length = middle ? total / data + 1 + below(layout, 3) * 500 : last ? 1 : header;
        bool writable = last || (middle && (out || i > data));
        descriptor.flags = (uint16_t)((last ? 0 : VIRTQ_NEXT) | (writable ? VIRTQ_WRITE : 0));
        descriptor.next = (uint16_t)(last ? 0xbeef : place[i + 1]);
        put(layout, table + place[i] * 16u, &descriptor, sizeof descriptor);
    }
}

static inline void submit(struct layout *layout)
{
    struct block_submit command;
    memset(&command, 0, sizeof command);
    command.context = layout->context;
    command.command.kind = BACKEND_COMMAND;
    command.command.tag = layout->context.tag;
    struct ring_work entry;
    assert_true(stream_put(&layout->bench->blk, &command));
    while (!stream_get(&layout->bench->entry, &entry))
        assert_true(bench_turn(layout->bench));
    assert_memory_equal(entry.data, &command.command, sizeof command.command);
}

/* The transfer, as it shall be. */
static inline uint16_t expect(struct layout *layout)
{
    uint32_t guest = layout->context.function - BENCH_GUEST;
    struct reference *walk = &layout->walk;
    walk->memory = layout->guest_shadow[guest];
    walk->memory_bytes = BENCH_MEMORY;
    uint16_t status = reference_walk(walk, &layout->context, &layout->answer);
    uint64_t buffer = layout->answer.address - BENCH_HOST_BASE;
    for (uint32_t i = 0; i < walk->count; i++) {
        struct reference_run *run = &walk->runs[i];
        uint8_t *there = layout->guest_shadow[guest] + run->address;
        uint8_t *here = layout->host_shadow + buffer + run->offset;
        assert_true(run->address + run->length <= BENCH_MEMORY);
        memcpy(walk->out ? there : here, walk->out ? here : there, run->length);
    }
    return status;
}

static inline void finish(struct layout *layout, const struct block_context *context, uint16_t status)
{
    struct block_bench *bench = layout->bench;
    struct block_completion completion;
    struct stream *from = context->format == BLOCK_CHAIN ? &bench->blk_done : &bench->nvme_done;
    while (!stream_get(from, &completion))
        assert_true(bench_turn(bench));
    assert_int_equal(completion.tag, context->tag);
    assert_int_equal(completion.status, status);
    struct ring_work entry;
    while (!stream_get(&bench->entry, &entry))
        assert_true(bench_turn(bench));
    struct block_command notice;
    memcpy(&notice, entry.data, sizeof notice);
    assert_int_equal(notice.kind, BACKEND_MOVED);
    assert_int_equal(notice.tag, context->tag);
    assert_int_equal(notice.status, status);
    struct block_finished finished = {0};
    assert_true(stream_get(&bench->finished_disk, &finished));
    assert_int_equal(finished.tag, context->tag);
}

static inline void compare(struct layout *layout)
{
    assert_memory_equal(layout->bench->host, layout->host_shadow, BENCH_MEMORY);
    for (uint32_t i = 0; i < BENCH_GUESTS; i++)
        assert_memory_equal(layout->bench->guest[i], layout->guest_shadow[i], BENCH_MEMORY);
}

/* One command, laid out already: returns its status, which is what the reference says. */
static inline uint16_t run_one(struct layout *layout)
{
    submit(layout);
    uint16_t status = expect(layout);
    bench_answer(layout->bench, &layout->answer);
    finish(layout, &layout->context, status);
    bench_settle(layout->bench);
    compare(layout);
    return status;
}

#endif
