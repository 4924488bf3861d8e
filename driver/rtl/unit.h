/* SPDX-License-Identifier: Apache-2.0 */
/* A Verilated module joined to the card's FIFOs, and what stands at its other pins. */
#ifndef CIPU_RTL_UNIT_H
#define CIPU_RTL_UNIT_H

#include "driver/rtl/device.h"
#include "driver/rtl/rtl.h"
#include "hls/include/registers.h"

struct rtl_join {
    struct rtl_stream stream;
    uint16_t fifo;
    bool input; /* of the module */
    bool gated; /* closed while the card is about to be reset */
    uint8_t
        monitor; /* its number among the streams that are counted (hls/include/registers.h); MONITOR_STREAMS = none */
};

struct rtl_unit {
    struct rtl rtl;
    struct rtl_pin idle;
    struct rtl_pin time, nanoseconds, ticks, quiet; /* value NULL = the module has no such port */
    uint8_t *core_rst;                              /* the reset that goes with the card's; NULL = none */
    bool is_idle;                                   /* when it was last evaluated */
    bool resting;                                   /* quiet: not evaluated while its inputs stay as they are */
    bool evaluated;                                 /* in this cycle */
    struct rtl_join *joins;
    size_t join_count;
    struct rtl_device devices[RTL_DEVICES_MAX];
    size_t device_count;
    struct native_activity *activity; /* counts the cycles in which something moved; NULL = nobody's */
};

/* Opens the module as `name`; -ENOMEM. */
int rtl_unit_open(struct rtl_unit *unit, const struct rtl_model *model, const char *name, struct cipu_error *error);
void rtl_unit_close(struct rtl_unit *unit);

/* Joins the module's stream `name`, the `index`-th if it has several, to a FIFO. */
int rtl_unit_join(struct rtl_unit *unit, const char *name, uint32_t index, uint16_t fifo, bool input);

void rtl_unit_add(struct rtl_unit *unit, struct rtl_device device);

/* What the unit may see of a FIFO in this cycle, and the FIFO's slots. */
struct rtl_view {
    uint32_t *head, *tail; /* as they were when the cycle began, by FIFO */
    struct hls_fifo *fifo;
    void (*moved)(void *context, uint16_t fifo); /* called for each record that moves */
    void *context;
    const uint32_t *time_ms;
    uint64_t time_ns;    /* card time */
    bool reset, quiesce; /* of the card, in this cycle */
};

/* One cycle has two halves, as all modules settle before any sees the clock's edge. `woken` = something may have moved
 * in its FIFOs, or at its other inputs. */
void rtl_unit_settle(struct rtl_unit *unit, const struct rtl_view *view, bool woken);
/* Up to the clock's edge (rtl_tick), which follows if the unit was evaluated. Returns whether the next cycle must be
 * run as well. */
bool rtl_unit_finish(struct rtl_unit *unit, const struct rtl_view *view);

#endif
