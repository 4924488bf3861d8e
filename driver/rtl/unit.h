/* SPDX-License-Identifier: Apache-2.0 */
/* A Verilated module joined to the card's FIFOs, and perhaps to a bus. */
#ifndef CIPU_RTL_UNIT_H
#define CIPU_RTL_UNIT_H

#include "driver/rtl/rtl.h"

struct rtl_join {
    struct rtl_stream stream;
    uint16_t fifo;
    bool input; /* of the module */
};

struct rtl_unit {
    struct rtl rtl;
    struct rtl_pin idle;
    struct rtl_pin time, quiet; /* value NULL = the module has no such port */
    bool is_idle;               /* when it was last evaluated */
    bool resting;               /* quiet: not evaluated while its inputs stay as they are */
    bool evaluated;             /* in this cycle */
    struct rtl_join *joins;
    size_t join_count;
    struct bus *bus;                  /* NULL = none */
    bool host_bus;                    /* it is that of PCIe */
    struct native_activity *activity; /* counts the cycles in which something moved */
};

/* Opens the module as `name`; -ENOMEM. */
int rtl_unit_open(struct rtl_unit *unit, const struct rtl_model *model, const char *name, struct cipu_error *error);
void rtl_unit_close(struct rtl_unit *unit);
void rtl_unit_reset(struct rtl_unit *unit);

/* Joins the module's stream `name`, the `index`-th if it has several, to a FIFO. */
int rtl_unit_join(struct rtl_unit *unit, const char *name, uint32_t index, uint16_t fifo, bool input);

/* The unit's place at a bus. */
int rtl_unit_add_bus(struct rtl_unit *unit, const struct bus_settings *settings, const struct bus_memory *memory);

/* What the unit may see of a FIFO in this cycle, and the FIFO's slots. */
struct rtl_view {
    uint32_t *head, *tail; /* as they were when the cycle began, by FIFO */
    struct hls_fifo *fifo;
    void (*moved)(void *context, uint16_t fifo); /* called for each record that moves */
    void *context;
    const uint32_t *time_ms;
};

/* One cycle up to its end, the clock's edge (rtl_tick), which follows if the unit was `evaluated`. `woken` = something
 * may have moved in its FIFOs. Returns whether the next cycle must be run as well. */
bool rtl_unit_cycle(struct rtl_unit *unit, const struct rtl_view *view, bool woken);

#endif
