/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel language's helpers against plain loops, and a FIFO with chunks. */
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/fifo.h"

static uint8_t first[64], second[64];

static void setup_bytes(void)
{
    for (unsigned i = 0; i < 64; i++) {
        first[i] = (uint8_t)(i * 3 + 1);
        second[i] = (uint8_t)(200 + i * 5);
    }
}

static void check_align(const uint8_t *to, unsigned shift)
{
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(to[i], i + shift < 64 ? first[i + shift] : second[i + shift - 64]);
}

#define ALIGN_1(shift)                           \
    do {                                         \
        uint8_t to[80] = {0};                    \
        HLS_ALIGN(to + 3, first, second, shift); \
        check_align(to + 3, shift);              \
        assert_int_equal(to[2], 0);              \
        assert_int_equal(to[67], 0);             \
    } while (0)
#define ALIGN_4(shift)    \
    ALIGN_1(shift);       \
    ALIGN_1((shift) + 1); \
    ALIGN_1((shift) + 2); \
    ALIGN_1((shift) + 3)
#define ALIGN_16(shift)   \
    ALIGN_4(shift);       \
    ALIGN_4((shift) + 4); \
    ALIGN_4((shift) + 8); \
    ALIGN_4((shift) + 12)

static void test_align(void **state)
{
    (void)state;
    setup_bytes();
    ALIGN_16(0);
    ALIGN_16(16);
    ALIGN_16(32);
    ALIGN_16(48);
    ALIGN_1(64);
}

static void test_window(void **state)
{
    (void)state;
    setup_bytes();
    for (uint32_t offset = 0; offset < 100; offset++) {
        uint8_t to[26];
        memset(to, 0xEE, sizeof to);
        HLS_WINDOW(to, 24, first, 64, offset);
        for (uint32_t i = 0; i < 24; i++)
            assert_int_equal(to[i], offset + i < 64 ? first[offset + i] : 0);
        assert_int_equal(to[24], 0xEE);
    }
}

static void test_big_endian(void **state)
{
    (void)state;
    uint8_t bytes[4];
    hls_put_be32(bytes, 0x01020304u);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(hls_be32(bytes), 0x01020304u);
    hls_put_be16(bytes, 0xfffe1234u);
    assert_int_equal(hls_be16(bytes), 0x1234);
}

struct item {
    uint32_t number;
    uint8_t rest[70];
};

/* Random visits of both ends, whole or by chunks, over the wrap of the ring and of the 32-bit indices. */
static void test_fifo(void **state)
{
    (void)state;
    enum { DEPTH = 8 };
    static _Alignas(64) uint8_t slots[DEPTH * HLS_SLOT_BYTES(struct item)];
    assert_int_equal(HLS_SLOT_BYTES(struct item), 128);
    struct hls_fifo fifo = {.slots = slots, .mask = DEPTH - 1, .slot_bytes = HLS_SLOT_BYTES(struct item)};
    fifo.head = fifo.tail = UINT32_MAX - 100;
    uint32_t written = 0, read = 0;
    srand(3);
    while (read < 5000) {
        struct hls_port out = hls_write_begin(&fifo), in;
        uint32_t limit = (uint32_t)rand() % 10, chunk = hls_chunk_bound(limit, &out);
        if (rand() % 2) {
            struct hls_port port = hls_chunk_begin(&out, HLS_SLOT_BYTES(struct item));
            for (uint32_t i = 0; i < chunk; i++) {
                STREAM_OPEN(struct item, item, &port);
                item->number = written++;
                STREAM_PUSH(struct item, item, &port);
            }
            hls_chunk_end(&out, &port, HLS_SLOT_BYTES(struct item));
        } else {
            for (uint32_t i = 0; i < limit && STREAM_CAN_WRITE(&out); i++) {
                STREAM_OPEN(struct item, item, &out);
                item->number = written++;
                STREAM_PUSH(struct item, item, &out);
            }
        }
        assert_int_equal(STREAM_CAN_WRITE(&out), !hls_at_limit(&out));
        hls_write_end(&fifo, &out);
        assert_int_equal(hls_fifo_used(&fifo), written - read);
        assert_true(written - read <= DEPTH);
        in = hls_read_begin(&fifo);
        for (uint32_t i = (uint32_t)rand() % 10; i && STREAM_CAN_READ(&in); i--) {
            STREAM_READ(struct item, item, &in);
            assert_int_equal(item->number, read);
            read++;
        }
        hls_read_end(&fifo, &in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_align),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_fifo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
