/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers as Linux's: they sleep until an interrupt, then take what is used, offer as many buffers again, ask for the
 * next interrupt at three quarters of what is under way (virtqueue_enable_cb_delayed), and ring when the card asks for
 * it. Port 0 brings a frame whenever the card has room, for one function after the other; packets that find no buffer
 * are dropped and do not count.
 */
#include "tools/bench/rtl_load.h"

#include <stdio.h>
#include <string.h>

#define LOOK_CYCLES   64u /* a driver looks for its interrupt as often */
#define CYCLES_MAX    (1u << 24)
#define FUNCTIONS_MAX 126u

struct load_guest {
    struct guest guest;
    uint16_t posted, taken;
    uint64_t before; /* packets up to `taken` */
};

struct load {
    struct guest_card of;
    struct load_guest guests[FUNCTIONS_MAX];
    uint32_t functions;
    uint64_t interrupts;
};

/* ---- the wire ---- */

struct wire {
    uint32_t functions, next;
    uint8_t frame[GUEST_FRAME_BYTES];
};

static bool wire_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct wire *wire = port->state;
    if (wire->functions == 0)
        return false;
    guest_frame(1u + wire->next, wire->frame);
    wire->next = (wire->next + 1u) % wire->functions;
    *frame = wire->frame;
    *length = GUEST_FRAME_BYTES;
    return true;
}

static void wire_release(struct port *port)
{
    (void)port;
}

static uint8_t *wire_reserve(struct port *port)
{
    (void)port;
    return NULL;
}

static void wire_flush(struct port *port)
{
    (void)port;
}

static const struct port_ops wire_ops = {
    .scheme = "bench",
    .receive = wire_receive,
    .release = wire_release,
    .reserve = wire_reserve,
    .flush = wire_flush,
};

/* ---- drivers ---- */

static void ring_if_wanted(struct load_guest *driver, uint16_t before)
{
    uint16_t event = guest_load(&driver->guest, GUEST_USED + VIRTQ_USED_AVAIL_EVENT(GUEST_ENTRIES));
    if ((uint16_t)(driver->posted - event - 1u) < (uint16_t)(driver->posted - before))
        cipu_card_doorbell(driver->guest.of->card, driver->guest.queue, 0);
}

static void offer(struct load_guest *driver, uint16_t count)
{
    uint16_t before = driver->posted;
    driver->posted = guest_fill(&driver->guest, before, count);
    uint16_t under_way = (uint16_t)(driver->posted - driver->taken);
    guest_store(&driver->guest, GUEST_AVAIL + VIRTQ_AVAIL_USED_EVENT(GUEST_ENTRIES),
                (uint16_t)(driver->taken + under_way * 3u / 4u));
    guest_store(&driver->guest, GUEST_AVAIL + VIRTQ_AVAIL_INDEX, driver->posted);
    ring_if_wanted(driver, before);
}

static bool interrupted(struct load_guest *driver)
{
    struct native_card *card = (struct native_card *)driver->guest.of->card;
    return atomic_exchange(&card->vectors[VECTOR_QUEUE + driver->guest.queue].latched, false);
}

static void look(struct load *load)
{
    for (uint32_t i = 0; i < load->functions; i++) {
        struct load_guest *driver = &load->guests[i];
        if (!interrupted(driver))
            continue;
        uint16_t used = guest_load(&driver->guest, GUEST_USED + VIRTQ_USED_INDEX);
        uint16_t count = (uint16_t)(used - driver->taken);
        driver->taken = used;
        driver->before += count;
        offer(driver, count);
        load->interrupts++;
    }
}

static uint64_t packets_done(const struct load *load)
{
    uint64_t packets = 0;
    for (uint32_t i = 0; i < load->functions; i++) {
        const struct load_guest *driver = &load->guests[i];
        uint16_t used = guest_load(&driver->guest, GUEST_USED + VIRTQ_USED_INDEX);
        packets += driver->before + (uint16_t)(used - driver->taken);
    }
    return packets;
}

/* ---- the clock ---- */

static void run_until(struct load *load, uint64_t packets)
{
    struct native_card *card = (struct native_card *)load->of.card;
    for (uint32_t cycle = 0; packets_done(load) < packets; cycle++) {
        if (cycle == CYCLES_MAX)
            guest_fail("the load stands still");
        for (uint32_t i = 0; i < LOOK_CYCLES; i++) {
            native_make_ready(card, card->port_node);
            rtl_card_step(load->of.card);
        }
        look(load);
    }
}

struct load_result load_run(enum guest_direction direction, uint32_t functions, uint32_t packets)
{
    static struct load load;
    struct wire wire = {.functions = direction == GUEST_RECEIVES ? functions : 0};
    memset(&load, 0, sizeof load);
    load.functions = functions;
    guest_card_open(&load.of);
    for (uint32_t i = 0; i < functions; i++)
        guest_open(&load.guests[i].guest, &load.of, 1u + i, direction);
    rtl_card_halt(load.of.card);
    struct port *port = &((struct native_card *)load.of.card)->ports[0];
    const struct port_ops *ops = port->ops;
    void *state = port->state;
    port->ops = &wire_ops;
    port->state = &wire;
    for (uint32_t i = 0; i < functions; i++)
        offer(&load.guests[i], GUEST_ENTRIES);

    struct rtl_card_figures before, after;
    run_until(&load, packets / 4u);
    rtl_card_figures(load.of.card, &before);
    uint64_t done = packets_done(&load), interrupts = load.interrupts;
    run_until(&load, packets);
    rtl_card_figures(load.of.card, &after);
    double count = (double)(packets_done(&load) - done);
    uint64_t tlps = after.host.read_requests + after.host.completions + after.host.write_packets -
                    before.host.read_requests - before.host.completions - before.host.write_packets;
    struct load_result result = {.packets_per_cycle = count / (double)(after.cycles - before.cycles),
                                 .interrupts_per_packet = (double)(load.interrupts - interrupts) / count,
                                 .tlps = (double)tlps / count - (direction == GUEST_SENDS ? 2.0 : 1.0)};
    port->ops = ops;
    port->state = state;
    rtl_card_run(load.of.card);
    guest_card_close(&load.of);
    for (uint32_t i = 0; i < functions; i++)
        guest_close(&load.guests[i].guest);
    return result;
}
