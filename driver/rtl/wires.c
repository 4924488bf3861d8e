/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/rtl/state.h"

static bool get(const struct rtl_pin *pin)
{
    return *(const uint8_t *)pin->value & 1;
}

static void put(const struct rtl_pin *pin, bool value)
{
    *(uint8_t *)pin->value = value;
}

static void find_monitored(struct rtl_state *state)
{
    for (size_t i = 0; i < state->unit_count; i++) {
        const struct rtl_unit *unit = &state->units[i];
        for (size_t n = 0; n < unit->join_count; n++) {
            if (unit->joins[n].monitor >= MONITOR_STREAMS)
                continue;
            state->wires.monitored[unit->joins[n].monitor].unit = unit;
            state->wires.monitored[unit->joins[n].monitor].join = &unit->joins[n];
        }
    }
}

static void open_monitors(struct rtl_state *state)
{
    struct rtl_wires *wires = &state->wires;
    const struct rtl *monitors = &state->units[wires->monitors].rtl, *registers = &state->units[wires->registers].rtl;
    wires->monitor_valid = rtl_pin(monitors, "valid", MONITOR_STREAMS);
    wires->monitor_ready = rtl_pin(monitors, "ready", MONITOR_STREAMS);
    wires->monitor_last = rtl_pin(monitors, "last", MONITOR_STREAMS);
    wires->monitor_bytes = rtl_pin(monitors, "bytes", MONITOR_STREAMS * 7);
    wires->monitor_word = rtl_pin(monitors, "word", 9);
    wires->monitor_value = rtl_pin(monitors, "value", 32);
    wires->monitor_stuck = rtl_pin(monitors, "stuck", MONITOR_STREAMS);
    wires->read_word = rtl_pin(registers, "monitor_word", 9);
    wires->read_value = rtl_pin(registers, "monitor_value", 32);
    wires->read_stuck = rtl_pin(registers, "stuck", MONITOR_STREAMS);
    find_monitored(state);
}

void rtl_wires_open(struct rtl_state *state)
{
    struct rtl_wires *wires = &state->wires;
    if (state->whole) {
        wires->registers = wires->doorbells = wires->reset = wires->monitors = RTL_NO_UNIT;
        wires->core_rst = rtl_pin(&state->units[0].rtl, "core_rst", 1);
        wires->link = rtl_pin(&state->units[0].rtl, "link", CARD_PORTS);
        return;
    }
    const struct rtl *registers = &state->units[wires->registers].rtl, *reset = &state->units[wires->reset].rtl;
    wires->core_rst = rtl_pin(reset, "core_rst", 1);
    wires->quiesce = rtl_pin(reset, "quiesce", 1);
    wires->request = rtl_pin(reset, "request", 1);
    wires->bus_idle = rtl_pin(reset, "bus_idle", 1);
    wires->reset_request = rtl_pin(registers, "reset_request", 1);
    wires->reset_busy = rtl_pin(registers, "reset_busy", 1);
    wires->settings_pending = rtl_pin(registers, "settings_pending", 1);
    wires->port_registers = rtl_pin(registers, "port_registers", CARD_PORTS * 5 * 32);
    wires->hold_host = rtl_pin(&state->units[wires->doorbells].rtl, "hold_host", 1);
    open_monitors(state);
}

/* As card.sv has them: link, packets received, dropped, sent, dropped. */
static void show_ports(struct rtl_state *state)
{
    struct rtl_wires *wires = &state->wires;
    for (uint32_t port = 0; port < CARD_PORTS; port++) {
        rtl_put(&wires->port_registers, port * 160, 32, atomic_load(&state->card->ports[port].link));
        for (uint32_t i = 0; i < 4; i++)
            rtl_put(&wires->port_registers, port * 160 + (i + 1) * 32, 32, rtl_get(&wires->counters[port][i], 0, 32));
    }
}

void rtl_wires_begin(struct rtl_state *state)
{
    struct rtl_wires *wires = &state->wires;
    state->view.reset = get(&wires->core_rst);
    if (state->whole) {
        for (uint32_t port = 0; port < CARD_PORTS; port++)
            rtl_put(&wires->link, port, 1, atomic_load(&state->card->ports[port].link));
        return;
    }
    state->view.quiesce = get(&wires->quiesce);
    for (uint32_t port = 0; port < CARD_PORTS; port++)
        put(&wires->tx_quiesce[port], state->view.quiesce);
}

static bool all_idle(const struct rtl_wires *wires)
{
    bool idle = true;
    for (unsigned i = 0; i < RTL_BUSES_MAX; i++)
        idle &= !wires->bus_units[i] || get(&wires->bus_units[i]->idle);
    for (unsigned i = 0; i < CARD_PORTS; i++)
        idle &= get(&wires->tx_between[i]);
    return idle;
}

static void copy(const struct rtl_pin *to, const struct rtl_pin *from)
{
    rtl_put(to, 0, to->bits, rtl_get(from, 0, from->bits));
}

/* What has not been evaluated stands as it stood. */
static bool listen(struct rtl_state *state)
{
    struct rtl_wires *wires = &state->wires;
    uint64_t valid = rtl_get(&wires->monitor_valid, 0, MONITOR_STREAMS);
    uint64_t ready = rtl_get(&wires->monitor_ready, 0, MONITOR_STREAMS);
    uint64_t last = rtl_get(&wires->monitor_last, 0, MONITOR_STREAMS);
    for (unsigned i = 0; i < MONITOR_STREAMS; i++) {
        if (!wires->monitored[i].unit || !wires->monitored[i].unit->evaluated)
            continue;
        const struct rtl_stream *stream = &wires->monitored[i].join->stream;
        const struct beat *beat = (const struct beat *)(const void *)stream->data;
        uint64_t bit = UINT64_C(1) << i;
        bool offered = *stream->valid & stream->mask;
        valid = offered ? valid | bit : valid & ~bit;
        ready = *stream->ready & stream->mask ? ready | bit : ready & ~bit;
        if (!offered)
            continue;
        last = beat->meta.last ? last | bit : last & ~bit;
        rtl_put(&wires->monitor_bytes, i * 7, 7, beat->meta.bytes);
    }
    rtl_put(&wires->monitor_valid, 0, MONITOR_STREAMS, valid);
    rtl_put(&wires->monitor_ready, 0, MONITOR_STREAMS, ready);
    rtl_put(&wires->monitor_last, 0, MONITOR_STREAMS, last);
    copy(&wires->monitor_word, &wires->read_word);
    return valid || rtl_has_mark(state->unit_active, wires->registers);
}

bool rtl_wires_settle(struct rtl_state *state, size_t unit)
{
    struct rtl_wires *wires = &state->wires;
    if (unit == wires->registers) {
        put(&wires->reset_busy, get(&wires->reset_request) || state->view.quiesce);
        if (rtl_has_mark(state->unit_active, unit)) {
            show_ports(state);
            copy(&wires->read_value, &wires->monitor_value);
            copy(&wires->read_stuck, &wires->monitor_stuck);
        }
    } else if (unit == wires->monitors) {
        return listen(state);
    } else if (unit == wires->doorbells) {
        bool before = get(&wires->hold_host);
        put(&wires->hold_host, get(&wires->settings_pending));
        return before != get(&wires->hold_host);
    } else if (unit == wires->reset) {
        put(&wires->request, get(&wires->reset_request));
        put(&wires->bus_idle, all_idle(wires));
        return get(&wires->request) || state->view.quiesce;
    }
    return false;
}
