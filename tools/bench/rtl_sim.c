/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the rtl card is simulated: cycles in a second of processor time, which is this machine's alone; and the same
 * chain by the card's engine and as one Verilated model, whose ratio says what the engine costs or saves.
 */
#include <stdio.h>
#include <time.h>

#include "tools/bench/rtl_net.h"

#define ROUNDS      5u
#define IDLE_CYCLES 200000u
#define ALL_CYCLES  1500u
#define SIZE        64u
#define PACKETS     6000u
#define KHZ_GOAL    100.0

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Cycles in a millisecond: nothing to do. */
static double khz_idle(struct net_place *place)
{
    double from = seconds();
    for (unsigned i = 0; i < IDLE_CYCLES; i++)
        place->step(place);
    return IDLE_CYCLES / (seconds() - from) / 1e3;
}

/* A packet of 64 bytes in every cycle. */
static double khz_net(struct net_place *place)
{
    struct net_run run;
    net_run_open(&run, NET_FORWARD, SIZE, SIZE, PACKETS, 0);
    uint64_t cycles = place->cycle;
    double from = seconds();
    net_place_run(place, &run);
    double spent = seconds() - from;
    net_run_close(&run);
    return (double)(place->cycle - cycles) / spent / 1e3;
}

/* Every module in every cycle, whatever it has to do. */
static double khz_all(struct net_place *place)
{
    double from = seconds();
    for (unsigned i = 0; i < ALL_CYCLES; i++) {
        rtl_whole_wake(place);
        place->step(place);
    }
    return ALL_CYCLES / (seconds() - from) / 1e3;
}

/* Other work on the machine only makes it slower. */
static double best(double (*measure)(struct net_place *place), struct net_place *place, double so_far)
{
    double value = measure(place);
    return value > so_far ? value : so_far;
}

static void result(const char *name, double value)
{
    printf("{\"name\":\"rtl.sim.khz.%s\",\"value\":%.1f,\"unit\":\"kHz of simulated clock\"}\n", name, value);
    fflush(stdout);
}

static double whole_card(void)
{
    struct net_place card;
    double idle = 0, net = 0, all = 0;
    rtl_whole_open(&card);
    for (unsigned i = 0; i < ROUNDS; i++) {
        idle = best(khz_idle, &card, idle);
        net = best(khz_net, &card, net);
        all = best(khz_all, &card, all);
    }
    rtl_whole_close(&card);
    result("idle", idle);
    result("net", net);
    result("all", all);
    return net;
}

static void one_model(void)
{
    struct net_place engine, one;
    double many_khz = 0, one_khz = 0;
    rtl_chain_open(&engine);
    rtl_one_open(&one);
    for (unsigned i = 0; i < ROUNDS; i++) {
        many_khz = best(khz_net, &engine, many_khz);
        one_khz = best(khz_net, &one, one_khz);
    }
    rtl_one_close(&one);
    rtl_chain_close(&engine);
    printf("{\"name\":\"rtl.sim.one_model\",\"value\":%.1f,\"unit\":\"kHz of simulated clock\",\"peer\":\"the chain as "
           "one "
           "model\",\"peer_value\":%.1f,\"ratio\":%.2f}\n",
           many_khz, one_khz, many_khz / one_khz);
}

int main(void)
{
    double net = whole_card();
    one_model();
    if (net < KHZ_GOAL)
        fprintf(stderr, "bench-rtl-sim: rtl.sim.khz.net is %.1f: the goal is missed\n", net);
    return 0;
}
