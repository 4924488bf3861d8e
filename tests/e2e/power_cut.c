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
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/killed_daemon.h"

#define NAMESPACES   3u
#define BLOCKS       256u /* of a namespace that are written */
#define BLOCK_BYTES  4096u
#define SECTORS      (BLOCK_BYTES / 512)
#define DEPTH        16u
#define ENTRIES      64u
#define MEMORY_BYTES (4u << 20)
#define KILL_MS_MOST 30u

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
    struct killed_daemon daemon;
    struct place places[DEPTH];
    struct block_log log[NAMESPACES][BLOCKS];
    uint64_t next, acknowledged, checked, flushes;
};

static int start(struct cut *cut)
{
    int result = killed_daemon_start(&cut->daemon, MEMORY_BYTES, ENTRIES);
    for (unsigned i = 0; i < DEPTH && result == 0; i++) {
        cut->places[i] = (struct place){0};
        cut->places[i].bytes = nvme_initiator_alloc(&cut->daemon.initiator, 1, &cut->places[i].address);
        result = cut->places[i].bytes ? 0 : -ENOMEM;
    }
    return result;
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
    struct nvme_pair *pair = &cut->daemon.initiator.pairs[1];
    uint32_t namespace_id = 1 + killed_daemon_random(&cut->daemon, NAMESPACES),
             block = killed_daemon_random(&cut->daemon, BLOCKS), tail = pair->tail;
    struct nvme_command command = {.identifier = (uint16_t)slot, .namespace_id = namespace_id};
    if (killed_daemon_random(&cut->daemon, 20) == 0) {
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
        command.dword12 = SECTORS - 1 + (killed_daemon_random(&cut->daemon, 4) == 0 ? NVME_FUA : 0);
    }
    nvme_initiator_put(pair, &command);
    nvme_initiator_submitted(&cut->daemon.initiator, pair, tail);
}

static int take_completions(struct cut *cut)
{
    struct nvme_pair *pair = &cut->daemon.initiator.pairs[1];
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
        nvme_initiator_taken(&cut->daemon.initiator, pair, head);
    }
    return 0;
}

/* Until the instant at which the daemon is killed. */
static int write_for(struct cut *cut, uint64_t milliseconds)
{
    for (uint64_t end = killed_daemon_now_us() + milliseconds * 1000; killed_daemon_now_us() < end;) {
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
            int result =
                nvme_initiator_execute(&cut->daemon.initiator, &cut->daemon.initiator.pairs[1], &command, &completion);
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
    static struct cut cut = {.daemon.random = 88172645463325252u};
    if (argc != 5)
        return fputs("usage: power_cut CIPUD CONFIG SOCKET ROUNDS\n", stderr), 2;
    cut.daemon.path = argv[1], cut.daemon.config = argv[2], cut.daemon.socket = argv[3];
    unsigned long rounds = strtoul(argv[4], NULL, 10), round = 0;
    int result = 0;
    for (; round < rounds && result == 0; round++) {
        result = start(&cut);
        if (result == 0)
            result = check(&cut, round % 20 == 0 || round + 1 == rounds);
        if (result == 0)
            result = write_for(&cut, killed_daemon_random(&cut.daemon, KILL_MS_MOST));
        if (cut.daemon.client)
            killed_daemon_kill(&cut.daemon);
    }
    if (result < 0)
        fprintf(stderr, "power_cut: round %lu: %s\n", round, strerror(-result));
    fprintf(stderr, "power_cut: %lu kills, %llu writes acknowledged, %llu flushes, %llu blocks checked\n", round,
            (unsigned long long)cut.acknowledged, (unsigned long long)cut.flushes, (unsigned long long)cut.checked);
    return result < 0 || cut.checked == 0;
}
