/* SPDX-License-Identifier: Apache-2.0 */
/* The receive filter as joined in the card: rx_filter_merge, rx_filter, packet_gate. A table of frames, then at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/packet_gate/packet_gate.c"
#include "hls/rx_filter/rx_filter.c"
#include "hls/rx_filter_merge/rx_filter_merge.c"
#include "tests/hls/stream.h"

struct chain {
    struct rx_filter_merge_state merge;
    struct rx_filter_state filter;
    struct packet_gate_state gate;
    struct stream in, command, merged, packet, verdict, completion, out;
};

static const uint8_t own[6] = {0x52, 0x54, 0, 0, 0, 1};
static const uint8_t other[6] = {0x52, 0x54, 0, 0, 0, 2};
static const uint8_t third[6] = {0x52, 0x54, 0, 0, 0, 3};
static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t group2[6] = {0x01, 0x00, 0x5e, 0, 0, 5};
static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int setup(void **context)
{
    struct chain *chain = calloc(1, sizeof *chain);
    stream_open(&chain->in, 8, sizeof(struct beat));
    stream_open(&chain->command, 8, sizeof(struct command_entry));
    stream_open(&chain->merged, 8, sizeof(struct beat));
    stream_open(&chain->packet, 512, sizeof(struct beat));
    stream_open(&chain->verdict, 64, sizeof(struct packet_verdict));
    stream_open(&chain->completion, 8, sizeof(struct command_entry));
    stream_open(&chain->out, 256, sizeof(struct beat));
    *context = chain;
    return 0;
}

static int teardown(void **context)
{
    struct chain *chain = *context;
    struct stream *all[] = {&chain->in,      &chain->command,    &chain->merged, &chain->packet,
                            &chain->verdict, &chain->completion, &chain->out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stream_close(all[i]);
    free(chain);
    return 0;
}

static void run_merge(struct chain *chain)
{
    struct stream *packet = &chain->in, *command = &chain->command, *out = &chain->merged;
    STREAM_TEST_IN(packet);
    STREAM_TEST_IN(command);
    STREAM_TEST_OUT(out);
    while (rx_filter_merge(&chain->merge, &packet_port, &command_port, &out_port))
        ;
    STREAM_TEST_IN_END(packet);
    STREAM_TEST_IN_END(command);
    STREAM_TEST_OUT_END(out);
}

static void run_filter(struct chain *chain)
{
    struct stream *in = &chain->merged, *packet = &chain->packet, *verdict = &chain->verdict;
    struct stream *completion = &chain->completion;
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(packet);
    STREAM_TEST_OUT(verdict);
    STREAM_TEST_OUT(completion);
    while (rx_filter(&chain->filter, &in_port, &packet_port, &verdict_port, &completion_port))
        ;
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(packet);
    STREAM_TEST_OUT_END(verdict);
    STREAM_TEST_OUT_END(completion);
}

static void run_gate(struct chain *chain)
{
    struct stream *packet = &chain->packet, *verdict = &chain->verdict, *out = &chain->out;
    STREAM_TEST_IN(packet);
    STREAM_TEST_IN(verdict);
    STREAM_TEST_OUT(out);
    while (packet_gate(&chain->gate, &packet_port, &verdict_port, &out_port))
        ;
    STREAM_TEST_IN_END(packet);
    STREAM_TEST_IN_END(verdict);
    STREAM_TEST_OUT_END(out);
}

static void run(struct chain *chain)
{
    run_merge(chain);
    run_filter(chain);
    run_gate(chain);
}

static uint8_t command(struct chain *chain, uint16_t opcode, uint32_t index, uint32_t argument, const void *data,
                       size_t bytes)
{
    struct command_entry entry = {
        .opcode = opcode, .target = TARGET_RX, .tag = 7, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    assert_true(stream_put(&chain->command, &entry));
    run(chain);
    assert_true(stream_get(&chain->completion, &entry));
    assert_int_equal(entry.tag, 7);
    return entry.status;
}

static struct filter_setting some_setting(uint8_t flags)
{
    struct filter_setting setting = {.flags = flags};
    memcpy(setting.mac, own, 6);
    return setting;
}

static void set_flags(struct chain *chain, uint8_t flags)
{
    struct filter_setting setting = some_setting(flags);
    assert_int_equal(command(chain, COMMAND_FILTER_SET, 3, 0, &setting, sizeof setting), STATUS_OK);
}

/* Sends a frame of `length` bytes to a function; vlan < 0: untagged. Says whether it arrived, and whole. */
static bool arrives(struct chain *chain, uint16_t function, const uint8_t *mac, int vlan, uint32_t length, bool error)
{
    struct beat beat, expected;
    bool arrived = false;
    for (uint32_t at = 0; at < length; at += 64) {
        uint32_t bytes = length - at < 64 ? length - at : 64;
        memset(&beat, 0, sizeof beat);
        memset(beat.data, (int)(at + length), bytes);
        beat.meta.bytes = (uint8_t)bytes;
        beat.meta.last = at + 64 >= length;
        beat.meta.error = beat.meta.last && error;
        if (at == 0) {
            static const uint8_t ipv4[2] = {8, 0};
            uint32_t id = vlan < 0 ? 0 : (uint32_t)vlan;
            uint8_t tag[4] = {0x81, 0, (uint8_t)(0xe0 | id >> 8), (uint8_t)id};
            memcpy(beat.data, mac, 6);
            memcpy(beat.data + 12, vlan < 0 ? ipv4 : tag, vlan < 0 ? 2 : 4);
            beat.meta.length = (uint16_t)length;
            beat.meta.source = ENDPOINT_PORT;
            beat.meta.destination = ENDPOINT_FUNCTION;
            beat.meta.destination_id = function;
        }
        expected = beat;
        assert_true(stream_put(&chain->in, &beat));
        run(chain);
    }
    unsigned beats = 0;
    while (stream_get(&chain->out, &beat)) {
        arrived = true;
        beats++;
    }
    if (arrived) {
        assert_int_equal(beats, (length + 63) / 64);
        assert_memory_equal(&beat, &expected, sizeof beat);
    }
    return arrived;
}

static bool passes(struct chain *chain, const uint8_t *mac)
{
    return arrives(chain, 3, mac, -1, 60, false);
}

static void test_open_until_set(void **context)
{
    struct chain *chain = *context;
    const uint8_t *macs[] = {own, other, group, everyone};
    for (int i = 0; i < 4; i++) {
        assert_true(passes(chain, macs[i]));
        assert_true(arrives(chain, 3, macs[i], 5, 60, false));
    }
    assert_false(arrives(chain, CARD_FUNCTIONS, own, -1, 60, false)); /* nobody there */
    assert_false(arrives(chain, 0xffff, own, -1, 60, false));
    set_flags(chain, 0);
    assert_false(passes(chain, other));
    assert_true(arrives(chain, 4, other, -1, 60, false)); /* another function's filter is its own */
}

struct row {
    uint8_t flags;
    bool own, other, table, group, group_table, everyone;
};

static void test_modes(void **context)
{
    struct chain *chain = *context;
    static const struct row rows[] = {
        {0, true, false, true, false, true, true},
        {FILTER_PROMISCUOUS, true, true, true, true, true, true},
        {FILTER_PROMISCUOUS | FILTER_NO_UNICAST | FILTER_NO_MULTICAST | FILTER_NO_BROADCAST, true, true, true, true,
         true, true},
        {FILTER_ALL_MULTICAST, true, false, true, true, true, true},
        {FILTER_ALL_UNICAST, true, true, true, false, true, true},
        {FILTER_NO_MULTICAST, true, false, true, false, false, true},
        {FILTER_NO_MULTICAST | FILTER_ALL_MULTICAST, true, false, true, false, false, true},
        {FILTER_NO_UNICAST, false, false, false, false, true, true},
        {FILTER_NO_UNICAST | FILTER_ALL_UNICAST, false, false, false, false, true, true},
        {FILTER_NO_BROADCAST, true, false, true, false, true, false},
        {FILTER_NO_BROADCAST | FILTER_ALL_MULTICAST, true, false, true, true, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct filter_setting setting = some_setting(rows[i].flags);
        setting.table_entries = 6;
        memcpy(setting.table[0], third, 6);
        memcpy(setting.table[5], group2, 6);
        assert_int_equal(command(chain, COMMAND_FILTER_SET, 3, 0, &setting, sizeof setting), STATUS_OK);
        assert_int_equal(passes(chain, own), rows[i].own);
        assert_int_equal(passes(chain, other), rows[i].other);
        assert_int_equal(passes(chain, third), rows[i].table);
        assert_int_equal(passes(chain, group), rows[i].group);
        assert_int_equal(passes(chain, group2), rows[i].group_table);
        assert_int_equal(passes(chain, everyone), rows[i].everyone);
    }
}

static void test_table_ends_where_it_says(void **context)
{
    struct chain *chain = *context;
    struct filter_setting setting = some_setting(0);
    memcpy(setting.table[0], other, 6);
    memcpy(setting.table[1], third, 6);
    setting.table_entries = 1;
    assert_int_equal(command(chain, COMMAND_FILTER_SET, 3, 0, &setting, sizeof setting), STATUS_OK);
    assert_true(passes(chain, other));
    assert_false(passes(chain, third));
}

static void test_vlans(void **context)
{
    struct chain *chain = *context;
    set_flags(chain, FILTER_VLAN);
    for (int vlan = 0; vlan < 4096; vlan += 37) {
        uint64_t word = UINT64_C(1) << (vlan & 63);
        assert_false(arrives(chain, 3, own, vlan, 60, false));
        assert_int_equal(command(chain, COMMAND_VLAN_SET, 3, (uint32_t)vlan / 64, &word, 8), STATUS_OK);
        assert_true(arrives(chain, 3, own, vlan, 60, false));
        assert_false(arrives(chain, 3, own, vlan ^ 1, 60, false));
        assert_false(arrives(chain, 3, other, vlan, 60, false));
        assert_true(arrives(chain, 3, own, -1, 60, false)); /* untagged */
        word = 0;
        assert_int_equal(command(chain, COMMAND_VLAN_SET, 3, (uint32_t)vlan / 64, &word, 8), STATUS_OK);
        assert_false(arrives(chain, 3, own, vlan, 60, false));
    }
    set_flags(chain, FILTER_VLAN | FILTER_PROMISCUOUS);
    assert_true(arrives(chain, 3, other, 9, 60, false));
    set_flags(chain, 0);
    assert_true(arrives(chain, 3, own, 9, 60, false));
}

static void test_bad_commands(void **context)
{
    struct chain *chain = *context;
    struct filter_setting setting = some_setting(FILTER_NO_UNICAST);
    uint64_t word = UINT64_MAX;
    assert_int_equal(command(chain, COMMAND_FILTER_SET, CARD_FUNCTIONS + 3, 0, &setting, sizeof setting),
                     STATUS_BAD_INDEX);
    assert_int_equal(command(chain, COMMAND_VLAN_SET, CARD_FUNCTIONS, 0, &word, 8), STATUS_BAD_INDEX);
    assert_int_equal(command(chain, COMMAND_VLAN_SET, 3, 64, &word, 8), STATUS_BAD_INDEX);
    assert_int_equal(command(chain, COMMAND_QUEUE_SET, 3, 0, &word, 8), STATUS_BAD_OPCODE);
    setting.table_entries = 7;
    assert_int_equal(command(chain, COMMAND_FILTER_SET, 3, 0, &setting, sizeof setting), STATUS_BAD_DATA);
    assert_true(passes(chain, own)); /* none of them changed anything */
    set_flags(chain, FILTER_VLAN);
    assert_false(arrives(chain, 3, own, 0, 60, false));
}

static void test_spoilt_never_comes_out(void **context)
{
    struct chain *chain = *context;
    for (uint32_t length = PACKET_BYTES_MIN; length <= PACKET_BYTES_MAX; length += 1 + length / 3) {
        assert_false(arrives(chain, 3, own, -1, length, true));
        assert_true(arrives(chain, 3, own, -1, length, false));
    }
    assert_true(arrives(chain, 3, own, -1, PACKET_BYTES_MAX, false));
}

/* A command that arrives within a packet waits for its end. */
static void test_command_within_packet(void **context)
{
    struct chain *chain = *context;
    struct filter_setting setting = some_setting(0);
    struct command_entry entry = {.opcode = COMMAND_FILTER_SET, .target = TARGET_RX, .index = 3};
    struct beat beat;
    memcpy(entry.data, &setting, sizeof setting);
    for (int i = 0; i < 4; i++) {
        memset(&beat, 0, sizeof beat);
        beat.meta.bytes = 64;
        beat.meta.last = i == 3;
        if (i == 0) {
            memcpy(beat.data, other, 6);
            beat.meta.source = ENDPOINT_FUNCTION;
            beat.meta.destination_id = 3;
            beat.meta.length = 256;
        }
        if (i == 1)
            assert_true(stream_put(&chain->command, &entry));
        assert_true(stream_put(&chain->in, &beat));
        run(chain);
        assert_int_equal(stream_get(&chain->completion, &entry), i == 3);
    }
    unsigned beats = 0;
    while (stream_get(&chain->out, &beat))
        beats++;
    assert_int_equal(beats, 4);
    assert_false(passes(chain, other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_until_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_table_ends_where_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vlans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spoilt_never_comes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_command_within_packet, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
