/* SPDX-License-Identifier: Apache-2.0 */
/* A bus model (hw/platform/sim/bus.h) as a device. */
#ifndef CIPU_RTL_BUS_DEVICE_H
#define CIPU_RTL_BUS_DEVICE_H

#include "driver/rtl/device.h"
#include "hw/platform/sim/bus.h"

struct rtl_bus {
    struct bus bus;
    const char *name; /* for the observer */
    const struct rtl_observer *observer;
    const _Atomic uint64_t *now; /* the card's cycle */
};

/* The port PREFIX_... of the module; -ENOMEM. */
int rtl_bus_open(struct rtl_bus *bus, const struct rtl *rtl, const char *prefix, const struct bus_settings *settings,
                 const struct bus_memory *memory, const _Atomic uint64_t *now);
void rtl_bus_close(struct rtl_bus *bus);
struct rtl_device rtl_bus_device(struct rtl_bus *bus);

#endif
