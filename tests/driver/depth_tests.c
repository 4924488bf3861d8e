/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finite FIFOs can bring a graph to a stand where infinite ones would not. So the card runs with every FIFO as small as
 * it may be: one record, but where the graph needs more for a reason. If it does not stand still then, the depths of
 * hls/card.cfg, which are all larger, are a matter of speed alone.
 */
#include "tests/driver/depth_tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

extern const struct native_graph native_graph_card;

static const struct {
    const char *stream;
    uint32_t depth;
} needed[] = {
    /* The header window of 192 bytes leaves with the third beat; until the command comes for it, the beats wait. */
    {"split.packet:rewrite.in", 4},
    /* Whole packets of 144 beats wait for what is known at their end. */
    {"inject.packet:inject_gate.packet", 256},
    {"checksum.packet:checksum_insert.packet", 256},
    {"rx_filter.packet:rx_gate.packet", 256},
    /* A queue has at most one read or write of its ring under way: where all wait, the virtqueue kernels do not. */
    {"tx_virtq.read:tx_read_guard.in", 256},
    {"tx_virtq.write:tx_write_guard.in", 256},
    {"rx_virtq.read:rx_read_guard.in", 256},
    {"rx_virtq.write:rx_write_guard.in", 256},
    {"tx_used.read_request:tx_used_read_guard.in", 256},
    {"tx_used.write_request:tx_used_write_guard.in", 256},
    {"rx_used.read_request:rx_used_read_guard.in", 256},
    {"rx_used.write_request:rx_used_write_guard.in", 256},
    /* A queue that has to be looked at again comes back through these: there are 256. */
    {"tx_virtq.again:tx_events.again", 256},
    {"rx_virtq.again:rx_events.again", 256},
    {"tx_used.again:tx_used_events.again", 256},
    {"rx_used.again:rx_used_events.again", 256},
    /* Credit goes back to the virtqueue kernels, which send the segments: four tokens of each queue (queue.h). */
    {"virtio_tx_packet.credit:tx_events.credit", 512},
    {"virtio_rx.credit:rx_events.credit", 512},
    /* The same circle, once for each queue. */
    {"virtio_tx_packet.fault:tx_events.fault", 128},
    {"virtio_rx_used.fault:rx_events.fault", 128},
    /* What came behind a long packet goes round with it: more than wait in front of virtio_rx, or the circle is full.
     */
    {"virtio_rx.again:virtio_rx_merge.again", 8},
};

static uint32_t *smallest(uint32_t smallest_depth)
{
    uint32_t *depths = calloc(native_graph_card.stream_count, sizeof *depths);
    size_t found = 0;
    assert_non_null(depths);
    for (size_t i = 0; i < native_graph_card.stream_count; i++) {
        depths[i] = smallest_depth;
        for (size_t n = 0; n < sizeof needed / sizeof needed[0]; n++) {
            if (strcmp(native_graph_card.streams[i].name, needed[n].stream) == 0) {
                depths[i] = needed[n].depth;
                found++;
            }
        }
        assert_in_range(depths[i], 1, native_graph_card.streams[i].depth);
    }
    assert_int_equal(found, sizeof needed / sizeof needed[0]);
    return depths;
}

static void assert_runs(world_card open, const uint32_t *depths, uint16_t functions, uint32_t packets)
{
    struct world *world = malloc(sizeof *world);
    world_open(world, open, depths, functions);
    bool arrived = world_run(world, packets);
    if (!arrived)
        world_tell(world);
    uint64_t punted = world->punted;
    world_close(world);
    free(world);
    assert_true(arrived);
    assert_true(functions < 5 || punted > 0);
}

void depth_test_configured(const struct depth_job *job)
{
    assert_runs(job->open, NULL, job->functions, job->packets);
}

void depth_test_smallest(const struct depth_job *job)
{
    uint32_t *depths = smallest(job->smallest);
    assert_runs(job->open, depths, 1, job->packets);
    assert_runs(job->open, depths, 5, job->packets);
    assert_runs(job->open, depths, job->functions, job->packets);
    free(depths);
}

/* A FIFO that cannot hold the longest packet stops the card, and these tests see it. */
void depth_test_too_small(const struct depth_job *job)
{
    struct world *world = malloc(sizeof *world);
    uint32_t *depths = smallest(job->smallest);
    size_t gate = 0;
    while (strcmp(native_graph_card.streams[gate].name, "rx_filter.packet:rx_gate.packet") != 0)
        gate++;
    depths[gate] = 64;
    world_open(world, job->open, depths, job->functions);
    assert_false(world_run(world, 4 * job->packets));
    assert_int_equal(world_blocked(world, gate), gate);
    world_close(world);
    free(depths);
    free(world);
}
