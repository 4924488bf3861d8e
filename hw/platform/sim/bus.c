/* SPDX-License-Identifier: Apache-2.0 */
#include "hw/platform/sim/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/platform/sim/bus_internal.h"

#define PAGE_BYTES 4096u

uint32_t bus_random(struct bus *bus, enum bus_use use, uint32_t below)
{
    bool stalls = use == BUS_READ_STALLS || use == BUS_WRITE_STALLS || use == BUS_DATA_STALLS;
    uint64_t number = stalls ? bus->cycle : bus->drawn[use]++;
    /* splitmix64, Steele, Lea, Flood 2014 */
    uint64_t value =
        bus->settings.seed * UINT64_C(0xd1342543de82ef95) + (number * 8 + use) * UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    value ^= value >> 31;
    return (uint32_t)((value >> 32) * below >> 32);
}

void bus_broken(struct bus *bus, const char *format, ...)
{
    char text[256];
    int length = snprintf(text, sizeof text, "bus %s, cycle %" PRIu64 ": ", bus->prefix, bus->cycle);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    if (bus->broken) {
        bus->broken(bus->broken_context, text);
        return;
    }
    fprintf(stderr, "%s\n", text);
    abort();
}

void bus_check_burst(struct bus *bus, const char *kind, uint64_t address, uint32_t lines)
{
    if (address % BUS_LINE_BYTES)
        bus_broken(bus, "%s at 0x%" PRIx64 ", expected whole lines of 64 bytes", kind, address);
    if (address % PAGE_BYTES + lines * BUS_LINE_BYTES > PAGE_BYTES)
        bus_broken(bus, "%s of %u lines at 0x%" PRIx64 " crosses 4 KiB", kind, lines, address);
}

void bus_check_held(struct bus *bus, const char *channel, struct bus_held *held, bool valid, bool taken,
                    const struct rtl_pin *const *pins, unsigned count)
{
    uint8_t payload[sizeof held->payload] = {0};
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        memcpy(payload + used, pins[i]->value, (pins[i]->bits + 7) / 8);
        used += (pins[i]->bits + 7) / 8;
    }
    if (held->valid && !valid)
        bus_broken(bus, "%svalid fell before it was taken", channel);
    else if (held->valid && memcmp(payload, held->payload, sizeof payload) != 0)
        bus_broken(bus, "%s changed before it was taken", channel);
    if (taken && bus->moved)
        bus->moved(bus->moved_context, channel, payload, used);
    held->valid = valid && !taken;
    memcpy(held->payload, payload, sizeof payload);
}

struct wanted {
    struct rtl_pin *pin;
    const char *name;
    uint32_t bits;
};

/* False = the module has not this half of a port. */
static bool find(const struct rtl *rtl, const char *prefix, const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.40s_%.20s", prefix, wanted[i].name);
        if (i == 0 && !rtl_has_pin(rtl, text))
            return false;
        *wanted[i].pin = rtl_pin(rtl, text, wanted[i].bits);
    }
    return true;
}

int bus_open(struct bus *bus, const struct rtl *rtl, const char *prefix, const struct bus_settings *settings,
             const struct bus_memory *memory)
{
    *bus = (struct bus){.settings = *settings, .memory = *memory, .prefix = prefix};
    bus->writes_pending = calloc(BUS_WRITES_MAX, sizeof *bus->writes_pending);
    if (!bus->writes_pending)
        return -ENOMEM;
    for (uint32_t i = 0; i < BUS_WRITES_MAX; i++)
        bus->write_order[i] = (uint8_t)i;
    const struct wanted read_pins[] = {
        {&bus->araddr, "araddr", 64},  {&bus->arlen, "arlen", 8},     {&bus->arid, "arid", 0},
        {&bus->arvalid, "arvalid", 1}, {&bus->arready, "arready", 1}, {&bus->rdata, "rdata", 512},
        {&bus->rid, "rid", 0},         {&bus->rresp, "rresp", 2},     {&bus->rlast, "rlast", 1},
        {&bus->rvalid, "rvalid", 1},   {&bus->rready, "rready", 1},
    };
    const struct wanted write_pins[] = {
        {&bus->awaddr, "awaddr", 64},  {&bus->awlen, "awlen", 8},     {&bus->awid, "awid", 0},
        {&bus->awvalid, "awvalid", 1}, {&bus->awready, "awready", 1}, {&bus->wdata, "wdata", 512},
        {&bus->wstrb, "wstrb", 64},    {&bus->wlast, "wlast", 1},     {&bus->wvalid, "wvalid", 1},
        {&bus->wready, "wready", 1},   {&bus->bid, "bid", 0},         {&bus->bresp, "bresp", 2},
        {&bus->bvalid, "bvalid", 1},   {&bus->bready, "bready", 1},
    };
    bus->reads = find(rtl, prefix, read_pins, sizeof read_pins / sizeof read_pins[0]);
    bus->writes = find(rtl, prefix, write_pins, sizeof write_pins / sizeof write_pins[0]);
    bus_reset(bus);
    return 0;
}

void bus_close(struct bus *bus)
{
    free(bus->writes_pending);
    bus->writes_pending = NULL;
}

void bus_reset(struct bus *bus)
{
    memset(bus->drawn, 0, sizeof bus->drawn);
    bus->read_count = bus->write_count = 0;
    bus->read_tokens = bus->write_tokens = 0;
    bus->offering_read = bus->offering_response = false;
    bus->ar_held.valid = bus->aw_held.valid = bus->w_held.valid = false;
    if (bus->reads) {
        bus_set_bit(&bus->rvalid, false);
        bus_set_bit(&bus->arready, false);
    }
    if (bus->writes) {
        bus_set_bit(&bus->bvalid, false);
        bus_set_bit(&bus->awready, false);
        bus_set_bit(&bus->wready, false);
    }
}

static void earn(uint32_t *tokens, uint64_t bytes)
{
    uint32_t most = 2 * BUS_LINE_BYTES;
    *tokens = *tokens + bytes < most ? (uint32_t)(*tokens + bytes) : most;
}

void bus_skip(struct bus *bus, uint64_t cycles)
{
    bus->cycle += cycles;
    earn(&bus->read_tokens, bus->settings.rate * cycles);
    earn(&bus->write_tokens, bus->settings.rate * cycles);
}

void bus_drive(struct bus *bus)
{
    earn(&bus->read_tokens, bus->settings.rate);
    earn(&bus->write_tokens, bus->settings.rate);
    if (bus->reads)
        bus_drive_read(bus);
    if (bus->writes)
        bus_drive_write(bus);
}

void bus_sample(struct bus *bus)
{
    if (bus->reads)
        bus_sample_read(bus);
    if (bus->writes)
        bus_sample_write(bus);
    bus->cycle++;
}
