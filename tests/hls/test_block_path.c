/* SPDX-License-Identifier: Apache-2.0 */
/* The block path from a submitted command to the backend ring, and from answers to completions and notices. */
#include "tests/hls/block_bench.h"

static struct block_submit command_of(uint16_t tag, uint8_t format)
{
    struct block_submit submit;
    memset(&submit, 0, sizeof submit);
    submit.context.tag = tag;
    submit.context.queue = BLOCK_TAG_QUEUE(tag);
    submit.context.function = BENCH_GUEST;
    submit.context.format = format;
    submit.context.pointer0 = 0x10000;
    submit.context.pointer1 = 0x20000;
    submit.context.completion = 77;
    submit.context.identifier = 0x4321;
    submit.context.sq_head = 12;
    submit.context.sequence = 345;
    submit.context.sq_id = 6;
    submit.context.generation = 9;
    submit.command.kind = BACKEND_COMMAND;
    submit.command.tag = tag;
    submit.command.offset = UINT64_C(0x123456789000) + tag;
    return submit;
}

static void put(struct block_bench *bench, struct stream *stream, const void *record)
{
    while (!stream_put(stream, record))
        assert_true(bench_turn(bench));
}

static struct ring_work entry_of(struct block_bench *bench)
{
    struct ring_work work;
    while (!stream_get(&bench->entry, &work))
        assert_true(bench_turn(bench));
    assert_int_equal(work.kind, RING_WORK_ENTRY);
    assert_int_equal(work.source, RING_SOURCE_ALONE);
    return work;
}

static void submit(struct block_bench *bench, const struct block_submit *command)
{
    put(bench, command->context.format == BLOCK_CHAIN ? &bench->blk : &bench->nvme, command);
    struct ring_work work = entry_of(bench);
    assert_memory_equal(work.data, &command->command, RING_ENTRY_BYTES);
}

static struct block_answer answer_of(uint16_t tag, uint32_t flags)
{
    struct block_answer answer;
    memset(&answer, 0, sizeof answer);
    answer.tag = tag;
    answer.flags = flags;
    answer.length = flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT) ? 512 : 0;
    answer.address = BENCH_HOST_BASE + 4096;
    answer.result = UINT64_C(0x1122334455667788);
    return answer;
}

static struct block_completion completion_of(struct block_bench *bench, struct stream *stream)
{
    struct block_completion completion;
    while (!stream_get(stream, &completion))
        assert_true(bench_turn(bench));
    return completion;
}

static void nothing_is_left(struct block_bench *bench)
{
    bench_settle(bench);
    struct stream *streams[] = {&bench->entry, &bench->nvme_done, &bench->blk_done, &bench->window_done};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        assert_int_equal(hls_fifo_used(&streams[i]->fifo), 0);
    struct block_finished finished;
    while (stream_get(&bench->finished_disk, &finished))
        ;
}

static void serves_both_kinds_in_turn(void **context)
{
    struct block_bench *bench = *context;
    for (uint16_t i = 0; i < 4; i++) {
        struct block_submit nvme = command_of(i, BLOCK_PRP), blk = command_of((uint16_t)(1000 + i), BLOCK_CHAIN);
        assert_true(stream_put(&bench->nvme, &nvme));
        assert_true(stream_put(&bench->blk, &blk));
    }
    for (uint16_t i = 0; i < 8; i++) {
        assert_true(bench_merge(bench));
        struct block_submit merged;
        assert_true(stream_get(&bench->submit, &merged));
        assert_int_equal(merged.context.tag, i / 2 + (i % 2 ? 1000 : 0));
    }
}

static void raw_commands_take_two_entries(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit raw = command_of(5, BLOCK_PRP);
    raw.command.kind = BACKEND_RAW;
    random_fill(&bench->random, raw.raw, sizeof raw.raw);
    for (uint32_t i = 0; i < 3; i++) {
        struct block_submit plain = command_of((uint16_t)(6 + i), BLOCK_PRP);
        put(bench, &bench->nvme, &raw);
        put(bench, &bench->nvme, &plain);
        struct ring_work first = entry_of(bench), second = entry_of(bench), third = entry_of(bench);
        assert_memory_equal(first.data, &raw.command, RING_ENTRY_BYTES);
        assert_int_equal(first.entries, 2);
        assert_false(first.last);
        assert_memory_equal(second.data, raw.raw, RING_ENTRY_BYTES);
        assert_int_equal(second.entries, 0);
        assert_true(second.last);
        assert_memory_equal(third.data, &plain.command, RING_ENTRY_BYTES);
        assert_int_equal(third.entries, 1);
        assert_true(third.last);
    }
}

/* A notice does not get between the two entries of a raw command. */
static void notices_and_commands_take_turns(void **context)
{
    struct block_bench *bench = *context;
    struct block_issue issue;
    struct block_command notice;
    memset(&issue, 0, sizeof issue);
    memset(&notice, 0, sizeof notice);
    issue.command.kind = BACKEND_RAW;
    notice.kind = BACKEND_MOVED;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(stream_put(&bench->issue, &issue));
        assert_true(stream_put(&bench->notice, &notice));
    }
    const uint16_t entries[] = {2, 0, 1, 2, 0, 1, 2, 0, 1};
    for (uint32_t i = 0; i < 9; i++) {
        struct ring_work work = {0};
        assert_true(bench_post(bench));
        assert_true(stream_get(&bench->entry, &work));
        assert_int_equal(work.entries, entries[i]);
    }
}

static void completes_nvme(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit command = command_of(300, BLOCK_PRP);
    submit(bench, &command);
    struct block_answer answer = answer_of(300, ANSWER_COMPLETE);
    answer.status = NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
    bench_answer(bench, &answer);
    struct block_completion done = completion_of(bench, &bench->nvme_done);
    assert_int_equal(done.tag, 300);
    assert_int_equal(done.status, NVME_INVALID_FIELD | NVME_DO_NOT_RETRY);
    assert_int_equal(done.result, answer.result);
    assert_int_equal(done.function, BENCH_GUEST);
    assert_int_equal(done.queue, 2);
    assert_int_equal(done.completion, 77);
    assert_int_equal(done.identifier, 0x4321);
    assert_int_equal(done.sq_head, 12);
    assert_int_equal(done.sequence, 345);
    assert_int_equal(done.sq_id, 6);
    assert_int_equal(done.generation, 9);
    assert_false(done.silent || done.window);
    assert_int_equal(hls_fifo_used(&bench->finished_disk.fifo), 1);
    nothing_is_left(bench);
}

static void completes_virtio(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit command = command_of(301, BLOCK_CHAIN);
    submit(bench, &command);
    struct block_answer answer = answer_of(301, ANSWER_COMPLETE | ANSWER_SILENT);
    answer.status = 2;
    answer.written = 4097;
    bench_answer(bench, &answer);
    struct block_completion done = completion_of(bench, &bench->blk_done);
    assert_int_equal(done.status, 2);
    assert_int_equal(done.written, 4097);
    assert_int_equal(done.status_address, 0x20000);
    assert_true(done.silent);
    nothing_is_left(bench);
}

/* A write: the data first, the completion when the host has it on disk. */
static void moves_then_completes(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit command = command_of(302, BLOCK_PRP);
    submit(bench, &command);
    random_fill(&bench->random, bench->guest[0] + 0x10000, 512);
    struct block_answer answer = answer_of(302, ANSWER_MOVE_IN | ANSWER_TELL);
    bench_answer(bench, &answer);
    struct ring_work told = entry_of(bench);
    struct block_command notice, expected;
    memcpy(&notice, told.data, sizeof notice);
    memset(&expected, 0, sizeof expected);
    expected.kind = BACKEND_MOVED;
    expected.tag = 302;
    assert_memory_equal(&notice, &expected, sizeof notice);
    assert_memory_equal(bench->host + 4096, bench->guest[0] + 0x10000, 512);
    assert_int_equal(hls_fifo_used(&bench->finished_disk.fifo), 0);
    nothing_is_left(bench);

    answer = answer_of(302, ANSWER_COMPLETE);
    bench_answer(bench, &answer);
    assert_int_equal(completion_of(bench, &bench->nvme_done).status, 0);
    assert_int_equal(hls_fifo_used(&bench->finished_disk.fifo), 1);
    nothing_is_left(bench);
}

static void fails_where_memory_does(void **context)
{
    struct block_bench *bench = *context;
    const uint8_t formats[] = {BLOCK_PRP, BLOCK_SGL};
    for (uint32_t i = 0; i < 4; i++) {
        struct block_submit command = command_of(303, formats[i / 2]);
        struct block_answer answer = answer_of(303, ANSWER_MOVE_OUT | ANSWER_COMPLETE | ANSWER_TELL);
        command.context.pointer1 = i / 2 ? 512 : 0;
        if (i % 2)
            command.context.pointer0 = BENCH_MEMORY; /* the guest's end */
        else
            answer.address += BENCH_MEMORY; /* the host's end */
        submit(bench, &command);
        bench_answer(bench, &answer);
        assert_int_equal(completion_of(bench, &bench->nvme_done).status, NVME_DATA_TRANSFER_ERROR);
        struct ring_work told = entry_of(bench);
        assert_int_equal(((struct block_command *)(void *)told.data)->status, NVME_DATA_TRANSFER_ERROR);
        nothing_is_left(bench);
    }
    struct virtq_descriptor chain = {0x1000000, 512, VIRTQ_WRITE, 0};
    memcpy(bench->guest[0] + 0x10000, &chain, sizeof chain);
    struct block_submit command = command_of(304, BLOCK_CHAIN);
    command.context.table_entries = 1;
    submit(bench, &command);
    struct block_answer answer = answer_of(304, ANSWER_MOVE_OUT | ANSWER_COMPLETE);
    answer.written = 513;
    bench_answer(bench, &answer);
    struct block_completion done = completion_of(bench, &bench->blk_done);
    assert_int_equal(done.status, BLOCK_VIRTIO_IOERR);
    assert_int_equal(done.written, 1);
    nothing_is_left(bench);
}

/* An error in the first of many pieces is the job's, and not the next job's. */
static void errors_belong_to_their_job(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit bad = command_of(305, BLOCK_PRP), good = command_of(306, BLOCK_PRP);
    bad.context.pointer0 = BENCH_MEMORY;
    bad.context.pointer1 = 0x4000;
    for (uint64_t i = 0; i < 60; i++) {
        uint64_t page = 0x100000 + i * 8192;
        memcpy(bench->guest[0] + 0x4000 + i * 8, &page, 8);
    }
    submit(bench, &bad);
    submit(bench, &good);
    struct block_answer answer = answer_of(305, ANSWER_MOVE_OUT | ANSWER_COMPLETE);
    answer.length = 61 * 4096;
    bench_answer(bench, &answer);
    answer = answer_of(306, ANSWER_MOVE_OUT | ANSWER_COMPLETE);
    bench_answer(bench, &answer);
    assert_int_equal(completion_of(bench, &bench->nvme_done).status, NVME_DATA_TRANSFER_ERROR);
    assert_int_equal(completion_of(bench, &bench->nvme_done).status, 0);
    assert_int_equal(bench->pieces, 62);
    nothing_is_left(bench);
}

/* A walk that fails behind pieces that moved ends with its own status when they have. */
static void failed_walks_wait_for_their_pieces(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit bad = command_of(307, BLOCK_PRP), good = command_of(308, BLOCK_PRP);
    bad.context.pointer1 = 0x4000;
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t page = 0x100000 + i * 8192 + (i == 19 ? 8 : 0);
        memcpy(bench->guest[0] + 0x4000 + i * 8, &page, 8);
    }
    submit(bench, &bad);
    submit(bench, &good);
    struct block_answer answer = answer_of(307, ANSWER_MOVE_OUT | ANSWER_COMPLETE);
    answer.length = 21 * 4096;
    bench_answer(bench, &answer);
    answer = answer_of(308, ANSWER_MOVE_OUT | ANSWER_COMPLETE);
    bench_answer(bench, &answer);
    assert_int_equal(completion_of(bench, &bench->nvme_done).status, NVME_PRP_OFFSET);
    assert_int_equal(completion_of(bench, &bench->nvme_done).status, 0);
    assert_int_equal(bench->pieces, 21);
    nothing_is_left(bench);
}

static void drops_answers_of_nobody(void **context)
{
    struct block_bench *bench = *context;
    struct block_answer answer = answer_of(310, ANSWER_MOVE_IN | ANSWER_COMPLETE);
    bench_answer(bench, &answer);
    answer.tag = BLOCK_TAGS;
    bench_answer(bench, &answer);
    nothing_is_left(bench);
    assert_int_equal(bench->block_context.stray, 2);
    struct block_submit command = command_of(310, BLOCK_PRP);
    submit(bench, &command);
    answer = answer_of(310, ANSWER_COMPLETE);
    bench_answer(bench, &answer);
    bench_answer(bench, &answer); /* once too often */
    assert_int_equal(completion_of(bench, &bench->nvme_done).tag, 310);
    nothing_is_left(bench);
    assert_int_equal(bench->block_context.stray, 3);
    struct ring_work setting;
    memset(&setting, 0, sizeof setting);
    setting.kind = RING_WORK_SETTING;
    put(bench, &bench->answer, &setting);
    nothing_is_left(bench);
    assert_int_equal(bench->block_context.stray, 3);
}

/* An answer that means nothing moves nothing. */
static void odd_answers_move_nothing(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit command = command_of(311, BLOCK_PRP);
    submit(bench, &command);
    struct block_answer answer = answer_of(311, ANSWER_MOVE_IN | ANSWER_MOVE_OUT);
    bench_answer(bench, &answer);
    answer = answer_of(311, ANSWER_MOVE_IN);
    answer.length = 0;
    bench_answer(bench, &answer);
    nothing_is_left(bench);
    assert_int_equal(bench->pieces, 0);
}

static void windows_reach_all_channels(void **context)
{
    struct block_bench *bench = *context;
    struct block_submit window;
    struct command_entry entry, back;
    memset(&window, 0, sizeof window);
    memset(&entry, 0, sizeof entry);
    entry.opcode = COMMAND_WINDOW_SET;
    entry.target = TARGET_BLK;
    entry.tag = 99;
    entry.index = 17;
    window.context.format = BLOCK_WINDOW;
    window.context.function = 17;
    window.context.pointer0 = 0xabc000;
    window.context.pointer1 = 0x7000;
    memcpy(window.raw, &entry, sizeof entry);
    put(bench, &bench->blk, &window);
    while (!stream_get(&bench->window_done, &back))
        assert_true(bench_turn(bench));
    bench_settle(bench);
    assert_memory_equal(&back, &entry, sizeof back);
    const struct dma_request *windows[] = {&bench->reader[READER_LIST].window, &bench->reader[READER_MORE].window,
                                           &bench->window[0], &bench->window[1]};
    assert_int_equal(bench->reader[READER_LIST].windows + bench->reader[READER_MORE].windows, 2);
    assert_int_equal(bench->windows[0] + bench->windows[1], 2);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(windows[i]->address, 0xabc000);
        assert_int_equal(windows[i]->length, 0x7000);
        assert_int_equal(windows[i]->function, 17);
        assert_int_equal(windows[i]->flags, DMA_WINDOW);
    }
    struct block_completion told = completion_of(bench, &bench->blk_done);
    assert_true(told.window);
    assert_int_equal(told.result, 0xabc000);
    assert_int_equal(told.status_address, 0x7000);
    assert_int_equal(told.function, 17);
    nothing_is_left(bench);
}

static int setup(void **context)
{
    *context = block_bench_new(2, 4);
    return 0;
}

static int teardown(void **context)
{
    block_bench_free(*context);
    return 0;
}

#define PATH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATH_TEST(serves_both_kinds_in_turn),
        PATH_TEST(raw_commands_take_two_entries),
        PATH_TEST(notices_and_commands_take_turns),
        PATH_TEST(completes_nvme),
        PATH_TEST(completes_virtio),
        PATH_TEST(moves_then_completes),
        PATH_TEST(fails_where_memory_does),
        PATH_TEST(errors_belong_to_their_job),
        PATH_TEST(failed_walks_wait_for_their_pieces),
        PATH_TEST(drops_answers_of_nobody),
        PATH_TEST(odd_answers_move_nothing),
        PATH_TEST(windows_reach_all_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
