/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/rtl/unit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/block.h"

int rtl_unit_open(struct rtl_unit *unit, const struct rtl_model *model, const char *name, struct cipu_error *error)
{
    *unit = (struct rtl_unit){0};
    int result = rtl_open_instance(&unit->rtl, model, name);
    if (result < 0)
        return cipu_fail(error, result, "rtl card: no memory for a model of %s", model->name);
    unit->idle = rtl_pin(&unit->rtl, "idle", 1);
    if (rtl_has_pin(&unit->rtl, "time_ms"))
        unit->time = rtl_pin(&unit->rtl, "time_ms", 32);
    if (rtl_has_pin(&unit->rtl, "time_ns"))
        unit->nanoseconds = rtl_pin(&unit->rtl, "time_ns", 32);
    if (rtl_has_pin(&unit->rtl, "time_tick"))
        unit->ticks = rtl_pin(&unit->rtl, "time_tick", 32);
    if (rtl_has_pin(&unit->rtl, "quiet"))
        unit->quiet = rtl_pin(&unit->rtl, "quiet", 1);
    /* A module with `clear` has parts that live through the card's reset. */
    unit->core_rst = rtl_has_pin(&unit->rtl, "clear") ? rtl_pin(&unit->rtl, "clear", 1).value : unit->rtl.rst;
    return 0;
}

void rtl_unit_close(struct rtl_unit *unit)
{
    free(unit->joins);
    if (unit->rtl.model)
        rtl_close(&unit->rtl);
}

int rtl_unit_join(struct rtl_unit *unit, const char *name, uint32_t index, uint16_t fifo, bool input)
{
    struct rtl_join *joins = realloc(unit->joins, (unit->join_count + 1) * sizeof *joins);
    if (!joins)
        return -ENOMEM;
    unit->joins = joins;
    joins[unit->join_count++] =
        (struct rtl_join){rtl_stream(&unit->rtl, name, index, 0), fifo, input, false, MONITOR_STREAMS};
    return 0;
}

void rtl_unit_add(struct rtl_unit *unit, struct rtl_device device)
{
    assert(unit->device_count < RTL_DEVICES_MAX);
    unit->devices[unit->device_count++] = device;
}

static uint8_t *slot(const struct hls_fifo *fifo, uint32_t index)
{
    return fifo->slots + (size_t)(index & fifo->mask) * fifo->slot_bytes;
}

/* The inputs of the cycle. */
static void present(struct rtl_unit *unit, const struct rtl_view *view)
{
    for (size_t i = 0; i < unit->join_count; i++) {
        const struct rtl_join *join = &unit->joins[i];
        uint32_t head = view->head[join->fifo], tail = view->tail[join->fifo];
        const struct hls_fifo *fifo = &view->fifo[join->fifo];
        if (join->input) {
            bool some = head != tail && !(join->gated && view->quiesce);
            rtl_offer(&join->stream, some ? slot(fifo, head) : NULL);
        } else {
            rtl_accept(&join->stream, tail - head <= fifo->mask);
        }
    }
}

static bool move(struct rtl_unit *unit, const struct rtl_view *view)
{
    bool some = false;
    for (size_t i = 0; i < unit->join_count; i++) {
        const struct rtl_join *join = &unit->joins[i];
        struct hls_fifo *fifo = &view->fifo[join->fifo];
        if (!rtl_moves(&join->stream))
            continue;
        if (join->input) {
            atomic_store_explicit(&fifo->head, view->head[join->fifo] + 1, memory_order_relaxed);
        } else {
            memcpy(slot(fifo, view->tail[join->fifo]), join->stream.data, join->stream.bytes);
            atomic_store_explicit(&fifo->tail, view->tail[join->fifo] + 1, memory_order_relaxed);
        }
        view->moved(view->context, join->fifo);
        some = true;
    }
    return some;
}

void rtl_unit_settle(struct rtl_unit *unit, const struct rtl_view *view, bool woken)
{
    unit->evaluated = woken || !unit->resting || view->reset;
    for (size_t i = 0; i < unit->device_count; i++)
        unit->evaluated |= unit->devices[i].drive(unit->devices[i].context);
    if (!unit->evaluated)
        return;
    present(unit, view);
    if (unit->core_rst)
        *unit->core_rst = view->reset;
    if (unit->time.value)
        rtl_put(&unit->time, 0, 32, *view->time_ms);
    if (unit->nanoseconds.value)
        rtl_put(&unit->nanoseconds, 0, 32, (uint32_t)view->time_ns);
    if (unit->ticks.value)
        rtl_put(&unit->ticks, 0, 32, (uint32_t)(view->time_ns / BLOCK_TICK_NANOSECONDS));
    rtl_settle(&unit->rtl);
    unit->resting = unit->quiet.value && *(const uint8_t *)unit->quiet.value;
    unit->is_idle = *(const uint8_t *)unit->idle.value;
}

bool rtl_unit_finish(struct rtl_unit *unit, const struct rtl_view *view)
{
    bool moved = unit->evaluated && !view->reset && move(unit, view);
    bool busy = view->reset;
    for (size_t i = 0; i < unit->device_count; i++)
        busy |= unit->devices[i].sample(unit->devices[i].context);
    if (unit->activity)
        native_account(unit->activity, moved ? 1 : 0, false);
    return moved || busy || !(unit->is_idle || unit->resting);
}
