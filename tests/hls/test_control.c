/* SPDX-License-Identifier: Apache-2.0 */
/* control and event_post: every command reaches its target, every completion the ring, nothing waits for a slow target.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/control/control.c"
#include "hls/event_post/event_post.c"
#include "tests/hls/stream.h"

#define TARGETS 11u /* those of the network in enum command_target, the receive filter, those of block devices */
#define SOURCES 7u  /* of completions: the first six targets, and one for all the others */

static struct control_state control_state;
static struct event_post_state event_state;
static struct stream command_stream, done_stream[SOURCES], target_stream[TARGETS], completion_stream;
#define EVENT_SOURCES 9
static struct stream event_in[EVENT_SOURCES], event_out;

static int setup(void **context)
{
    (void)context;
    memset(&control_state, 0, sizeof control_state);
    memset(&event_state, 0, sizeof event_state);
    stream_open(&command_stream, 8, sizeof(struct ring_work));
    stream_open(&completion_stream, 4, sizeof(struct ring_work));
    for (unsigned i = 0; i < SOURCES; i++)
        stream_open(&done_stream[i], 4, sizeof(struct command_entry));
    for (unsigned i = 0; i < TARGETS; i++)
        stream_open(&target_stream[i], 4, sizeof(struct command_entry));
    for (unsigned i = 0; i < EVENT_SOURCES; i++)
        stream_open(&event_in[i], 4, sizeof(struct event_entry));
    stream_open(&event_out, 4, sizeof(struct ring_work));
    return 0;
}

static int teardown(void **context)
{
    (void)context;
    stream_close(&command_stream);
    stream_close(&completion_stream);
    for (unsigned i = 0; i < SOURCES; i++)
        stream_close(&done_stream[i]);
    for (unsigned i = 0; i < TARGETS; i++)
        stream_close(&target_stream[i]);
    for (unsigned i = 0; i < EVENT_SOURCES; i++)
        stream_close(&event_in[i]);
    stream_close(&event_out);
    return 0;
}

static void run_control(unsigned activations)
{
    struct hls_port done[SOURCES], target[TARGETS];
    struct stream *command = &command_stream, *completion = &completion_stream;
    STREAM_TEST_IN(command);
    STREAM_TEST_OUT(completion);
    for (unsigned i = 0; i < SOURCES; i++)
        done[i] = hls_read_begin(&done_stream[i].fifo);
    for (unsigned i = 0; i < TARGETS; i++)
        target[i] = hls_write_begin(&target_stream[i].fifo);
    while (activations-- > 0 &&
           control(&control_state, &command_port, &done[0], &done[1], &done[2], &done[3], &done[4], &done[5], &done[6],
                   &target[0], &target[1], &target[2], &target[3], &target[4], &target[5], &target[6], &target[7],
                   &target[8], &target[9], &target[10], &completion_port))
        ;
    for (unsigned i = 0; i < SOURCES; i++)
        hls_read_end(&done_stream[i].fifo, &done[i]);
    for (unsigned i = 0; i < TARGETS; i++)
        hls_write_end(&target_stream[i].fifo, &target[i]);
    STREAM_TEST_IN_END(command);
    STREAM_TEST_OUT_END(completion);
}

static bool send(uint16_t opcode, uint8_t target, uint32_t tag)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .status = 0x77, .tag = tag, .index = ~tag};
    struct ring_work work = {.kind = RING_WORK_ENTRY};
    memset(entry.data, (int)tag, sizeof entry.data);
    memcpy(work.data, &entry, sizeof entry);
    return stream_put(&command_stream, &work);
}

static bool complete(struct command_entry *entry)
{
    struct ring_work work;
    if (!stream_get(&completion_stream, &work))
        return false;
    assert_int_equal(work.kind, RING_WORK_ENTRY);
    assert_int_equal(work.entries, 1);
    assert_int_equal(work.last, 1);
    assert_int_equal(work.error, 0);
    memcpy(entry, work.data, sizeof *entry);
    return true;
}

static void assert_routed(uint16_t opcode, uint8_t target, unsigned to)
{
    struct command_entry entry;
    assert_true(send(opcode, target, 0x1234));
    run_control(100);
    for (unsigned i = 0; i < TARGETS; i++) {
        bool there = stream_get(&target_stream[i], &entry);
        assert_int_equal(there, i == to);
        if (there) {
            assert_int_equal(entry.opcode, opcode);
            assert_int_equal(entry.tag, 0x1234);
            assert_int_equal(entry.index, ~0x1234u);
            assert_int_equal(entry.data[47], 0x34);
        }
    }
    assert_false(complete(&entry));
}

static void test_routes(void **context)
{
    (void)context;
    assert_routed(COMMAND_PORT_SET, TARGET_NET, 0);
    assert_routed(999, TARGET_NET, 0); /* the target knows its opcodes */
    assert_routed(COMMAND_QUEUE_SET, TARGET_TX, 1);
    assert_routed(COMMAND_QUEUE_SET, TARGET_TX_USED, 2);
    assert_routed(COMMAND_WINDOW_SET, TARGET_RX, 3);
    assert_routed(COMMAND_QUEUE_STOP, TARGET_RX_USED, 4);
    assert_routed(COMMAND_FILTER_SET, TARGET_RX, 5);
    assert_routed(COMMAND_VLAN_SET, TARGET_RX, 5);
    assert_routed(COMMAND_FILTER_SET, TARGET_TX, 1);
    assert_routed(COMMAND_QUEUE_SET, TARGET_BLK, 6);
    assert_routed(COMMAND_QUEUE_SET, TARGET_BLK_USED, 7);
    assert_routed(COMMAND_NAMESPACE_SET, TARGET_NVME_SQ, 8);
    assert_routed(COMMAND_QUEUE_STOP, TARGET_NVME_CQ, 9);
    assert_routed(COMMAND_VOLUME_SET, TARGET_BLOCK, 10);
}

static void test_completes_itself(void **context)
{
    (void)context;
    struct command_entry entry = {0};
    static const uint8_t bad[] = {TARGET_COUNT, 100, 255};
    for (size_t i = 0; i < sizeof bad; i++) {
        assert_true(send(COMMAND_QUEUE_SET, bad[i], 5));
        run_control(100);
        assert_true(complete(&entry));
        assert_int_equal(entry.status, STATUS_BAD_OPCODE);
        assert_int_equal(entry.tag, 5);
    }
    for (unsigned target = 0; target < TARGET_COUNT; target++) {
        assert_true(send(COMMAND_NOP, (uint8_t)target, 6));
        run_control(100);
        assert_true(complete(&entry));
        assert_int_equal(entry.status, STATUS_OK);
        assert_int_equal(entry.tag, 6);
    }
}

static void test_settings_are_no_commands(void **context)
{
    (void)context;
    struct command_entry entry;
    struct ring_work work = {.kind = RING_WORK_SETTING};
    assert_true(stream_put(&command_stream, &work));
    run_control(100);
    assert_false(complete(&entry));
}

static void test_slow_target_holds_no_completion(void **context)
{
    (void)context;
    struct command_entry entry = {.tag = 99};
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(send(COMMAND_QUEUE_SET, TARGET_TX, i));
        run_control(100);
    }
    assert_true(stream_put(&done_stream[3], &entry));
    run_control(100);
    assert_true(complete(&entry));
    assert_int_equal(entry.tag, 99);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(stream_get(&target_stream[1], &entry));
        assert_int_equal(entry.tag, i);
        run_control(100);
    }
}

/* Targets answer after random times; each target's order holds and nothing is lost or doubled. */
static void test_random(void **context)
{
    (void)context;
    uint64_t random = 9;
    uint32_t sent = 0, completed = 0, next[TARGETS + 1] = {0};
    struct command_entry held[TARGETS];
    bool holding[TARGETS] = {false};
    static bool seen[100000];
    while (completed < 100000) {
        uint8_t target = (uint8_t)random_below(&random, TARGETS + 1);
        uint16_t opcode = target == 5 ? COMMAND_VLAN_SET : COMMAND_QUEUE_SET;
        uint8_t number = (uint8_t)(target < 5          ? target
                                   : target == 5       ? TARGET_RX
                                   : target == TARGETS ? 200
                                                       : target - 1);
        if (sent < 100000 && send(opcode, number, sent))
            sent++;
        run_control(random_below(&random, 4));
        for (unsigned i = 0; i < TARGETS; i++) {
            if (!holding[i] && random_below(&random, 2))
                holding[i] = stream_get(&target_stream[i], &held[i]);
            if (holding[i])
                held[i].argument = i;
            if (holding[i] && random_below(&random, 3) == 0 &&
                stream_put(&done_stream[i < SOURCES ? i : SOURCES - 1], &held[i]))
                holding[i] = false;
        }
        struct command_entry entry;
        while (random_below(&random, 3) != 0 && complete(&entry)) {
            unsigned from = entry.status == STATUS_BAD_OPCODE ? TARGETS : entry.argument;
            assert_true(entry.tag < sent && !seen[entry.tag] && entry.tag >= next[from]);
            seen[entry.tag] = true;
            next[from] = entry.tag + 1;
            completed++;
        }
    }
}

static void test_events(void **context)
{
    (void)context;
    unsigned counts[EVENT_SOURCES] = {0};
    for (int i = 0; i < 1000 * EVENT_SOURCES; i++) {
        for (uint16_t source = 0; source < EVENT_SOURCES; source++) {
            struct event_entry event = {.kind = EVENT_QUEUE_STOPPED, .function = 3 + source, .queue = source};
            memset(event.reserved, source, sizeof event.reserved);
            stream_put(&event_in[source], &event);
        }
        struct stream *tx = &event_in[0], *tx_packet = &event_in[1], *rx = &event_in[2], *out = &event_out;
        struct stream *tx_used = &event_in[3], *rx_used = &event_in[4], *blk = &event_in[5];
        struct stream *blk_used = &event_in[6], *nvme = &event_in[7], *nvme_cq = &event_in[8];
        STREAM_TEST_IN(tx);
        STREAM_TEST_IN(tx_packet);
        STREAM_TEST_IN(rx);
        STREAM_TEST_IN(tx_used);
        STREAM_TEST_IN(rx_used);
        STREAM_TEST_IN(blk);
        STREAM_TEST_IN(blk_used);
        STREAM_TEST_IN(nvme);
        STREAM_TEST_IN(nvme_cq);
        STREAM_TEST_OUT(out);
        assert_int_equal(event_post(&event_state, &tx_port, &tx_packet_port, &tx_used_port, &rx_port, &rx_used_port,
                                    &blk_port, &blk_used_port, &nvme_port, &nvme_cq_port, &out_port),
                         1);
        STREAM_TEST_IN_END(tx);
        STREAM_TEST_IN_END(tx_packet);
        STREAM_TEST_IN_END(rx);
        STREAM_TEST_IN_END(tx_used);
        STREAM_TEST_IN_END(rx_used);
        STREAM_TEST_IN_END(blk);
        STREAM_TEST_IN_END(blk_used);
        STREAM_TEST_IN_END(nvme);
        STREAM_TEST_IN_END(nvme_cq);
        STREAM_TEST_OUT_END(out);
        struct ring_work work;
        struct event_entry event;
        assert_true(stream_get(&event_out, &work));
        memcpy(&event, work.data, sizeof event);
        assert_int_equal(event.reserved[0], event.queue);
        assert_int_equal(work.source, RING_SOURCE_FUNCTION + event.function);
        counts[event.queue]++;
    }
    for (unsigned source = 0; source < EVENT_SOURCES; source++)
        assert_int_equal(counts[source], 1000); /* fair */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completes_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings_are_no_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_target_holds_no_completion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
