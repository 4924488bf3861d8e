/* SPDX-License-Identifier: Apache-2.0 */
/* The native card with its smallest FIFOs, and all queues at work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/driver/depth_tests.h"

static const struct depth_job job = {native_card_open, 1, WORLD_FUNCTIONS, 20};

static void test_configured(void **context)
{
    (void)context;
    depth_test_configured(&job);
}

static void test_smallest(void **context)
{
    (void)context;
    depth_test_smallest(&job);
}

static void test_too_small(void **context)
{
    (void)context;
    depth_test_too_small(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_configured), cmocka_unit_test(test_smallest),
                                       cmocka_unit_test(test_too_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
