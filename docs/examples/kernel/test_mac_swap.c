/* SPDX-License-Identifier: Apache-2.0 */
/* The example kernel of docs/kernels.md, one activation at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docs/examples/kernel/mac_swap/mac_swap.c"
#include "tests/hls/stream.h"

static int activate(struct mac_swap_state *state, struct stream *in, struct stream *out)
{
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(out);
    int done = mac_swap(state, &in_port, &out_port);
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(out);
    return done;
}

static void test_swaps_first_beat_only(void **context)
{
    (void)context;
    struct mac_swap_state state = {0};
    struct stream in, out;
    stream_open(&in, 4, sizeof(struct beat));
    stream_open(&out, 4, sizeof(struct beat));
    struct beat first = {.data = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 8, 0}, .meta = {.bytes = 64}};
    struct beat second = {.data = {1, 2, 3, 4, 5, 6, 11}, .meta = {.bytes = 7, .last = 1}}, beat;
    stream_put(&in, &first);
    stream_put(&in, &second);
    assert_int_equal(activate(&state, &in, &out), 1);
    assert_int_equal(activate(&state, &in, &out), 1);
    assert_int_equal(activate(&state, &in, &out), 0); /* nothing to read */

    static const uint8_t swapped[14] = {11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 8, 0};
    assert_true(stream_get(&out, &beat));
    assert_memory_equal(beat.data, swapped, sizeof swapped);
    assert_true(stream_get(&out, &beat));
    assert_memory_equal(&beat, &second, sizeof beat);
    assert_int_equal(state.inside, 0);
    stream_close(&in);
    stream_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_swaps_first_beat_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
