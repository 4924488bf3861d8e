/* SPDX-License-Identifier: Apache-2.0 */
/* dma_guard against arithmetic that cannot overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/dma_guard/dma_guard.c"
#include "tests/hls/stream.h"

struct guard {
    struct dma_guard_state state;
    struct stream in, out;
};

static int setup(void **context)
{
    struct guard *guard = calloc(1, sizeof *guard);
    stream_open(&guard->in, 16, sizeof(struct dma_request));
    stream_open(&guard->out, 16, sizeof(struct dma_request));
    *context = guard;
    return 0;
}

static int teardown(void **context)
{
    struct guard *guard = *context;
    stream_close(&guard->in);
    stream_close(&guard->out);
    free(guard);
    return 0;
}

static void activate(struct guard *guard)
{
    struct stream *in = &guard->in, *out = &guard->out;
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(out);
    assert_int_equal(dma_guard(&guard->state, &in_port, &out_port), 1);
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(out);
}

static void set_window(struct guard *guard, uint16_t function, uint64_t base, uint64_t length)
{
    struct dma_request request = {.address = base, .length = length, .function = function, .flags = DMA_WINDOW};
    struct dma_request out;
    assert_true(stream_put(&guard->in, &request));
    activate(guard);
    assert_false(stream_get(&guard->out, &out));
}

static struct dma_request transfer(struct guard *guard, struct dma_request request)
{
    struct dma_request out;
    assert_true(stream_put(&guard->in, &request));
    activate(guard);
    assert_true(stream_get(&guard->out, &out));
    return out;
}

static void assert_passes(struct guard *guard, uint64_t base, uint64_t address, uint64_t length)
{
    struct dma_request request = {address, length, 5, DMA_LAST, 0x1234, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
    struct dma_request out = transfer(guard, request);
    request.address += base;
    assert_memory_equal(&out, &request, sizeof out);
}

static void assert_refused(struct guard *guard, uint64_t address, uint64_t length)
{
    struct dma_request request = {address, length, 5, DMA_LAST, 0x1234, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
    struct dma_request out = transfer(guard, request);
    request.flags |= DMA_REFUSED;
    assert_memory_equal(&out, &request, sizeof out);
}

static void test_closed_at_first(void **context)
{
    struct guard *guard = *context;
    assert_refused(guard, 0, 1);
    assert_refused(guard, UINT64_MAX, 1);
    assert_refused(guard, 4096, 64);
}

static void test_corners(void **context)
{
    struct guard *guard = *context;
    const uint64_t base = UINT64_C(5) << 40, length = 0x100000;
    set_window(guard, 5, base, length);
    assert_passes(guard, base, 0, 1);
    assert_passes(guard, base, length - 1, 1);
    assert_passes(guard, base, length - 65536, 65536);
    assert_refused(guard, length, 1);
    assert_refused(guard, length - 1, 2);
    assert_refused(guard, length + 1, 1);
    assert_refused(guard, 0, 0);
    assert_refused(guard, 0, 65537);
    assert_refused(guard, 0, UINT64_MAX);
    assert_refused(guard, UINT64_MAX, 1);
    assert_refused(guard, UINT64_MAX, 2);
    assert_refused(guard, UINT64_MAX - 63, 64);
    assert_refused(guard, base, 64); /* a bus address is no guest address */
    set_window(guard, 5, base, 0);
    assert_refused(guard, 0, 1);
}

static void test_whole_address_space(void **context)
{
    struct guard *guard = *context;
    set_window(guard, 5, 0, UINT64_MAX);
    assert_passes(guard, 0, UINT64_MAX - 64, 64);
    assert_refused(guard, UINT64_MAX - 63, 64);
    assert_refused(guard, UINT64_MAX, 1);
    set_window(guard, 5, 4096, UINT64_MAX - 4095); /* would wrap to bus address 0 */
    assert_refused(guard, 0, 1);
    assert_refused(guard, UINT64_MAX - 4095, 1);
}

static void test_functions_are_apart(void **context)
{
    struct guard *guard = *context;
    set_window(guard, 0, 0, UINT64_MAX);
    set_window(guard, CARD_FUNCTIONS, 0, UINT64_MAX);     /* no such function */
    set_window(guard, CARD_FUNCTIONS + 5, 0, UINT64_MAX); /* nor an alias of 5 */
    assert_refused(guard, 0, 1);
    struct dma_request request = {.address = 0, .length = 1, .function = CARD_FUNCTIONS};
    assert_int_equal(transfer(guard, request).flags, DMA_REFUSED);
    request.function = 0xffff;
    assert_int_equal(transfer(guard, request).flags, DMA_REFUSED);
    request.function = 0;
    assert_int_equal(transfer(guard, request).flags, 0);
}

static void test_flags_open_nothing(void **context)
{
    struct guard *guard = *context;
    struct dma_request request = {.address = 0, .length = 1, .function = 5, .flags = DMA_REFUSED};
    set_window(guard, 5, 4096, 4096);
    assert_int_equal(transfer(guard, request).flags, DMA_REFUSED);
}

/* The host's own addresses pass as they are, whatever the function's window. */
static void test_bus_addresses_pass(void **context)
{
    struct guard *guard = *context;
    struct dma_request request = {.address = 0x123456, .length = 70000, .function = FUNCTION_HOST, .flags = DMA_BUS};
    struct dma_request passed = transfer(guard, request);
    assert_memory_equal(&passed, &request, sizeof request);
    set_window(guard, 5, 4096, 4096);
    request.function = 5;
    passed = transfer(guard, request);
    assert_memory_equal(&passed, &request, sizeof request);
}

/* Values near each other and near the ends of 64 bits, so that the corners are met often. */
static uint64_t odd_value(uint64_t *random)
{
    static const uint64_t centres[] = {0, 64, 4096, 65536, 1u << 20, UINT64_C(1) << 40, 1u << 31, UINT64_MAX};
    uint64_t centre = centres[random_below(random, 8)];
    return random_below(random, 4) == 0 ? random_next(random) : centre + random_below(random, 7) - 3;
}

static void test_random(void **context)
{
    struct guard *guard = *context;
    uint64_t random = 1;
    uint64_t base[CARD_FUNCTIONS] = {0}, length[CARD_FUNCTIONS] = {0};
    for (int i = 0; i < 200000; i++) {
        uint16_t function = (uint16_t)random_below(&random, CARD_FUNCTIONS + 2);
        if (random_below(&random, 8) == 0) {
            uint64_t new_base = odd_value(&random), new_length = odd_value(&random);
            set_window(guard, function, new_base, new_length);
            if (function < CARD_FUNCTIONS) {
                bool wraps = (unsigned __int128)new_base + new_length > UINT64_MAX;
                base[function] = new_base;
                length[function] = wraps ? 0 : new_length;
            }
            continue;
        }
        struct dma_request request = {.address = odd_value(&random),
                                      .length = odd_value(&random),
                                      .function = function,
                                      .flags = (uint16_t)(random_below(&random, 2) * DMA_LAST),
                                      .tag = (uint16_t)random_next(&random)};
        struct dma_request out = transfer(guard, request);
        bool inside = function < CARD_FUNCTIONS && request.length >= 1 && request.length <= 65536 &&
                      (unsigned __int128)request.address + request.length <= length[function];
        if (inside)
            request.address += base[function];
        else
            request.flags |= DMA_REFUSED;
        assert_memory_equal(&out, &request, sizeof out);
    }
}

static void test_waits(void **context)
{
    struct guard *guard = *context;
    struct stream *in = &guard->in, *out = &guard->out;
    struct dma_request request = {.length = 1};
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(out);
    assert_int_equal(dma_guard(&guard->state, &in_port, &out_port), 0);
    for (int i = 0; i < 16; i++)
        assert_true(stream_put(out, &request));
    assert_true(stream_put(in, &request));
    in_port = hls_read_begin(&in->fifo);
    out_port = hls_write_begin(&out->fifo);
    assert_int_equal(dma_guard(&guard->state, &in_port, &out_port), 0);
    assert_int_equal(in_port.index, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corners, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_address_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_functions_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags_open_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bus_addresses_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
