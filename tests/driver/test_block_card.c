/* SPDX-License-Identifier: Apache-2.0 */
/* The block path of the native card. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/driver/block_tests.h"

static const struct block_test job = {"native:", 3000};

static void test_random(void **state)
{
    (void)state;
    block_test_random(&job);
}

static void test_raw(void **state)
{
    (void)state;
    block_test_raw(&job);
}

static void test_errors(void **state)
{
    (void)state;
    block_test_errors(&job);
}

static void test_restart(void **state)
{
    (void)state;
    block_test_restart(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_raw),
                                       cmocka_unit_test(test_errors), cmocka_unit_test(test_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
