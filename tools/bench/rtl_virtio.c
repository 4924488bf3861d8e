/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's packets cost on the rtl card: cycles, and PCIe transaction layer packets besides those of the packet
 * itself (one read of its buffer, one completion). Cycles and packets are counted, not timed, so the figures are those
 * of any machine.
 *
 * Batches: the driver posts some packets of one flow, rings the doorbell, and waits for the interrupt. Load: many
 * queues at once (rtl_load.c). Exits with 1 when a figure is beyond its bound.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/rtl_load.h"

/* Of split rings; 4, the goal, takes packed ones: docs/benchmarks.md. */
#define LIMIT_BATCH_1    9.5
#define LIMIT_BATCH_16   0.75
#define LIMIT_INTERRUPTS (1.0 / 64.0)
#define LOAD_FUNCTIONS   32u
#define LOAD_PACKETS     24000u

struct sender {
    struct guest guest;
    int event;
    uint16_t posted;
    uint64_t interrupts;
};

static unsigned missed;

static void open_sender(struct sender *sender, struct guest_card *of)
{
    *sender = (struct sender){.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (sender->event < 0)
        guest_fail("no event");
    guest_open(&sender->guest, of, 1, GUEST_SENDS);
    cipu_card_interrupt(of->card, VECTOR_QUEUE + sender->guest.queue, sender->event);
}

/* Posts `count` packets and waits for the interrupt that is asked for with the last one. */
static void send_batch(struct sender *sender, uint16_t count)
{
    struct guest *guest = &sender->guest;
    sender->posted = guest_fill(guest, sender->posted, count);
    guest_store(guest, GUEST_AVAIL + VIRTQ_AVAIL_USED_EVENT(GUEST_ENTRIES), (uint16_t)(sender->posted - 1));
    guest_store(guest, GUEST_AVAIL + VIRTQ_AVAIL_INDEX, sender->posted);
    cipu_card_doorbell(guest->of->card, guest->queue, 0);
    while (guest_load(guest, GUEST_USED + VIRTQ_USED_INDEX) != sender->posted) {
        struct pollfd wait = {.fd = sender->event, .events = POLLIN};
        uint64_t signals = 0;
        if (poll(&wait, 1, 10000) != 1 || read(sender->event, &signals, sizeof signals) < 0)
            guest_fail("no interrupt within ten seconds");
        sender->interrupts += signals;
    }
}

/* Until nothing moves any more: what follows a batch belongs to it. */
static struct rtl_card_figures settled(struct sender *sender)
{
    struct rtl_card_figures before, after;
    rtl_card_figures(sender->guest.of->card, &after);
    do {
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
        before = after;
        rtl_card_figures(sender->guest.of->card, &after);
    } while (after.cycles != before.cycles);
    return after;
}

static void result(const char *name, const char *unit, double value)
{
    printf("{\"name\":\"rtl.virtio%s\",\"value\":%.4f,\"unit\":\"%s\"}\n", name, value, unit);
    fflush(stdout);
}

static void batch_result(unsigned batch, const char *name, const char *unit, double value)
{
    char whole[64];
    snprintf(whole, sizeof whole, "_tx.batch_%u.%s", batch, name);
    result(whole, unit, value);
}

static void bounded(const char *name, const char *unit, double value, double most)
{
    result(name, unit, value);
    if (value > most) {
        fprintf(stderr, "bench-rtl-virtio: rtl.virtio%s is %.4f, expected at most %.4f\n", name, value, most);
        missed++;
    }
}

/* Returns the transaction layer packets besides the data's. */
static double measure(struct sender *sender, uint16_t batch)
{
    unsigned rounds = batch < GUEST_ENTRIES / 2 ? GUEST_ENTRIES / batch : 2;
    if (rounds > 64)
        rounds = 64;
    send_batch(sender, batch);
    struct rtl_card_figures before = settled(sender);
    sender->interrupts = 0;
    for (unsigned i = 0; i < rounds; i++)
        send_batch(sender, batch);
    struct rtl_card_figures after = settled(sender);
    double packets = (double)batch * rounds;
    double reads = (double)(after.host.read_requests - before.host.read_requests) / packets;
    double completions = (double)(after.host.completions - before.host.completions) / packets;
    double writes = (double)(after.host.write_packets - before.host.write_packets) / packets;
    double tlps = reads + completions + writes - 2.0;
    batch_result(batch, "tlps", "TLPs per packet besides its data", tlps);
    batch_result(batch, "reads", "read requests per packet", reads);
    batch_result(batch, "writes", "writes per packet", writes);
    batch_result(batch, "interrupts", "interrupts per packet", (double)sender->interrupts / packets);
    batch_result(batch, "cycles", "cycles per packet", (double)(after.cycles - before.cycles) / packets);
    return tlps;
}

static void measure_batches(void)
{
    static const uint16_t batches[] = {1, 4, 16, 64, GUEST_ENTRIES};
    struct guest_card of;
    struct sender sender;
    double tlps[5];
    guest_card_open(&of);
    open_sender(&sender, &of);
    for (unsigned i = 0; i < 5; i++)
        tlps[i] = measure(&sender, batches[i]);
    guest_card_close(&of);
    guest_close(&sender.guest);
    close(sender.event);
    bounded(".tlps.batch1", "TLPs per packet besides its data", tlps[0], LIMIT_BATCH_1);
    bounded(".tlps.batch16", "TLPs per packet besides its data", tlps[2], LIMIT_BATCH_16);
}

static void measure_load(void)
{
    struct load_result sent = load_run(GUEST_SENDS, LOAD_FUNCTIONS, LOAD_PACKETS);
    struct load_result received = load_run(GUEST_RECEIVES, LOAD_FUNCTIONS, LOAD_PACKETS);
    bool slower = sent.packets_per_cycle < received.packets_per_cycle;
    bool louder = sent.interrupts_per_packet > received.interrupts_per_packet;
    result(".tx.packets_per_cycle", "packets per cycle", sent.packets_per_cycle);
    result(".rx.packets_per_cycle", "packets per cycle", received.packets_per_cycle);
    result(".packets_per_cycle", "packets per cycle", slower ? sent.packets_per_cycle : received.packets_per_cycle);
    result(".tx.tlps.load", "TLPs per packet besides its data", sent.tlps);
    result(".rx.tlps.load", "TLPs per packet besides its data", received.tlps);
    bounded(".interrupts_per_packet", "interrupts per packet",
            louder ? sent.interrupts_per_packet : received.interrupts_per_packet, LIMIT_INTERRUPTS);
}

int main(void)
{
    measure_batches();
    measure_load();
    return missed != 0;
}
