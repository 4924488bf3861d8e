/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A polling NVMe initiator over vfio-user: random reads or writes of 4 KiB at a queue depth, for some seconds, on one
 * controller or on several at once. Prints for each operations per second and the average, highest and 99th percentile
 * latency in nanoseconds.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "driver/cpu_pause.h"
#include "runtime/device/nvme_spec.h"
#include "tests/peers/nvme_initiator.h"

#define BLOCK_BYTES   4096u
#define MEMORY_BYTES  (16u << 20)
#define QUEUE_ENTRIES 256u
#define DEPTH_MAX     128u

#define LOADS_MAX 8u
#define FINE      64u /* steps of the histogram in a power of two */
#define STEPS     (40u * FINE)

struct load {
    const char *socket;
    unsigned depth;
    double seconds, pause; /* measured, and before that */
    uint8_t opcode;
    bool shadow;
};

struct run {
    struct load load;
    struct vfio_user_client *client;
    struct nvme_initiator initiator;
    uint64_t blocks; /* of the namespace, in BLOCK_BYTES */
    uint32_t shift;  /* of its logical blocks */
    uint64_t data[DEPTH_MAX];
    uint64_t begun[DEPTH_MAX];
    unsigned flying;
    uint64_t random, done, failed, total, highest;
    uint32_t histogram[STEPS];
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

static void put(struct run *run, unsigned slot, uint64_t time)
{
    uint64_t lba = random_block(run) << (12 - run->shift);
    struct nvme_command command = {.opcode = run->load.opcode,
                                   .identifier = (uint16_t)slot,
                                   .namespace_id = 1,
                                   .prp1 = run->data[slot],
                                   .dword10 = (uint32_t)lba,
                                   .dword11 = (uint32_t)(lba >> 32),
                                   .dword12 = (BLOCK_BYTES >> run->shift) - 1};
    run->begun[slot] = time;
    run->flying++;
    nvme_initiator_put(&run->initiator.pairs[1], &command);
}

/* FINE steps from each power of two to the next: 1.6 % at most. */
static unsigned step_of(uint64_t nanoseconds)
{
    if (nanoseconds < FINE)
        return (unsigned)nanoseconds;
    unsigned shift = 63u - (unsigned)__builtin_clzll(nanoseconds) - 6u;
    unsigned step = shift * FINE + (unsigned)(nanoseconds >> shift);
    return step < STEPS ? step : STEPS - 1;
}

static uint64_t step_begin(unsigned step)
{
    unsigned shift = step < 2 * FINE ? 0 : step / FINE - 1;
    return (uint64_t)(step - shift * FINE) << shift;
}

static uint64_t percentile(const struct run *run, unsigned percent)
{
    uint64_t left = run->done * percent / 100;
    unsigned step = 0;
    while (step < STEPS - 1 && run->histogram[step] <= left)
        left -= run->histogram[step++];
    return step_begin(step);
}

static void account(struct run *run, const struct nvme_completion *completion, uint64_t time)
{
    uint64_t took = time - run->begun[completion->identifier % DEPTH_MAX];
    run->total += took;
    run->highest = took > run->highest ? took : run->highest;
    run->histogram[step_of(took)]++;
    run->done++;
}

enum phase { WARMING, MEASURING, ENDING };

/* Takes what is there and puts as many again until the end; returns how many. The clock is read once a look. */
static unsigned look(struct run *run, enum phase phase)
{
    struct nvme_pair *pair = &run->initiator.pairs[1];
    const struct nvme_completion *completion;
    uint32_t head = pair->head, tail = pair->tail;
    uint64_t time = 0;
    unsigned taken = 0;
    while ((completion = nvme_initiator_next(pair)) != NULL) {
        unsigned slot = completion->identifier % DEPTH_MAX;
        if (!time)
            time = now();
        if (phase == MEASURING)
            account(run, completion, time);
        run->failed += completion->status >> 1 != 0;
        run->flying--;
        nvme_initiator_skip(pair);
        taken++;
        if (phase != ENDING)
            put(run, slot, time);
    }
    if (time)
        nvme_initiator_taken(&run->initiator, pair, head);
    if (pair->tail != tail)
        nvme_initiator_submitted(&run->initiator, pair, tail);
    return taken;
}

static void begin(struct run *run, uint64_t time)
{
    struct nvme_pair *pair = &run->initiator.pairs[1];
    uint32_t tail = pair->tail;
    for (unsigned i = 0; i < run->load.depth; i++)
        put(run, i, time);
    nvme_initiator_submitted(&run->initiator, pair, tail);
}

static unsigned flying(const struct run *runs, unsigned count)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += runs[i].flying;
    return sum;
}

static int measure(struct run *runs, unsigned count)
{
    uint64_t time = now(), from = time + (uint64_t)(runs[0].load.pause * 1e9);
    uint64_t end = from + (uint64_t)(runs[0].load.seconds * 1e9);
    for (unsigned i = 0; i < count; i++)
        begin(&runs[i], time);
    for (unsigned looks = 0; time < end || flying(runs, count); looks++) {
        if (looks % 64 == 0)
            time = now();
        unsigned taken = 0;
        for (unsigned i = 0; i < count; i++)
            taken += look(&runs[i], time < from ? WARMING : time < end ? MEASURING : ENDING);
        /* With many in flight some gather, so that the card's thread has the core and a doorbell is for several. */
        for (unsigned i = 0; i <= runs[0].load.depth / 16 && taken <= runs[0].load.depth / 8; i++)
            cpu_pause();
        if (time > end + 10000000000u)
            return -ETIMEDOUT;
    }
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

static int start(struct run *run)
{
    uint8_t *memory;
    int result = vfio_user_client_connect(run->load.socket, CLIENT_VERSION_JSON, &run->client);
    if (result == 0)
        result = vfio_user_client_memory(run->client, CLIENT_MEMORY_SHARED, 0, MEMORY_BYTES, &memory);
    if (result == 0)
        result = nvme_initiator_open(&run->initiator, run->client, memory, 0, MEMORY_BYTES);
    if (result == 0)
        result = nvme_initiator_enable(&run->initiator, 32);
    if (result == 0)
        result = find_namespace(run);
    if (result == 0 && run->load.shadow)
        result = nvme_initiator_shadow(&run->initiator);
    if (result == 0)
        result = nvme_initiator_pair(&run->initiator, 1, QUEUE_ENTRIES);
    for (unsigned i = 0; i < run->load.depth && result == 0; i++)
        if (!nvme_initiator_alloc(&run->initiator, 1, &run->data[i]))
            result = -ENOMEM;
    return result;
}

static int complain(const struct run *run, int result)
{
    fprintf(stderr, "bench-block: %s: %s, %llu commands failed\n", run->load.socket, strerror(-result),
            (unsigned long long)run->failed);
    return 1;
}

static int run_all(struct run *runs, unsigned count)
{
    int result = 0;
    for (unsigned i = 0; i < count; i++)
        if ((result = start(&runs[i])) != 0)
            return complain(&runs[i], result);
    result = measure(runs, count);
    for (unsigned i = 0; i < count; i++) {
        struct run *run = &runs[i];
        if (result < 0 || run->failed || !run->done)
            return complain(run, result);
        printf("%.0f %llu %llu %llu\n", (double)run->done / run->load.seconds,
               (unsigned long long)(run->total / run->done), (unsigned long long)run->highest,
               (unsigned long long)percentile(run, 99));
        nvme_initiator_disable(&run->initiator);
        nvme_initiator_close(&run->initiator);
        vfio_user_client_close(run->client);
    }
    return 0;
}

static const char usage[] = "usage: bench-block [OPTION]... SOCKET [[OPTION]... SOCKET]...\n"
                            "Options hold for the sockets behind them; times are those of the first one.\n"
                            "  -q DEPTH    commands in flight, 1 to 128 (default 32)\n"
                            "  -t SECONDS  how long (default 2)\n"
                            "  -p SECONDS  how long before that, not measured (default 0.1)\n"
                            "  -w          writes instead of reads\n"
                            "  -d          shadow doorbells\n";

/* Options up to the next socket; false = there is no such option, or help was asked for. */
static bool read_options(int argc, char **argv, struct load *load, int *status)
{
    for (int option; (option = getopt(argc, argv, "+q:t:p:wdh")) != -1;) {
        if (option == 'q')
            load->depth = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 't')
            load->seconds = strtod(optarg, NULL);
        else if (option == 'p')
            load->pause = strtod(optarg, NULL);
        else if (option == 'w')
            load->opcode = NVME_WRITE;
        else if (option == 'd')
            load->shadow = true;
        else
            return *status = option == 'h' ? 0 : 2, false;
    }
    return *status = 2, load->depth >= 1 && load->depth <= DEPTH_MAX && load->seconds > 0 && load->pause >= 0;
}

int main(int argc, char **argv)
{
    static struct run runs[LOADS_MAX];
    struct load load = {.depth = 32, .seconds = 2, .pause = 0.1, .opcode = NVME_READ};
    unsigned count = 0;
    int status;
    do {
        bool good = read_options(argc, argv, &load, &status) && optind < argc && count < LOADS_MAX;
        if (!good)
            return fputs(usage, status ? stderr : stdout), status;
        load.socket = argv[optind++];
        runs[count].load = load;
        runs[count].random = 88172645463325252u + count;
        count++;
    } while (optind < argc);
    return run_all(runs, count);
}
