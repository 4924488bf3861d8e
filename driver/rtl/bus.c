/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/rtl/bus.h"

#include <stdio.h>

static void moved(void *context, const char *channel, const void *payload, size_t bytes)
{
    struct rtl_bus *bus = context;
    char what[16];
    snprintf(what, sizeof what, "%.8s %.4s", bus->name, channel);
    rtl_saw(bus->observer, what, 0, payload, bytes);
}

int rtl_bus_open(struct rtl_bus *bus, const struct rtl *rtl, const char *prefix, const struct bus_settings *settings,
                 const struct bus_memory *memory, const _Atomic uint64_t *now)
{
    bus->now = now;
    int result = bus_open(&bus->bus, rtl, prefix, settings, memory);
    bus->bus.moved = bus->observer ? moved : NULL;
    bus->bus.moved_context = bus;
    return result;
}

void rtl_bus_close(struct rtl_bus *bus)
{
    bus_close(&bus->bus);
}

/* Cycles in which the module rested have passed on the bus, too. */
static bool drive(void *context)
{
    struct rtl_bus *bus = context;
    bus_skip(&bus->bus, *bus->now - bus->bus.cycle);
    bus_drive(&bus->bus);
    return bus->bus.offering_read || bus->bus.offering_response;
}

static bool sample(void *context)
{
    struct rtl_bus *bus = context;
    bus_sample(&bus->bus);
    return !bus_idle(&bus->bus);
}

/* What is on its way when a card is reset came too late: the platform answers for it. */
static void reset(void *context)
{
    struct rtl_bus *bus = context;
    bus_reset(&bus->bus);
}

struct rtl_device rtl_bus_device(struct rtl_bus *bus)
{
    return (struct rtl_device){.context = bus, .drive = drive, .sample = sample, .reset = reset};
}
