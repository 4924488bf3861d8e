/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/rtl/trace.h"

#include <errno.h>

#define CYCLE_NANOSECONDS 4u

int rtl_trace_open(struct rtl_trace *trace, const char *path, uint64_t from, uint64_t count,
                   const struct rtl_unit *units, size_t unit_count, struct cipu_error *error)
{
    struct waveform *waveform;
    int result = waveform_create(&waveform);
    if (result < 0)
        return cipu_fail(error, result, "waveform: no memory");
    for (size_t i = 0; result == 0 && i < unit_count; i++) {
        result = waveform_add(waveform, &units[i].rtl);
        if (result < 0)
            cipu_fail(error, result, "waveform: this program's model of %s was built without",
                      units[i].rtl.model->name);
    }
    if (result == 0) {
        result = waveform_open(waveform, path);
        if (result < 0)
            cipu_fail(error, result, "waveform: cannot write %s", path);
    }
    if (result < 0) {
        waveform_close(waveform);
        return result;
    }
    trace->waveform = waveform;
    trace->from = from;
    trace->until = count < UINT64_MAX - from ? from + count : UINT64_MAX;
    return 0;
}

void rtl_trace_edge(struct rtl_trace *trace, uint64_t cycle, struct rtl_unit *units, size_t unit_count)
{
    bool seen = cycle >= trace->from && cycle < trace->until;
    if (seen)
        waveform_dump(trace->waveform, cycle * CYCLE_NANOSECONDS);
    for (size_t i = 0; i < unit_count; i++)
        if (units[i].evaluated)
            rtl_rise(&units[i].rtl);
    if (seen)
        waveform_dump(trace->waveform, cycle * CYCLE_NANOSECONDS + CYCLE_NANOSECONDS / 2);
    for (size_t i = 0; i < unit_count; i++)
        if (units[i].evaluated)
            rtl_fall(&units[i].rtl);
}

static const uint8_t *record_at(const struct hls_fifo *fifo, uint32_t index)
{
    return fifo->slots + (size_t)(index & fifo->mask) * fifo->slot_bytes;
}

void rtl_trace_records(const struct rtl_trace *trace, uint64_t cycle, const struct rtl_view *view, uint16_t fifo)
{
    const struct rtl_watcher *watcher = trace->watcher;
    const struct hls_fifo *now = &view->fifo[fifo];
    for (uint32_t i = view->head[fifo]; i != now->head; i++)
        watcher->record(watcher->context, cycle, fifo, false, record_at(now, i));
    for (uint32_t i = view->tail[fifo]; i != now->tail; i++)
        watcher->record(watcher->context, cycle, fifo, true, record_at(now, i));
}
