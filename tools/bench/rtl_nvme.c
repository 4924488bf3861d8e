/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What NVMe reads cost on the rtl card, with eight queues busy: cycles a command, beats of data a cycle, PCIe
 * transaction layer packets besides the data's, interrupts. Drivers and the host's backend take no time of the card:
 * they act between two cycles. Counted, not timed. Exits with 1 when a figure is beyond its bound.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/host_block.h"
#include "driver/native.h"
#include "driver/rtl/rtl.h"
#include "hls/include/nvme.h"

#define CONTROLLERS   2u
#define QUEUES        4u /* I/O queue pairs of a controller */
#define ENTRIES       64u
#define DEPTH         32u
#define GUEST_BYTES   (8u << 20)
#define RINGS_AT      0x10000u
#define DATA_AT       0x100000u
#define VOLUME_BYTES  (1u << 20)
#define HOST_BUS      (((uint64_t)FUNCTION_HOST << CIPU_WINDOW_SHIFT) + (UINT64_C(1) << 38))
#define WARM_COMMANDS 500u
#define COMMANDS      4000u
#define CYCLES_MOST   20000000u

/* Data's own transaction layer packets for each 512 bytes: a read, two completions and two writes
 * (hw/platform/sim/bus.h). */
#define DATA_BYTES   512u
#define DATA_PACKETS 5.0

extern const struct native_graph native_graph_card;

struct pair {
    uint8_t *sq, *cq;
    uint64_t sq_address, cq_address;
    uint32_t number, tail, head, phase, flying;
    int event;
};

struct controller {
    uint16_t function, base;
    uint8_t *memory;
    struct pair pairs[QUEUES + 1];
};

struct bench {
    struct cipu_card *card;
    struct cipu_host *host;
    struct controller controllers[CONTROLLERS];
    uint32_t length; /* of a read */
    uint64_t submitted, completed;
};

struct figures {
    double cycles, beats, tlps, interrupts;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-rtl-nvme: %s\n", what);
    exit(1);
}

static uint8_t *map(struct bench *bench, uint64_t bus, size_t bytes)
{
    int fd = memfd_create("bench-nvme", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        fail("no memory");
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED ||
        cipu_card_dma_map(bench->card, fd, 0, bus, bytes, CIPU_DMA_READ | CIPU_DMA_WRITE, NULL) != 0)
        fail("memory cannot be mapped");
    close(fd);
    return memory;
}

static void command(struct bench *bench, uint8_t target, uint16_t opcode, uint32_t index, const void *data)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .index = index};
    memcpy(entry.data, data, sizeof entry.data);
    if (cipu_host_command(bench->host, &entry, 1) != 0)
        fail("the card refuses a command");
}

static void open_pair(struct bench *bench, struct controller *controller, uint32_t number)
{
    struct pair *pair = &controller->pairs[number];
    uint32_t queue = controller->base + number;
    *pair = (struct pair){.number = number, .phase = 1, .event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    pair->sq_address = RINGS_AT + (uint64_t)number * 4 * NVME_PAGE_BYTES;
    pair->cq_address = pair->sq_address + 2 * NVME_PAGE_BYTES;
    pair->sq = controller->memory + pair->sq_address;
    pair->cq = controller->memory + pair->cq_address;
    cipu_card_interrupt(bench->card, VECTOR_BLOCK + queue, pair->event);
    struct nvme_queue_setting setting = {.address = pair->cq_address,
                                         .entries = ENTRIES,
                                         .function = controller->function,
                                         .base = controller->base,
                                         .completion = (uint16_t)queue,
                                         .vector = (uint16_t)(VECTOR_BLOCK + queue)};
    command(bench, TARGET_NVME_CQ, COMMAND_QUEUE_SET, queue, &setting);
    setting.flags = NVME_QUEUE_COMPLETION;
    command(bench, TARGET_NVME_SQ, COMMAND_QUEUE_SET, queue, &setting);
    setting.flags = number == 0 ? NVME_QUEUE_ADMIN : 0;
    setting.address = pair->sq_address;
    command(bench, TARGET_NVME_SQ, COMMAND_QUEUE_SET, queue, &setting);
}

static void open_controller(struct bench *bench, unsigned index)
{
    struct controller *controller = &bench->controllers[index];
    controller->function = (uint16_t)(1 + index);
    controller->base = (uint16_t)(index * 8);
    struct {
        struct window_setting window;
        uint8_t rest[32];
    } window = {{(uint64_t)controller->function << CIPU_WINDOW_SHIFT, GUEST_BYTES}, {0}};
    controller->memory = map(bench, window.window.bus_base, GUEST_BYTES);
    command(bench, TARGET_NVME_SQ, COMMAND_WINDOW_SET, controller->function, &window);
    command(bench, TARGET_NVME_CQ, COMMAND_WINDOW_SET, controller->function, &window);
    struct namespace_setting namespace = {.blocks = VOLUME_BYTES / 512, .volume = 1, .shift = 9};
    command(bench, TARGET_NVME_SQ, COMMAND_NAMESPACE_SET, controller->function * BLOCK_NAMESPACES, &namespace);
    for (uint32_t number = 0; number <= QUEUES; number++)
        open_pair(bench, controller, number);
}

static void submit(struct bench *bench, struct controller *controller, struct pair *pair, uint64_t most)
{
    uint32_t tail = pair->tail;
    while (pair->flying < DEPTH && bench->submitted < most) {
        uint64_t place = ((uint64_t)pair->number * DEPTH + pair->tail % DEPTH) * NVME_PAGE_BYTES;
        struct nvme_command entry = {.opcode = NVME_READ,
                                     .identifier = (uint16_t)pair->tail,
                                     .namespace_id = 1,
                                     .prp1 = DATA_AT + place,
                                     .dword10 = (uint32_t)(bench->submitted * 8 % (VOLUME_BYTES / 512)),
                                     .dword12 = bench->length / 512 - 1};
        memcpy(pair->sq + pair->tail * sizeof entry, &entry, sizeof entry);
        pair->tail = (pair->tail + 1) % ENTRIES;
        pair->flying++;
        bench->submitted++;
    }
    if (pair->tail != tail)
        cipu_card_doorbell_word(bench->card, DOORBELL_NVME + controller->base, 2 * pair->number, pair->tail);
}

static void complete(struct bench *bench, struct controller *controller, struct pair *pair)
{
    uint32_t head = pair->head;
    for (;;) {
        const struct nvme_completion *entry = (const struct nvme_completion *)(const void *)pair->cq + pair->head;
        if ((entry->status & 1u) != pair->phase)
            break;
        if (entry->status >> 1 != 0)
            fail("a read failed");
        pair->head = (pair->head + 1) % ENTRIES;
        pair->phase ^= pair->head == 0;
        pair->flying--;
        bench->completed++;
    }
    if (pair->head != head)
        cipu_card_doorbell_word(bench->card, DOORBELL_NVME + controller->base, 2 * pair->number + 1, pair->head);
}

/* The backend: data lies in memory that the card reaches. */
static void serve(struct bench *bench)
{
    uint32_t count;
    const struct block_command *entries = cipu_host_block_entries(bench->host, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct block_answer *answer = cipu_host_block_answer(bench->host);
        if (!answer || entries[i].kind != BACKEND_COMMAND)
            fail("an entry that was not expected");
        *answer = (struct block_answer){.tag = entries[i].tag,
                                        .flags = ANSWER_MOVE_OUT | ANSWER_COMPLETE,
                                        .address = HOST_BUS + entries[i].offset,
                                        .length = entries[i].length};
    }
    cipu_host_block_release(bench->host, count);
    cipu_host_block_send(bench->host);
}

/* Until `most` commands are done; drivers and host look once in a few cycles. */
static void run(struct bench *bench, uint64_t most)
{
    for (uint64_t cycle = 0; bench->completed < most; cycle++) {
        if (cycle == CYCLES_MOST)
            fail("the card stands still");
        if (cycle % 8 == 0)
            serve(bench);
        for (unsigned c = 0; c < CONTROLLERS && cycle % 8 == 0; c++)
            for (uint32_t q = 1; q <= QUEUES; q++) {
                complete(bench, &bench->controllers[c], &bench->controllers[c].pairs[q]);
                submit(bench, &bench->controllers[c], &bench->controllers[c].pairs[q], most + 8 * DEPTH);
            }
        rtl_card_step(bench->card);
    }
}

static uint64_t interrupts(struct bench *bench)
{
    uint64_t sum = 0, count;
    for (unsigned c = 0; c < CONTROLLERS; c++)
        for (uint32_t q = 0; q <= QUEUES; q++)
            if (read(bench->controllers[c].pairs[q].event, &count, sizeof count) == sizeof count)
                sum += count;
    return sum;
}

static struct figures measure(uint32_t length)
{
    static struct bench bench;
    struct cipu_error error;
    bench = (struct bench){.length = length};
    if (rtl_card_open(&native_graph_card, "", &bench.card, &error) != 0 ||
        cipu_host_open(bench.card, &bench.host, &error) != 0)
        fail(error.text);
    map(&bench, HOST_BUS, VOLUME_BYTES);
    for (unsigned i = 0; i < CONTROLLERS; i++)
        open_controller(&bench, i);
    rtl_card_halt(bench.card);
    run(&bench, WARM_COMMANDS);
    struct rtl_card_figures before, after;
    uint64_t first = bench.completed;
    interrupts(&bench);
    rtl_card_figures(bench.card, &before);
    run(&bench, WARM_COMMANDS + COMMANDS);
    rtl_card_figures(bench.card, &after);
    double commands = (double)(bench.completed - first), cycles = (double)(after.cycles - before.cycles);
    double tlps = (double)(after.host.read_requests - before.host.read_requests + after.host.completions -
                           before.host.completions + after.host.write_packets - before.host.write_packets);
    uint32_t pieces = (length + DATA_BYTES - 1) / DATA_BYTES, lines = length / BUS_LINE_BYTES;
    struct figures figures = {.cycles = cycles / commands,
                              .beats = commands * lines / cycles,
                              .tlps = tlps / commands - DATA_PACKETS * pieces,
                              .interrupts = (double)interrupts(&bench) / commands};
    rtl_card_run(bench.card);
    cipu_host_close(bench.host);
    cipu_card_close(bench.card);
    return figures;
}

/* Prints a figure. Returns whether it is within its bound: at most `bound`, or, `least`, at least. */
static bool result(const char *name, const char *unit, double value, double bound, bool least)
{
    bool good = least ? value >= bound : value <= bound;
    printf("{\"name\":\"rtl.nvme.%s\",\"value\":%.4f,\"unit\":\"%s\"}\n", name, value, unit);
    fflush(stdout);
    if (!good)
        fprintf(stderr, "bench-rtl-nvme: %s is %.3f, expected at %s %g\n", name, value, least ? "least" : "most",
                bound);
    return good;
}

int main(void)
{
    struct figures small = measure(512), page = measure(4096);
    bool good = result("cycles_per_command", "cycles per command of 512 bytes", small.cycles, 20, false);
    good &= result("4096.cycles_per_command", "cycles per command of 4 KiB", page.cycles, 68, false);
    good &= result("beats_per_cycle", "beats of data per cycle, 4 KiB", page.beats, 0.95, true);
    good &= result("tlps", "TLPs per command of 512 bytes besides its data", small.tlps, 2.5, false);
    good &= result("4096.tlps", "TLPs per command of 4 KiB besides its data", page.tlps, 6, false);
    good &= result("interrupts_per_command", "interrupts per command of 512 bytes", small.interrupts, 0.5, false);
    return good ? 0 : 1;
}
