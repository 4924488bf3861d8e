/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of a running rtl card: the records in its FIFOs, and its modules' signals. */
#ifndef CIPU_RTL_TRACE_H
#define CIPU_RTL_TRACE_H

#include "driver/rtl/unit.h"
#include "hw/platform/sim/waveform.h"

struct rtl_trace {
    const struct rtl_watcher *watcher; /* NULL = nobody */
    struct waveform *waveform;         /* NULL = none */
    uint64_t from, until;              /* cycles of the waveform */
};

int rtl_trace_open(struct rtl_trace *trace, const char *path, uint64_t from, uint64_t count,
                   const struct rtl_unit *units, size_t unit_count, struct cipu_error *error);

/* The clock's edge of all units that were evaluated, with a look before and after it. */
void rtl_trace_edge(struct rtl_trace *trace, uint64_t cycle, struct rtl_unit *units, size_t unit_count);

/* What moved in a FIFO since the view of it was made. */
void rtl_trace_records(const struct rtl_trace *trace, uint64_t cycle, const struct rtl_view *view, uint16_t fifo);

#endif
