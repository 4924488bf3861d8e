/* SPDX-License-Identifier: Apache-2.0 */
/* Moves along PRP lists, SGLs and descriptor chains, byte by byte against a reference; and lists of hostile guests. */
#include "tests/hls/block_layout.h"

static void run_many(struct layout *layout, void (*lay)(struct layout *layout), uint8_t format, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        begin(layout, format, (uint16_t)below(layout, BLOCK_TAGS));
        lay(layout);
        assert_int_equal(run_one(layout), 0);
        assert_int_equal(layout->walk.done, layout->answer.length);
    }
}

static void moves_prp(void **context)
{
    run_many(*context, lay_prp, BLOCK_PRP, 150);
}

static void moves_sgl(void **context)
{
    run_many(*context, lay_sgl, BLOCK_SGL, 150);
}

static void moves_chain(void **context)
{
    run_many(*context, lay_chain, BLOCK_CHAIN, 150);
}

/* The card's common cases cost what they must: one piece, and no more list than there is. */
static void costs_little(void **context)
{
    struct layout *layout = *context;
    begin(layout, BLOCK_PRP, 1);
    layout->answer.length = 4096;
    layout->context.pointer0 = data_page(layout);
    run_one(layout);
    assert_int_equal(layout->bench->pieces, 1);
    assert_int_equal(layout->bench->reader[READER_LIST].requests + layout->bench->reader[READER_MORE].requests, 0);

    /* 64 KiB in pages that follow one another: one piece, one read. */
    begin(layout, BLOCK_PRP, 1);
    layout->answer.length = 65536;
    layout->context.pointer0 = LIST_AREA;
    layout->context.pointer1 = 8;
    for (uint64_t i = 1; i < 16; i++) {
        uint64_t page = LIST_AREA + 4096 * i;
        put(layout, 8 * i, &page, 8);
    }
    run_one(layout);
    assert_int_equal(layout->bench->pieces, 2);
    assert_int_equal(layout->bench->reader[READER_LIST].requests, 1);
    assert_int_equal(layout->bench->reader[READER_MORE].requests, 0);

    /* 1 MiB at one place: pieces of 64 KiB. */
    begin(layout, BLOCK_SGL, 1);
    layout->answer.length = BLOCK_DATA_MAX;
    layout->answer.flags = ANSWER_MOVE_IN | ANSWER_COMPLETE | ANSWER_TELL;
    layout->answer.address = BENCH_HOST_BASE + HOST_IN;
    layout->context.pointer0 = LIST_AREA + 3;
    layout->context.pointer1 = BLOCK_DATA_MAX;
    run_one(layout);
    assert_int_equal(layout->bench->pieces, 18);
}

static void sgl_entry(struct layout *layout, uint32_t at, uint64_t address, uint32_t length, uint8_t identifier)
{
    struct nvme_sgl sgl;
    memset(&sgl, 0, sizeof sgl);
    sgl.address = address;
    sgl.length = length;
    sgl.identifier = identifier;
    put(layout, at, &sgl, sizeof sgl);
}

static void begin_sgl(struct layout *layout, uint64_t address, uint32_t length, uint8_t identifier)
{
    begin(layout, BLOCK_SGL, 7);
    layout->answer.length = 8192;
    layout->answer.flags |= ANSWER_MOVE_IN;
    layout->answer.flags &= ~(uint32_t)ANSWER_MOVE_OUT;
    layout->answer.address = BENCH_HOST_BASE + HOST_IN;
    layout->context.pointer0 = address;
    layout->context.pointer1 = length | (uint64_t)identifier << 56;
}

static void refuses_sgl(void **context)
{
    struct layout *layout = *context;
    begin_sgl(layout, LIST_AREA, 8191, 0x00);
    assert_int_equal(run_one(layout), NVME_DATA_SGL_LENGTH);
    begin_sgl(layout, LIST_AREA, 8192, 0x01);
    assert_int_equal(run_one(layout), NVME_SGL_TYPE);
    begin_sgl(layout, LIST_AREA, 8192, 0x40);
    assert_int_equal(run_one(layout), NVME_SGL_TYPE);
    begin_sgl(layout, 64, 0, 0x20);
    assert_int_equal(run_one(layout), NVME_INVALID_SGL_SEGMENT);
    begin_sgl(layout, 64, 40, 0x30);
    assert_int_equal(run_one(layout), NVME_INVALID_SGL_SEGMENT);
    /* A bucket is nothing where the guest writes. */
    begin_sgl(layout, 64, 8192, 0x10);
    assert_int_equal(run_one(layout), NVME_DATA_SGL_LENGTH);

    begin_sgl(layout, 64, 48, 0x20);
    sgl_entry(layout, 64, LIST_AREA, 4096, 0x00);
    sgl_entry(layout, 80, 512, 16, 0x30);
    sgl_entry(layout, 96, LIST_AREA, 4096, 0x00);
    assert_int_equal(run_one(layout), NVME_INVALID_SGL_COUNT); /* a segment is not the last descriptor */
    layout->context.pointer1 = 48 | UINT64_C(0x30) << 56;
    assert_int_equal(run_one(layout), NVME_INVALID_SGL_SEGMENT); /* in the last segment */
    layout->context.pointer1 = 32 | UINT64_C(0x20) << 56;
    sgl_entry(layout, 512, LIST_AREA, 4095, 0x00);
    assert_int_equal(run_one(layout), NVME_DATA_SGL_LENGTH); /* one byte is missing */
    sgl_entry(layout, 512, LIST_AREA, 4096, 0x00);
    assert_int_equal(run_one(layout), 0);
    sgl_entry(layout, 80, BENCH_MEMORY, 16, 0x30);
    assert_int_equal(run_one(layout), NVME_DATA_TRANSFER_ERROR); /* a segment in no memory */
    sgl_entry(layout, 80, 512, 17, 0x30);
    assert_int_equal(run_one(layout), NVME_INVALID_SGL_SEGMENT);
    layout->context.pointer0 = BENCH_MEMORY;
    assert_int_equal(run_one(layout), NVME_DATA_TRANSFER_ERROR);
}

/* Guest memory goes on without a gap, but the buffer does not. */
static void buckets_leave_gaps(void **context)
{
    struct layout *layout = *context;
    begin(layout, BLOCK_SGL, 7);
    layout->answer.length = 8192 + 512;
    layout->answer.flags = ANSWER_MOVE_OUT | ANSWER_COMPLETE | ANSWER_TELL;
    layout->answer.address = BENCH_HOST_BASE;
    layout->context.pointer0 = 64;
    layout->context.pointer1 = 48 | UINT64_C(0x30) << 56;
    sgl_entry(layout, 64, LIST_AREA, 4096, 0x00);
    sgl_entry(layout, 80, 0, 512, 0x10);
    sgl_entry(layout, 96, LIST_AREA + 4096, 4096, 0x00);
    assert_int_equal(run_one(layout), 0);
    assert_int_equal(layout->bench->pieces, 2);
    layout->context.pointer1 = 32 | UINT64_C(0x30) << 56; /* a bucket at the end */
    layout->answer.length = 4096 + 512;
    assert_int_equal(run_one(layout), 0);
    assert_int_equal(layout->bench->pieces, 3);
    sgl_entry(layout, 64, 0, 4096, 0x10); /* nothing but buckets */
    assert_int_equal(run_one(layout), 0);
    assert_int_equal(layout->bench->pieces, 3);
}

static void refuses_prp(void **context)
{
    struct layout *layout = *context;
    begin(layout, BLOCK_PRP, 9);
    layout->answer.length = 4096;
    layout->context.pointer0 = LIST_AREA + 2;
    assert_int_equal(run_one(layout), NVME_PRP_OFFSET);
    layout->context.pointer0 = LIST_AREA + 4;
    layout->context.pointer1 = LIST_AREA + 4;
    assert_int_equal(run_one(layout), NVME_PRP_OFFSET);
    layout->answer.length = 65536;
    layout->context.pointer1 = 12;
    assert_int_equal(run_one(layout), NVME_PRP_OFFSET);
    layout->context.pointer1 = 0xff0; /* two entries, the second of which is a pointer */
    uint64_t page = LIST_AREA + 8192, list = 0x2008;
    put(layout, 0xff0, &page, 8);
    put(layout, 0xff8, &list, 8);
    assert_int_equal(run_one(layout), NVME_PRP_OFFSET);
    list = BENCH_MEMORY;
    put(layout, 0xff8, &list, 8);
    assert_int_equal(run_one(layout), NVME_DATA_TRANSFER_ERROR);
    layout->context.pointer1 = UINT64_C(0xfffffffffffff000);
    assert_int_equal(run_one(layout), NVME_DATA_TRANSFER_ERROR);
}

/* Chains that were changed behind virtq's back. */
static void refuses_chain(void **context)
{
    struct layout *layout = *context;
    begin(layout, BLOCK_CHAIN, 11);
    layout->answer.flags = ANSWER_MOVE_IN | ANSWER_COMPLETE | ANSWER_TELL;
    layout->answer.length = 8192;
    layout->answer.address = BENCH_HOST_BASE + HOST_IN;
    layout->context.table_entries = 4;
    struct virtq_descriptor chain[4] = {{LIST_AREA, 16, VIRTQ_NEXT, 1},
                                        {LIST_AREA, 4096, VIRTQ_NEXT, 2},
                                        {LIST_AREA, 4096, VIRTQ_NEXT, 3},
                                        {LIST_AREA, 1, VIRTQ_WRITE, 0}};
    layout->answer.skip = 16;
    put(layout, 0, chain, sizeof chain);
    assert_int_equal(run_one(layout), 0);
    layout->answer.length = 8193;
    assert_int_equal(run_one(layout), 1); /* the end */
    layout->answer.length = 8192;
    chain[1].next = 4;
    put(layout, 0, chain, sizeof chain);
    assert_int_equal(run_one(layout), 1); /* beyond the table */
    chain[1].next = 2;
    chain[2].flags |= VIRTQ_INDIRECT;
    put(layout, 0, chain, sizeof chain);
    assert_int_equal(run_one(layout), 1);
    layout->context.pointer0 = BENCH_MEMORY - 32;
    assert_int_equal(run_one(layout), 1); /* a table in no memory */
    layout->context.pointer0 = 0;
    layout->context.first = 4;
    assert_int_equal(run_one(layout), 1);
}

/* What leads into itself ends, and nobody waits long for it. */
static void ends_loops(void **context)
{
    struct layout *layout = *context;
    begin_sgl(layout, 64, 16, 0x20);
    sgl_entry(layout, 64, 64, 16, 0x20); /* a segment that is its own next one */
    assert_int_equal(run_one(layout), NVME_INVALID_SGL_COUNT);
    begin_sgl(layout, 64, 0xfffffff0u, 0x30);
    for (uint32_t at = 64; at + 16 <= LIST_AREA; at += 16)
        sgl_entry(layout, at, 0, 0, 0x00); /* nothing, very often */
    submit(layout);
    bench_answer(layout->bench, &layout->answer);
    finish(layout, &layout->context, NVME_INVALID_SGL_COUNT);
    compare(layout);

    struct virtq_descriptor loop[2] = {{LIST_AREA, 0, VIRTQ_NEXT, 1}, {LIST_AREA, 0, VIRTQ_NEXT, 0}};
    begin(layout, BLOCK_CHAIN, 12);
    put(layout, 0, loop, sizeof loop);
    layout->context.table_entries = 2;
    assert_int_equal(run_one(layout), 1);
    begin(layout, BLOCK_CHAIN, 12); /* and far apart: each step is a read */
    put(layout, 0, &loop[0], 16);
    loop[0].next = 100;
    put(layout, 0, &loop[0], 16);
    put(layout, 1600, &loop[1], 16);
    layout->context.table_entries = 128;
    assert_int_equal(run_one(layout), 1);
}

/* A list page that names itself is a list like any other: it ends with the transfer. */
static void ends_prp_loop(void **context)
{
    struct layout *layout = *context;
    begin(layout, BLOCK_PRP, 13);
    layout->answer.length = BLOCK_DATA_MAX;
    layout->answer.flags = ANSWER_MOVE_IN | ANSWER_COMPLETE | ANSWER_TELL;
    layout->answer.address = BENCH_HOST_BASE + HOST_IN;
    uint64_t zero = 0;
    layout->context.pointer0 = LIST_AREA;
    layout->context.pointer1 = 0xff8;
    put(layout, 0xff8, &zero, 8);
    for (uint32_t i = 0; i < 511; i++)
        put(layout, i * 8, &zero, 8);
    assert_int_equal(run_one(layout), 0);
}

/* Answers of several commands one behind the other, of all kinds, some of them bad. */
static void keeps_jobs_apart(void **context)
{
    struct layout *layout = *context;
    void (*lays[])(struct layout *layout) = {lay_prp, lay_sgl, lay_chain};
    const uint8_t formats[] = {BLOCK_PRP, BLOCK_SGL, BLOCK_CHAIN};
    for (uint32_t round = 0; round < 40; round++) {
        struct block_context contexts[4];
        struct block_answer answers[4];
        uint16_t status[4];
        uint16_t count = 0;
        while (count < 4) {
            uint32_t kind = below(layout, 3);
            begin(layout, formats[kind], (uint16_t)(round * 8u + count));
            layout->answer.length = below(layout, 200000) + 1;
            /* Each guest has one list at a time: a second command uses it, as far as it goes. */
            layout->context.function = (uint16_t)(BENCH_GUEST + count % BENCH_GUESTS);
            if (count < BENCH_GUESTS) {
                lays[kind](layout);
            } else {
                layout->context = contexts[count - BENCH_GUESTS];
                layout->answer.length = below(layout, answers[count - BENCH_GUESTS].length) + 1;
                layout->answer.flags = answers[count - BENCH_GUESTS].flags;
                layout->answer.skip = answers[count - BENCH_GUESTS].skip;
                layout->answer.address = answers[count - BENCH_GUESTS].address;
            }
            layout->context.tag = layout->answer.tag;
            if (below(layout, 3) == 0)
                layout->context.pointer1 |= UINT64_C(0x31) << 56;
            if (below(layout, 4) == 0)
                layout->context.table_entries /= 2;
            submit(layout);
            contexts[count] = layout->context;
            answers[count] = layout->answer;
            status[count++] = expect(layout);
        }
        for (uint16_t i = 0; i < count; i++)
            bench_answer(layout->bench, &answers[i]);
        for (uint16_t i = 0; i < count; i++)
            finish(layout, &contexts[i], status[i]);
        bench_settle(layout->bench);
        compare(layout);
    }
}

static int setup(void **context)
{
    struct layout *layout = calloc(1, sizeof *layout);
    layout->bench = block_bench_new(1, 8);
    layout->host_shadow = malloc(BENCH_MEMORY);
    memcpy(layout->host_shadow, layout->bench->host, BENCH_MEMORY);
    for (uint32_t i = 0; i < BENCH_GUESTS; i++) {
        random_fill(&layout->bench->random, layout->bench->guest[i] + LIST_AREA, BENCH_MEMORY - LIST_AREA);
        layout->guest_shadow[i] = malloc(BENCH_MEMORY);
        memcpy(layout->guest_shadow[i], layout->bench->guest[i], BENCH_MEMORY);
    }
    *context = layout;
    return 0;
}

static int teardown(void **context)
{
    struct layout *layout = *context;
    block_bench_free(layout->bench);
    free(layout->host_shadow);
    for (uint32_t i = 0; i < BENCH_GUESTS; i++)
        free(layout->guest_shadow[i]);
    free(layout);
    return 0;
}

#define WALK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WALK_TEST(moves_prp),   WALK_TEST(moves_sgl),          WALK_TEST(moves_chain),      WALK_TEST(costs_little),
        WALK_TEST(refuses_sgl), WALK_TEST(buckets_leave_gaps), WALK_TEST(refuses_prp),      WALK_TEST(refuses_chain),
        WALK_TEST(ends_loops),  WALK_TEST(ends_prp_loop),      WALK_TEST(keeps_jobs_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
