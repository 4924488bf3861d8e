/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel of the card, and those of tests/tools/hlsc/accepted: what hlsc makes of it does what the C does. Prints
 * TAP. Other kernels may be named. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/hlsc/compare.h"
#include "tools/hlsc/kernel.h"

#define WORK         6000000u /* nodes that are evaluated for one kernel */
#define ATTEMPTS_MIN 4000u

static const char *const options[] = {"-I.", NULL};

static uint32_t number(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

static bool check(const char *source, struct compare_result *result)
{
    struct messages messages = {.to = stdout};
    struct kernel_options kernel_options = {NULL, options};
    struct kernel kernel;
    memset(result, 0, sizeof *result);
    bool good = kernel_read(&kernel, &messages, source, &kernel_options);
    if (good) {
        uint32_t few = WORK / (kernel.design.netlist.node_count + 1);
        uint32_t attempts = number("ATTEMPTS", few > ATTEMPTS_MIN ? few : ATTEMPTS_MIN);
        good = compare_kernel(&kernel, options, attempts, number("SEED", 1), result);
    }
    kernel_free(&kernel);
    return good;
}

/* hls/NAME/NAME.c; or a file that is nothing else. */
static bool is_kernel(const char *path)
{
    if (strncmp(path, "hls/", 4) != 0)
        return true;
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(name) - 2;
    return (size_t)(name - path) > length && strncmp(name - 1 - length, name, length) == 0 &&
           name[-2 - (long)length] == '/';
}

int main(int argc, char **argv)
{
    glob_t found = {.gl_offs = 0};
    uint32_t tests = 0, failed = 0;
    if (argc < 2 && (glob("hls/*/*.c", 0, NULL, &found) != 0 ||
                     glob("tests/tools/hlsc/accepted/*.c", GLOB_APPEND, NULL, &found) != 0))
        return 1;
    char **sources = argc < 2 ? found.gl_pathv : argv + 1;
    for (; *sources != NULL; sources++) {
        struct compare_result result;
        if (argc < 2 && !is_kernel(*sources))
            continue;
        bool good = check(*sources, &result);
        failed += !good;
        printf("%sok %u %s: %u activations, %u of %u choices\n", good ? "" : "not ", ++tests, *sources,
               result.activations, result.chosen, result.choices);
        fflush(stdout);
    }
    printf("1..%u\n", tests);
    globfree(&found);
    return failed != 0;
}
