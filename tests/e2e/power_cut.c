/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon is killed (SIGKILL) at random instants while an NVMe driver writes, again and again. Each block carries
 * the number of the write that it is of; after each start what was written (now and then: every block) is read and
 * compared with the log of what was submitted and what was acknowledged: a block has the last acknowledged write or a
 * later one that was under way, whole.
 *
 * usage: power_cut CIPUD CONFIG SOCKET ROUNDS
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/peers/nvme_initiator.h"

#define NAMESPACES   3u
#define BLOCKS       256u /* of a namespace that are written */
#define BLOCK_BYTES  4096u
#define SECTORS      (BLOCK_BYTES / 512)
#define DEPTH        16u
#define ENTRIES      64u
#define MEMORY_BYTES (4u << 20)
#define KILL_MS_MOST 30u

extern char **environ;

struct block_log {
    uint64_t submitted, acknowledged; /* numbers of writes; 0 = none */
    bool touched;                     /* written since it was checked */
};

struct place {
    bool busy;
    uint32_t namespace_id, block;
    uint64_t number, address;
    uint8_t *bytes;
};

struct cut {
    const char *daemon, *config, *socket;
    pid_t process;
    struct vfio_user_client *client;
    struct nvme_initiator initiator;
    struct place places[DEPTH];
    struct block_log log[NAMESPACES][BLOCKS];
    uint64_t next, random, acknowledged, checked, flushes;
};

static uint32_t random_below(struct cut *cut, uint32_t below)
{
    cut->random ^= cut->random << 13;
    cut->random ^= cut->random >> 7;
    cut->random ^= cut->random << 17;
    return (uint32_t)((cut->random >> 32) * below >> 32);
}

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static int start(struct cut *cut)
{
    char *const arguments[] = {(char *)(uintptr_t)cut->daemon, "--config", (char *)(uintptr_t)cut->config, NULL};
    uint8_t *memory;
    if (posix_spawn(&cut->process, cut->daemon, NULL, NULL, arguments, environ) != 0)
        return -ENOENT;
    int result = vfio_user_client_connect(cut->socket, CLIENT_VERSION_JSON, &cut->client);
    if (result == 0)
        result = vfio_user_client_memory(cut->client, CLIENT_MEMORY_SHARED, 0, MEMORY_BYTES, &memory);
    if (result == 0)
        result = nvme_initiator_open(&cut->initiator, cut->client, memory, 0, MEMORY_BYTES);
    if (result == 0)
        result = nvme_initiator_enable(&cut->initiator, 32);
    if (result == 0)
        result = nvme_initiator_pair(&cut->initiator, 1, ENTRIES);
    for (unsigned i = 0; i < DEPTH && result == 0; i++) {
        cut->places[i] = (struct place){0};
        cut->places[i].bytes = nvme_initiator_alloc(&cut->initiator, 1, &cut->places[i].address);
        result = cut->places[i].bytes ? 0 : -ENOMEM;
    }
    return result;
}

static void stop(struct cut *cut)
{
    int status;
    kill(cut->process, SIGKILL);
    waitpid(cut->process, &status, 0);
    nvme_initiator_close(&cut->initiator);
    vfio_user_client_close(cut->client);
}

static bool is_in_flight(const struct cut *cut, uint32_t namespace_id, uint32_t block)
{
    for (unsigned i = 0; i < DEPTH; i++)
        if (cut->places[i].busy && cut->places[i].namespace_id == namespace_id && cut->places[i].block == block)
            return true;
    return false;
}

/* A write of the next number, or now and then a flush. Writes of one block follow one another. */
static void submit(struct cut *cut, unsigned slot)
{
    struct place *place = &cut->places[slot];
    struct nvme_pair *pair = &cut->initiator.pairs[1];
    uint32_t namespace_id = 1 + random_below(cut, NAMESPACES), block = random_below(cut, BLOCKS), tail = pair->tail;
    struct nvme_command command = {.identifier = (uint16_t)slot, .namespace_id = namespace_id};
    if (random_below(cut, 20) == 0) {
        command.opcode = NVME_FLUSH;
        *place = (struct place){true, 0, 0, 0, place->address, place->bytes};
        cut->flushes++;
    } else {
        if (is_in_flight(cut, namespace_id, block))
            return;
        uint64_t number = ++cut->next;
        for (unsigned i = 0; i < SECTORS; i++) {
            uint64_t words[2] = {number, (uint64_t)namespace_id << 32 | block};
            memset(place->bytes + i * 512, (int)number, 512);
            memcpy(place->bytes + i * 512, words, sizeof words);
        }
        *place = (struct place){true, namespace_id, block, number, place->address, place->bytes};
        cut->log[namespace_id - 1][block].submitted = number;
        cut->log[namespace_id - 1][block].touched = true;
        command.opcode = NVME_WRITE;
        command.prp1 = place->address;
        command.dword10 = block * SECTORS;
        command.dword12 = SECTORS - 1 + (random_below(cut, 4) == 0 ? NVME_FUA : 0);
    }
    nvme_initiator_put(pair, &command);
    nvme_initiator_submitted(&cut->initiator, pair, tail);
}

static int take_completions(struct cut *cut)
{
    struct nvme_pair *pair = &cut->initiator.pairs[1];
    const struct nvme_completion *completion;
    while ((completion = nvme_initiator_next(pair)) != NULL) {
        struct place *place = &cut->places[completion->identifier % DEPTH];
        uint32_t head = pair->head;
        if (completion->status >> 1 != 0)
            return -EIO;
        if (place->number) {
            cut->log[place->namespace_id - 1][place->block].acknowledged = place->number;
            cut->acknowledged++;
        }
        place->busy = false;
        nvme_initiator_skip(pair);
        nvme_initiator_taken(&cut->initiator, pair, head);
    }
    return 0;
}

/* Until the instant at which the daemon is killed. */
static int write_for(struct cut *cut, uint64_t milliseconds)
{
    for (uint64_t end = now_ms() + milliseconds; now_ms() < end;) {
        for (unsigned slot = 0; slot < DEPTH; slot++)
            if (!cut->places[slot].busy)
                submit(cut, slot);
        int result = take_completions(cut);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Each sector is whole and of a write that may be there. */
static int check_block(struct cut *cut, uint32_t namespace_id, uint32_t block, const uint8_t *bytes)
{
    struct block_log *log = &cut->log[namespace_id - 1][block];
    for (unsigned i = 0; i < SECTORS; i++) {
        uint64_t words[2];
        memcpy(words, bytes + i * 512, sizeof words);
        bool nothing = words[0] == 0 && words[1] == 0;
        uint64_t number = nothing ? 0 : words[0];
        bool mine = nothing || words[1] == ((uint64_t)namespace_id << 32 | block);
        for (unsigned n = sizeof words; n < 512 && mine; n++)
            mine = bytes[i * 512 + n] == (uint8_t)number;
        if (mine && number >= log->acknowledged && number <= log->submitted)
            continue;
        fprintf(stderr,
                "power_cut: namespace %u block %u sector %u: found write %llu, expected %llu (acknowledged) to %llu\n",
                namespace_id, block, i, (unsigned long long)number, (unsigned long long)log->acknowledged,
                (unsigned long long)log->submitted);
        return -EIO;
    }
    cut->checked++;
    return 0;
}

/* All blocks, or those that were written since the last time. What is there now is what later reads have to find: a
 * write that was under way may have come or not. */
static int check(struct cut *cut, bool all)
{
    struct place *place = &cut->places[0];
    for (uint32_t namespace_id = 1; namespace_id <= NAMESPACES; namespace_id++) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            struct nvme_command command = {.opcode = NVME_READ,
                                           .namespace_id = namespace_id,
                                           .prp1 = place->address,
                                           .dword10 = block * SECTORS,
                                           .dword12 = SECTORS - 1};
            struct nvme_completion completion;
            struct block_log *log = &cut->log[namespace_id - 1][block];
            if (!log->submitted || !(all || log->touched))
                continue;
            int result = nvme_initiator_execute(&cut->initiator, &cut->initiator.pairs[1], &command, &completion);
            if (result == 0 && completion.status >> 1 != 0)
                result = -EIO;
            if (result == 0)
                result = check_block(cut, namespace_id, block, place->bytes);
            if (result < 0)
                return result;
            memcpy(&log->acknowledged, place->bytes, sizeof log->acknowledged);
            log->submitted = log->acknowledged;
            log->touched = false;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct cut cut = {.random = 88172645463325252u};
    if (argc != 5)
        return fputs("usage: power_cut CIPUD CONFIG SOCKET ROUNDS\n", stderr), 2;
    cut.daemon = argv[1], cut.config = argv[2], cut.socket = argv[3];
    unsigned long rounds = strtoul(argv[4], NULL, 10), round = 0;
    int result = 0;
    for (; round < rounds && result == 0; round++) {
        result = start(&cut);
        if (result == 0)
            result = check(&cut, round % 20 == 0 || round + 1 == rounds);
        if (result == 0)
            result = write_for(&cut, random_below(&cut, KILL_MS_MOST));
        if (cut.client)
            stop(&cut);
        cut.client = NULL;
    }
    if (result < 0)
        fprintf(stderr, "power_cut: round %lu: %s\n", round, strerror(-result));
    fprintf(stderr, "power_cut: %lu kills, %llu writes acknowledged, %llu flushes, %llu blocks checked\n", round,
            (unsigned long long)cut.acknowledged, (unsigned long long)cut.flushes, (unsigned long long)cut.checked);
    return result < 0 || cut.checked == 0;
}
