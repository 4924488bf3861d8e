/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network pipeline as hardware: how many packets and beats pass in a cycle when the tables' lines are on the chip,
 * and how long a packet takes from port to port. Cycles are counted, so the figures are those of any machine. Exit
 * status 1: a goal was missed.
 */
#include <stdio.h>

#include "tools/bench/rtl_net.h"

#define SIZE_MIN        64u
#define SIZE_MAX_NET    1518u
#define EACH            8u
#define LEAD            (4u * NET_FLOWS)
#define SMALL_PACKETS   2000u
#define LATENCY_CYCLES  375u
#define LATENCY_PACKETS 32u

static bool goals_met = true;

static void result(const char *name, const char *unit, double value, bool good)
{
    printf("{\"name\":\"rtl.net.%s\",\"value\":%.3f,\"unit\":\"%s\"}\n", name, value, unit);
    fflush(stdout);
    if (!good)
        fprintf(stderr, "bench-rtl-net: rtl.net.%s is %.3f: the goal is missed\n", name, value);
    goals_met &= good;
}

static uint32_t beats_of(uint32_t length)
{
    return (length + BEAT_BYTES - 1) / BEAT_BYTES;
}

/* Beats that a packet takes where there are more of them: in front of the rewriter or behind it. */
static uint32_t beats_of_packet(enum net_kind kind, uint32_t length)
{
    uint8_t frame[NET_FRAME_MAX] = {0};
    uint32_t in = beats_of(net_load_frame(kind, 0, length, frame));
    uint32_t out = beats_of(net_load_length_out(kind, length));
    return in > out ? in : out;
}

/* Warm tables, then 64-byte packets without a gap. */
static void packets_per_cycle(struct net_place *place, const char *name)
{
    struct net_run run;
    net_run_open(&run, NET_FORWARD, SIZE_MIN, SIZE_MIN, SMALL_PACKETS, LEAD);
    net_place_run(place, &run);
    double cycles = (double)(run.left[run.total - 1] - run.left[LEAD - 1]);
    double rate = SMALL_PACKETS / cycles;
    result(name, "packets per cycle", rate, rate >= 1.0);
    net_run_close(&run);
}

/* Every size, from its first packet's end to its last one's; the figure is that of the worst one. */
static void beats_per_cycle(struct net_place *place, enum net_kind kind)
{
    struct net_run run;
    net_run_open(&run, kind, SIZE_MIN, SIZE_MAX_NET, EACH, LEAD);
    net_place_run(place, &run);
    double worst = 1.0;
    unsigned sizes = 0;
    uint32_t worst_size = 0;
    for (uint32_t size = SIZE_MIN; size <= SIZE_MAX_NET; size++) {
        unsigned end = LEAD + (size - SIZE_MIN + 1) * EACH;
        uint64_t cycles = run.left[end - 1] - run.left[end - EACH], beats = (EACH - 1) * beats_of_packet(kind, size);
        if (cycles <= beats)
            continue;
        sizes++;
        fprintf(stderr, "bench-rtl-net: %s, %u bytes: %.2f bubbles a packet of %llu beats\n", net_kind_name(kind), size,
                (double)(cycles - beats) / (EACH - 1), (unsigned long long)beats / (EACH - 1));
        if ((double)beats / (double)cycles < worst) {
            worst = (double)beats / (double)cycles;
            worst_size = size;
        }
    }
    if (sizes != 0)
        fprintf(stderr, "bench-rtl-net: %s: %u sizes have bubbles, the worst is %u bytes\n", net_kind_name(kind), sizes,
                worst_size);
    char name[64];
    snprintf(name, sizeof name, "%s%sbeats_per_cycle", kind == NET_FORWARD ? "" : net_kind_name(kind),
             kind == NET_FORWARD ? "" : ".");
    result(name, "beats per cycle", worst, worst >= 1.0);
    net_run_close(&run);
}

/* One packet at a time; the longest time of any, when all its lines are on the chip. */
static void latency(struct net_place *place, const char *name, enum net_kind kind, uint64_t most)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < LATENCY_PACKETS; i++) {
        struct net_run run;
        net_run_open(&run, kind, SIZE_MIN, SIZE_MIN, 1, 0);
        net_place_run(place, &run);
        uint64_t cycles = run.left[0] - run.entered[0];
        longest = i != 0 && cycles > longest ? cycles : longest;
        net_run_close(&run);
    }
    result(name, "cycles", (double)longest, longest <= most);
}

int main(void)
{
    struct net_place place;
    rtl_chain_open(&place);
    packets_per_cycle(&place, "64.packets_per_cycle");
    for (unsigned kind = 0; kind < NET_KINDS; kind++)
        beats_per_cycle(&place, (enum net_kind)kind);
    rtl_chain_close(&place);
    rtl_whole_open(&place);
    packets_per_cycle(&place, "card.64.packets_per_cycle");
    latency(&place, "latency.cycles", NET_FORWARD, LATENCY_CYCLES);
    rtl_whole_close(&place);
    return goals_met ? 0 : 1;
}
