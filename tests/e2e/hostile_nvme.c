/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An NVMe driver that breaks every rule, against a running cipud, while another one on another controller works: it
 * must not notice.
 *
 * usage: hostile_nvme HOSTILE-SOCKET HONEST-SOCKET SEED; prints TAP
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/nvme_attacker.h"

#define NEIGHBOUR_PATIENCE 2000u /* milliseconds for a round */

struct neighbour {
    struct attacker driver;
    pthread_t thread;
    atomic_uint rounds;
    atomic_int failed;
    atomic_bool quit;
};
static struct neighbour neighbour;

static void *work(void *argument)
{
    (void)argument;
    while (!neighbour.quit && !neighbour.failed) {
        int result = attacker_honest(&neighbour.driver);
        if (result)
            neighbour.failed = result;
        else
            neighbour.rounds++;
        usleep(500);
    }
    return NULL;
}

static bool goes_on(void)
{
    unsigned before = neighbour.rounds;
    for (unsigned i = 0; i < NEIGHBOUR_PATIENCE && neighbour.rounds < before + 2 && !neighbour.failed; i++)
        usleep(1000);
    return !neighbour.failed && neighbour.rounds >= before + 2;
}

static int begin(struct attacker *attacker, const char *socket, uint64_t seed)
{
    int result = attacker_connect(attacker, socket, seed);
    if (result == 0)
        result = attacker_begin(attacker);
    return result == 0 ? attacker_honest(attacker) : result;
}

static unsigned tell(unsigned number, bool good, const char *name)
{
    printf("%sok %u - %s\n", good ? "" : "not ", number, name);
    fflush(stdout);
    return !good;
}

int main(int count, char **words)
{
    if (count != 4) {
        fputs("usage: hostile_nvme HOSTILE-SOCKET HONEST-SOCKET SEED\n", stderr);
        return 2;
    }
    struct attacker attacker;
    uint64_t seed = strtoull(words[3], NULL, 0);
    if (begin(&neighbour.driver, words[2], seed + 1) || begin(&attacker, words[1], seed) ||
        pthread_create(&neighbour.thread, NULL, work, NULL)) {
        fputs("hostile_nvme: the controllers do not work\n", stderr);
        return 2;
    }
    unsigned failed = tell(1, nvme_matrix(&attacker) == 0, "every wrong field has its status");
    failed += tell(2, nvme_attacks(&attacker, goes_on) == 0, "every attack harms only the attacker, until it resets");
    neighbour.quit = true;
    pthread_join(neighbour.thread, NULL);
    printf("# the neighbour: %u rounds, result %d\n", neighbour.rounds, neighbour.failed);
    failed += tell(3, neighbour.failed == 0 && neighbour.rounds > 100,
                   "the neighbour's data is right, its commands come back");
    puts("1..3");
    attacker_disconnect(&attacker);
    attacker_disconnect(&neighbour.driver);
    return failed > 0;
}
