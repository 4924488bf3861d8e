/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands outside the card, at some pins of a module: host memory, a MAC, the host's accesses. A whole card as one
 * module has all of them, the modules of a joined card have one or two each. The card's thread alone calls these.
 */
#ifndef CIPU_RTL_DEVICE_H
#define CIPU_RTL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

struct rtl_device {
    void *context;
    bool (*poll)(void *context);   /* now and then: has it something for a module that rests? NULL = never */
    bool (*drive)(void *context);  /* inputs of the cycle; true = the module has to see them */
    bool (*sample)(void *context); /* once it has settled; true = there has to be a next cycle */
    void (*reset)(void *context);  /* the card is being reset; NULL = that is nothing to it */
};

#define RTL_DEVICES_MAX 12u

/* Told what crosses the pins: requests and data on the buses, words to the MACs, messages, register values. */
struct rtl_observer {
    void (*saw)(void *context, const char *what, unsigned index, const void *bytes, size_t count);
    void *context;
};

static inline void rtl_saw(const struct rtl_observer *observer, const char *what, unsigned index, const void *bytes,
                           size_t count)
{
    if (observer)
        observer->saw(observer->context, what, index, bytes, count);
}

#endif
