/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/rtl_net.h"

#define CYCLES_WITHOUT_PACKET 20000u

void rtl_net_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench-rtl-net: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void net_run_open(struct net_run *run, enum net_kind kind, uint32_t first, uint32_t last, unsigned each, unsigned lead)
{
    *run = (struct net_run){.kind = kind, .first = first, .last = last, .each = each, .lead = lead};
    run->total = lead + (last - first + 1) * each;
    run->entered = calloc(run->total, sizeof *run->entered);
    run->left = calloc(run->total, sizeof *run->left);
    if (!run->entered || !run->left)
        rtl_net_fail("no memory");
}

void net_run_close(struct net_run *run)
{
    free(run->entered);
    free(run->left);
}

uint32_t net_run_length(const struct net_run *run, unsigned packet)
{
    return packet < run->lead ? run->last : run->first + (packet - run->lead) / run->each;
}

const uint8_t *net_run_next(struct net_run *run, uint64_t cycle, uint32_t *length)
{
    if (run->made == run->total)
        return NULL;
    unsigned packet = run->made++;
    *length = net_load_frame(run->kind, packet % NET_FLOWS, net_run_length(run, packet), run->frame);
    run->entered[packet] = cycle;
    return run->frame;
}

void net_run_take(struct net_run *run, uint64_t cycle, uint32_t length)
{
    uint32_t expected = net_load_length_out(run->kind, net_run_length(run, run->gone));
    if (run->gone == run->made || length != expected)
        rtl_net_fail("%s: packet %u has %u bytes, expected %u", net_kind_name(run->kind), run->gone, length, expected);
    run->left[run->gone++] = cycle;
}

void net_place_run(struct net_place *place, struct net_run *run)
{
    uint64_t moved = place->cycle;
    place->run = run;
    for (unsigned gone = 0; run->gone != run->total; gone = run->gone) {
        place->step(place);
        moved = run->gone != gone ? place->cycle : moved;
        if (place->cycle - moved > CYCLES_WITHOUT_PACKET)
            rtl_net_fail("%s, %s: %u packets entered, %u left", place->name, net_kind_name(run->kind), run->made,
                         run->gone);
    }
    place->run = NULL;
}
