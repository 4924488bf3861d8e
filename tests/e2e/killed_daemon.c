/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/killed_daemon.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#define ADMIN_ENTRIES 32u

extern char **environ;

int killed_daemon_start(struct killed_daemon *daemon, size_t memory_bytes, uint32_t entries)
{
    char *const arguments[] = {(char *)(uintptr_t)daemon->path, "--config", (char *)(uintptr_t)daemon->config, NULL};
    uint8_t *memory;
    if (posix_spawn(&daemon->process, daemon->path, NULL, NULL, arguments, environ) != 0)
        return -ENOENT;
    int result = vfio_user_client_connect(daemon->socket, CLIENT_VERSION_JSON, &daemon->client);
    if (result == 0)
        result = vfio_user_client_memory(daemon->client, CLIENT_MEMORY_SHARED, 0, memory_bytes, &memory);
    if (result == 0)
        result = nvme_initiator_open(&daemon->initiator, daemon->client, memory, 0, memory_bytes);
    if (result == 0)
        result = nvme_initiator_enable(&daemon->initiator, ADMIN_ENTRIES);
    return result == 0 ? nvme_initiator_pair(&daemon->initiator, 1, entries) : result;
}

void killed_daemon_kill(struct killed_daemon *daemon)
{
    int status;
    kill(daemon->process, SIGKILL);
    waitpid(daemon->process, &status, 0);
    nvme_initiator_close(&daemon->initiator);
    vfio_user_client_close(daemon->client);
    daemon->client = NULL;
}

uint32_t killed_daemon_random(struct killed_daemon *daemon, uint32_t below)
{
    daemon->random ^= daemon->random << 13;
    daemon->random ^= daemon->random >> 7;
    daemon->random ^= daemon->random << 17;
    return (uint32_t)((daemon->random >> 32) * below >> 32);
}

uint64_t killed_daemon_now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}
