/* SPDX-License-Identifier: Apache-2.0 */
/* The native card with its smallest FIFOs on the block path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/driver/block_depth_tests.h"

static void test_smallest(void **context)
{
    static const struct block_depth_job job = {native_card_open, 1, 300};
    (void)context;
    block_depth_test_smallest(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_smallest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
