/* SPDX-License-Identifier: Apache-2.0 */
/* checksum and checksum_insert, joined as in the card, against a plain sum over the packet's bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hls/checksum_chain.h"

static int setup(void **context)
{
    struct checksum_chain *chain = calloc(1, sizeof *chain);
    checksum_chain_open(chain);
    *context = chain;
    return 0;
}

static int teardown(void **context)
{
    checksum_chain_close(*context);
    free(*context);
    return 0;
}

/* RFC 1071 in its simplest form, from `start` on. */
static uint16_t plain_sum(const uint8_t *data, size_t length, size_t start, uint32_t offset)
{
    uint64_t sum = 0;
    for (size_t i = start; i < length; i += 2)
        sum += (uint64_t)data[i] << 8 | (i + 1 < length ? data[i + 1] : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    uint16_t value = (uint16_t)~sum;
    return value == 0 && offset == 6 ? 0xffff : value;
}

struct packet {
    uint8_t data[PACKET_BYTES_MAX];
    struct beat_meta meta;
};

static void send(struct checksum_chain *chain, const struct packet *packet)
{
    for (size_t at = 0; at < packet->meta.length; at += BEAT_BYTES)
        checksum_chain_send(chain, packet->data, &packet->meta, at);
}

static void assert_arrives(struct checksum_chain *chain, const struct packet *packet)
{
    for (size_t at = 0; at < packet->meta.length; at += BEAT_BYTES) {
        struct beat expected, beat;
        checksum_chain_beat(&expected, packet->data, &packet->meta, at);
        assert_true(checksum_chain_receive(chain, &beat));
        assert_memory_equal(&beat, &expected, sizeof beat);
    }
}

static void make_packet(struct packet *packet, uint64_t *random, uint32_t length)
{
    random_fill(random, packet->data, length);
    memset(&packet->meta, 0, sizeof packet->meta);
    packet->meta.length = (uint16_t)length;
    packet->meta.source = ENDPOINT_FUNCTION;
    packet->meta.source_id = 7;
}

static void expect_checksum(struct packet *packet)
{
    uint32_t place = (uint32_t)packet->meta.checksum_start + packet->meta.checksum_offset;
    uint16_t sum =
        plain_sum(packet->data, packet->meta.length, packet->meta.checksum_start, packet->meta.checksum_offset);
    packet->data[place] = (uint8_t)(sum >> 8);
    packet->data[place + 1] = (uint8_t)sum;
    packet->meta.flags = BEAT_CHECKSUM_VALID;
    packet->meta.checksum_start = 0;
    packet->meta.checksum_offset = 0;
}

static void check(struct checksum_chain *chain, struct packet *packet, uint32_t start, uint32_t offset)
{
    packet->meta.flags = BEAT_CHECKSUM_NEEDED;
    packet->meta.checksum_start = (uint16_t)start;
    packet->meta.checksum_offset = (uint16_t)offset;
    send(chain, packet);
    expect_checksum(packet);
    assert_arrives(chain, packet);
}

static void test_every_length(void **context)
{
    static struct packet packet;
    uint64_t random = 2;
    for (uint32_t length = PACKET_BYTES_MIN; length < 400; length++) {
        for (uint32_t start = 0; start + 2 <= length; start += 1 + random_below(&random, 5)) {
            make_packet(&packet, &random, length);
            check(*context, &packet, start, random_below(&random, length - start - 1));
        }
    }
}

static void test_every_place(void **context)
{
    static struct packet packet;
    uint64_t random = 3;
    for (uint32_t start = 0; start < 140; start++) {
        for (uint32_t offset = 0; offset < 70; offset++) {
            make_packet(&packet, &random, start + offset + 2 + random_below(&random, 3));
            if (packet.meta.length >= PACKET_BYTES_MIN)
                check(*context, &packet, start, offset);
        }
    }
}

static void test_longest(void **context)
{
    static struct packet packet;
    uint64_t random = 4;
    for (int i = 0; i < 20; i++) {
        make_packet(&packet, &random, PACKET_BYTES_MAX - (uint32_t)i);
        check(*context, &packet, 34, 16);
        memset(packet.data, 0xff, sizeof packet.data);
        check(*context, &packet, (uint32_t)i, 6);
    }
}

static void test_zero_means_none_for_udp_only(void **context)
{
    static struct packet packet;
    uint64_t random = 5;
    make_packet(&packet, &random, 60);
    memset(packet.data, 0, 60);
    packet.data[50] = packet.data[51] = 0xff; /* the sum is 0xffff, so its complement 0 */
    check(*context, &packet, 34, 6);
    assert_int_equal(packet.data[40] << 8 | packet.data[41], 0xffff);
    /* TCP has no value that means "none". */
    check(*context, &packet, 34, 16);
}

static void test_not_asked(void **context)
{
    static struct packet packet;
    uint64_t random = 6;
    for (uint32_t length = PACKET_BYTES_MIN; length < 300; length++) {
        make_packet(&packet, &random, length);
        packet.meta.checksum_start = (uint16_t)random_below(&random, 100);
        packet.meta.flags = length & 1 ? BEAT_CHECKSUM_VALID : 0;
        send(*context, &packet);
        assert_arrives(*context, &packet);
    }
}

static void test_outside_is_dropped(void **context)
{
    static const uint16_t corner[][3] = {{60, 59, 0}, {60, 58, 1},     {60, 60, 0},    {60, 0xffff, 0xffff},
                                         {64, 0, 63}, {60, 0, 0xffff}, {128, 100, 27}, {60, 0xfffe, 2}};
    static struct packet packet;
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof corner / sizeof *corner; i++) {
        struct beat beat;
        make_packet(&packet, &random, corner[i][0]);
        packet.meta.flags = BEAT_CHECKSUM_NEEDED;
        packet.meta.checksum_start = corner[i][1];
        packet.meta.checksum_offset = corner[i][2];
        send(*context, &packet);
        assert_false(checksum_chain_receive(*context, &beat));
        make_packet(&packet, &random, 200);
        check(*context, &packet, 34, 16);
    }
}

static void test_spoilt_is_dropped(void **context)
{
    static struct packet packet;
    uint64_t random = 8;
    for (int i = 0; i < 1000; i++) {
        struct beat beat;
        make_packet(&packet, &random, PACKET_BYTES_MIN + random_below(&random, 300));
        packet.meta.error = 1;
        packet.meta.flags = i & 1 ? BEAT_CHECKSUM_NEEDED : 0;
        send(*context, &packet);
        assert_false(checksum_chain_receive(*context, &beat));
        packet.meta.error = 0;
        packet.meta.flags = 0;
        send(*context, &packet);
        assert_arrives(*context, &packet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zero_means_none_for_udp_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outside_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spoilt_is_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
