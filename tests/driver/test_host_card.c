/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of the rings on the whole card: injected packets take the pipeline's way back, commands reach its
 * kernels. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/card_ops.h"
#include "driver/host.h"
#include "hls/include/beat.h"
#include "hls/include/flow.h"

struct fixture {
    struct cipu_card *card;
    struct cipu_host *host;
    uint32_t packets;
    struct packet_entry entry; /* of the last packet */
    uint8_t data[PACKET_BYTES_MAX];
};

static int setup(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct cipu_error error = {{0}};
    /* The program is linked twice: with the rtl card, and without. */
    if (cipu_card_open(&card_ops_rtl ? "rtl:" : "native:", &fixture->card, &error) != 0 ||
        cipu_host_open(fixture->card, &fixture->host, &error) != 0)
        fail_msg("%s", error.text);
    *context = fixture;
    return 0;
}

static int teardown(void **context)
{
    struct fixture *fixture = *context;
    cipu_host_close(fixture->host);
    cipu_card_close(fixture->card);
    free(fixture);
    return 0;
}

/* Ethernet, IPv4, UDP; the IPv4 checksum is right, the UDP checksum zero (RFC 768: none). */
static uint32_t make_packet(uint8_t *packet, uint32_t length, uint8_t ttl)
{
    uint32_t total = length - 14, sum = 0;
    memset(packet, 0x5a, length);
    static const uint8_t head[34] = {0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0,   0, 1, 8, 0,   0x45, 0, 0,
                                     0,    0,    0, 0, 0, 0, 17,   0,    0, 192, 0, 2, 1, 192, 0,    2, 2};
    memcpy(packet, head, sizeof head);
    packet[16] = (uint8_t)(total >> 8);
    packet[17] = (uint8_t)total;
    packet[22] = ttl;
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    packet[24] = (uint8_t)(sum >> 8);
    packet[25] = (uint8_t)sum;
    packet[38] = (uint8_t)((total - 20) >> 8);
    packet[39] = (uint8_t)(total - 20);
    packet[40] = packet[41] = 0;
    return length;
}

static void take_packet(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct fixture *fixture = context;
    fixture->packets++;
    fixture->entry = *entry;
    memcpy(fixture->data, data, entry->length);
}

static void assert_punted(struct fixture *fixture, uint32_t packets)
{
    while (fixture->packets < packets) {
        struct pollfd descriptor = {.fd = cipu_host_fd(fixture->host), .events = POLLIN};
        if (poll(&descriptor, 1, 2000) != 1)
            fail_msg("%u of %u packets came back", fixture->packets, packets);
        cipu_host_receive(fixture->host, 100, take_packet, NULL, fixture);
    }
    assert_int_equal(fixture->packets, packets);
}

/* A packet without a flow takes the whole pipeline and comes back as it was, with the reason. */
static void test_miss_comes_back(void **context)
{
    struct fixture *fixture = *context;
    uint8_t packet[PACKET_BYTES_MAX];
    uint32_t count = &card_ops_rtl ? 50 : 500;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = make_packet(packet, 60 + i * (9000 / count), 64);
        struct packet_entry entry = {.length = (uint16_t)length,
                                     .source = ENDPOINT_FUNCTION,
                                     .source_id = (uint16_t)(i % 100),
                                     .action = INJECT_LOOKUP};
        assert_int_equal(cipu_host_inject(fixture->host, &entry, packet), 0);
        assert_punted(fixture, i + 1);
        assert_int_equal(fixture->entry.length, length);
        assert_int_equal(fixture->entry.reason, PUNT_MISS);
        assert_int_equal(fixture->entry.source, ENDPOINT_FUNCTION);
        assert_int_equal(fixture->entry.source_id, i % 100);
        assert_memory_equal(fixture->data, packet, length);
    }
}

/* An injected packet's action replaces the lookup: an action line of zeros drops it, ACTION_PUNT brings it back. */
static void test_actions(void **context)
{
    struct fixture *fixture = *context;
    uint8_t packet[200];
    make_packet(packet, sizeof packet, 64);
    struct action punt = {.kind = ACTION_PUNT};
    struct command_entry commands[2] = {{.opcode = COMMAND_ACTION_WRITE, .index = FLOW_ACTIONS - 1},
                                        {.opcode = COMMAND_ACTION_WRITE, .index = 0}};
    memcpy(commands[0].data, &punt, sizeof punt);
    assert_int_equal(cipu_host_command(fixture->host, commands, 2), 0);
    struct packet_entry entry = {.length = sizeof packet, .source = ENDPOINT_HOST, .action = FLOW_ACTIONS - 1};
    assert_int_equal(cipu_host_inject(fixture->host, &entry, packet), 0);
    assert_punted(fixture, 1);
    assert_int_equal(fixture->entry.reason, PUNT_ACTION);
    entry.action = 0;
    assert_int_equal(cipu_host_inject(fixture->host, &entry, packet), 0);
    entry.action = FLOW_ACTIONS - 1;
    assert_int_equal(cipu_host_inject(fixture->host, &entry, packet), 0);
    assert_punted(fixture, 2);
}

static void test_every_target_answers(void **context)
{
    struct fixture *fixture = *context;
    for (unsigned target = 0; target < TARGET_COUNT; target++) {
        struct command_entry command = {.opcode = 4711, .target = (uint8_t)target};
        assert_int_equal(cipu_host_command(fixture->host, &command, 1), -EIO);
        assert_int_equal(command.status, STATUS_BAD_OPCODE);
        command = (struct command_entry){.opcode = COMMAND_NOP, .target = (uint8_t)target};
        assert_int_equal(cipu_host_command(fixture->host, &command, 1), 0);
    }
    struct filter_setting setting = {.flags = FILTER_ALL_UNICAST};
    struct command_entry filter = {.opcode = COMMAND_FILTER_SET, .target = TARGET_RX, .index = 5};
    memcpy(filter.data, &setting, sizeof setting);
    assert_int_equal(cipu_host_command(fixture->host, &filter, 1), 0);
    struct command_entry vlan = {.opcode = COMMAND_VLAN_SET, .target = TARGET_RX, .index = 5, .argument = 64};
    assert_int_equal(cipu_host_command(fixture->host, &vlan, 1), -EIO);
    assert_int_equal(vlan.status, STATUS_BAD_INDEX);
    struct command_entry window = {.opcode = COMMAND_WINDOW_SET, .target = TARGET_TX, .index = 5};
    assert_int_equal(cipu_host_command(fixture->host, &window, 1), 0);
}

static void take_of_each(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct packet_entry *last = context;
    (void)data;
    uint16_t seen = last[entry->source_id].reserved;
    last[entry->source_id] = *entry;
    last[entry->source_id].reserved = (uint16_t)(seen + 1);
}

/* A function floods the host, which does not read, with packets that miss; the first packets of all others come through
 * to it, and the flood's next one tells how many were lost. */
static void test_flood(void **context)
{
    enum { FLOOD = 2000, FUNCTIONS = 40 };
    struct fixture *fixture = *context;
    struct packet_entry last[FUNCTIONS] = {{0}};
    uint8_t packet[600];
    make_packet(packet, sizeof packet, 64);
    for (uint32_t i = 0; i < FLOOD + FUNCTIONS; i++) {
        uint32_t function = i < FLOOD ? 0 : i - FLOOD;
        struct packet_entry entry = {.length = sizeof packet,
                                     .source = ENDPOINT_FUNCTION,
                                     .source_id = (uint16_t)function,
                                     .action = INJECT_LOOKUP};
        while (cipu_host_inject(fixture->host, &entry, packet) == -EAGAIN)
            ;
    }
    /* The command travels behind the packets. */
    struct command_entry statistic = {.opcode = COMMAND_STATISTIC_READ, .index = STATISTIC_PUNTED};
    assert_int_equal(cipu_host_command(fixture->host, &statistic, 1), 0);
    while (last[FUNCTIONS - 1].reserved == 0) {
        struct pollfd descriptor = {.fd = cipu_host_fd(fixture->host), .events = POLLIN};
        assert_int_equal(poll(&descriptor, 1, 2000), 1);
        cipu_host_receive(fixture->host, FLOOD, take_of_each, NULL, last);
    }
    for (uint32_t function = 1; function < FUNCTIONS; function++) {
        assert_int_equal(last[function].reserved, 1);
        assert_int_equal(last[function].dropped, 0);
    }
    uint32_t dropped = cipu_host_dropped(fixture->host, RING_PUNT);
    assert_true(dropped > 0);
    last[0].reserved = 0;
    struct packet_entry entry = {.length = sizeof packet, .source = ENDPOINT_FUNCTION, .action = INJECT_LOOKUP};
    assert_int_equal(cipu_host_inject(fixture->host, &entry, packet), 0);
    while (last[0].reserved == 0) {
        struct pollfd descriptor = {.fd = cipu_host_fd(fixture->host), .events = POLLIN};
        assert_int_equal(poll(&descriptor, 1, 2000), 1);
        cipu_host_receive(fixture->host, FLOOD, take_of_each, NULL, last);
    }
    assert_int_equal(last[0].dropped, dropped);
}

/* Packets and commands at once, then closed and opened in the middle of it. */
static void test_close_under_load(void **context)
{
    struct fixture *fixture = *context;
    uint8_t packet[1400];
    make_packet(packet, sizeof packet, 64);
    struct packet_entry entry = {.length = sizeof packet, .source = ENDPOINT_FUNCTION, .action = INJECT_LOOKUP};
    for (int round = 0; round < 10; round++) {
        struct command_entry commands[100];
        for (int i = 0; i < 100; i++) {
            commands[i] = (struct command_entry){.opcode = COMMAND_STATISTIC_READ, .index = (uint32_t)i};
            cipu_host_inject(fixture->host, &entry, packet);
        }
        assert_int_equal(cipu_host_command(fixture->host, commands, 100), 0);
        cipu_host_receive(fixture->host, 50, take_packet, NULL, fixture);
        assert_memory_equal(fixture->data, packet, fixture->packets ? sizeof packet : 0);
        cipu_host_close(fixture->host);
        struct cipu_error error = {{0}};
        if (cipu_host_open(fixture->card, &fixture->host, &error) != 0)
            fail_msg("%s", error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_miss_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_actions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_target_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_under_load, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
