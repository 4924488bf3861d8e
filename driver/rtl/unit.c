/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/rtl/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rtl_unit_open(struct rtl_unit *unit, const struct rtl_model *model, const char *name, struct cipu_error *error)
{
    *unit = (struct rtl_unit){0};
    int result = rtl_open_instance(&unit->rtl, model, name);
    if (result < 0)
        return cipu_fail(error, result, "rtl card: no memory for a model of %s", model->name);
    unit->idle = rtl_pin(&unit->rtl, "idle", 1);
    if (rtl_has_pin(&unit->rtl, "time_ms"))
        unit->time = rtl_pin(&unit->rtl, "time_ms", 32);
    if (rtl_has_pin(&unit->rtl, "quiet"))
        unit->quiet = rtl_pin(&unit->rtl, "quiet", 1);
    return 0;
}

void rtl_unit_close(struct rtl_unit *unit)
{
    if (unit->bus)
        bus_close(unit->bus);
    free(unit->bus);
    free(unit->joins);
    if (unit->rtl.model)
        rtl_close(&unit->rtl);
}

void rtl_unit_reset(struct rtl_unit *unit)
{
    for (size_t i = 0; i < unit->join_count; i++) {
        if (unit->joins[i].input)
            rtl_offer(&unit->joins[i].stream, NULL);
        else
            rtl_accept(&unit->joins[i].stream, false);
    }
    if (unit->bus)
        bus_reset(unit->bus);
    rtl_reset(&unit->rtl);
    unit->resting = false;
}

int rtl_unit_join(struct rtl_unit *unit, const char *name, uint32_t index, uint16_t fifo, bool input)
{
    struct rtl_join *joins = realloc(unit->joins, (unit->join_count + 1) * sizeof *joins);
    if (!joins)
        return -ENOMEM;
    unit->joins = joins;
    joins[unit->join_count++] = (struct rtl_join){rtl_stream(&unit->rtl, name, index, 0), fifo, input};
    return 0;
}

int rtl_unit_add_bus(struct rtl_unit *unit, const struct bus_settings *settings, const struct bus_memory *memory)
{
    unit->bus = calloc(1, sizeof *unit->bus);
    return unit->bus ? bus_open(unit->bus, &unit->rtl, "bus", settings, memory) : -ENOMEM;
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
            rtl_offer(&join->stream, head != tail ? slot(fifo, head) : NULL);
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

/* The bus has something for the module in this cycle. */
static bool bus_speaks(const struct rtl_unit *unit)
{
    return unit->bus && (unit->bus->offering_read || unit->bus->offering_response);
}

/* The module is evaluated, with what the bus holds out to it. Returns whether something moved in a FIFO. */
static bool evaluate(struct rtl_unit *unit, const struct rtl_view *view)
{
    present(unit, view);
    if (unit->time.value)
        rtl_put(&unit->time, 0, 32, *view->time_ms);
    rtl_settle(&unit->rtl);
    bool moved = move(unit, view);
    unit->resting = unit->quiet.value && *(const uint8_t *)unit->quiet.value;
    unit->is_idle = *(const uint8_t *)unit->idle.value;
    return moved;
}

bool rtl_unit_cycle(struct rtl_unit *unit, const struct rtl_view *view, bool woken)
{
    if (unit->bus)
        bus_drive(unit->bus);
    unit->evaluated = woken || !unit->resting || bus_speaks(unit);
    bool moved = unit->evaluated && evaluate(unit, view);
    if (unit->bus)
        bus_sample(unit->bus);
    native_account(unit->activity, moved ? 1 : 0, false);
    return moved || !(unit->is_idle || unit->resting) || (unit->bus && !bus_idle(unit->bus));
}
