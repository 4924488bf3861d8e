/* SPDX-License-Identifier: Apache-2.0 */
/* The read half of a bus model: requests wait for their time, then their lines leave one by one. */
#include <inttypes.h>
#include <string.h>

#include "hw/platform/sim/bus_internal.h"

#define READ_REQUEST_BYTES 512u /* maximum read request size */
#define COMPLETION_BYTES   256u

/* Which read gives the next line; read_count = none. A read waits for earlier ones of its id. */
static uint32_t choose(struct bus *bus)
{
    uint32_t ready[BUS_READS_MAX], count = 0;
    for (uint32_t i = 0; i < bus->read_count; i++) {
        bool behind = false;
        for (uint32_t k = 0; k < i; k++)
            behind |= bus->asked[k].id == bus->asked[i].id;
        if (!behind && bus->asked[i].due <= bus->cycle)
            ready[count++] = i;
        if (!bus->settings.reorder)
            break;
    }
    return count ? ready[count > 1 ? bus_random(bus, BUS_READ_ORDER, count) : 0] : bus->read_count;
}

static void offer_line(struct bus *bus, uint32_t place)
{
    struct bus_read *read = &bus->asked[place];
    uint8_t *line = bus->rdata.value;
    bool good = bus->memory.read(bus->memory.context, read->address + (uint64_t)read->next * BUS_LINE_BYTES, line);
    if (!good) {
        memset(line, 0xEE, BUS_LINE_BYTES);
        bus->counters.error_responses++;
    }
    rtl_put(&bus->rid, 0, bus->rid.bits, read->id);
    rtl_put(&bus->rresp, 0, 2, good ? BUS_OKAY : BUS_DECODE_ERROR);
    bus_set_bit(&bus->rlast, read->next + 1 == read->lines);
    bus->offering_read = true;
    bus->offered_read = place;
}

void bus_drive_read(struct bus *bus)
{
    bus_set_bit(&bus->arready, bus->read_count < bus->settings.reads_max &&
                                   bus_random(bus, BUS_READ_STALLS, 256) >= bus->settings.stalls);
    if (!bus->offering_read) {
        uint32_t place = choose(bus);
        if (place < bus->read_count && bus_pay(&bus->read_tokens))
            offer_line(bus, place);
    }
    bus_set_bit(&bus->rvalid, bus->offering_read);
}

static void take_request(struct bus *bus)
{
    struct bus_read read = {.address = bus_value(&bus->araddr),
                            .due = bus->cycle + bus->settings.read_latency +
                                   bus_random(bus, BUS_READ_SPREAD, bus->settings.spread + 1),
                            .id = (uint32_t)bus_value(&bus->arid),
                            .lines = (uint32_t)bus_value(&bus->arlen) + 1};
    bus_check_burst(bus, "read", read.address, read.lines);
    for (uint32_t i = 0; i < bus->read_count && bus->settings.one_read_per_id; i++)
        if (bus->asked[i].id == read.id)
            bus_broken(bus, "read at 0x%" PRIx64 " with id %u, which has one outstanding", read.address, read.id);
    bus->asked[bus->read_count++] = read;
    uint32_t bytes = read.lines * BUS_LINE_BYTES;
    bus->counters.reads++;
    bus->counters.read_bytes += bytes;
    bus->counters.read_requests += (bytes + READ_REQUEST_BYTES - 1) / READ_REQUEST_BYTES;
    bus->counters.completions += (bytes + COMPLETION_BYTES - 1) / COMPLETION_BYTES;
}

static void line_left(struct bus *bus)
{
    uint32_t place = bus->offered_read;
    bus->offering_read = false;
    if (++bus->asked[place].next < bus->asked[place].lines)
        return;
    memmove(&bus->asked[place], &bus->asked[place + 1], (bus->read_count - place - 1) * sizeof bus->asked[0]);
    bus->read_count--;
}

void bus_sample_read(struct bus *bus)
{
    bool valid = bus_bit(&bus->arvalid), taken = valid && bus_bit(&bus->arready);
    const struct rtl_pin *const payload[] = {&bus->araddr, &bus->arlen, &bus->arid};
    bus_check_held(bus, "ar", &bus->ar_held, valid, taken, payload, 3);
    if (bus->offering_read && bus_bit(&bus->rready))
        line_left(bus);
    if (taken)
        take_request(bus);
}
