/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block path is full of circles: a tag that is free lets a command be fetched, whose answer frees a tag. So the
 * card runs with every FIFO of the path as small as it may be: one record, but where the graph needs more for a
 * reason. If it does not stand still then, neither does it with the depths of hls/card.cfg, which are all larger.
 */
#include "tests/driver/block_depth_tests.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/driver/block_load.h"

extern const struct native_graph native_graph_card;

#define TOKENS 16u  /* of queues: the world has ten */
#define TAGS   512u /* that it may have in flight */

static const struct {
    const char *stream;
    uint32_t depth;
} needed[] = {
    /* A submission queue has one token, which is in one of these. */
    {"nvme_queue.read:nvme_read_guard.in", TOKENS},
    {"nvme_read_guard.out:dma_read_8.request", TOKENS},
    {"nvme_queue.write:nvme_write_guard.in", TOKENS},
    {"nvme_write_guard.out:dma_write_13.request", TOKENS},
    {"nvme_queue.write_data:dma_write_13.data", TOKENS},
    {"nvme_queue.again:nvme_events.again", 2 * TOKENS},
    /* A write of a completion queue that is done lets another one go, so there is room for all that are under way. */
    {"dma_write_14.done:nvme_cq_events.done", 128},
    /* Commands end although nothing is fetched: every tag may be waiting here. */
    {"nvme_cq.freed:nvme_events.freed", TAGS},
    /* Entries gather there until they are written. */
    {"backend_append.data:dma_write_6.data", 16},
    /* What block_list has asked for always has room. */
    {"dma_read_10.data:block_walk.list", 256},
};

static bool of_block_path(const char *stream)
{
    static const char *const parts[] = {"nvme", "block_", "qos", "backend_append", "command_merge"};
    bool found = false;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        found |= strstr(stream, parts[i]) != NULL;
    return found;
}

static struct native_stream *smallest(uint32_t smallest_depth)
{
    struct native_stream *streams = calloc(native_graph_card.stream_count, sizeof *streams);
    size_t found = 0;
    assert_non_null(streams);
    memcpy(streams, native_graph_card.streams, native_graph_card.stream_count * sizeof *streams);
    for (size_t i = 0; i < native_graph_card.stream_count; i++) {
        uint32_t depth = of_block_path(streams[i].name) ? smallest_depth : streams[i].depth;
        for (size_t n = 0; n < sizeof needed / sizeof needed[0]; n++) {
            if (strcmp(streams[i].name, needed[n].stream) == 0) {
                depth = needed[n].depth;
                found++;
            }
        }
        assert_in_range(depth, 1, streams[i].depth);
        streams[i].depth = depth;
    }
    assert_int_equal(found, sizeof needed / sizeof needed[0]);
    return streams;
}

struct windows {
    struct world *world;
    _Atomic bool over;
    uint64_t set;
    int result;
};

/* Sets the windows of both controllers to what they are, again and again. */
static void *set_windows(void *context)
{
    struct windows *windows = context;
    while (!windows->over && windows->result == 0) {
        uint16_t function = windows->world->controllers[windows->set % WORLD_CONTROLLERS].function;
        struct window_setting window = {(uint64_t)function << CIPU_WINDOW_SHIFT, WORLD_GUEST_BYTES};
        struct command_entry entries[8];
        for (unsigned i = 0; i < 8; i++) {
            entries[i] =
                (struct command_entry){.opcode = COMMAND_WINDOW_SET, .target = TARGET_NVME_SQ, .index = function};
            memcpy(entries[i].data, &window, sizeof window);
        }
        windows->result = cipu_host_command(windows->world->host, entries, 8);
        windows->set++;
    }
    return NULL;
}

static void submit_read(struct world *world, struct world_controller *controller, struct world_pair *pair,
                        unsigned slot)
{
    do
        world_random_command(world, controller, pair, slot);
    while (pair->slots[slot].command.opcode != NVME_READ);
    world_submit(world, controller, pair, slot);
}

/* Takes what has completed, without serving. Returns how many. */
static unsigned take(struct world *world, struct world_controller *controller)
{
    unsigned count = 0;
    for (unsigned q = 1; q <= WORLD_QUEUES; q++) {
        const struct nvme_completion *completion;
        while ((completion = world_completion(controller, &controller->pairs[q])) != NULL) {
            world_check(world, controller, &controller->pairs[q], completion);
            world_take(world, controller, &controller->pairs[q]);
            count++;
        }
    }
    return count;
}

enum { HALF = WORLD_COMMANDS / 2, ALL = WORLD_CONTROLLERS * WORLD_QUEUES * HALF };

/* The host has all commands of a round. */
static void gather(struct world *world, struct block_command *commands)
{
    time_t since = time(NULL);
    for (uint32_t got = 0, count; got < ALL; got += count) {
        const struct block_command *entries = cipu_host_block_entries(world->host, &count);
        assert_true(got + count <= ALL);
        memcpy(commands + got, entries, count * sizeof *entries);
        cipu_host_block_release(world->host, count);
        if (count)
            since = time(NULL);
        else if (time(NULL) - since > WORLD_PATIENCE_SECONDS)
            world_give_up(world);
    }
}

static void finish(struct world *world)
{
    time_t since = time(NULL);
    for (unsigned ended = 0, some; ended < ALL; ended += some) {
        some = 0;
        for (unsigned c = 0; c < WORLD_CONTROLLERS; c++)
            some += take(world, &world->controllers[c]);
        if (some)
            since = time(NULL);
        else if (time(NULL) - since > WORLD_PATIENCE_SECONDS)
            world_give_up(world);
    }
}

/* The host answers everything at once, just when all queues have as many commands again to be fetched. */
static void rush(struct world *world, uint32_t rounds)
{
    static struct block_command commands[ALL];
    for (uint32_t n = 0; n < rounds; n++) {
        for (unsigned slot = n % 2 * HALF; slot < n % 2 * HALF + HALF; slot++)
            for (unsigned c = 0; c < WORLD_CONTROLLERS; c++)
                for (unsigned q = 1; q <= WORLD_QUEUES; q++)
                    submit_read(world, &world->controllers[c], &world->controllers[c].pairs[q], slot);
        for (unsigned i = 0; n != 0 && i < ALL; i++)
            world_answer(world, &commands[i]);
        cipu_host_block_send(world->host);
        if (n != 0)
            finish(world);
        gather(world, commands);
    }
    for (unsigned i = 0; i < ALL; i++)
        world_answer(world, &commands[i]);
    cipu_host_block_send(world->host);
    finish(world);
}

void block_depth_test_smallest(const struct block_depth_job *job)
{
    struct native_graph graph = native_graph_card;
    struct native_stream *streams = smallest(job->smallest);
    struct cipu_card *card;
    struct cipu_error error;
    struct world *world = malloc(sizeof *world);
    graph.streams = streams;
    if (job->open(&graph, "", &card, &error) != 0)
        fail_msg("%s", error.text);
    world_open(world, card);
    world_start_all(world);
    struct windows windows = {.world = world};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, set_windows, &windows), 0);
    world_load(world, job->commands);
    rush(world, job->commands);
    windows.over = true;
    pthread_join(thread, NULL);
    assert_int_equal(windows.result, 0);
    assert_true(windows.set > 0);
    assert_memory_equal(world->volume, world->shadow, WORLD_VOLUME_BYTES);
    world_stop_all(world);
    world_close(world);
    free(world);
    free(streams);
}
