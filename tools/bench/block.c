/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A polling NVMe initiator over vfio-user: random reads or writes of 4 KiB at a queue depth, for some seconds. Prints
 * operations per second and the average and highest latency in nanoseconds.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/device/nvme_spec.h"
#include "tests/peers/nvme_initiator.h"

#define BLOCK_BYTES   4096u
#define MEMORY_BYTES  (16u << 20)
#define QUEUE_ENTRIES 256u
#define DEPTH_MAX     128u

struct load {
    const char *socket;
    unsigned depth;
    double seconds;
    uint8_t opcode;
    bool shadow;
};

struct run {
    struct vfio_user_client *client;
    struct nvme_initiator initiator;
    uint64_t blocks; /* of the namespace, in BLOCK_BYTES */
    uint32_t shift;  /* of its logical blocks */
    uint64_t data[DEPTH_MAX];
    uint64_t begun[DEPTH_MAX];
    uint64_t random, done, failed, total, highest;
};

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t random_block(struct run *run)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return (uint64_t)(((__uint128_t)run->random * run->blocks) >> 64);
}

static void put(struct run *run, const struct load *load, unsigned slot, uint64_t time)
{
    uint64_t lba = random_block(run) << (12 - run->shift);
    struct nvme_command command = {.opcode = load->opcode,
                                   .identifier = (uint16_t)slot,
                                   .namespace_id = 1,
                                   .prp1 = run->data[slot],
                                   .dword10 = (uint32_t)lba,
                                   .dword11 = (uint32_t)(lba >> 32),
                                   .dword12 = (BLOCK_BYTES >> run->shift) - 1};
    run->begun[slot] = time;
    nvme_initiator_put(&run->initiator.pairs[1], &command);
}

static void account(struct run *run, const struct nvme_completion *completion, uint64_t time)
{
    uint64_t took = time - run->begun[completion->identifier % DEPTH_MAX];
    run->total += took;
    run->highest = took > run->highest ? took : run->highest;
    run->failed += completion->status >> 1 != 0;
    run->done++;
}

/* Takes what is there and puts as many again while `more`; returns how many. The clock is read once a look. */
static unsigned look(struct run *run, const struct load *load, bool more)
{
    struct nvme_pair *pair = &run->initiator.pairs[1];
    const struct nvme_completion *completion;
    uint32_t head = pair->head, tail = pair->tail;
    uint64_t time = 0;
    unsigned taken = 0;
    for (; (completion = nvme_initiator_next(pair)) != NULL; taken++) {
        unsigned slot = completion->identifier % DEPTH_MAX;
        if (!time)
            time = now();
        account(run, completion, time);
        nvme_initiator_skip(pair);
        if (more)
            put(run, load, slot, time);
    }
    if (taken)
        nvme_initiator_taken(&run->initiator, pair, head);
    if (pair->tail != tail)
        nvme_initiator_submitted(&run->initiator, pair, tail);
    return taken;
}

static int measure(struct run *run, const struct load *load, double *operations)
{
    struct nvme_pair *pair = &run->initiator.pairs[1];
    uint64_t begin = now(), end = begin + (uint64_t)(load->seconds * 1e9), last = begin;
    uint32_t tail = pair->tail;
    for (unsigned i = 0; i < load->depth; i++)
        put(run, load, i, begin);
    nvme_initiator_submitted(&run->initiator, pair, tail);
    unsigned flying = load->depth;
    for (unsigned looks = 0; flying; looks++) {
        bool more = looks % 64 != 0 || (last = now()) < end;
        unsigned taken = look(run, load, more && last < end);
        flying -= last < end ? 0 : taken;
        if (last > end + 10000000000u)
            return -ETIMEDOUT;
    }
    *operations = (double)run->done * 1e9 / (double)(now() - begin);
    return 0;
}

static int find_namespace(struct run *run)
{
    static struct nvme_identify_namespace identify;
    struct nvme_command command = {.opcode = NVME_ADMIN_IDENTIFY, .namespace_id = 1};
    struct nvme_completion completion;
    int result = nvme_initiator_admin(&run->initiator, &command, &identify, sizeof identify, false, &completion);
    if (result < 0 || completion.status >> 1)
        return result < 0 ? result : -EIO;
    run->shift = identify.lba[identify.format & 15u].shift;
    run->blocks = identify.size >> (12 - run->shift);
    return run->blocks ? 0 : -ENODEV;
}

static int start(struct run *run, const struct load *load)
{
    uint8_t *memory;
    int result = vfio_user_client_connect(load->socket, CLIENT_VERSION_JSON, &run->client);
    if (result == 0)
        result = vfio_user_client_memory(run->client, CLIENT_MEMORY_SHARED, 0, MEMORY_BYTES, &memory);
    if (result == 0)
        result = nvme_initiator_open(&run->initiator, run->client, memory, 0, MEMORY_BYTES);
    if (result == 0)
        result = nvme_initiator_enable(&run->initiator, 32);
    if (result == 0)
        result = find_namespace(run);
    if (result == 0 && load->shadow)
        result = nvme_initiator_shadow(&run->initiator);
    if (result == 0)
        result = nvme_initiator_pair(&run->initiator, 1, QUEUE_ENTRIES);
    for (unsigned i = 0; i < load->depth && result == 0; i++)
        if (!nvme_initiator_alloc(&run->initiator, 1, &run->data[i]))
            result = -ENOMEM;
    return result;
}

static const char usage[] = "usage: bench-block [-q DEPTH] [-t SECONDS] [-w] [-d] SOCKET\n"
                            "  -q DEPTH    commands in flight, 1 to 128 (default 32)\n"
                            "  -t SECONDS  how long (default 2)\n"
                            "  -w          writes instead of reads\n"
                            "  -d          shadow doorbells\n";

int main(int argc, char **argv)
{
    struct load load = {.depth = 32, .seconds = 2, .opcode = NVME_READ};
    for (int option; (option = getopt(argc, argv, "q:t:wdh")) != -1;) {
        if (option == 'q')
            load.depth = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 't')
            load.seconds = strtod(optarg, NULL);
        else if (option == 'w')
            load.opcode = NVME_WRITE;
        else if (option == 'd')
            load.shadow = true;
        else
            return fputs(usage, option == 'h' ? stdout : stderr), option == 'h' ? 0 : 2;
    }
    if (optind + 1 != argc || load.depth < 1 || load.depth > DEPTH_MAX || load.seconds <= 0)
        return fputs(usage, stderr), 2;
    load.socket = argv[optind];
    static struct run run = {.random = 88172645463325252u};
    double operations = 0;
    int result = start(&run, &load);
    if (result == 0)
        result = measure(&run, &load, &operations);
    if (result < 0 || run.failed || !run.done) {
        fprintf(stderr, "bench-block: %s: %s, %llu commands failed\n", load.socket, strerror(-result),
                (unsigned long long)run.failed);
        return 1;
    }
    printf("%.0f %llu %llu\n", operations, (unsigned long long)(run.total / run.done), (unsigned long long)run.highest);
    nvme_initiator_disable(&run.initiator);
    nvme_initiator_close(&run.initiator);
    vfio_user_client_close(run.client);
    return 0;
}
