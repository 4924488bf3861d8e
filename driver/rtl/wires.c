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

void rtl_wires_open(struct rtl_state *state)
{
    struct rtl_wires *wires = &state->wires;
    if (state->whole) {
        wires->registers = wires->doorbells = wires->reset = RTL_NO_UNIT;
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

bool rtl_wires_settle(struct rtl_state *state, size_t unit)
{
    struct rtl_wires *wires = &state->wires;
    if (unit == wires->registers) {
        put(&wires->reset_busy, get(&wires->reset_request) || state->view.quiesce);
        if (rtl_has_mark(state->unit_active, unit))
            show_ports(state);
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
