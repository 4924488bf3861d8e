/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: as many in flight as the rings hold; completions come in any order between targets and are matched by tag.
 */
#include <errno.h>
#include <immintrin.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "driver/host_internal.h"

#define COMMAND_TIMEOUT_MS 2000
#define COMMAND_RETRY_MS   20 /* a doorbell is repeated: it may have overtaken the ring's setting */
#define COMMAND_SPINS      500

struct command_run {
    struct command_entry *commands;
    size_t count;
    size_t sent;
    size_t done;
    size_t failed;
};

static struct host_command_slot *slot_of(struct cipu_host *host, uint32_t tag)
{
    return &host->slot[tag % HOST_COMMAND_SLOTS];
}

static bool send_commands(struct cipu_host *host, struct command_run *run)
{
    struct host_ring_memory *ring = &host->ring[RING_COMMAND];
    uint32_t room = host_ring_room(host, RING_COMMAND);
    bool sent = false;
    while (run->sent < run->count && room > 0) {
        struct host_command_slot *slot = slot_of(host, host->next_tag);
        if (slot->tag != 0)
            break;
        struct command_entry entry = run->commands[run->sent];
        entry.status = STATUS_OK;
        entry.tag = host->next_tag;
        slot->tag = entry.tag;
        slot->command = run->sent;
        /* Tag 0 is never used: a ring that cannot be read gives zeros. */
        host->next_tag = host->next_tag + 1 != 0 ? host->next_tag + 1 : 1;
        host_ring_copy_in(ring, ring->position, &entry, sizeof entry);
        ring->position++;
        run->sent++;
        room--;
        sent = true;
    }
    return sent && host_ring_doorbell(host, RING_COMMAND) == 0;
}

/* Late completions of an earlier call that gave up find no slot with their tag. */
static void take_completion(struct cipu_host *host, struct command_run *run, const struct command_entry *entry)
{
    struct host_command_slot *slot = slot_of(host, entry->tag);
    if (entry->tag == 0 || slot->tag != entry->tag)
        return;
    slot->tag = 0;
    struct command_entry *command = &run->commands[slot->command];
    uint32_t tag = command->tag;
    *command = *entry;
    command->tag = tag;
    run->done++;
    run->failed += entry->status != STATUS_OK;
}

static bool collect_completions(struct cipu_host *host, struct command_run *run)
{
    struct host_ring_memory *ring = &host->ring[RING_COMPLETION];
    uint32_t waiting = host_ring_waiting(host, RING_COMPLETION);
    for (uint32_t i = 0; i < waiting; i++) {
        struct command_entry entry;
        host_ring_copy_out(ring, ring->position, &entry, sizeof entry);
        ring->position++;
        take_completion(host, run, &entry);
    }
    if (waiting != 0)
        host_ring_doorbell(host, RING_COMPLETION);
    return waiting != 0;
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Waits a little for completions: a card that is awake answers within microseconds. */
static void wait_completions(struct cipu_host *host)
{
    for (unsigned i = 0; i < COMMAND_SPINS; i++) {
        if (host_ring_waiting(host, RING_COMPLETION) != 0)
            return;
        _mm_pause();
    }
    struct pollfd descriptor = {.fd = host->completion_fd, .events = POLLIN};
    uint64_t count;
    if (poll(&descriptor, 1, COMMAND_RETRY_MS) == 1)
        (void)!read(host->completion_fd, &count, sizeof count);
    else
        host_ring_doorbell(host, RING_COMMAND);
}

static int run_commands(struct cipu_host *host, struct command_run *run)
{
    int64_t progress = now_ms();
    for (unsigned i = 0; i < HOST_COMMAND_SLOTS; i++)
        host->slot[i].tag = 0;
    while (run->done < run->count) {
        bool sent = send_commands(host, run);
        bool collected = collect_completions(host, run);
        if (sent || collected) {
            progress = now_ms();
        } else {
            if (now_ms() - progress >= COMMAND_TIMEOUT_MS)
                return -ETIMEDOUT;
            wait_completions(host);
        }
    }
    return run->failed != 0 ? -EIO : 0;
}

int cipu_host_command(struct cipu_host *host, struct command_entry *commands, size_t count)
{
    struct command_run run = {.commands = commands, .count = count};
    pthread_mutex_lock(&host->command_lock);
    int result = run_commands(host, &run);
    pthread_mutex_unlock(&host->command_lock);
    return result;
}
