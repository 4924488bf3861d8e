/* SPDX-License-Identifier: Apache-2.0 */
/* What an rtl card consists of; between the files of its engine. */
#ifndef CIPU_RTL_STATE_H
#define CIPU_RTL_STATE_H

#include "driver/rtl/bus.h"
#include "driver/rtl/host.h"
#include "driver/rtl/mac.h"
#include "driver/rtl/memory.h"
#include "driver/rtl/trace.h"
#include "driver/rtl/unit.h"

#define RTL_UNITS_MAX  NATIVE_NODES_MAX
#define RTL_UNIT_WORDS (RTL_UNITS_MAX / 64u)
#define RTL_NO_UNIT    UINT16_MAX
#define RTL_BUSES_MAX  3u

struct rtl_node {
    uint16_t unit; /* RTL_NO_UNIT = a kernel without a module, which runs natively */
    bool is_shell; /* woken by what it is told and by its FIFOs alone */
    uint16_t *inputs, *outputs;
    uint16_t input_count, output_count;
};

/* Between modules of the shell that stand in a joined card one by one, what hw/shell/card.sv joins with wires. */
struct rtl_wires {
    size_t registers, doorbells, reset, monitors; /* units; RTL_NO_UNIT each in a card of one module */
    struct rtl_pin core_rst, quiesce, request, reset_request, bus_idle, reset_busy, settings_pending, hold_host;
    struct rtl_pin port_registers, link, counters[CARD_PORTS][4];
    struct rtl_pin tx_quiesce[CARD_PORTS], tx_between[CARD_PORTS];
    const struct rtl_unit *bus_units[RTL_BUSES_MAX];
    struct {
        const struct rtl_unit *unit; /* NULL = the graph has no such stream */
        const struct rtl_join *join;
    } monitored[MONITOR_STREAMS];
    struct rtl_pin monitor_valid, monitor_ready, monitor_last, monitor_bytes, monitor_word, monitor_value,
        monitor_stuck;
    struct rtl_pin read_word, read_value, read_stuck; /* the same at the register file */
};

struct rtl_state {
    struct native_card *card;
    const struct rtl_model *whole;
    const struct rtl_observer *observer;
    struct bus_settings host_settings;
    uint32_t message_window;
    bool halted; /* by a test: who accesses registers runs the cycles */

    struct rtl_node *nodes;
    uint16_t (*fifo_units)[2]; /* at a FIFO's two ends; RTL_NO_UNIT = a node that runs natively */
    struct rtl_unit *units;
    size_t unit_count;
    struct rtl_wires wires;

    struct rtl_memory memory;
    struct rtl_bus buses[RTL_BUSES_MAX];
    size_t bus_count;
    struct rtl_registers registers;
    struct rtl_doorbells doorbells;
    struct rtl_messages messages;
    struct rtl_mac macs[CARD_PORTS];
    bool look; /* at ports' links and peers */
    unsigned rounds;

    struct rtl_view view;
    struct rtl_trace trace;
    bool was_reset;
    uint16_t *changed; /* FIFOs in which a record moved in this cycle */
    size_t changed_count;
    bool *is_changed;
    uint64_t active[NATIVE_WORDS], next[NATIVE_WORDS];
    uint64_t unit_active[RTL_UNIT_WORDS], unit_woken[RTL_UNIT_WORDS];
    _Atomic uint64_t cycles, evaluations;
};

static inline void rtl_set_mark(uint64_t *bits, size_t number)
{
    bits[number / 64] |= UINT64_C(1) << number % 64;
}

static inline bool rtl_has_mark(const uint64_t *bits, size_t number)
{
    return bits[number / 64] >> number % 64 & 1;
}

static inline void rtl_wake_unit(struct rtl_state *state, size_t unit)
{
    rtl_set_mark(state->unit_active, unit);
    rtl_set_mark(state->unit_woken, unit);
}

/* build.c */
int rtl_build(struct rtl_state *state, struct cipu_error *error);
void rtl_dismantle(struct rtl_state *state);

/* options.c */
extern const struct bus_settings rtl_host_settings;
extern const char rtl_options[];
int rtl_option(struct rtl_state *state, const char *key, const char *value, struct cipu_error *error);

/* wires.c */
void rtl_wires_open(struct rtl_state *state);
/* When a cycle begins: whether the card is in reset, and what the registers show of the ports. */
void rtl_wires_begin(struct rtl_state *state);
/* Before a unit settles, when those before it have: true = what it sees has changed. */
bool rtl_wires_settle(struct rtl_state *state, size_t unit);

#endif
