/* SPDX-License-Identifier: Apache-2.0 */
/* The write half of a bus model: memory changes when the response is given, not before. */
#include <inttypes.h>
#include <string.h>

#include "hw/platform/sim/bus_internal.h"

#define WRITE_PACKET_BYTES 256u

static void perform(struct bus *bus, const struct bus_write *write)
{
    bool good = true;
    for (uint32_t i = 0; i < write->lines; i++)
        good &= bus->memory.write(bus->memory.context, write->address + (uint64_t)i * BUS_LINE_BYTES, write->data[i],
                                  write->enable[i]);
    bus->counters.error_responses += !good;
    rtl_put(&bus->bid, 0, bus->bid.bits, write->id);
    rtl_put(&bus->bresp, 0, 2, good ? BUS_OKAY : BUS_DECODE_ERROR);
    bus->offering_response = true;
}

/* The `age`-th of those that are under way, oldest first. */
static struct bus_write *pending(const struct bus *bus, uint32_t age)
{
    return &bus->writes_pending[bus->write_order[age]];
}

static void forget(struct bus *bus, uint32_t age)
{
    uint8_t place = bus->write_order[age];
    bus->write_count--;
    memmove(&bus->write_order[age], &bus->write_order[age + 1], bus->write_count - age);
    bus->write_order[bus->write_count] = place;
}

/* Writes of one id are answered in order; with `reorder` others overtake. */
static void answer(struct bus *bus)
{
    uint32_t ready[BUS_WRITES_MAX], count = 0;
    for (uint32_t i = 0; i < bus->write_count; i++) {
        bool behind = false;
        for (uint32_t k = 0; k < i && !behind; k++)
            behind = pending(bus, k)->id == pending(bus, i)->id;
        if (!behind && pending(bus, i)->due && pending(bus, i)->due <= bus->cycle)
            ready[count++] = i;
        if (!bus->settings.reorder)
            break;
    }
    if (!count)
        return;
    uint32_t place = ready[count > 1 ? bus_random(bus, BUS_WRITE_ORDER, count) : 0];
    perform(bus, pending(bus, place));
    forget(bus, place);
}

/* The oldest write whose data is not all here; write_count = none. */
static uint32_t filling(const struct bus *bus)
{
    uint32_t i = 0;
    while (i < bus->write_count && pending(bus, i)->due)
        i++;
    return i;
}

void bus_drive_write(struct bus *bus)
{
    if (!bus->offering_response)
        answer(bus);
    bus_set_bit(&bus->bvalid, bus->offering_response);
    bus_set_bit(&bus->awready,
                bus->write_count < BUS_WRITES_MAX && bus_random(bus, BUS_WRITE_STALLS, 256) >= bus->settings.stalls);
    bus_set_bit(&bus->wready, filling(bus) < bus->write_count && bus->write_tokens >= BUS_LINE_BYTES &&
                                  bus_random(bus, BUS_DATA_STALLS, 256) >= bus->settings.stalls);
}

static void take_request(struct bus *bus)
{
    struct bus_write *write = pending(bus, bus->write_count++);
    write->address = bus_value(&bus->awaddr);
    write->id = (uint32_t)bus_value(&bus->awid);
    write->lines = (uint32_t)bus_value(&bus->awlen) + 1;
    write->next = 0;
    write->due = 0;
    bus_check_burst(bus, "write", write->address, write->lines);
    bus->counters.writes++;
}

static void count_packets(struct bus *bus, const struct bus_write *write)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < write->lines; i++)
        bytes += (uint32_t)__builtin_popcountll(write->enable[i]);
    bus->counters.write_bytes += bytes;
    bus->counters.write_packets += (bytes + WRITE_PACKET_BYTES - 1) / WRITE_PACKET_BYTES;
}

static void take_line(struct bus *bus)
{
    struct bus_write *write = pending(bus, filling(bus));
    memcpy(write->data[write->next], bus->wdata.value, BUS_LINE_BYTES);
    write->enable[write->next] = bus_value(&bus->wstrb);
    if (!write->enable[write->next])
        bus_broken(bus, "write at 0x%" PRIx64 ", line %u: no byte is enabled", write->address, write->next);
    bool last = ++write->next == write->lines;
    if (last != bus_bit(&bus->wlast))
        bus_broken(bus, "write at 0x%" PRIx64 ", line %u of %u: wlast is %d", write->address, write->next, write->lines,
                   bus_bit(&bus->wlast));
    if (!last)
        return;
    write->due = bus->cycle + bus->settings.write_latency + bus_random(bus, BUS_WRITE_SPREAD, bus->settings.spread + 1);
    count_packets(bus, write);
}

void bus_sample_write(struct bus *bus)
{
    bool request = bus_bit(&bus->awvalid), line = bus_bit(&bus->wvalid);
    bool request_taken = request && bus_bit(&bus->awready), line_taken = line && bus_bit(&bus->wready);
    const struct rtl_pin *const request_pins[] = {&bus->awaddr, &bus->awlen, &bus->awid};
    const struct rtl_pin *const line_pins[] = {&bus->wdata, &bus->wstrb, &bus->wlast};
    bus_check_held(bus, "aw", &bus->aw_held, request, request_taken, request_pins, 3);
    bus_check_held(bus, "w", &bus->w_held, line, line_taken, line_pins, 3);
    if (bus->offering_response && bus_bit(&bus->bready))
        bus->offering_response = false;
    if (line_taken) {
        bus_pay(&bus->write_tokens);
        take_line(bus);
    }
    if (request_taken)
        take_request(bus);
}
